//! Containers of users, through the stock CLI.

use std::process::{Output, Stdio};

use crate::host::Host;

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn inspect(host: &Host, container: &str, format: &str) -> String {
    host.docker(&["inspect", "--format", format, container]).trim().to_owned()
}

#[test]
#[ignore = "needs root"]
fn run_ends_with_the_code_a_shell_would_give() {
    let host = Host::start();
    host.load_busybox();
    for (words, code, said) in [
        (&["busybox:test", "sh", "-c", "exit 7"][..], 7, ""),
        (&["busybox:test", "nope"], 127, "executable file"),
        (&["busybox:test", "/nope"], 127, "no such file or directory"),
        (&["busybox:test", "/etc/passwd"], 126, "permission denied"),
        (&["busybox:test", "/etc"], 126, ""),
        (&["--memory", "1k", "busybox:test", "true"], 125, "Minimum memory limit allowed is 6MB"),
        (&["busybox:test", "sh", "-c", "sh -c 'kill -9 $$'; exit $?"], 137, ""),
    ] {
        let output = host.try_docker(&[&["run", "--rm", "--pull", "never"], words].concat());
        assert_eq!(output.status.code(), Some(code), "{words:?}: {}", text(&output));
        assert!(text(&output).contains(said), "{words:?}: {}", text(&output));
    }
    assert_eq!(host.docker(&["ps", "-aq"]), "", "nothing is left of what was run with --rm");
}

#[test]
#[ignore = "needs root"]
fn a_container_is_started_again_as_its_policy_says() {
    let mut host = Host::start();
    host.load_busybox();
    let run = |host: &Host, name: &str, policy: &str, line: &str| {
        let words = ["run", "-d", "--name", name, "--restart", policy, "busybox:test", "sh", "-c", line];
        host.docker(&words);
    };
    let count = |host: &Host, name: &str| inspect(host, name, "{{.RestartCount}} {{.State.Status}}");
    run(&host, "twice", "on-failure:2", "exit 3");
    host.until("it has failed three times", || (count(&host, "twice") == "2 exited").then_some(()));
    assert_eq!(inspect(&host, "twice", "{{.State.ExitCode}}"), "3");

    run(&host, "well", "on-failure", "exit 0");
    host.until("it has ended well", || (count(&host, "well") == "0 exited").then_some(()));

    run(&host, "always", "always", "exit 0");
    host.until("it was started again and again", || {
        count(&host, "always")
            .split(' ')
            .next()
            .and_then(|count| count.parse::<u64>().ok().filter(|count| *count >= 3))
    });
    host.docker(&["stop", "-t", "0", "always"]);
    host.until("it stays stopped", || (count(&host, "always").ends_with("exited")).then_some(()));

    run(&host, "serves", "unless-stopped", "exec httpd -f -p 80 -h /etc");
    run(&host, "stopped", "unless-stopped", "sleep 1000");
    host.docker(&["stop", "-t", "0", "stopped"]);
    let pid = inspect(&host, "serves", "{{.State.Pid}}");
    host.kill_daemon();
    assert!(host.inside("kill", &["-9", &pid]).status.success());
    host.start_daemon();
    let running = |name: &str| (inspect(&host, name, "{{.State.Status}}") == "running").then_some(());
    host.until("it was started again with the daemon", || running("serves"));
    host.until("it stays as it was", || (count(&host, "stopped").ends_with("exited")).then_some(()));
    // It has its place in the network again.
    let address = inspect(&host, "serves", "{{.NetworkSettings.IPAddress}}");
    let url = format!("http://{address}/passwd");
    host.until("it serves", || {
        let page = host.inside("curl", &["-s", "--max-time", "5", &url]);
        String::from_utf8_lossy(&page.stdout).contains("root").then_some(())
    });
}

#[test]
#[ignore = "needs root"]
fn a_restart_keeps_the_place_in_the_network() {
    let host = Host::start();
    host.load_busybox();
    host.docker(&[
        "run",
        "-d",
        "--name",
        "web",
        "-p",
        "18090:80",
        "busybox:test",
        "httpd",
        "-f",
        "-h",
        "/etc",
    ]);
    let serves = || {
        let page = host.inside("curl", &["-s", "--max-time", "5", "http://127.0.0.1:18090/passwd"]);
        String::from_utf8_lossy(&page.stdout).contains("root").then_some(())
    };
    for _ in 0..5 {
        host.until("it serves", serves);
        host.docker(&["restart", "-t", "0", "web"]);
    }
    host.until("it serves", serves);
    // To start what runs is no harm.
    host.docker(&["start", "web"]);
    host.until("it still serves", serves);
}

