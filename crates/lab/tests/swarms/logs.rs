//! What tasks write is read from everywhere.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::thread;

use skep_lab::{BUSYBOX, Host, Result, Trouble, until};

use crate::swarm;

/// Says where it is, on both streams, and stays.
const SPEECH: &str = "echo \"out of $(hostname)\"; echo \"err of $(hostname)\" >&2; exec sleep 100000";

fn create_speakers(manager: &Host) -> Result<()> {
    let words = ["--mode", "global", "--hostname", "{{.Node.Hostname}}", "--stop-signal", "KILL"];
    swarm::create(manager, "web", &[&words[..], &[BUSYBOX, "sh", "-c", SPEECH]].concat())
}

/// Waits until a reader sees these words and no others.
fn until_said(reader: &Host, words: &[&str]) -> Result<()> {
    until(&format!("{words:?} is read on {}", reader.name()), || {
        let said = reader.docker(&["service", "logs", "--raw", "web"]).ok()?;
        let mut said: Vec<&str> = said.lines().collect();
        said.sort_unstable();
        (said == words).then_some(())
    })
}

#[test]
#[ignore = "needs root"]
fn every_manager_reads_what_is_written_on_every_node() -> Result<()> {
    let mut lab = swarm::swarm_of(&["a", "b", "c"], &["d"])?;
    lab.host("a")?.docker(&["swarm", "update", "--dispatcher-heartbeat", "1s"])?;
    create_speakers(lab.host("a")?)?;
    for name in ["a", "b", "c"] {
        until_said(lab.host(name)?, &["out of a", "out of b", "out of c", "out of d"])?;
    }
    let task = swarm::running(lab.host("b")?, "web")?.into_iter().find(|(_, node)| node == "d");
    let (task, _) = task.expect("a global service runs on d");
    let read = lab.host("b")?.docker(&["service", "logs", "--raw", &task])?;
    assert_eq!(read, "out of d\n");

    lab.host_mut("d")?.kill()?;
    swarm::until_node(lab.host("b")?, "d", "Down")?;
    for name in ["a", "b", "c"] {
        let said = lab.host(name)?.refused(&["service", "logs", "web"])?;
        let words = "error from daemon in stream: Error grabbing logs: rpc error: code = Unknown desc = warning: \
                     incomplete log stream. some logs could not be retrieved for the following reasons: node ";
        assert!(said.contains(words) && said.contains("is not available"), "{said}");
        assert!(said.contains("err of a"), "what can be read is: {said}");
    }
    Ok(())
}

/// A follower of a service's logs, ended with the test.
struct Follower {
    process: Child,
    lines: mpsc::Receiver<String>,
}

impl Follower {
    fn start(host: &Host) -> Result<Self> {
        let mut command = host.command_line("docker")?;
        command.args(["service", "logs", "--follow", "--raw", "web"]);
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().map_err(|error| Trouble::new("following logs", error))?;
        let output = BufReader::new(process.stdout.take().expect("standard output is piped"));
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Ok(Self { process, lines })
    }

    fn until_says(&self, word: &str) -> Result<()> {
        until(&format!("the follower hears {word}"), || {
            self.lines.try_iter().any(|line| line == word).then_some(())
        })
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
#[ignore = "needs root"]
fn a_follower_hears_of_tasks_that_come_later_and_elsewhere() -> Result<()> {
    let lab = swarm::swarm_of(&["a", "b"], &[])?;
    let reader = swarm::until_leader(lab.host("a")?, &[])?;
    let other = if reader == "a" { "b" } else { "a" };
    let words =
        ["--replicas", "1", "--constraint", "node.labels.zone==here", "--hostname", "{{.Node.Hostname}}"];
    let manager = lab.host("a")?;
    manager.docker(&["node", "update", "--label-add", "zone=here", &reader])?;
    let rest = ["--stop-signal", "KILL", BUSYBOX, "sh", "-c", SPEECH];
    swarm::create(manager, "web", &[&words[..], &rest].concat())?;
    let followers = [Follower::start(lab.host("a")?)?, Follower::start(lab.host("b")?)?];
    for follower in &followers {
        follower.until_says(&format!("out of {reader}"))?;
    }
    manager.docker(&["node", "update", "--label-add", "zone=here", other])?;
    manager.docker(&["node", "update", "--availability", "drain", &reader])?;
    for follower in &followers {
        follower.until_says(&format!("out of {other}"))?;
    }
    Ok(())
}
