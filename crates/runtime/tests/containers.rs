//! Containers on a real kernel: run, confined, limited, stopped, found again.
#![expect(clippy::disallowed_methods, reason = "a test spawns beside itself, and is told by its environment")]

mod stage;

use std::time::Duration;

use skep_runtime::container::{ContainerError, Leavings, Phase, Removal, Signal, StopWish, WaitFor};
use stage::{Stage, run, start};

const KILL: StopWish = StopWish { signal: None, grace: Some(Duration::from_millis(300)) };

#[tokio::test]
#[ignore = "needs root"]
async fn a_container_runs_and_its_output_and_code_are_kept() {
    let stage = Stage::build();
    let containers = stage.open().await;
    let (exit, text) = run(&containers, stage.shell("one", "echo out; echo err >&2; hostname; exit 7")).await;
    assert_eq!(exit.code, 7);
    assert!(text.starts_with("out\nerr\n"), "{text}");
    assert!(containers.list().is_empty());
}

#[tokio::test]
#[ignore = "needs root"]
async fn what_cannot_be_run_is_refused_as_a_shell_would() {
    let stage = Stage::build();
    let containers = stage.open().await;
    for (name, word, expected) in
        [("none", "/nope", 127), ("none2", "nope", 127), ("file", "/etc/passwd", 126)]
    {
        let id = containers.create(stage.command(name, &[word])).await.unwrap();
        let error = containers.start(id, None).await.unwrap_err();
        let ContainerError::Start { exit_code, message } = error else { panic!("{error}") };
        assert_eq!(exit_code, expected, "{message}");
        assert!(message.contains("OCI runtime create failed"), "{message}");
        assert_eq!(containers.inspect(id).unwrap().phase, Phase::Created);
        containers.remove(id, Removal::IfStopped(Leavings::Nothing)).await.unwrap();
    }
}

#[tokio::test]
#[ignore = "needs root"]
async fn who_ignores_the_asking_is_killed_after_its_grace() {
    let stage = Stage::build();
    let containers = stage.open().await;
    let deaf = start(&containers, stage.shell("deaf", "trap '' TERM; sleep 100 & wait; sleep 100")).await;
    containers.stop(deaf, KILL).await.unwrap();
    assert_eq!(containers.inspect(deaf).unwrap().exit().unwrap().code, 137);
    assert!(matches!(containers.stop(deaf, KILL).await, Err(ContainerError::NotModified(_))));

    let polite =
        start(&containers, stage.shell("polite", "trap 'exit 3' TERM; while :; do sleep 0.05; done")).await;
    containers.stop(polite, StopWish { grace: Some(Duration::from_secs(20)), ..KILL }).await.unwrap();
    assert_eq!(containers.inspect(polite).unwrap().exit().unwrap().code, 3);

    let asked = start(&containers, stage.command("asked", &["sleep", "100"])).await;
    containers.kill(asked, Signal::KILL).await.unwrap();
    assert_eq!(containers.wait(asked, WaitFor::NotRunning).await.unwrap().unwrap().code, 137);
}

#[tokio::test]
#[ignore = "needs root"]
async fn containers_outlive_the_daemon() {
    let stage = Stage::build();
    let containers = stage.open().await;
    let line = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.05; done";
    let stays = start(&containers, stage.shell("stays", line)).await;
    let ends = start(&containers, stage.shell("ends", "sleep 0.3; exit 9")).await;
    let before = containers.inspect(stays).unwrap().running().unwrap();
    containers.close().await;
    drop(containers);

    tokio::time::sleep(Duration::from_millis(700)).await;
    let containers = stage.open().await;
    assert_eq!(containers.inspect(stays).unwrap().running().unwrap(), before);
    assert_eq!(containers.wait(ends, WaitFor::NotRunning).await.unwrap().unwrap().code, 9);
    containers.stop(stays, KILL).await.unwrap();
    assert_eq!(containers.inspect(stays).unwrap().exit().unwrap().code, 137);
    assert_eq!(containers.resolve("stays").unwrap(), stays);
    containers.start(stays, None).await.unwrap();
    containers.remove(stays, Removal::Forced(Leavings::Nothing)).await.unwrap();
}
