//! A random enemy.
//!
//! In: the swarm, chance. Out: a line that says what goes wrong next, or is made good.

use model::{Chance, TaskState};

use crate::story::task_name;
use crate::swarm::Swarm;

/// What the enemy does next.
pub fn line(swarm: &Swarm, chance: &mut Chance) -> String {
    let place = chance.below(swarm.nodes.len() as u64) as usize;
    let name = &swarm.nodes[place].description.hostname;
    match chance.below(12) {
        0 => format!("crash {name}"),
        1 => format!("stop {name}"),
        2..=4 => format!("start {name}"),
        5 => format!("cut {name}"),
        6..=8 => format!("heal {name}"),
        9 if chance.one_in(1, 2) => "depose".to_owned(),
        _ => {
            let running = swarm.book.tasks.iter().filter(|task| task.status.state == TaskState::Running);
            let running: Vec<_> = running.collect();
            let chosen = running.get(chance.below(running.len() as u64) as usize);
            chosen.map_or_else(
                || format!("start {name}"),
                |task| format!("kill {}", task_name(task, &swarm.book)),
            )
        }
    }
}

/// Everything that makes good what the enemy did.
pub fn amends(swarm: &Swarm) -> Vec<String> {
    let names = swarm.nodes.iter().map(|node| &node.description.hostname);
    names
        .flat_map(|name| [format!("heal {name}"), format!("start {name}"), format!("activate {name}")])
        .collect()
}
