//! How long a swarm is without a leader when its leader falls.
//!
//! In: a seed, which draws the moment and everybody's patience. Out: the time from the fall until another manager has
//! taken a write.

use control::leader::Request;
use model::{Chance, Duration, SecretSpec};

use crate::swarm::{Broken, Plan, Swarm};

/// How a leader falls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fall {
    /// Its daemon is killed.
    Kill,
    /// Its cable is cut.
    Cut,
}

/// So long a swarm may take to have another leader before it is said that it has none.
const TOO_LONG: Duration = Duration::from_secs(30);
/// The leader falls within so many milliseconds.
const MOMENT: u64 = 2_000;

/// Lets the leader of so many managers fall; returns how long it takes until another has taken a write.
pub fn failover(seed: u64, managers: u32, fall: Fall) -> Result<Duration, Broken> {
    let names: Vec<String> = (0..managers).map(|number| format!("n{number}")).collect();
    let mut swarm = Swarm::begin(Plan { managers, ..Plan::of(&names, seed) });
    swarm.run(Duration::from_secs(1))?;
    swarm.gather()?;
    let moment = Chance::from_number(seed).below(MOMENT);
    swarm.run(Duration::from_millis(moment))?;
    let Some(fallen) = swarm.leader() else { return Ok(TOO_LONG) };
    let begin = swarm.now();
    match fall {
        Fall::Kill => swarm.crash_daemon(fallen),
        Fall::Cut => swarm.network.cut(fallen),
    }
    let is_led = move |swarm: &Swarm| swarm.leader().is_some_and(|leader| leader != fallen);
    while swarm.run_until(TOO_LONG, is_led)? {
        let Some(leader) = swarm.leader() else { continue };
        let mut spec = SecretSpec { data: b"word".to_vec(), ..SecretSpec::default() };
        "word".clone_into(&mut spec.annotations.name);
        if swarm.ask_by(leader, Request::CreateSecret(Box::new(spec)))?.is_ok() {
            break;
        }
    }
    Ok(swarm.now().since(begin))
}
