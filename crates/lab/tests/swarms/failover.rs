//! Leaders that are killed, and managers that restart, while clients write: what was acknowledged is never lost, and
//! every manager shows it at once.

use std::collections::BTreeSet;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use skep_lab::{Api, Host, Lab, PATIENCE, Result, Trouble, until};

use crate::swarm;

/// The managers.
const NAMES: [&str; 3] = ["a", "b", "c"];
/// How often the leader is killed; `scripts/bench many` does it far more often.
const KILLS: usize = 3;
/// Who writes at the same time.
const WRITERS: usize = 4;
/// How many writes must be acknowledged before a kill, and again after it.
const WRITES: usize = 20;
/// How long no write at all may be taken while a manager restarts. It was a quarter to half a second on a machine that
/// did other things, too.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// A write that was tried.
struct Write {
    /// When it was answered, counted from the first.
    at: Duration,
    /// What was written; nothing if it was tried in vain.
    name: Option<String>,
}

/// Writes by turns through all managers that answer, and tells of each try, until nobody hears.
fn write(writer: &str, managers: &[Api], time: impl Fn() -> Duration, tried: &mpsc::Sender<Write>) {
    for (number, manager) in managers.iter().cycle().enumerate() {
        let name = format!("{writer}-{number}");
        let config = serde_json::json!({ "Name": name, "Data": "YQ==" });
        let is_written = manager.post("/configs/create", &config).is_ok();
        if tried.send(Write { at: time(), name: is_written.then_some(name) }).is_err() {
            return;
        }
    }
}

/// Has clients write while something is done, which hears of what they try. What they wrote until then counts too.
fn while_writing(
    lab: &mut Lab,
    round: usize,
    done: impl FnOnce(&mut Lab, &mut Written) -> Result<()>,
) -> Result<BTreeSet<String>> {
    let managers: Vec<Api> = lab.hosts().iter().map(Host::api).collect();
    let (sender, tried) = mpsc::channel();
    let begin = host::clock::now();
    let time = move || host::clock::since(begin);
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (name, managers, sender) = (format!("w{round}-{writer}"), &managers, sender.clone());
            scope.spawn(move || write(&name, managers, time, &sender));
        }
        drop(sender);
        let mut written =
            Written { tried, names: BTreeSet::new(), last: Duration::ZERO, pause: Duration::ZERO };
        done(lab, &mut written)?;
        written.hear_all();
        Ok(written.names)
    })
}

/// What clients wrote.
struct Written {
    tried: mpsc::Receiver<Write>,
    names: BTreeSet<String>,
    /// When a write was last acknowledged.
    last: Duration,
    /// The longest time between two that were.
    pause: Duration,
}

impl Written {
    /// Hears of so many more.
    fn hear(&mut self, count: usize) -> Result<()> {
        let doing = || Trouble::new("waiting for writes", "no manager took one");
        let (begin, wanted) = (host::clock::now(), self.names.len() + count);
        while self.names.len() < wanted {
            let write = self.tried.recv_timeout(PATIENCE).map_err(|_| doing())?;
            self.note(write);
            if host::clock::since(begin) > PATIENCE {
                return Err(doing());
            }
        }
        Ok(())
    }

    /// Hears of all that were tried by now.
    fn hear_all(&mut self) {
        while let Ok(write) = self.tried.try_recv() {
            self.note(write);
        }
    }

    fn note(&mut self, Write { at, name }: Write) {
        let Some(name) = name else { return };
        self.names.insert(name);
        self.pause = self.pause.max(at.saturating_sub(self.last));
        self.last = self.last.max(at);
    }
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
    let mut lab = swarm::swarm_of(&NAMES, &[])?;
    let mut written = BTreeSet::new();
    for round in 0..KILLS {
        let leader = swarm::until_leader(lab.host("a")?, &[])?;
        let names = while_writing(&mut lab, round, |lab, written| {
            written.hear(WRITES)?;
            lab.host_mut(&leader)?.kill()?;
            written.hear(WRITES)?;
            lab.host_mut(&leader)?.start()?;
            shows_at_once(lab.host(&leader)?, &written.names)
        })?;
        written.extend(names);
        swarm::until_manager(lab.host("a")?, &leader, &["Reachable", "Leader"])?;
    }
    NAMES.iter().try_for_each(|name| shows_at_once(lab.host(name)?, &written))
}

#[test]
#[ignore = "needs root"]
fn managers_restart_one_after_the_other_while_clients_write() -> Result<()> {
    let mut lab = swarm::swarm_of(&NAMES, &[])?;
    let written = while_writing(&mut lab, 0, |lab, written| {
        // The leader is among them, and the one who leads after it.
        for name in NAMES {
            written.hear(WRITES)?;
            lab.host_mut(name)?.stop()?;
            written.hear(WRITES)?;
            lab.host_mut(name)?.start()?;
            shows_at_once(lab.host(name)?, &written.names)?;
            let other = NAMES.iter().find(|other| **other != name).expect("there are three");
            swarm::until_manager(lab.host(other)?, name, &["Reachable", "Leader"])?;
        }
        println!("no write was taken for {:?} at most", written.pause);
        assert!(written.pause < PAUSE_MAX, "no write was taken for {:?}", written.pause);
        Ok(())
    })?;
    NAMES.iter().try_for_each(|name| shows_at_once(lab.host(name)?, &written))
}
