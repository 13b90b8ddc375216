//! A stock dockerd in our swarm: it joins with a token, runs tasks in real containers, and says so.
//!
//! To be run in a network namespace of its own (`unshare -n`), since dockerd makes networks.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use model::node::NodeState;
use model::spec::placement::Placement;
use model::{ContainerSpec, NodeId, Runtime, TaskSpec, TaskState};

use crate::stage::{Swarm, is_ready};

/// A dockerd of its own, ended with the test.
struct Dockerd {
    process: Child,
    socket: String,
}

impl Dockerd {
    fn start(folder: &Path) -> Self {
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
        while !dockerd.command(&["version"]).output().unwrap().status.success() {
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

    /// An image that holds nothing but busybox.
    fn import_busybox(&self, folder: &Path) {
        let root = folder.join("image");
        std::fs::create_dir_all(root.join("bin")).unwrap();
        std::fs::copy("/bin/busybox", root.join("bin/busybox")).unwrap();
        let archive = folder.join("image.tar").display().to_string();
        run(Command::new("tar").args(["-C", &root.display().to_string(), "-cf", &archive, "bin"]));
        self.docker(&["import", &archive, "box:1"]);
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

fn sleeping_box(node: NodeId) -> TaskSpec {
    let words = ["/bin/busybox", "sleep", "1000"].map(str::to_owned).to_vec();
    let container = ContainerSpec { image: "box:1".to_owned(), command: words, ..ContainerSpec::default() };
    let placement = Placement { constraints: vec![format!("node.id=={node}")], ..Placement::default() };
    TaskSpec {
        runtime: Runtime::Container(Box::new(container)),
        placement: Some(placement),
        ..TaskSpec::default()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs root, dockerd, and a network namespace of its own"]
async fn a_stock_worker_runs_tasks_of_our_swarm() {
    run(Command::new("ip").args(["link", "set", "lo", "up"]));
    let swarm = Swarm::found().await;
    let folder = tempfile::tempdir().unwrap();
    let dockerd = Dockerd::start(folder.path());
    dockerd.import_busybox(folder.path());
    dockerd.docker(&[
        "swarm",
        "join",
        "--advertise-addr",
        "127.0.0.1",
        "--token",
        &swarm.tokens.worker,
        &swarm.addr,
    ]);
    let me: NodeId = dockerd.docker(&["info", "--format", "{{.Swarm.NodeID}}"]).parse().unwrap();
    swarm.until(|state| is_ready(state, me)).await;

    swarm.create(3, sleeping_box(me)).await;
    let running = |state: &store::State| {
        state.tasks_on(me).filter(|task| task.status.state == TaskState::Running).count() == 3
    };
    let state = swarm.until(running).await;
    let container = state.tasks_on(me).next().unwrap().status.container.clone().unwrap();
    let listed = dockerd.docker(&["ps", "--no-trunc", "--format", "{{.ID}}"]);
    assert!(listed.contains(&container.container_id), "{listed}");
    assert_eq!(listed.lines().count(), 3);
    assert_eq!(state.nodes.get(me).unwrap().status.state, NodeState::Ready);
}
