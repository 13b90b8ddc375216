//! What goes wrong outside of the daemon: it says what is the matter, and serves on.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::host::Host;

/// Runs the stock docker CLI, which must fail and say this; then the daemon must still run containers.
fn fails(host: &Host, words: &[&str], said: &str) {
    let output = host.try_docker(words);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && told.contains(said), "{words:?}: {told}");
}

fn serves_on(host: &Host) {
    assert_eq!(host.docker(&["run", "--rm", "busybox:test", "echo", "well"]), "well\n");
}

#[test]
#[ignore = "needs root"]
fn ten_thousand_silent_clients_keep_nobody_out() {
    // Some shells let programs open a thousand files.
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("there is a limit");
    setrlimit(Resource::RLIMIT_NOFILE, soft.max(20_000), hard.max(20_000)).expect("root may raise it");
    let host = Host::start();
    let path = host.path("sock");
    let connect = |_| UnixStream::connect(&path).expect("a client is let in, sooner or later");
    let silent: Vec<UnixStream> = (0..10_000).map(connect).collect();
    assert!(host.docker(&["version"]).contains("Server"));
    drop(silent);
    assert!(host.docker(&["info"]).contains("Server Version"));
}

#[test]
#[ignore = "needs root"]
fn who_is_refused_while_it_still_speaks_hears_why() {
    let host = Host::start();
    let mut client = UnixStream::connect(host.path("sock")).expect("the daemon listens");
    let head =
        "PUT /containers/nobody/archive?path=/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
    client.write_all(head.as_bytes()).expect("the daemon hears");
    let answer = until_said(&mut client, "No such container: nobody");
    assert!(answer.starts_with("HTTP/1.1 404"), "{answer}");
    // More than fits into the socket: the daemon takes it all, and then the next request.
    let chunk = [b"10000\r\n".as_slice(), &[0; 0x10000], b"\r\n"].concat();
    (0..64).for_each(|_| client.write_all(&chunk).expect("the daemon still hears"));
    client.write_all(b"0\r\n\r\nGET /_ping HTTP/1.1\r\nHost: x\r\n\r\n").expect("the daemon still hears");
    until_said(&mut client, "\r\n\r\nOK");
}

/// Reads until something was said, and gives all that was read.
fn until_said(client: &mut UnixStream, said: &str) -> String {
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains(said) {
        let mut some = [0; 1024];
        let count = client.read(&mut some).expect("the daemon answers");
        assert!(count > 0, "the daemon went away after {:?}", String::from_utf8_lossy(&heard));
        heard.extend_from_slice(&some[..count]);
    }
    String::from_utf8_lossy(&heard).into_owned()
}

#[test]
#[ignore = "needs root"]
fn clients_that_vanish_are_let_go() {
    let host = Host::start();
    host.load_busybox();
    host.docker(&[
        "run",
        "-d",
        "--name",
        "talks",
        "busybox:test",
        "sh",
        "-c",
        "while true; do echo talk; sleep 0.01; done",
    ]);
    for words in [
        &["logs", "-f", "talks"][..],
        &["events"],
        &["stats", "talks"],
        &["attach", "talks"],
        &["export", "talks"],
    ] {
        let mut client = host.command("docker");
        let mut client = client
            .args(words)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the docker CLI is installed");
        if words[0] != "events" {
            let mut some = [0; 4];
            client.stdout.take().expect("a pipe").read_exact(&mut some).expect("it hears something");
        }
        client.kill().expect("it can be killed");
        client.wait().expect("it ends");
    }
    // One that breaks off in the middle of an archive leaves no image.
    let archive = host.path("root.tar").display().to_string();
    let line = format!("head -c 100000 {archive} | docker import - half:way");
    assert!(!host.command("sh").args(["-c", &line]).output().expect("sh is there").status.success());
    assert_eq!(host.docker(&["images", "-q", "half"]), "");
    host.until("nobody listens any more", || {
        (host.docker(&["info", "--format", "{{.NEventsListener}}"]).trim() == "0").then_some(())
    });
    serves_on(&host);
}

