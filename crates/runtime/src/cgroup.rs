//! Reads and changes the control groups of containers that run.
//!
//! The OCI runtime makes and removes them; here they are frozen, given other limits, and read for figures.

use std::fs;
use std::io;
use std::path::Path;

use crate::container::ContainerId;
use crate::container::ground::Ground;
use crate::container::keeper::Frozen;
use crate::container::spec::Cgroups;
use crate::container::spec::document::{Cpu, Memory, Resources};

/// Lets all processes stand still, or go on.
pub(crate) fn freeze(ground: &Ground, id: ContainerId, frozen: Frozen) -> io::Result<()> {
    let folder = ground.cgroup_folder(id, "freezer");
    match (ground.cgroups, frozen) {
        (Cgroups::V2, Frozen::Still) => fs::write(folder.join("cgroup.freeze"), "1"),
        (Cgroups::V2, Frozen::Moving) => fs::write(folder.join("cgroup.freeze"), "0"),
        (_, Frozen::Still) => fs::write(folder.join("freezer.state"), "FROZEN"),
        (_, Frozen::Moving) => fs::write(folder.join("freezer.state"), "THAWED"),
    }
}

/// Gives a container other limits.
pub(crate) fn limit(ground: &Ground, id: ContainerId, wanted: &Resources) -> io::Result<()> {
    for Setting { controller, file, value, must } in settings(ground.cgroups == Cgroups::V2, wanted) {
        let path = ground.cgroup_folder(id, controller).join(file);
        // The kernel may have been built without swap, or its bound may have to wait for the one of memory.
        let optional = must == Must::Maybe || (must == Must::IfThere && !path.exists());
        if let Err(error) = fs::write(&path, value)
            && !optional
        {
            return Err(error);
        }
    }
    Ok(())
}

/// A file of a control group, and what shall stand in it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Setting {
    controller: &'static str,
    file: &'static str,
    value: String,
    must: Must,
}

/// Whether the kernel has to take a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Must {
    /// It has to.
    Always,
    /// It has to if it knows the file at all.
    IfThere,
    /// It need not.
    Maybe,
}

/// Limits in the words of the unified control groups, or of the old ones, in the order in which they are set.
fn settings(unified: bool, wanted: &Resources) -> Vec<Setting> {
    let mut list = Vec::new();
    let mut set =
        |controller, file, value: String, must| list.push(Setting { controller, file, value, must });
    let or_max = |number: i64| if number < 0 { "max".to_owned() } else { number.to_string() };
    if let Some(Memory { limit, swap, reservation, .. }) = &wanted.memory {
        match (unified, limit) {
            (true, Some(limit)) => {
                set("memory", "memory.max", or_max(*limit), Must::Always);
                // Here swap has a bound of its own; in our words it is bounded together with memory.
                let swap = swap.map_or(-1, |both| if both < 0 { both } else { both - limit });
                set("memory", "memory.swap.max", or_max(swap), Must::IfThere);
            }
            (false, Some(limit)) => {
                let swap = swap.unwrap_or(-1).to_string();
                // The bound of both must never be below the bound of memory, so the order depends on what was.
                set("memory", "memory.memsw.limit_in_bytes", swap.clone(), Must::Maybe);
                set("memory", "memory.limit_in_bytes", limit.to_string(), Must::Always);
                set("memory", "memory.memsw.limit_in_bytes", swap, Must::IfThere);
            }
            (_, None) => {}
        }
        if let Some(reservation) = reservation {
            let file = if unified { "memory.low" } else { "memory.soft_limit_in_bytes" };
            set("memory", file, reservation.to_string(), Must::Always);
        }
    }
    if let Some(Cpu { quota, period, shares, cpus, mems }) = &wanted.cpu {
        let (quota, period) = (quota.unwrap_or(-1), period.unwrap_or(PERIOD_MICROS));
        if unified {
            let quota = if quota > 0 { quota.to_string() } else { "max".to_owned() };
            set("cpu", "cpu.max", format!("{quota} {period}"), Must::Always);
        } else {
            set("cpu", "cpu.cfs_period_us", period.to_string(), Must::Always);
            set("cpu", "cpu.cfs_quota_us", quota.to_string(), Must::Always);
        }
        match (unified, shares) {
            (true, Some(shares)) => set("cpu", "cpu.weight", weight(*shares).to_string(), Must::Always),
            (false, Some(shares)) => set("cpu", "cpu.shares", shares.to_string(), Must::Always),
            (_, None) => {}
        }
        for (file, value) in [("cpuset.cpus", cpus), ("cpuset.mems", mems)] {
            if !value.is_empty() {
                set("cpuset", file, value.clone(), Must::Always);
            }
        }
    }
    let pids = wanted.pids.as_ref().map_or(-1, |pids| pids.limit);
    set("pids", "pids.max", or_max(pids), Must::IfThere);
    list
}

