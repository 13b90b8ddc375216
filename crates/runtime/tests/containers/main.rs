//! Containers on a real kernel: run, confined, limited, stopped, found again.
#![expect(clippy::unwrap_used, reason = "a test fails where it cannot go on")]
#![expect(clippy::disallowed_methods, reason = "a test spawns beside itself, and is told by its environment")]

mod rate;
mod stage;

use std::time::Duration;

use skep_runtime::container::{
    ContainerError, Leavings, Occasion, Phase, Removal, RestartPolicy, Signal, StopWish, WaitFor,
};
use skep_runtime::logs::{Follow, LogQuery};
use stage::{Stage, first_line, run, start};

const KILL: StopWish = StopWish { signal: None, grace: Some(Duration::from_millis(300)) };

#[tokio::test]
#[ignore = "needs root"]
async fn a_container_runs_and_its_output_and_code_are_kept() {
    let stage = Stage::build();
    let containers = stage.open().await;
    let (exit, text) = run(&containers, stage.shell("one", "echo out; echo err >&2; hostname; exit 7")).await;
    assert_eq!(exit.code, 7);
    // Two pipes have no common order.
    assert!(["out\n", "err\n"].iter().all(|line| text.contains(line)), "{text}");
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
    let deaf =
        start(&containers, stage.shell("deaf", "trap '' TERM; echo; sleep 100 & wait; sleep 100")).await;
    first_line(&containers, deaf).await;
    containers.stop(deaf, KILL).await.unwrap();
    assert_eq!(containers.inspect(deaf).unwrap().exit().unwrap().code, 137);
    assert!(matches!(containers.stop(deaf, KILL).await, Err(ContainerError::NotModified(_))));

    let line = "trap 'exit 3' TERM; echo; while :; do sleep 0.05; done";
    let polite = start(&containers, stage.shell("polite", line)).await;
    first_line(&containers, polite).await;
    containers.stop(polite, StopWish { grace: Some(Duration::from_secs(20)), ..KILL }).await.unwrap();
    assert_eq!(containers.inspect(polite).unwrap().exit().unwrap().code, 3);

    let asked = start(&containers, stage.command("asked", &["sleep", "100"])).await;
    containers.kill(asked, Signal::KILL).await.unwrap();
    assert_eq!(containers.wait(asked, WaitFor::NotRunning).await.unwrap().unwrap().code, 137);
}

#[tokio::test]
#[ignore = "needs root"]
async fn who_is_removed_by_force_while_it_starts_is_gone() {
    let stage = Stage::build();
    let containers = stage.open().await;
    let hasty = containers.create(stage.command("hasty", &["sleep", "100"])).await.unwrap();
    let by_force = Removal::Forced(Leavings::Nothing);
    let (_, removed) = tokio::join!(containers.start(hasty, None), containers.remove(hasty, by_force));
    removed.unwrap();
    assert!(containers.list().is_empty());
}

#[tokio::test]
#[ignore = "needs root"]
async fn who_has_just_ended_does_not_run_although_nobody_has_heard_of_it() {
    let stage = Stage::build();
    let containers = stage.open().await;
    // What is heard first, the end or the question, is left to chance.
    for number in 0..16 {
        let id = start(&containers, stage.command(&format!("brief{number}"), &["sleep", "100"])).await;
        let pid = containers.inspect(id).unwrap().running().unwrap().pid;
        stage::kill(pid);
        // While this thread waits, nothing is heard.
        stage::until_gone(pid);
        stage::until_none_works_in(&stage.path().join("run"));
        let refused = containers.kill(id, Signal::KILL).await.unwrap_err();
        assert_eq!(refused.to_string(), format!("Container {id} is not running"));
    }
}

#[tokio::test]
#[ignore = "needs root"]
async fn who_is_started_again_counts_as_due_until_it_runs_and_can_be_stopped() {
    let stage = Stage::build();
    let containers = stage.open().await;
    let mut wish = stage.shell("again", "[ -e /ran ] && exec sleep 100; touch /ran; exit 3");
    wish.restart = RestartPolicy::Always;
    let id = start(&containers, wish).await;
    let mut seen = containers.watch(id).unwrap();
    seen.wait_for(|record| record.word() == "restarting").await.unwrap();

    let words = async {
        let mut words = vec![seen.borrow_and_update().word()];
        while seen.borrow().running().is_none() {
            seen.changed().await.unwrap();
            words.push(seen.borrow_and_update().word());
        }
        words
    };
    let start_again = || containers.start_on(id, None, Occasion::Due);
    let (words, started, stopped) = tokio::join!(words, start_again(), containers.stop(id, KILL));
    started.unwrap();
    stopped.unwrap();
    let (last, before) = words.split_last().unwrap();
    assert!(before.len() > 1 && before.iter().all(|word| *word == "restarting"), "{words:?}");
    assert_eq!(*last, "running");
    assert_eq!(containers.inspect(id).unwrap().word(), "exited");
    assert!(matches!(start_again().await, Err(ContainerError::NotModified(_))), "it is not due any more");
}

