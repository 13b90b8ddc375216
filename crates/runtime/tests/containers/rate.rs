//! How many containers start in a second, next to the OCI runtime alone. To be run by hand, released.

use std::time::Instant;

use crate::stage::{Stage, start, supervisors_in};
use skep_runtime::container::{Leavings, Removal};

const COUNT: usize = 100;
const AT_ONCE: usize = 4;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, and a quiet machine"]
async fn a_hundred_containers() {
    let stage = Stage::build();
    let containers = stage.open().await;
    let begin = Instant::now();
    let mut ids = Vec::new();
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..AT_ONCE {
        let wishes: Vec<_> = (0..COUNT / AT_ONCE)
            .map(|number| stage.command(&format!("c{worker}-{number}"), &["sleep", "1000"]))
            .collect();
        let containers = containers.clone();
        workers.spawn(async move {
            let mut started = Vec::new();
            for wish in wishes {
                started.push(start(&containers, wish).await);
            }
            started
        });
    }
    while let Some(started) = workers.join_next().await {
        ids.extend(started.unwrap());
    }
    let took = begin.elapsed().as_secs_f64();
    println!("{COUNT} started in {took:.2} s: {:.0} per second", COUNT as f64 / took);

    let supervisors = supervisors_in(&stage.path().join("run"));
    let sum = |name: &str| -> u64 {
        let one = |pid: &u32| {
            let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap();
            let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
        };
        supervisors.iter().map(one).sum::<u64>() / supervisors.len() as u64
    };
    println!(
        "per supervisor: PSS {} kB, private {} kB",
        sum("Pss:"),
        sum("Private_Dirty:") + sum("Private_Clean:")
    );

    let begin = Instant::now();
    let mut removals = tokio::task::JoinSet::new();
    for id in ids {
        let containers = containers.clone();
        removals.spawn(async move { containers.remove(id, Removal::Forced(Leavings::Nothing)).await });
    }
    while let Some(removed) = removals.join_next().await {
        removed.unwrap().unwrap();
    }
    println!("all removed in {:.2} s", begin.elapsed().as_secs_f64());
}
