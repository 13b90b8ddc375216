//! Files of containers, copied with the stock CLI.

use crate::host::Host;

/// A machine with a container that runs, one that has ended and one that never ran, each with a volume at `/data`.
fn with_containers() -> Host {
    let host = Host::start();
    host.load_busybox();
    let line = "echo from inside >/note; ln -s /etc /link; ln -s / /climb; mkdir -p /dir/deep; echo a >/dir/a; \
                echo b >/dir/deep/b";
    for (name, rest) in [("runs", "; sleep 1000"), ("ended", ""), ("fresh", "")] {
        let volume = format!("data-{name}:/data");
        let verb: &[&str] = if name == "fresh" { &["create"] } else { &["run", "-d"] };
        let words = ["--name", name, "-v", &volume, "busybox:test", "sh", "-c"];
        host.docker(&[verb, &words[..], &[&format!("{line}{rest}")]].concat());
    }
    host.docker(&["wait", "ended"]);
    host.until("it has written", || {
        host.try_docker(&["exec", "runs", "test", "-e", "/dir/deep/b"]).status.success().then_some(())
    });
    host
}

#[test]
#[ignore = "needs root"]
fn files_are_copied_out_and_in() {
    let host = with_containers();
    let out = host.path("out");
    std::fs::create_dir(&out).expect("folders can be made");
    let here = |name: &str| out.join(name).display().to_string();
    let read = |name: &str| std::fs::read_to_string(out.join(name)).expect("it was copied");
    for name in ["runs", "ended"] {
        host.docker(&["cp", &format!("{name}:/note"), &here(name)]);
        assert_eq!(read(name), "from inside\n");
        host.docker(&["cp", &format!("{name}:/dir"), &here(&format!("{name}-dir"))]);
        assert_eq!(read(&format!("{name}-dir/deep/b")), "b\n");
        host.docker(&["cp", &format!("{name}:/dir/."), &here(&format!("{name}-contents"))]);
        assert_eq!(read(&format!("{name}-contents/a")), "a\n");
        host.docker(&["cp", "-L", &format!("{name}:/link/passwd"), &here(&format!("{name}-passwd"))]);
        assert!(read(&format!("{name}-passwd")).starts_with("root:"));
        host.docker(&["cp", &format!("{name}:/"), &here(&format!("{name}-all"))]);
        assert_eq!(read(&format!("{name}-all/dir/a")), "a\n");
    }
    std::fs::write(out.join("new"), "from outside").expect("files can be written");
    std::fs::create_dir_all(out.join("tree/branch")).expect("folders can be made");
    std::fs::write(out.join("tree/branch/leaf"), "green").expect("files can be written");
    for name in ["runs", "ended", "fresh"] {
        for target in ["/tmp/renamed", "/tmp", "/data/kept"] {
            host.docker(&["cp", &here("new"), &format!("{name}:{target}")]);
        }
        host.docker(&["cp", &here("tree"), &format!("{name}:/tmp/")]);
        for (path, said) in [
            ("/tmp/renamed", "from outside"),
            ("/tmp/new", "from outside"),
            ("/tmp/tree/branch/leaf", "green"),
        ] {
            host.docker(&["cp", &format!("{name}:{path}"), &here("back")]);
            assert_eq!(read("back"), said, "{name}:{path}");
        }
        let volume =
            host.docker(&["volume", "inspect", "--format", "{{.Mountpoint}}", &format!("data-{name}")]);
        let kept = std::path::Path::new(volume.trim()).join("kept");
        assert_eq!(std::fs::read_to_string(kept).expect("it went into the volume"), "from outside", "{name}");
    }
    assert_eq!(host.docker(&["exec", "runs", "cat", "/tmp/tree/branch/leaf"]), "green");
    host.docker(&["start", "ended"]);
}

