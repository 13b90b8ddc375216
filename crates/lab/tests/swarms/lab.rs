//! The lab itself: what it breaks is broken, what it mends is mended, and nothing of it stays.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use skep_lab::{BUSYBOX, Host, Lab, Make, Result, Trouble, until};

/// Serves its name on port 80 until the lab ends.
fn serve(host: &Host) -> Result<()> {
    host.docker(&["run", "-d", "--network", "host", BUSYBOX, "httpd", "-f", "-p", "80", "-h", "/bin"])
        .map(drop)
}

fn reaches(from: &Host, to: &Host) -> bool {
    let address = format!("http://{}/", to.address());
    let answer = from.inside("curl", &["-s", "-o", "/dev/null", "--max-time", "1", &address]);
    // Any answer will do: without a page there is a 404.
    answer.is_ok()
}

#[test]
#[ignore = "needs root"]
fn cables_are_cut_and_walls_are_built_and_mended() -> Result<()> {
    let mut lab = Lab::of(Make::Skep, &["a", "b", "c"])?;
    for name in ["b", "c"] {
        serve(lab.host(name)?)?;
    }
    let sees = |lab: &Lab, name: &str| Ok::<_, Trouble>(reaches(lab.host("a")?, lab.host(name)?));
    until("both are reached", || (sees(&lab, "b").ok()? && sees(&lab, "c").ok()?).then_some(()))?;

    lab.cut("b")?;
    assert!(!sees(&lab, "b")? && sees(&lab, "c")?);
    lab.mend("b")?;
    until("the mended cable carries", || sees(&lab, "b").ok()?.then_some(()))?;

    lab.part(&["a"], &["c"])?;
    assert!(sees(&lab, "b")? && !sees(&lab, "c")?);
    lab.heal()?;
    lab.wall(&["b"], &["a"])?;
    assert!(!sees(&lab, "b")? && sees(&lab, "c")?);
    lab.heal()?;
    lab.lose("c", 100)?;
    assert!(sees(&lab, "b")? && !sees(&lab, "c")?);
    lab.heal()?;
    assert!(sees(&lab, "b")? && sees(&lab, "c")?);

    assert!(lab.cut("x").is_err() && lab.part(&["a"], &["x"]).is_err());
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn a_slow_cable_is_slow_or_the_kernel_is_blamed() -> Result<()> {
    let lab = Lab::of(Make::Skep, &["a", "b"])?;
    serve(lab.host("b")?)?;
    let (a, b) = (lab.host("a")?, lab.host("b")?);
    until("it is reached", || reaches(a, b).then_some(()))?;
    match lab.delay("b", Duration::from_millis(300)) {
        Ok(()) => {
            let begin = host::clock::now();
            assert!(reaches(a, b) && host::clock::since(begin) >= Duration::from_millis(300));
        }
        Err(trouble) => assert!(trouble.to_string().contains("netem"), "{trouble}"),
    }
    Ok(())
}

#[test]
#[ignore = "needs root"]
fn containers_outlive_the_daemon_but_not_the_power() -> Result<()> {
    let mut lab = Lab::of(Make::Skep, &["a"])?;
    lab.host("a")?.docker(&["run", "-d", "--name", "sleeper", BUSYBOX, "sleep", "1000"])?;
    let number = |lab: &Lab| lab.host("a")?.docker(&["inspect", "--format", "{{.State.Pid}}", "sleeper"]);
    let before = number(&lab)?;

    lab.host_mut("a")?.kill()?;
    assert!(!lab.host("a")?.api().answers());
    lab.host("a")?.inside("kill", &["-0", before.trim()])?;
    lab.host_mut("a")?.start()?;
    assert_eq!(number(&lab)?, before);

    // What stands still cannot be ended as easily.
    lab.host("a")?.docker(&["pause", "sleeper"])?;
    lab.power_off("a")?;
    assert!(lab.host("a")?.inside("true", &[]).is_err());
    lab.power_on("a")?;
    until("the container is known to have ended", || (number(&lab).ok()?.trim() == "0").then_some(()))
}

#[test]
#[ignore = "needs root"]
fn nothing_of_a_lab_stays_when_it_is_killed() {
    let mut program = Command::new(env!("CARGO_BIN_EXE_skep-lab"))
        .args(["--hosts", "1"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut words = String::new();
    let mut output = BufReader::new(program.stdout.take().unwrap());
    output.read_line(&mut words).unwrap();
    let folder = words.split("unix://").nth(1).unwrap().trim();
    let folder = Path::new(folder).ancestors().nth(2).unwrap();
    assert!(folder.is_dir(), "{words}");
    program.kill().unwrap();
    program.wait().unwrap();

    let name = folder.file_name().unwrap().to_str().unwrap();
    until("the lab's folder is gone", || (!folder.exists()).then_some(())).unwrap();
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(name), "{mounts}");
    for tree in mounts.lines().filter(|line| line.contains("cgroup")) {
        let place = Path::new(tree.split(' ').nth(1).unwrap());
        assert!(!place.join(format!("{name}-a")).exists(), "{tree}");
    }
    until("all its processes have ended", || (!is_named_by_a_process(name)).then_some(())).unwrap();
}

fn is_named_by_a_process(name: &str) -> bool {
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let words = processes.filter_map(|process| std::fs::read(process.path().join("cmdline")).ok());
    words.into_iter().any(|words| String::from_utf8_lossy(&words).contains(name))
}