#[test]
#[ignore = "needs root"]
fn a_full_disk_is_told_and_passes() {
    let host = Host::start_with(|home| {
        std::fs::create_dir(home.join("data")).expect("folders can be made");
        let target = home.join("data").display().to_string();
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs", &target]).status();
        assert!(mounted.expect("mount is there").success());
        Vec::new()
    });
    host.load_busybox();
    let filler = host.path("data").join("filler");
    let filled = std::io::copy(&mut std::io::repeat(1), &mut std::fs::File::create(&filler).expect("a file"));
    assert!(filled.is_err(), "the disk is full");
    fails(&host, &["run", "--rm", "busybox:test", "true"], "No space left on device");
    let archive = host.path("root.tar").display().to_string();
    fails(&host, &["import", &archive, "more:1"], "no space left on device");
    fails(&host, &["volume", "create", "more"], "No space left on device");
    assert!(host.docker(&["images"]).contains("busybox"));
    std::fs::remove_file(filler).expect("it is there");
    serves_on(&host);
    assert_eq!(host.docker(&["ps", "-aq"]), "", "nothing is left of what could not be made");
}

#[test]
#[ignore = "needs root"]
fn an_unreadable_image_harms_no_other() {
    let host = Host::start();
    host.load_busybox();
    host.docker(&[
        "import",
        "-c",
        "CMD [\"true\"]",
        &host.path("root.tar").display().to_string(),
        "broken:1",
    ]);
    let id = host.docker(&["images", "-q", "--no-trunc", "broken:1"]);
    let blob = host.path("data/images/blobs/sha256").join(id.trim().trim_start_matches("sha256:"));
    std::fs::write(&blob, "rubbish").expect("it is there");
    let mut host = host;
    host.stop_daemon();
    host.start_daemon();
    let output = host.try_docker(&["run", "--rm", "broken:1"]);
    assert!(!output.status.success());
    assert!(host.docker(&["images"]).contains("busybox"));
    serves_on(&host);
    host.docker(&["rmi", "-f", "broken:1"]);
}

#[test]
#[ignore = "needs root"]
fn a_missing_runtime_is_named() {
    let host = Host::start_with(|_| vec!["--default-runtime".to_owned(), "/no/such/crun".to_owned()]);
    host.load_busybox();
    fails(&host, &["run", "--rm", "busybox:test", "true"], "/no/such/crun is not installed on this node");
    assert!(host.docker(&["info"]).contains("Server Version"));
    assert_eq!(host.docker(&["ps", "-aq"]), "");
}

#[test]
#[ignore = "needs root"]
fn any_oci_runtime_will_do() {
    let choices: [fn(&Path) -> String; 2] = [
        |_| "runc".to_owned(),
        |home| {
            let wrapper = home.join("runtime");
            script(&wrapper, "exec /usr/bin/crun \"$@\"");
            wrapper.display().to_string()
        },
    ];
    for runtime in choices {
        let host = Host::start_with(|home| vec!["--default-runtime".to_owned(), runtime(home)]);
        host.load_busybox();
        assert_eq!(host.docker(&["run", "--rm", "busybox:test", "echo", "hello"]), "hello\n");
        host.docker(&["run", "-d", "--name", "one", "busybox:test", "sleep", "1000"]);
        assert_eq!(host.docker(&["exec", "one", "echo", "hello"]), "hello\n");
        host.docker(&["rm", "-f", "one"]);
    }
}

#[test]
#[ignore = "needs root"]
fn a_runtime_that_never_tells_its_version_holds_nobody() {
    let mut host = Host::start_with(|home| {
        let (runtime, pid) = (home.join("runtime"), home.join("hangs"));
        let hang = format!("echo $$ >{}; exec sleep 1000", pid.display());
        script(&runtime, &format!("case \"$*\" in *--version*) {hang};; esac; exec /usr/bin/crun \"$@\""));
        vec!["--default-runtime".to_owned(), runtime.display().to_string()]
    });
    host.load_busybox();
    assert_eq!(host.docker(&["run", "--rm", "busybox:test", "echo", "hello"]), "hello\n");
    let pid = host.until("it hangs", || {
        let told = std::fs::read_to_string(host.path("hangs")).unwrap_or_default();
        told.strip_suffix('\n').map(str::to_owned)
    });
    host.stop_daemon();
    let process = Path::new("/proc").join(pid);
    host.until("it has ended with the daemon", || (!process.exists()).then_some(()));
}

