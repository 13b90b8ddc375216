//! A swarm of one host, through the stock CLI.

use crate::host::Host;

#[test]
#[ignore = "needs root"]
fn a_killed_container_is_replaced_and_stays_in_the_history() {
    let host = Host::start_swarm();
    host.docker(&[
        "service",
        "create",
        "-d",
        "--name",
        "web",
        "--replicas",
        "3",
        "--restart-delay",
        "0s",
        "--no-resolve-image",
        "busybox:test",
        "sleep",
        "100000",
    ]);
    host.until_replicas("web", "3/3");

    let container = host.docker(&["ps", "-q", "--filter", "label=com.docker.swarm.service.name=web"]);
    let victim = container.lines().next().expect("three containers run");
    let pid = host.docker(&["inspect", "--format", "{{.State.Pid}}", victim]);
    assert!(host.inside("kill", &["-9", pid.trim()]).status.success());

    host.until("the failed task is in the history", || {
        host.docker(&["service", "ps", "web"]).contains("Failed").then_some(())
    });
    host.until_replicas("web", "3/3");
    let tasks = host.docker(&["service", "ps", "web", "--format", "{{.Name}} {{.CurrentState}} {{.Error}}"]);
    assert_eq!(tasks.lines().count(), 4, "{tasks}");
    assert!(tasks.contains("task: non-zero exit (137)"), "{tasks}");
}

#[test]
#[ignore = "needs root"]
fn tasks_outlive_the_daemon() {
    let mut host = Host::start_swarm();
    host.docker(&[
        "service",
        "create",
        "-d",
        "--name",
        "web",
        "--replicas",
        "2",
        "--no-resolve-image",
        "busybox:test",
        "sh",
        "-c",
        "while true; do echo tick; sleep 1; done",
    ]);
    host.until_replicas("web", "2/2");
    let pids = |host: &Host| {
        let ids = host.docker(&["ps", "-q", "--no-trunc"]);
        let mut words = vec!["inspect", "--format", "{{.Id}} {{.State.Pid}}"];
        words.extend(ids.lines());
        let mut lines: Vec<String> = host.docker(&words).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let before = pids(&host);
    let tasks = host.docker(&["service", "ps", "web", "-q"]);

    host.kill_daemon();
    host.start_daemon();
    host.until_replicas("web", "2/2");
    assert_eq!(pids(&host), before);
    assert_eq!(host.docker(&["service", "ps", "web", "-q"]), tasks);

    host.stop_daemon();
    host.start_daemon();
    host.until_replicas("web", "2/2");
    assert_eq!(pids(&host), before);
}
