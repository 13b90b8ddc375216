//! A storm, and the calm after it.
//!
//! In: a seed and a size. Out: what it saw, or what broke, with the line that repeats it and the end of the story.

use std::ops::AddAssign;
use std::panic::{self, AssertUnwindSafe};

use model::{Chance, Duration};

use crate::command::{self, CommandError};
use crate::linear;
use crate::swarm::{MakeReplica, Plan, Swarm};
use crate::tally::Tally;
use crate::{client, faults};

/// How large a storm is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// How many of the machines begin as managers.
    pub managers: u32,
    /// How many machines there are besides.
    pub workers: u32,
    /// How long it storms.
    pub time: Duration,
}

impl Size {
    /// The size of an ordinary storm with this seed: one manager with many workers, or up to seven with a few; now and
    /// then a large one.
    pub fn of(seed: u64) -> Self {
        let time = Duration::from_secs(30 + seed % 31);
        if seed % LARGE_EVERY == 1 {
            let large = seed / LARGE_EVERY;
            return Self { managers: 1 + (large % 7) as u32, workers: 100 - (large % 50) as u32, time };
        }
        match seed % 4 {
            0 => Self { managers: 1, workers: 2 + (seed / 4 % 49) as u32, time },
            _ => Self { managers: 2 + (seed / 4 % 6) as u32, workers: (seed / 24 % 7) as u32, time },
        }
    }
}

/// One of so many storms is large.
const LARGE_EVERY: u64 = 50;

/// What broke in a storm.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what}\nto see it again: {again}")]
pub struct Wreck {
    /// The storm's seed.
    pub seed: u64,
    /// What broke.
    pub what: String,
    /// What happened before.
    pub story: String,
    /// The line that repeats it.
    pub again: String,
}

/// What a storm that broke nothing went through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Entries that were committed.
    pub entries: u64,
    /// Questions of clerks.
    pub questions: usize,
    /// What befell the swarm.
    pub tally: Tally,
}

impl AddAssign for Passed {
    fn add_assign(&mut self, other: Self) {
        let Self { entries, questions, tally } = other;
        self.entries += entries;
        self.questions += questions;
        self.tally += tally;
    }
}

/// So long everything is quiet before the swarm must be what the specs say: longer than any delay, any grace and
/// any wait for an old task,
const CALM: Duration = Duration::from_secs(240);
/// and so much longer for each machine, since an update may renew them one after the other.
const CALM_EACH: Duration = Duration::from_secs(20);
/// In calm one looks this often whether all is as wished.
const LOOK: Duration = Duration::from_secs(10);
/// What is seen at one of so many moments counts,
const MOMENTS: u32 = 50;
/// each so long after the one before.
const MOMENT: Duration = Duration::from_millis(20);
/// So often nodes are opened again that users took away, for a leader may yet be lost.
const REOPENINGS: u32 = 3;
/// Clerks in a group of managers.
const CLERKS: u32 = 3;
/// Entries between two snapshots: few, so that many are made.
const SNAPSHOT_INTERVAL: u64 = 60;

/// Storms, then waits, then looks.
pub fn storm(seed: u64, size: Size) -> Result<Passed, Box<Wreck>> {
    storm_of(seed, size, Plan::of(&[], 0).replica)
}

