//! Services as users know them, through the stock CLI.

use std::collections::BTreeSet;

use crate::host::Host;

/// The words that every service of these tests begins with.
fn create(host: &Host, name: &str, words: &[&str]) {
    let mut all =
        vec!["service", "create", "--detach", "--no-resolve-image", "--restart-delay", "0s", "--name", name];
    all.extend(words);
    host.docker(&all);
}

#[test]
#[ignore = "needs root"]
fn a_published_port_leads_to_every_task_in_turn() {
    let host = Host::start_swarm();
    let page = "mkdir -p /www; hostname >/www/index.html; exec httpd -f -p 80 -h /www";
    create(&host, "web", &["--replicas", "3", "--publish", "18081:80", "busybox:test", "sh", "-c", page]);
    host.until_replicas("web", "3/3");

    let visit = || {
        let page = host.inside("curl", &["-s", "--max-time", "5", "http://127.0.0.1:18081/"]);
        String::from_utf8(page.stdout).expect("a page is text")
    };
    host.until("a task serves", || (!visit().is_empty()).then_some(()));
    let visited: BTreeSet<String> = (0..12).map(|_| visit()).collect();
    assert_eq!(visited.len(), 3, "{visited:?}");

    host.docker(&["service", "scale", "--detach", "web=0"]);
    host.until("nobody serves any more", || visit().is_empty().then_some(()));
}

#[test]
#[ignore = "needs root"]
fn names_of_services_and_tasks_are_resolved_inside_containers() {
    let host = Host::start_swarm();
    create(&host, "db", &["--replicas", "2", "--stop-signal", "SIGKILL", "busybox:test", "sleep", "100000"]);
    create(&host, "asker", &["--stop-signal", "SIGKILL", "busybox:test", "sleep", "100000"]);
    host.until_replicas("db", "2/2");
    host.until_replicas("asker", "1/1");
    let asker = host.docker(&["ps", "-q", "--filter", "label=com.docker.swarm.service.name=asker"]);
    for name in ["db", "tasks.db"] {
        let answer = host.docker(&["exec", asker.trim(), "nslookup", name, "127.0.0.11"]);
        let addresses =
            answer.lines().filter(|line| line.starts_with("Address") && !line.contains("127.0.0.11"));
        assert_eq!(addresses.count(), 2, "{name}: {answer}");
    }
}

#[test]
#[ignore = "needs root"]
fn an_update_renews_every_task_and_a_rollback_brings_the_old_ones_back() {
    let host = Host::start_swarm();
    let update = ["--update-parallelism", "2", "--update-monitor", "100ms", "--rollback-monitor", "100ms"];
    let words =
        ["--replicas", "4", "--stop-signal", "SIGKILL", "--env", "V=1", "busybox:test", "sleep", "100000"];
    create(&host, "web", &[&update[..], &words[..]].concat());
    host.until_replicas("web", "4/4");
    let state = || {
        host.docker(&[
            "service",
            "inspect",
            "web",
            "--format",
            "{{.UpdateStatus.State}} {{.UpdateStatus.Message}}",
        ])
    };
    let variables = || {
        let ids = host.docker(&["ps", "-q", "--filter", "label=com.docker.swarm.service.name=web"]);
        let variable = |id: &str| host.docker(&["exec", id, "sh", "-c", "echo $V"]).trim().to_owned();
        ids.lines().map(variable).collect::<Vec<_>>()
    };

    host.docker(&["service", "update", "--detach", "--no-resolve-image", "--env-add", "V=2", "web"]);
    host.until("the update is complete", || state().contains("completed update completed").then_some(()));
    assert_eq!(variables(), ["2"; 4]);

    host.docker(&["service", "rollback", "--detach", "web"]);
    host.until("the rollback is complete", || state().contains("rollback_completed").then_some(()));
    assert_eq!(variables(), ["1"; 4]);
}

#[test]
#[ignore = "needs root"]
fn a_failing_update_is_paused_and_says_why() {
    let host = Host::start_swarm();
    create(&host, "web", &["--replicas", "2", "--stop-signal", "SIGKILL", "busybox:test", "sleep", "100000"]);
    host.until_replicas("web", "2/2");
    host.docker(&[
        "service",
        "update",
        "--detach",
        "--no-resolve-image",
        "--args",
        "false",
        "--restart-condition",
        "none",
        "web",
    ]);
    host.until("the update is paused", || {
        let status = host.docker(&["service", "inspect", "web", "--format", "{{json .UpdateStatus}}"]);
        status.contains("update paused due to failure or early termination of task").then_some(())
    });
}

#[test]
#[ignore = "needs root"]
fn a_drained_node_is_emptied_and_filled_again() {
    let host = Host::start_swarm();
    create(&host, "web", &["--replicas", "2", "--stop-signal", "SIGKILL", "busybox:test", "sleep", "100000"]);
    host.until_replicas("web", "2/2");
    let node = host.docker(&["node", "ls", "-q"]);
    host.docker(&["node", "update", "--availability", "drain", node.trim()]);
    host.until("no container runs", || host.docker(&["ps", "-q"]).is_empty().then_some(()));
    let shown = host.docker(&["service", "ps", "web", "--no-trunc"]);
    assert!(shown.contains("no suitable node (1 node not available for new tasks)"), "{shown}");
    host.docker(&["node", "update", "--availability", "active", node.trim()]);
    host.until_replicas("web", "2/2");
}

