//! An agent in the swarm of a stock dockerd: it joins with a token, is given tasks, and says that they run.
//!
//! To be run in a network namespace of its own (`unshare -n`), since dockerd makes networks.

#![expect(clippy::unwrap_used, reason = "a test may")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use model::TaskState;
use model::node::{Availability, NodeRole};
use skep_agent::{Agent, AgentConfig, Credentials, NullExecutor};

const ADDR: &str = "127.0.0.1:23771";

/// A dockerd of its own, ended with the test.
struct Dockerd {
    process: Child,
    socket: String,
}

impl Dockerd {
    fn start(folder: &Path) -> Self {
        run(Command::new("ip").args(["link", "set", "lo", "up"]));
        let path = |name: &str| folder.join(name).display().to_string();
        let socket = format!("unix://{}", path("docker.sock"));
        let process = Command::new("dockerd")
            .args(["--data-root", &path("data"), "--exec-root", &path("exec"), "--pidfile", &path("pid")])
            .args(["--host", &socket, "--bridge", "none", "--iptables=false", "--ip-masq=false"])
            .args(["--storage-driver", "vfs"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let dockerd = Self { process, socket };
        let answers = || dockerd.command(&["version"]).output().unwrap().status.success();
        while !answers() {
            std::thread::sleep(Duration::from_millis(200));
        }
        dockerd
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["--host", &self.socket]).args(words);
        command
    }

    fn docker(&self, words: &[&str]) -> String {
        run(&mut self.command(words))
    }
}

impl Drop for Dockerd {
    fn drop(&mut self) {
        let _ = self.command(&["swarm", "leave", "--force"]).output();
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, dockerd, and a network namespace of its own"]
async fn a_stock_manager_takes_an_agent_for_one_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let dockerd = Dockerd::start(folder.path());
    dockerd.docker(&["swarm", "init", "--advertise-addr", ADDR, "--listen-addr", ADDR]);
    let token = dockerd.docker(&["swarm", "join-token", "--quiet", "worker"]);

    let certificates = folder.path().join("certificates");
    let credentials = Credentials::join(&certificates, ADDR, &token, Availability::Active).await.unwrap();
    let node_id = credentials.identity().subject.node_id().unwrap();
    assert_eq!(credentials.identity().subject.role(), Some(NodeRole::Worker));
    let config = AgentConfig {
        node_id,
        state_dir: folder.path().join("worker"),
        managers: vec![ADDR.to_owned()],
        local: tokio::sync::watch::Sender::default().subscribe(),
        identity: credentials.subscribe(),
        chance: host::chance::chance().unwrap(),
    };
    let agent = Agent::start(config, Arc::new(NullExecutor)).unwrap();
    let mut news = agent.news();
    news.wait_for(Option::is_some).await.unwrap();

    let constraint = format!("node.id=={node_id}");
    dockerd.docker(&[
        "service",
        "create",
        "--detach",
        "--no-resolve-image",
        "--name",
        "null",
        "--replicas",
        "3",
        "--constraint",
        &constraint,
        "nothing:1",
    ]);
    let mut tasks = agent.tasks();
    let runs = |state: TaskState| state == TaskState::Running;
    let all = tasks.wait_for(|tasks| tasks.values().filter(|task| runs(task.status.state)).count() == 3);
    tokio::time::timeout(Duration::from_secs(30), all).await.unwrap().unwrap();
    while dockerd.docker(&["service", "ls", "--format", "{{.Replicas}}"]) != "3/3" {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    let key = || std::fs::read(certificates.join("swarm-node.key")).unwrap();
    let before = key();
    credentials.renew(ADDR).await.unwrap();
    assert_ne!(key(), before);
    assert_eq!(credentials.identity().subject.node_id(), Some(node_id));

    dockerd.docker(&["service", "rm", "null"]);
    let none = tasks.wait_for(|tasks| tasks.is_empty());
    tokio::time::timeout(Duration::from_secs(30), none).await.unwrap().unwrap();
    agent.stop().await;
}