/// Shares (2 to 262144, 1024 being usual) as a weight (1 to 10000), as the OCI runtimes count.
fn weight(shares: u64) -> u64 {
    1 + (shares.clamp(2, 262_144) - 2) * 9999 / 262_142
}

/// Microseconds of a period if nothing is said.
const PERIOD_MICROS: u64 = 100_000;

/// The processes of a container, as numbers of the host.
pub(crate) fn processes(ground: &Ground, id: ContainerId) -> Vec<u32> {
    let text = fs::read_to_string(ground.cgroup_folder(id, "pids").join("cgroup.procs")).unwrap_or_default();
    text.lines().filter_map(|line| line.parse().ok()).collect()
}

/// A number in a file; 0 if there is none.
pub(crate) fn number(folder: &Path, file: &str) -> u64 {
    fs::read_to_string(folder.join(file)).ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

/// The lines `name value` of a file.
pub(crate) fn pairs(folder: &Path, file: &str) -> Vec<(String, u64)> {
    let text = fs::read_to_string(folder.join(file)).unwrap_or_default();
    let pair = |line: &str| {
        let (name, value) = line.split_once(' ')?;
        Some((name.to_owned(), value.trim().parse().ok()?))
    };
    text.lines().filter_map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::container::spec::document::Pids;

    fn wanted() -> Resources {
        Resources {
            memory: Some(Memory {
                limit: Some(64 << 20),
                swap: Some(96 << 20),
                reservation: Some(32 << 20),
                ..Memory::default()
            }),
            cpu: Some(Cpu { shares: Some(1024), quota: Some(50_000), cpus: "0-1".into(), ..Cpu::default() }),
            pids: Some(Pids { limit: 20 }),
            ..Resources::default()
        }
    }

    fn words(unified: bool, wanted: &Resources) -> Vec<String> {
        let word = |setting: &Setting| format!("{}={}", setting.file, setting.value);
        settings(unified, wanted).iter().map(word).collect()
    }

    #[test]
    fn limits_are_said_in_the_words_of_the_unified_groups() {
        let expected = [
            "memory.max=67108864",
            "memory.swap.max=33554432",
            "memory.low=33554432",
            "cpu.max=50000 100000",
            "cpu.weight=39",
            "cpuset.cpus=0-1",
            "pids.max=20",
        ];
        assert_eq!(words(true, &wanted()), expected);
        assert_eq!(words(true, &Resources::default()), ["pids.max=max"]);
        let boundless = Memory { limit: Some(8 << 20), swap: Some(-1), ..Memory::default() };
        let words = words(true, &Resources { memory: Some(boundless), ..Resources::default() });
        assert_eq!(words, ["memory.max=8388608", "memory.swap.max=max", "pids.max=max"]);
    }

    #[test]
    fn limits_are_said_in_the_words_of_the_old_groups() {
        let expected = [
            "memory.memsw.limit_in_bytes=100663296",
            "memory.limit_in_bytes=67108864",
            "memory.memsw.limit_in_bytes=100663296",
            "memory.soft_limit_in_bytes=33554432",
            "cpu.cfs_period_us=100000",
            "cpu.cfs_quota_us=50000",
            "cpu.shares=1024",
            "cpuset.cpus=0-1",
            "pids.max=20",
        ];
        assert_eq!(words(false, &wanted()), expected);
    }

    #[test]
    fn shares_become_weights() {
        assert_eq!([0, 2, 1024, 262_144, u64::MAX].map(weight), [1, 1, 39, 10_000, 10_000]);
    }
}
