//! A storm, and the calm after it.
//!
//! In: a seed and a size. Out: nothing, or what broke, with the line that repeats it and the end of the story.

use model::{Chance, Duration};

use crate::checks;
use crate::command::{self, CommandError};
use crate::swarm::Swarm;
use crate::{client, faults};

/// How large a storm is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// How many workers there are besides the manager.
    pub workers: u32,
    /// How long it storms.
    pub time: Duration,
}

impl Default for Size {
    fn default() -> Self {
        Self { workers: 5, time: Duration::from_secs(60) }
    }
}

/// What broke in a storm.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{what}\nSEED={seed:#x} cargo test -p skep-sim storm\n{story}")]
pub struct Wreck {
    /// The storm's seed.
    pub seed: u64,
    /// What broke.
    pub what: String,
    /// What happened before.
    pub story: String,
}

/// So long everything is quiet before the swarm must be what the specs say: longer than any delay, any grace and
/// any wait for an old task.
const CALM: Duration = Duration::from_secs(240);

/// Storms, then waits, then looks.
pub fn storm(seed: u64, size: Size) -> Result<(), Box<Wreck>> {
    let names: Vec<String> = (0..=size.workers).map(|number| format!("n{number}")).collect();
    let mut swarm = Swarm::of(&names, seed);
    let mut chance = Chance::from_number(seed ^ 0x0057_0124);
    let ended = rage(&mut swarm, &mut chance, size).and_then(|()| rest(&mut swarm));
    ended.map_err(|what| Box::new(Wreck { seed, what, story: swarm.story.ending() }))
}

fn rage(swarm: &mut Swarm, chance: &mut Chance, size: Size) -> Result<(), String> {
    for line in ["network back", "secret word", "label n1 zone=north", "label n2 zone=south"] {
        act(swarm, line)?;
    }
    let end = swarm.now() + size.time;
    while swarm.now() < end {
        let line =
            if chance.one_in(1, 3) { faults::line(swarm, chance) } else { client::line(swarm, chance) };
        act(swarm, &line)?;
        let pause = Duration::from_millis(chance.below(4000));
        swarm.run(pause).map_err(|broken| broken.to_string())?;
    }
    Ok(())
}

/// Makes everything good, waits, and looks whether all is as wished.
fn rest(swarm: &mut Swarm) -> Result<(), String> {
    for line in faults::amends(swarm) {
        act(swarm, &line)?;
    }
    swarm.run(CALM).map_err(|broken| broken.to_string())?;
    let now = swarm.now();
    checks::calm(&swarm.book, &swarm.nodes, now).map_err(|what| format!("at calm: {what}"))?;
    checks::secrets(&swarm.nodes).map_err(|what| format!("at calm: {what}"))
}

fn act(swarm: &mut Swarm, line: &str) -> Result<(), String> {
    let now = swarm.now();
    swarm.story.tell(now, format!("> {line}"));
    match command::run(swarm, line) {
        Ok(shown) => {
            let now = swarm.now();
            shown.into_iter().for_each(|line| swarm.story.tell(now, line));
            Ok(())
        }
        // What was to be touched is gone meanwhile.
        Err(CommandError::Unreadable(_)) => Ok(()),
        Err(CommandError::Broken(broken)) => Err(broken.to_string()),
    }
}