#[test]
#[ignore = "needs root"]
fn limits_and_policy_of_a_running_container_can_be_changed() {
    let host = Host::start();
    host.load_busybox();
    host.docker(&["run", "-d", "--name", "one", "-m", "64m", "busybox:test", "sleep", "1000"]);
    let words = ["--memory", "32m", "--cpus", "0.5", "--pids-limit", "30", "--restart", "always", "one"];
    host.docker(&[&["update"], &words[..]].concat());
    let format = "{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.HostConfig.PidsLimit}} {{.HostConfig.RestartPolicy.Name}}";
    assert_eq!(inspect(&host, "one", format), "33554432 500000000 30 always");
    let group = "/sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/pids/pids.max";
    let line = format!("cat {group} 2>/dev/null || cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/pids.max");
    assert_eq!(host.docker(&["exec", "one", "sh", "-c", &line]), "33554432\n30\n");
    let refused = host.try_docker(&["update", "--memory", "1k", "one"]);
    assert!(text(&refused).contains("Minimum memory limit allowed is 6MB"), "{}", text(&refused));
    assert_eq!(inspect(&host, "one", "{{.HostConfig.Memory}}"), "33554432");
}

#[test]
#[ignore = "needs root"]
fn sizes_are_measured() {
    let host = Host::start();
    host.load_busybox();
    let line = "dd if=/dev/zero of=/big bs=1000 count=3000 2>/dev/null; dd if=/dev/zero of=/data/x bs=1000 count=500";
    host.docker(&["run", "--name", "one", "-v", "data:/data", "busybox:test", "sh", "-c", line]);
    let sizes = inspect_size(&host);
    assert!(sizes.0 >= 3_000_000 && sizes.0 < 3_100_000, "{sizes:?}");
    assert!(sizes.1 > sizes.0, "{sizes:?}");
    assert!(host.docker(&["ps", "-as", "--format", "{{.Size}}"]).starts_with("3MB (virtual "));
    let used = host.docker(&["system", "df", "-v", "--format", "{{json .Volumes}}"]);
    assert!(used.contains("500kB"), "{used}");
    assert!(host.docker(&["container", "prune", "-f"]).contains("Total reclaimed space: 3MB"));
    assert!(host.docker(&["volume", "prune", "-af"]).contains("Total reclaimed space: 500kB"));
    assert!(host.docker(&["image", "prune", "-af"]).contains("Total reclaimed space: "));
    assert!(host.docker(&["system", "prune", "-af"]).contains("Total reclaimed space: 0B"));
}

fn inspect_size(host: &Host) -> (u64, u64) {
    let sizes = host.docker(&["inspect", "--size", "--format", "{{.SizeRw}} {{.SizeRootFs}}", "one"]);
    let (written, whole) = sizes.trim().split_once(' ').expect("two numbers");
    (written.parse().expect("a number"), whole.parse().expect("a number"))
}

#[test]
#[ignore = "needs root"]
fn many_may_remove_the_same_containers_at_once() {
    let host = Host::start();
    host.load_busybox();
    let run = || host.docker(&["run", "-d", "busybox:test", "sleep", "1000"]).trim().to_owned();
    let ids: Vec<String> = (0..8).map(|_| run()).collect();
    let remove = || {
        let mut command = host.command("docker");
        command.args(["rm", "-f"]).args(&ids).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().expect("the docker CLI is installed")
    };
    for child in [remove(), remove(), remove(), remove()] {
        let said = text(&child.wait_with_output().expect("it ends"));
        let is_told = |line: &str| {
            ids.iter().any(|id| line == id)
                || line.contains("No such container")
                || line.contains("in progress")
        };
        assert!(said.lines().all(is_told), "{said}");
    }
    assert_eq!(host.docker(&["ps", "-aq"]), "");
}
