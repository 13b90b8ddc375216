//! Leaders that are killed while clients write: what was acknowledged is never lost.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;

use skep_lab::{Api, Host, PATIENCE, Result, Trouble, until};

use crate::swarm;

/// How often the leader is killed; `scripts/bench 3` does it far more often.
const KILLS: usize = 3;
/// Who writes at the same time.
const WRITERS: usize = 4;
/// How many writes must be acknowledged before a kill, and again after it.
const WRITES: usize = 20;

/// Writes by turns through all managers that answer, and tells each name that was acknowledged, until nobody hears.
fn write(writer: &str, managers: &[Api], acknowledged: &mpsc::Sender<String>) {
    for (number, manager) in managers.iter().cycle().enumerate() {
        let name = format!("{writer}-{number}");
        let config = serde_json::json!({ "Name": name, "Data": "YQ==" });
        let is_written = manager.post("/configs/create", &config).is_ok();
        // An empty name says that this was tried in vain: whoever hears may want no more.
        if acknowledged.send(if is_written { name } else { String::new() }).is_err() {
            return;
        }
    }
}

/// Hears of so many writes that were acknowledged.
fn hear(acknowledged: &mpsc::Receiver<String>, count: usize) -> Result<Vec<String>> {
    let doing = || Trouble::new("waiting for writes", "no manager took one");
    let mut names = Vec::new();
    let begin = host::clock::now();
    while names.len() < count {
        let name = acknowledged.recv_timeout(PATIENCE).map_err(|_| doing())?;
        names.extend(Some(name).filter(|name| !name.is_empty()));
        if host::clock::since(begin) > PATIENCE {
            return Err(doing());
        }
    }
    Ok(names)
}

/// The first list that a manager shows has all of these, however short a time ago it came back.
fn shows_at_once(manager: &Host, written: &BTreeSet<String>) -> Result<()> {
    let list = || manager.docker(&["config", "ls", "--format", "{{.Name}}"]).ok();
    let shown = until("a manager shows a list", list)?;
    let known: BTreeSet<String> = shown.lines().map(str::to_owned).collect();
    let missing: Vec<_> = written.difference(&known).collect();
    let doing = || format!("asking {} for what was acknowledged", manager.name());
    if missing.is_empty() { Ok(()) } else { Err(Trouble::new(doing(), format!("{missing:?} are missing"))) }
}

#[test]
#[ignore = "needs root"]
fn no_acknowledged_write_is_lost_with_a_leader() -> Result<()> {
    let names = ["a", "b", "c"];
    let mut lab = swarm::swarm_of(&names, &[])?;
    let mut written = BTreeSet::new();
    for round in 0..KILLS {
        let leader = swarm::until_leader(lab.host("a")?, &[])?;
        let managers: Vec<Api> = lab.hosts().iter().map(Host::api).collect();
        let (sender, acknowledged) = mpsc::channel();
        thread::scope(|scope| {
            for writer in 0..WRITERS {
                let (name, managers, sender) = (format!("w{round}-{writer}"), &managers, sender.clone());
                scope.spawn(move || write(&name, managers, &sender));
            }
            drop(sender);
            written.extend(hear(&acknowledged, WRITES)?);
            lab.host_mut(&leader)?.kill()?;
            written.extend(hear(&acknowledged, WRITES)?);
            lab.host_mut(&leader)?.start()?;
            shows_at_once(lab.host(&leader)?, &written)?;
            // What was acknowledged until now counts, too; then the writers hear that nobody hears.
            written.extend(acknowledged.try_iter().filter(|name| !name.is_empty()));
            drop(acknowledged);
            Ok::<_, Trouble>(())
        })?;
        swarm::until_manager(lab.host("a")?, &leader, &["Reachable", "Leader"])?;
    }
    names.iter().try_for_each(|name| shows_at_once(lab.host(name)?, &written))
}