/// As [`storm`], with managers whose replicas are made by somebody else.
pub fn storm_of(seed: u64, size: Size, replica: MakeReplica) -> Result<Passed, Box<Wreck>> {
    let names: Vec<String> = (0..size.managers + size.workers).map(|number| format!("n{number}")).collect();
    let mut chance = Chance::from_number(seed ^ 0x0057_0124);
    let mut plan = Plan { managers: size.managers, replica, ..Plan::of(&names, seed) };
    plan.snapshot_interval = SNAPSHOT_INTERVAL;
    plan.habits.message_bytes_max = 200;
    plan.habits.inflight_max = 4;
    plan.habits.tail_entries = 10;
    plan.habits.pre_vote = !seed.is_multiple_of(5);
    let mut swarm = Swarm::begin(plan);
    let ended = panic::catch_unwind(AssertUnwindSafe(|| {
        rage(&mut swarm, &mut chance, size).and_then(|()| rest(&mut swarm))
    }));
    let ended = ended.unwrap_or_else(|_| Err("a machine panicked".to_owned()));
    let again = format!(
        "cargo run -p skep-sim -- --seed {seed} --managers {} --workers {} --seconds {}",
        size.managers,
        size.workers,
        size.time.as_secs()
    );
    match ended {
        Ok(()) => Ok(Passed {
            entries: swarm.truth.committed(),
            questions: swarm.clerks.questions(),
            tally: swarm.truth.tally,
        }),
        Err(what) => Err(Box::new(Wreck { seed, what, story: swarm.truth.story.whole(), again })),
    }
}

fn rage(swarm: &mut Swarm, chance: &mut Chance, size: Size) -> Result<(), String> {
    swarm.run(Duration::from_secs(1)).and_then(|()| swarm.gather()).map_err(|broken| broken.to_string())?;
    for line in ["network back", "secret word", "label n0 zone=north", "label n1 zone=south"] {
        act(swarm, line)?;
    }
    swarm.hire(if size.managers > 1 { CLERKS } else { 1 });
    let end = swarm.now() + size.time;
    while swarm.now() < end {
        let line =
            if chance.one_in(1, 2) { faults::line(swarm, chance) } else { client::line(swarm, chance) };
        act(swarm, &line)?;
        let pause = Duration::from_millis(chance.below(3000));
        swarm.run(pause).map_err(|broken| broken.to_string())?;
    }
    Ok(())
}

/// Makes everything good, waits, and looks whether all is as wished, and stays so.
fn rest(swarm: &mut Swarm) -> Result<(), String> {
    swarm.clerks.are_done = true;
    for line in faults::amends(swarm) {
        act(swarm, &line)?;
    }
    for _ in 0..REOPENINGS {
        swarm.run(LOOK).map_err(|broken| broken.to_string())?;
        for line in faults::reopening(swarm) {
            act(swarm, &line)?;
        }
    }
    swarm.introduce();
    let end = swarm.now() + CALM + CALM_EACH * swarm.machines.len() as u32;
    let mut was_calm = false;
    loop {
        swarm.run(LOOK).map_err(|broken| broken.to_string())?;
        match look(swarm)? {
            Ok(()) if was_calm => break,
            Ok(()) => was_calm = true,
            Err(what) if swarm.now() >= end => {
                ["services", "tasks", "managers"].into_iter().try_for_each(|line| act(swarm, line))?;
                return Err(format!("at calm: {what}"));
            }
            Err(_) => was_calm = false,
        }
    }
    for (name, history) in swarm.clerks.histories() {
        if !linear::is_linear(&history) {
            return Err(format!("what happened to {name} cannot have happened: {history:#?}"));
        }
    }
    Ok(())
}

/// Looks whether all is as wished, at one of a few moments: where tasks fail for ever, something is on its way at most.
fn look(swarm: &mut Swarm) -> Result<Result<(), String>, String> {
    let mut seen = swarm.check_calm();
    for _ in 0..MOMENTS {
        if seen.is_ok() {
            break;
        }
        swarm.run(MOMENT).map_err(|broken| broken.to_string())?;
        seen = swarm.check_calm();
    }
    Ok(seen)
}

fn act(swarm: &mut Swarm, line: &str) -> Result<(), String> {
    swarm.truth.tell(format!("> {line}"));
    match command::run(swarm, line) {
        Ok(shown) => {
            shown.into_iter().for_each(|line| swarm.truth.tell(line));
            Ok(())
        }
        // What was to be touched is gone meanwhile.
        Err(CommandError::Unreadable(_)) => Ok(()),
        Err(CommandError::Broken(broken)) => Err(broken.to_string()),
    }
}