#[tokio::test]
#[ignore = "needs root"]
async fn containers_outlive_the_daemon() {
    let stage = Stage::build();
    let containers = stage.open().await;
    let line = "i=0; while :; do echo $i; i=$((i+1)); sleep 0.05; done";
    let stays = start(&containers, stage.shell("stays", line)).await;
    let word = stage.path().join("word");
    std::fs::create_dir(&word).unwrap();
    let mut wish = stage.shell("ends", "while [ ! -e /word/go ]; do sleep 0.02; done; exit 9");
    wish.mounts = vec![stage::bind(&word, "/word")];
    let ends = start(&containers, wish).await;
    let before = containers.inspect(stays).unwrap().running().unwrap();
    let ending = containers.inspect(ends).unwrap().running().unwrap();
    containers.close().await;
    drop(containers);

    std::fs::write(word.join("go"), "").unwrap();
    stage::until_gone(ending.pid);
    let containers = stage.open().await;
    assert_eq!(containers.inspect(stays).unwrap().running().unwrap(), before);
    assert_eq!(containers.wait(ends, WaitFor::NotRunning).await.unwrap().unwrap().code, 9);
    containers.stop(stays, KILL).await.unwrap();
    assert_eq!(containers.inspect(stays).unwrap().exit().unwrap().code, 137);
    assert_eq!(containers.resolve("stays").unwrap(), stays);
    containers.start(stays, None).await.unwrap();
    containers.remove(stays, Removal::Forced(Leavings::Nothing)).await.unwrap();
}

