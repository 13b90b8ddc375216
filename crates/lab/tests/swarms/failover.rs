//! Leaders that are killed while clients write: what was acknowledged is never lost.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;

use skep_lab::{Api, PATIENCE, Result, Trouble, until};

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

#[test]
#[ignore = "needs root"]
fn no_acknowledged_write_is_lost_with_a_leader() -> Result<()> {
    let names = ["a", "b", "c"];
    let mut lab = swarm::swarm_of(&names, &[])?;
    let mut written = BTreeSet::new();
    for round in 0..KILLS {
        let leader = swarm::until_leader(lab.host("a")?, &[])?;
        let managers: Vec<Api> = lab.hosts().iter().map(skep_lab::Host::api).collect();
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
            // What was acknowledged until now counts, too; then the writers hear that nobody hears.
            written.extend(acknowledged.try_iter().filter(|name| !name.is_empty()));
            drop(acknowledged);
            Ok::<_, Trouble>(())
        })?;
        swarm::until_manager(lab.host("a")?, &leader, &["Reachable", "Leader"])?;
    }
    for name in names {
        let host = lab.host(name)?;
        until("a manager has all that was acknowledged", || {
            let shown = host.docker(&["config", "ls", "--format", "{{.Name}}"]).ok()?;
            let known: BTreeSet<String> = shown.lines().map(str::to_owned).collect();
            written.is_subset(&known).then_some(())
        })?;
    }
    Ok(())
}
