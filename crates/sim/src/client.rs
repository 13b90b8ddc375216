//! A random but lawful user.
//!
//! In: the swarm, chance. Out: a line that somebody might have typed.

use model::{Chance, ServiceMode};

use crate::swarm::Swarm;

/// The most services a user makes.
const SERVICES_MAX: u64 = 8;

/// What the user types next.
pub fn line(swarm: &Swarm, chance: &mut Chance) -> String {
    let name = format!("s{}", chance.below(SERVICES_MAX));
    match swarm.book().services.named(&name).next() {
        None => format!("create {name} {}", wishes(swarm, chance)),
        Some(service) => match chance.below(12) {
            0..=1 => format!("remove {name}"),
            2..=4 => match service.spec.mode {
                ServiceMode::Replicated { .. } => format!("scale {name}={}", chance.below(10)),
                _ => format!("remove {name}"),
            },
            5..=7 => format!(
                "update {name} image={} {}",
                image(chance),
                update_wishes(service.spec.mode.clone(), chance)
            ),
            8 => format!("update {name} force"),
            9 => format!("rollback {name}"),
            _ => node_line(swarm, chance),
        },
    }
}

fn node_line(swarm: &Swarm, chance: &mut Chance) -> String {
    let place = chance.below(swarm.machines.len() as u64) as usize;
    let name = &swarm.machines[place].node.description.hostname;
    match chance.below(8) {
        0 => format!("drain {name}"),
        1 => format!("pause {name}"),
        2..=5 => format!("activate {name}"),
        _ => format!("label {name} zone={}", pick(chance, &["north", "south"])),
    }
}

fn wishes(swarm: &Swarm, chance: &mut Chance) -> String {
    let mut words = vec![mode(chance), format!("image={}", image(chance))];
    let job = words[0].contains("job");
    let mut maybe = |chance: &mut Chance, part: u64, word: String| {
        if chance.one_in(part, 10) {
            words.push(word);
        }
    };
    let port = 8000 + chance.below(4);
    maybe(chance, 2, format!("port={port}"));
    maybe(chance, 1, format!("host-port={}", 9000 + port % 4));
    maybe(chance, 2, "constraint=node.labels.zone==north".to_owned());
    maybe(chance, 2, "spread=node.labels.zone".to_owned());
    maybe(chance, 1, "max-per-node=2".to_owned());
    maybe(chance, 2, "cpus=1".to_owned());
    maybe(chance, 2, "memory=1".to_owned());
    maybe(chance, 2, "grace=3s".to_owned());
    let delay = chance.below(4);
    maybe(chance, 7, format!("restart-delay={}s", delay + 1));
    maybe(chance, 1, format!("restart-attempts={}", delay + 1));
    maybe(chance, 1, "restart-condition=on-failure".to_owned());
    if swarm.book().networks.named("back").next().is_some() {
        maybe(chance, 3, "network=back".to_owned());
    }
    if swarm.book().secrets.named("word").next().is_some() {
        maybe(chance, 3, "secret=word".to_owned());
    }
    if !job {
        let word = update_wishes(ServiceMode::default(), chance);
        maybe(chance, 5, word);
    }
    words.join(" ")
}

fn mode(chance: &mut Chance) -> String {
    match chance.below(10) {
        0..=6 => format!("replicas={}", chance.below(8)),
        7 => "global".to_owned(),
        8 => format!("job={}/{}", 1 + chance.below(3), 1 + chance.below(5)),
        _ => "global-job".to_owned(),
    }
}

/// How to update; jobs must not say.
fn update_wishes(mode: ServiceMode, chance: &mut Chance) -> String {
    if matches!(mode, ServiceMode::ReplicatedJob { .. } | ServiceMode::GlobalJob) {
        return String::new();
    }
    let order = pick(chance, &["stop-first", "start-first"]);
    let failure = pick(chance, &["pause", "continue", "rollback"]);
    let parallelism = chance.below(4);
    format!(
        "update-order={order} update-failure={failure} update-parallelism={parallelism} update-monitor=2s"
    )
}

fn image(chance: &mut Chance) -> &'static str {
    match chance.below(20) {
        0 => "crash-1",
        1 => "crash-20",
        2 => "done-5",
        3 => "missing",
        4 => "shy",
        5 => "broken",
        6 => "hangs",
        7 => "stubborn",
        8..=13 => "runs:1",
        _ => "runs:2",
    }
}

fn pick<'a>(chance: &mut Chance, words: &[&'a str]) -> &'a str {
    words[chance.below(words.len() as u64) as usize]
}