#[test]
#[ignore = "needs root"]
fn a_task_that_is_not_well_is_replaced() {
    let host = Host::start_swarm();
    let health = ["--health-cmd", "test ! -e /sick", "--health-interval", "100ms", "--health-retries", "2"];
    create(
        &host,
        "web",
        &[&health[..], &["--stop-signal", "SIGKILL", "busybox:test", "sleep", "100000"]].concat(),
    );
    host.until_replicas("web", "1/1");
    let container = host.docker(&["ps", "-q"]);
    host.docker(&["exec", container.trim(), "touch", "/sick"]);
    host.until("the task has failed", || {
        host.docker(&["service", "ps", "web", "--no-trunc"]).contains("unhealthy container").then_some(())
    });
    host.until_replicas("web", "1/1");
}

#[test]
#[ignore = "needs root"]
fn secrets_and_configs_reach_the_tasks_they_are_for() {
    let host = Host::start_swarm();
    std::fs::write(host.path("word"), "open sesame").expect("files can be written");
    let path = host.path("word").display().to_string();
    host.docker(&["secret", "create", "word", &path]);
    host.docker(&["config", "create", "page", &path]);
    let words = [
        "--secret",
        "word",
        "--config",
        "source=page,target=/page",
        "--stop-signal",
        "SIGKILL",
        "busybox:test",
    ];
    create(&host, "web", &[&words[..], &["sleep", "100000"]].concat());
    host.until_replicas("web", "1/1");
    let container = host.docker(&["ps", "-q"]);
    assert_eq!(
        host.docker(&["exec", container.trim(), "cat", "/run/secrets/word", "/page"]),
        "open sesameopen sesame"
    );
    assert!(!host.docker(&["secret", "inspect", "word"]).contains("b3Blbi"));
}

#[test]
#[ignore = "needs root"]
fn a_service_that_is_removed_while_it_starts_leaves_nothing() {
    let host = Host::start_swarm();
    for number in 0..5 {
        let name = format!("hasty-{number}");
        create(
            &host,
            &name,
            &["--replicas", "5", "--stop-signal", "SIGKILL", "busybox:test", "sleep", "100000"],
        );
        host.docker(&["service", "rm", &name]);
    }
    host.until("no container is left", || host.docker(&["ps", "-aq"]).is_empty().then_some(()));
    // Whatever is still done for a task that is gone would show a container once more.
    create(&host, "last", &["--stop-signal", "SIGKILL", "busybox:test", "sleep", "100000"]);
    host.until_replicas("last", "1/1");
    assert_eq!(host.docker(&["ps", "-aq"]).lines().count(), 1);
}

#[test]
#[ignore = "needs root"]
fn logs_of_a_service_come_from_all_its_tasks() {
    let host = Host::start_swarm();
    create(
        &host,
        "talk",
        &[
            "--replicas",
            "2",
            "--stop-signal",
            "SIGKILL",
            "busybox:test",
            "sh",
            "-c",
            "echo hello; exec sleep 100000",
        ],
    );
    host.until_replicas("talk", "2/2");
    let shown = host.until("both have spoken", || {
        let shown = host.docker(&["service", "logs", "talk"]);
        (shown.matches("hello").count() == 2).then_some(shown)
    });
    assert!(shown.contains("talk.1.") && shown.contains("talk.2."), "{shown}");
}

#[test]
#[ignore = "needs root"]
fn a_task_that_cannot_run_says_why() {
    let host = Host::start_swarm();
    create(&host, "missing", &["--restart-condition", "none", "busybox:test", "no-such-program"]);
    host.until("the task says why", || {
        let shown = host.docker(&["service", "ps", "missing", "--no-trunc"]);
        (shown.contains("no-such-program") && shown.contains("not found in $PATH")).then_some(())
    });
    create(&host, "elsewhere", &["--constraint", "node.labels.zone==north", "busybox:test", "sleep", "1"]);
    let shown = host.docker(&["service", "ps", "elsewhere", "--no-trunc"]);
    assert!(shown.contains("no suitable node (scheduling constraints not satisfied on 1 node)"), "{shown}");
}

#[test]
#[ignore = "needs root"]
fn scaling_shows_progress_until_all_run() {
    let host = Host::start_swarm();
    create(&host, "web", &["--stop-signal", "SIGKILL", "busybox:test", "sleep", "100000"]);
    host.until_replicas("web", "1/1");
    for shown in [host.docker(&["service", "scale", "web=3"]), host.skep(&["service", "scale", "web=5"])] {
        assert!(shown.contains("converged"), "{shown}");
    }
    host.until_replicas("web", "5/5");
}
