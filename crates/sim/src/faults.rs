//! A random enemy.
//!
//! In: the swarm, chance. Out: a line that says what goes wrong next, or is made good. It leaves to the managers what
//! a swarm needs to go on at all: never so many of them are down that what they know could be lost for good.

use model::node::Availability;
use model::{Chance, TaskState};

use crate::story::task_name;
use crate::swarm::{NodeNumber, Swarm};

/// What the enemy does next.
pub fn line(swarm: &Swarm, chance: &mut Chance) -> String {
    let part = if swarm.is_group() { 4 } else { 1 };
    if chance.one_in(part, 8) { group_line(swarm, chance) } else { node_line(swarm, chance) }
}

/// What happens to any machine.
fn node_line(swarm: &Swarm, chance: &mut Chance) -> String {
    let name = any(swarm, chance);
    match chance.below(14) {
        0 => format!("crash {name}"),
        1 => format!("stop {name}"),
        2..=4 => format!("start {name}"),
        5 => format!("cut {name}"),
        6..=8 => format!("heal {name}"),
        9 if chance.one_in(1, 2) => "depose".to_owned(),
        10 => format!("leap {name} {}s", chance.below(LEAP_MAX)),
        11 => {
            down(swarm, chance).map_or_else(|| format!("leap {name} 10s"), |down| format!("correct {down}"))
        }
        _ => kill(swarm, chance).unwrap_or_else(|| format!("start {name}")),
    }
}

/// What happens to managers.
fn group_line(swarm: &Swarm, chance: &mut Chance) -> String {
    let (name, other) = (manager(swarm, chance), manager(swarm, chance));
    let leader = swarm.leader().map_or_else(|| name.clone(), |leader| swarm.truth.name(leader).to_owned());
    match chance.below(29) {
        0 => format!("crash {leader}"),
        1 => format!("cut {leader}"),
        2 => format!("stop {name}"),
        3 => format!("crash {name}"),
        4 | 5 => format!("cut-way {name} {other}"),
        6 => format!("cut-way {leader} {name}"),
        7 => format!("cut-way {name} {leader}"),
        8 => format!("fill {name}"),
        9 | 10 => format!("hand {name}"),
        11 => "depose".to_owned(),
        12 if swarm.managers().len() < MANAGERS_MAX => format!("promote {}", any(swarm, chance)),
        13 => format!("demote {name}"),
        14 => format!("leap {leader} {}s", chance.below(LEAP_MAX)),
        15 => format!("weather {} {} {}ms", chance.below(200), chance.below(100), chance.below(300)),
        16 => "weather 0 0 0ms".to_owned(),
        17 => format!("empty {name}"),
        18 => split(swarm, chance),
        19 => "heal".to_owned(),
        20 => format!("trip {leader}"),
        21 | 22 => format!("trip {name}"),
        23..=25 => format!("start {name}"),
        _ => format!("heal {name}"),
    }
}

fn kill(swarm: &Swarm, chance: &mut Chance) -> Option<String> {
    let running = swarm.book().tasks.iter().filter(|task| task.status.state == TaskState::Running);
    let running: Vec<_> = running.collect();
    let chosen = running.get(chance.below(running.len() as u64) as usize)?;
    Some(format!("kill {}", task_name(chosen, swarm.book())))
}

fn any(swarm: &Swarm, chance: &mut Chance) -> String {
    let place = chance.below(swarm.machines.len() as u64) as usize;
    swarm.machines[place].node.description.hostname.clone()
}

/// A machine whose daemon does not run.
fn down(swarm: &Swarm, chance: &mut Chance) -> Option<String> {
    let is_down = |number: &NodeNumber| !swarm.machine(*number).node.is_up;
    let all: Vec<NodeNumber> = swarm.numbers().filter(is_down).collect();
    let number = all.get(chance.below(all.len() as u64) as usize)?;
    Some(swarm.truth.name(*number).to_owned())
}

/// Any part of all machines is split from the others.
fn split(swarm: &Swarm, chance: &mut Chance) -> String {
    let part = swarm.numbers().filter(|_| chance.one_in(1, 2));
    part.fold("split".to_owned(), |line, number| line + " " + swarm.truth.name(number))
}

/// One of those that have a manager, running or not.
fn manager(swarm: &Swarm, chance: &mut Chance) -> String {
    let all: Vec<&str> = swarm
        .numbers()
        .filter(|number| swarm.machine(*number).disk.is_some())
        .map(|number| swarm.truth.name(number))
        .collect();
    all[chance.below(all.len() as u64) as usize].to_owned()
}

/// What makes good that users took nodes away, and that power failed after all else was made good.
pub fn reopening(swarm: &Swarm) -> Vec<String> {
    let is_away = |number: &NodeNumber| {
        let node = swarm.book().nodes.get(swarm.machine(*number).node.id);
        node.is_some_and(|node| node.spec.availability != Availability::Active)
    };
    let away = swarm.numbers().filter(is_away);
    let reopened = away.map(|number| format!("activate {}", swarm.truth.name(number)));
    // Power may have failed at a write that was under way when all was made good.
    let started = swarm.numbers().map(|number| format!("start {}", swarm.truth.name(number)));
    started.chain(reopened).collect()
}

/// Everything that makes good what the enemy did.
pub fn amends(swarm: &Swarm) -> Vec<String> {
    let names = swarm.machines.iter().map(|machine| &machine.node.description.hostname);
    let lines =
        names.flat_map(|name| ["heal", "empty", "correct", "start"].map(|verb| format!("{verb} {name}")));
    std::iter::once("weather 0 0 0ms".to_owned()).chain(lines).collect()
}

/// No more managers are made when so many run.
const MANAGERS_MAX: usize = 7;
/// By so many seconds a clock is set forward at most.
const LEAP_MAX: u64 = 4_000;