#[test]
#[ignore = "needs root"]
fn a_data_root_that_can_hold_no_overlay_is_told() {
    let host = Host::start_with(|home| {
        let layer = |name: &str| {
            let path = home.join(name);
            std::fs::create_dir(&path).expect("folders can be made");
            path.display().to_string()
        };
        let (lower, upper, work, data) = (layer("lower"), layer("upper"), layer("work"), layer("data"));
        let options = format!("lowerdir={lower},upperdir={upper},workdir={work}");
        let mounted = Command::new("mount").args(["-t", "overlay", "layers", "-o", &options, &data]).status();
        assert!(mounted.expect("mount is there").success());
        Vec::new()
    });
    host.load_busybox();
    fails(
        &host,
        &["run", "--rm", "busybox:test", "true"],
        "the data root may be one that can hold no overlay",
    );
    assert_eq!(host.docker(&["ps", "-aq"]), "");
}

/// Makes a program of lines for a shell.
fn script(path: &Path, lines: &str) {
    std::fs::write(path, format!("#!/bin/sh\n{lines}\n")).expect("files can be written");
    let all = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(path, all).expect("it is ours");
}

#[test]
#[ignore = "needs root"]
fn a_registry_that_is_down_is_told() {
    let host = Host::start();
    host.load_busybox();
    fails(&host, &["pull", "127.0.0.1:1/web:1"], "127.0.0.1:1");
    host.docker(&["tag", "busybox:test", "127.0.0.1:1/web:1"]);
    fails(&host, &["push", "127.0.0.1:1/web:1"], "127.0.0.1:1");
    serves_on(&host);
}

#[test]
#[ignore = "needs root"]
fn evil_archives_are_refused() {
    let host = Host::start();
    host.load_busybox();
    let folder = host.path("evil");
    std::fs::create_dir(&folder).expect("folders can be made");
    std::fs::write(folder.join("x"), "x").expect("files can be written");
    let shell = |line: &str| {
        let done = Command::new("sh").args(["-c", line]).current_dir(&folder).status();
        assert!(done.expect("sh is there").success(), "{line}");
    };
    shell("tar -P --transform 's,^x,../../../evil,' -cf dots.tar x");
    shell("truncate -s 160M zeros && tar -cf - zeros | gzip -9 >ratio.tar.gz && rm zeros");
    for (archive, said) in [("dots.tar", "leads out of the archive by"), ("ratio.tar.gz", "times its size")] {
        let archive = folder.join(archive).display().to_string();
        fails(&host, &["import", &archive, "evil:1"], said);
    }
    assert!(!host.path("evil").join("evil").exists());
    assert_eq!(host.docker(&["images", "-q", "evil"]), "");
    serves_on(&host);
}

#[test]
#[ignore = "needs root"]
fn who_ignores_the_asking_is_killed() {
    let host = Host::start();
    host.load_busybox();
    host.docker(&[
        "run",
        "-d",
        "--name",
        "deaf",
        "busybox:test",
        "sh",
        "-c",
        "trap '' TERM; touch /deaf; while true; do sleep 0.1; done",
    ]);
    host.until("it is deaf", || {
        host.try_docker(&["exec", "deaf", "test", "-e", "/deaf"]).status.success().then_some(())
    });
    host.docker(&["stop", "-t", "1", "deaf"]);
    assert_eq!(host.docker(&["inspect", "--format", "{{.State.ExitCode}}", "deaf"]).trim(), "137");
    serves_on(&host);
}

#[test]
#[ignore = "needs root"]
fn a_flood_of_output_stays_within_its_bounds() {
    let host = Host::start();
    host.load_busybox();
    // Far quicker than a gigabyte in a minute.
    let line = "dd if=/dev/zero bs=1000000 count=150 2>/dev/null | tr '\\0' '\\n' | sed 's/$/0123456789012345678901234567890123456789/' | head -c 150000000";
    let flags = ["--log-opt", "max-size=2m", "--log-opt", "max-file=2", "--name", "flood"];
    host.docker(&[&["run", "-d"], &flags[..], &["busybox:test", "busybox", "sh", "-c", line]].concat());
    serves_on(&host);
    assert_eq!(host.docker(&["wait", "flood"]), "0\n");
    let id = host.docker(&["inspect", "--format", "{{.Id}}", "flood"]);
    let folder = host.path("data/containers").join(id.trim());
    let files = std::fs::read_dir(folder).expect("it is there").flatten();
    let logs = files.filter(|entry| entry.file_name().to_string_lossy().contains("json.log"));
    let bytes: u64 = logs.map(|entry| entry.metadata().expect("a file").len()).sum();
    assert!(bytes > 2_000_000 && bytes < 4_300_000, "{bytes}");
    assert!(host.docker(&["logs", "--tail", "3", "flood"]).contains("0123456789"));
}