#[tokio::test]
#[ignore = "needs root"]
async fn a_container_is_confined_as_docker_confines() {
    let stage = Stage::build();
    let containers = stage.open().await;
    let line = "grep -E 'CapEff|CapBnd|Seccomp:|NoNewPrivs' /proc/self/status; wc -c < /proc/kcore; \
                echo 1 2>&1 > /proc/sys/kernel/panic; mount -t tmpfs x /tmp 2>&1; unshare -m true 2>&1; \
                mknod /tmp/sda b 8 0 && dd if=/tmp/sda of=/dev/null count=1 2>&1; touch /sys/x 2>&1; ls /dev; id";
    let (_, text) = run(&containers, stage.shell("caged", line)).await;
    for expected in [
        "CapEff:\t00000000a80425fb",
        "CapBnd:\t00000000a80425fb",
        "Seccomp:\t2",
        "can't create /proc/sys/kernel/panic: Read-only file system",
        "mount: permission denied",
        "unshare: unshare(0x20000): Operation not permitted",
        "dd: can't open '/tmp/sda': Operation not permitted",
        "touch: /sys/x: Read-only file system",
        "uid=0(root) gid=0(root) groups=10(wheel)",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert!(!text.contains("vda") && !text.contains("kmsg"), "{text}");
}

#[tokio::test]
#[ignore = "needs root"]
async fn limits_are_seen_from_inside_and_memory_is_not_exceeded() {
    let stage = Stage::build();
    let containers = stage.open().await;
    let mut wish = stage.shell("small", "dd if=/dev/zero of=/dev/null bs=64M count=2; echo never");
    wish.limits.memory = 16 << 20;
    wish.limits.memory_swap = 16 << 20;
    wish.limits.pids = 20;
    wish.limits.nano_cpus = 500_000_000;
    wish.command = Some(vec!["dd".into(), "if=/dev/zero".into(), "of=/dev/null".into(), "bs=64M".into()]);
    let id = start(&containers, wish).await;
    let exit = containers.wait(id, WaitFor::NotRunning).await.unwrap().unwrap();
    assert_eq!((exit.code, exit.oom), (137, true));

    let mut wish = stage
        .shell("bounded", "ulimit -n; i=0; while [ $i -lt 40 ]; do sleep 3 & i=$((i+1)); done; echo all");
    wish.limits.pids = 10;
    wish.limits.ulimits =
        vec![skep_runtime::container::description::Ulimit { name: "nofile".into(), soft: 77, hard: 99 }];
    let (_, text) = run(&containers, wish).await;
    assert!(text.starts_with("77\n") && !text.contains("all"), "{text}");
}

#[tokio::test]
#[ignore = "needs root"]
async fn mounts_and_users_are_as_described() {
    use skep_runtime::container::description::{Mount, MountAccess, MountSource};
    let stage = Stage::build();
    let containers = stage.open().await;
    let shared = stage.path().join("shared");
    std::fs::create_dir(&shared).unwrap();
    std::fs::write(shared.join("note"), "from the host").unwrap();
    let volume = |name: &str, no_copy| MountSource::Volume {
        name: name.into(),
        subpath: String::new(),
        no_copy,
        driver: String::new(),
        options: Default::default(),
        labels: Default::default(),
    };
    let line = "cat /shared/note /data/hello; touch /shared/x 2>&1; ls /bare; id; mount | grep /scratch; \
                echo more > /data/more; pwd; cat /etc/hosts | head -1; touch /x 2>&1";
    let mut wish = stage.shell("mounted", line);
    wish.mounts = vec![
        Mount { access: MountAccess::ReadOnly, ..stage::bind(&shared, "/shared") },
        Mount { source: volume("kept", false), target: "/data".into(), access: MountAccess::Writable },
        Mount { source: volume("", true), target: "/bare".into(), access: MountAccess::Writable },
        Mount {
            source: MountSource::Tmpfs { size: 1 << 20, mode: 0o700, options: vec![] },
            target: "/scratch".into(),
            access: MountAccess::Writable,
        },
    ];
    wish.user = "web".into();
    wish.groups = vec!["99".into()];
    wish.working_dir = "/made/for/it".into();
    wish.read_only_root = true;
    let volumes = || containers.volumes().list().len();
    let (_, text) = run(&containers, wish).await;
    for expected in [
        "from the host",
        "from the image",
        "touch: /shared/x: Read-only file system",
        "uid=33(web) gid=33(web) groups=10(wheel),99",
        "tmpfs on /scratch type tmpfs (rw,nosuid,nodev,noexec",
        "127.0.0.1\tlocalhost",
        "touch: /x: Read-only file system",
        "/made/for/it",
    ] {
        assert!(text.contains(expected), "{expected}\n{text}");
    }
    assert_eq!(volumes(), 1, "the volume without name went with its container");
    assert!(containers.volumes().inspect("kept").unwrap().mountpoint.join("hello").exists());
}

#[tokio::test]
#[ignore = "needs root"]
async fn further_processes_run_in_a_container() {
    use bytes::Bytes;
    use skep_runtime::container::description::{Size, Terminal};
    use skep_runtime::container::exec::{ExecPhase, ExecStdin};
    use skep_runtime::container::{ExecStart, ExecWish};
    let stage = Stage::build();
    let containers = stage.open().await;
    let id = start(&containers, stage.command("host", &["sleep", "100"])).await;
    let words = |line: &str| vec!["/bin/sh".to_owned(), "-c".to_owned(), line.to_owned()];

    let wish = ExecWish {
        command: words("cat; echo $A; exit 5"),
        env: vec!["A=b".into()],
        stdin: ExecStdin::Open,
        ..ExecWish::default()
    };
    let exec = containers.exec_create(id, wish).unwrap();
    let mut talk = containers.exec_start(exec, ExecStart::Attached).await.unwrap().unwrap();
    talk.input.write(Bytes::from_static(b"said\n")).await.unwrap();
    talk.input.end().await.unwrap();
    assert_eq!(hear(&mut talk).await, "said\nb\n");
    assert_eq!(containers.exec_inspect(exec).unwrap().phase, ExecPhase::Exited { code: 5 });

    let terminal = Terminal::Sized(Size { rows: 30, columns: 90 });
    let wish =
        ExecWish { command: words("tty; stty size; read x; stty size"), terminal, ..ExecWish::default() };
    let exec = containers.exec_create(id, wish).unwrap();
    let mut talk = containers.exec_start(exec, ExecStart::Attached).await.unwrap().unwrap();
    containers.exec_resize(exec, Size { rows: 11, columns: 22 }).await.unwrap();
    talk.input.resize(Size { rows: 11, columns: 22 }).await.unwrap();
    talk.input.write(Bytes::from_static(b"go\n")).await.unwrap();
    let text = hear(&mut talk).await;
    assert!(text.contains("/dev/pts/") && text.contains("11 22"), "{text}");

    let exec =
        containers.exec_create(id, ExecWish { command: vec!["nope".into()], ..ExecWish::default() }).unwrap();
    let error = containers.exec_start(exec, ExecStart::Attached).await.unwrap_err();
    assert!(error.to_string().contains("OCI runtime exec failed"), "{error}");
    assert_eq!(containers.exec_inspect(exec).unwrap().phase, ExecPhase::Exited { code: 127 });
    containers.remove(id, Removal::Forced(Leavings::Nothing)).await.unwrap();
}

#[tokio::test]
#[ignore = "needs root"]
async fn a_sick_container_is_found_out() {
    use skep_runtime::container::health::{HealthStatus, HealthTest};
    use skep_runtime::container::{ExecStart, ExecWish};
    let stage = Stage::build();
    let containers = stage.open().await;
    let mut wish = stage.shell("sick", "touch /tmp/well; sleep 100");
    wish.health = Some(HealthTest {
        test: vec!["CMD-SHELL".into(), "ls /tmp/well".into()],
        interval: Some(Duration::from_millis(100)),
        retries: 2,
        ..HealthTest::default()
    });
    let id = start(&containers, wish).await;
    let mut seen = containers.watch(id).unwrap();
    let is = |wanted: HealthStatus| {
        move |record: &std::sync::Arc<skep_runtime::container::Record>| {
            record.health.as_ref().is_some_and(|health| health.status == wanted)
        }
    };
    seen.wait_for(is(HealthStatus::Healthy)).await.unwrap();
    let wish = ExecWish {
        command: vec!["/bin/busybox".into(), "rm".into(), "/tmp/well".into()],
        ..Default::default()
    };
    let exec = containers.exec_create(id, wish).unwrap();
    containers.exec_start(exec, ExecStart::Detached).await.unwrap();
    let record = seen.wait_for(is(HealthStatus::Unhealthy)).await.unwrap().clone();
    assert!(record.health.as_ref().unwrap().log.back().unwrap().output.contains("No such file"));
    containers.remove(id, Removal::Forced(Leavings::Nothing)).await.unwrap();
}

#[tokio::test]
#[ignore = "needs root"]
async fn a_flood_of_output_and_a_deaf_listener_stop_nobody() {
    let stage = Stage::build();
    let containers = stage.open().await;
    let line = "yes 0123456789012345678901234567890123456789 | head -c 20000000";
    let mut wish = stage.shell("flood", line);
    wish.log.options = [("max-size", "5m"), ("max-file", "2")].map(|(a, b)| (a.into(), b.into())).into();
    let id = start(&containers, wish).await;
    let deaf = containers.attach(id).await.unwrap();
    let query = LogQuery { follow: Follow::UntilExit, ..LogQuery::default() };
    let mut lines = containers.logs(id, query).unwrap();
    for _ in 0..1000 {
        lines.recv().await.unwrap();
    }
    let supervisor = stage::supervisors_in(&stage.path().join("run"))[0];
    let rollup = std::fs::read_to_string(format!("/proc/{supervisor}/smaps_rollup")).unwrap();
    let dirty = rollup.lines().find_map(|line| line.strip_prefix("Private_Dirty:")).unwrap();
    let kilobytes: u64 = dirty.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 1500, "{rollup}");
    let ended = containers.wait(id, WaitFor::NotRunning);
    let exit = tokio::time::timeout(Duration::from_secs(60), ended).await.expect("it waits for nobody");
    assert_eq!(exit.unwrap().unwrap().code, 0);
    drop(deaf);
}

#[tokio::test]
#[ignore = "needs root"]
async fn a_missing_runtime_is_named_with_its_package() {
    let stage = Stage::build();
    let mut config = stage.config();
    config.oci_runtime = Some("/no/such/crun".into());
    let containers = skep_runtime::container::Containers::open(config).await.unwrap();
    let id = containers.create(stage.command("none", &["true"])).await.unwrap();
    let text = containers.start(id, None).await.unwrap_err().to_string();
    assert!(text.contains("apt-get install crun"), "{text}");
}

async fn hear(talk: &mut skep_runtime::container::Attachment) -> String {
    let mut text = Vec::new();
    while let Some((_, bytes)) = talk.output.next().await.unwrap() {
        text.extend_from_slice(&bytes);
    }
    String::from_utf8(text).unwrap()
}