#[test]
#[ignore = "needs root"]
fn what_cannot_be_copied_is_refused_with_the_rule() {
    let host = with_containers();
    let file = host.path("file").display().to_string();
    std::fs::write(&file, "x").expect("files can be written");
    host.docker(&["run", "-d", "--name", "fixed", "--read-only", "busybox:test", "sleep", "1000"]);
    host.docker(&["create", "--name", "fixed-too", "--read-only", "busybox:test", "sleep", "1000"]);
    for (words, said) in [
        (["cp", "runs:/nothing", "-"], "Could not find the file /nothing in container runs"),
        (["cp", &file, "runs:/nothing/there"], "Could not find the file /nothing in container runs"),
        (["cp", &file, "runs:/note/there"], "not a directory"),
        (["cp", &file, "fixed:/x"], "read-only"),
        (["cp", &file, "fixed-too:/x"], "read-only"),
        (["cp", &file, "nobody:/x"], "No such container: nobody"),
    ] {
        let output = host.try_docker(&words);
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && told.contains(said), "{words:?}: {told}");
    }
}

#[test]
#[ignore = "needs root"]
fn no_path_leads_out_of_a_container() {
    let host = with_containers();
    let secret = host.path("secret");
    std::fs::write(&secret, "of the host").expect("files can be written");
    let secret = secret.display().to_string();
    for name in ["runs", "ended"] {
        for path in [
            format!("/climb/{secret}"),
            format!("/../../..{secret}"),
            format!("/proc/1/root{secret}"),
            secret.clone(),
        ] {
            let output = host.try_docker(&["cp", &format!("{name}:{path}"), "-"]);
            assert!(!output.status.success(), "{name}:{path}");
            assert!(!String::from_utf8_lossy(&output.stdout).contains("of the host"), "{name}:{path}");
        }
    }
    // Nor does an archive: neither by its names nor by links it brings along.
    let evil = host.path("evil");
    std::fs::create_dir_all(evil.join("tmp")).expect("folders can be made");
    std::os::unix::fs::symlink(host.path(""), evil.join("tmp/door")).expect("links can be made");
    let word = |path: &str| evil.join(path).display().to_string();
    let tar = |words: &[&str]| {
        let output = std::process::Command::new("tar").args(words).output().expect("tar is installed");
        assert!(output.status.success(), "{words:?}");
    };
    tar(&["-C", &evil.display().to_string(), "-cf", &word("links.tar"), "tmp/door"]);
    std::fs::remove_file(evil.join("tmp/door")).expect("it is there");
    std::fs::create_dir(evil.join("tmp/door")).expect("folders can be made");
    std::fs::write(evil.join("tmp/door/evil"), "x").expect("files can be written");
    tar(&["-C", &evil.display().to_string(), "-rf", &word("links.tar"), "tmp/door/evil"]);
    tar(&[
        "-C",
        &evil.display().to_string(),
        "-P",
        "-cf",
        &word("dots.tar"),
        "--transform",
        "s,^tmp,../../../tmp,",
        "tmp",
    ]);
    for name in ["runs", "ended"] {
        for archive in ["links.tar", "dots.tar"] {
            let put = format!("docker cp - {name}:/ <{}", word(archive));
            let output = host.command("sh").args(["-c", &put]).output().expect("sh is there");
            if archive == "dots.tar" {
                let told = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(told.contains("leads out of the archive"), "{told}");
            }
        }
    }
    assert!(!host.path("evil").join("evil").exists() && !host.path("evil-file").exists());
    assert!(!host.path("").join("evil").is_file());
    host.docker(&["ps"]);
}

#[test]
#[ignore = "needs root"]
fn changes_are_told_and_all_files_exported() {
    let host = with_containers();
    for name in ["runs", "ended"] {
        let told = host.docker(&["diff", name]);
        let expected = "A /climb\nA /dir\nA /dir/a\nA /dir/deep\nA /dir/deep/b\nA /link\nA /note\n";
        assert_eq!(told, expected, "{name}");
        let archive = host.path("all.tar").display().to_string();
        host.docker(&["export", "-o", &archive, name]);
        host.docker(&["import", &archive, &format!("again:{name}")]);
        let said = host.docker(&["run", "--rm", &format!("again:{name}"), "cat", "/note", "/dir/deep/b"]);
        assert_eq!(said, "from inside\nb\n");
    }
    host.docker(&["exec", "runs", "sh", "-c", "echo x >>/etc/passwd; echo >/tmp/new"]);
    let told = host.docker(&["diff", "runs"]);
    assert!(told.contains("C /etc/passwd\n") && told.contains("C /tmp\nA /tmp/new\n"), "{told}");
    assert_eq!(host.docker(&["diff", "fresh"]), "");
}
