//! A machine for tests: a network namespace with a daemon in it, and the two command lines.
//!
//! Dropping it ends the daemon by its pid and takes away containers, mounts, namespace and files, also after a
//! failed test.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A machine with a daemon.
pub(crate) struct Host {
    home: tempfile::TempDir,
    namespace: String,
    flags: Vec<String>,
    daemon: Option<Child>,
}

/// How long anything may take before a test calls it broken.
const PATIENCE: Duration = Duration::from_secs(60);

impl Host {
    /// A machine whose daemon answers.
    pub(crate) fn start() -> Self {
        Self::start_with(|_| Vec::new())
    }

    /// The same, whose home is prepared before, and whose daemon gets these flags more.
    pub(crate) fn start_with(prepare: impl FnOnce(&Path) -> Vec<String>) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let namespace = format!("skep-e2e-{}-{number}", std::process::id());
        run("ip", &["netns", "add", &namespace]);
        run("ip", &["-n", &namespace, "link", "set", "lo", "up"]);
        let home =
            tempfile::Builder::new().prefix("skep-e2e-").tempdir().expect("a temporary folder can be made");
        let flags = prepare(home.path());
        let mut host = Self { home, namespace, flags, daemon: None };
        host.start_daemon();
        host
    }

    /// A machine whose daemon manages a swarm of one, and which has the image `busybox:test`.
    pub(crate) fn start_swarm() -> Self {
        let host = Self::start();
        host.load_busybox();
        host.docker(&["swarm", "init", "--advertise-addr", "127.0.0.1"]);
        host
    }

    /// Starts the daemon and waits until it answers.
    pub(crate) fn start_daemon(&mut self) {
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(self.path("log"))
            .expect("a log can be made");
        let child = Command::new("nsenter")
            .arg(format!("--net=/run/netns/{}", self.namespace))
            .arg(env!("CARGO_BIN_EXE_skepd"))
            .args(["--host", &self.socket(), "--log-level", "debug"])
            .arg("--data-root")
            .arg(self.path("data"))
            .arg("--exec-root")
            .arg(self.path("run"))
            .arg("--pidfile")
            .arg(self.path("pid"))
            .args(&self.flags)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log can be shared"))
            .stderr(log)
            .spawn()
            .expect("nsenter is there");
        self.daemon = Some(child);
        self.until("the daemon answers", || self.try_docker(&["version"]).status.success().then_some(()));
    }

    /// Kills the daemon without a word, as a crash would.
    pub(crate) fn kill_daemon(&mut self) {
        let mut daemon = self.daemon.take().expect("the daemon runs");
        daemon.kill().expect("the daemon can be killed");
        daemon.wait().expect("the daemon can be waited for");
    }

    /// Asks the daemon to end, and waits for it.
    pub(crate) fn stop_daemon(&mut self) {
        let mut daemon = self.daemon.take().expect("the daemon runs");
        run("kill", &[&daemon.id().to_string()]);
        self.until("the daemon ends", || daemon.try_wait().expect("the daemon can be waited for"));
    }

    /// Imports Debian's static busybox as `busybox:test`.
    pub(crate) fn load_busybox(&self) {
        let root = self.path("root");
        std::fs::create_dir_all(root.join("bin")).expect("folders can be made");
        std::fs::create_dir_all(root.join("etc")).expect("folders can be made");
        std::fs::create_dir_all(root.join("tmp")).expect("folders can be made");
        std::fs::copy("/bin/busybox", root.join("bin/busybox")).expect("busybox-static is installed");
        std::fs::write(root.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\nuser:x:1000:1000::/:/bin/sh\n")
            .expect("files can be written");
        std::fs::write(root.join("etc/group"), "root:x:0:\nuser:x:1000:\nextra:x:2000:user\n")
            .expect("files can be written");
        for name in APPLETS {
            std::os::unix::fs::symlink("busybox", root.join("bin").join(name)).expect("links can be made");
        }
        let archive = self.path("root.tar");
        let text = |path: &Path| path.to_str().expect("paths are text").to_owned();
        run("tar", &["-C", &text(&root), "-cf", &text(&archive), "."]);
        self.docker(&["import", &text(&archive), "busybox:test"]);
    }

    /// Runs the stock docker CLI; the test fails if it does.
    pub(crate) fn docker(&self, words: &[&str]) -> String {
        expect_success("docker", words, self.try_docker(words))
    }

    /// Runs the stock docker CLI, whatever comes of it.
    pub(crate) fn try_docker(&self, words: &[&str]) -> Output {
        self.command("docker").args(words).output().expect("the docker CLI is installed")
    }

    /// Runs our own CLI; the test fails if it does.
    pub(crate) fn skep(&self, words: &[&str]) -> String {
        expect_success("skep", words, self.try_skep(words))
    }

    /// Runs our own CLI, whatever comes of it.
    pub(crate) fn try_skep(&self, words: &[&str]) -> Output {
        self.command(&sibling("skep")).args(words).output().expect("skep is built (cargo xtask root)")
    }

    /// Runs a program within the machine's network.
    pub(crate) fn inside(&self, program: &str, words: &[&str]) -> Output {
        self.command_inside(program).args(words).output().expect("nsenter is there")
    }

    /// A program within the machine's network, not started yet.
    pub(crate) fn command_inside(&self, program: &str) -> Command {
        let mut command = self.command("nsenter");
        command.arg(format!("--net=/run/netns/{}", self.namespace)).arg(program);
        command
    }

    /// Asks again until there is an answer; the test fails when patience ends.
    pub(crate) fn until<T>(&self, what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
        let begin = host::clock::now();
        loop {
            if let Some(answer) = ask() {
                return answer;
            }
            assert!(
                host::clock::since(begin) < PATIENCE,
                "waited in vain until {what}\n{}",
                self.last_words()
            );
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// Waits until `docker service ls` shows these replicas.
    pub(crate) fn until_replicas(&self, service: &str, replicas: &str) {
        let filter = format!("name={service}");
        self.until(&format!("{service} has {replicas}"), || {
            let shown = self.docker(&["service", "ls", "--filter", &filter, "--format", "{{.Replicas}}"]);
            (shown.trim() == replicas).then_some(())
        });
    }

    /// A command whose DOCKER_HOST is this machine.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("DOCKER_HOST", self.socket()).env("DOCKER_CONFIG", self.path("config"));
        command
    }

    /// Where a file of this machine is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// The address of the API.
    pub(crate) fn socket(&self) -> String {
        format!("unix://{}", self.path("sock").display())
    }

    fn last_words(&self) -> String {
        let log = std::fs::read_to_string(self.path("log")).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the daemon's last words:\n{}", self.last_words());
        }
        if let Some(mut daemon) = self.daemon.take() {
            // Each step is tried whatever became of the one before: nothing shall stay.
            let _ = self.try_docker(&["swarm", "leave", "--force"]);
            let _ = Command::new("sh")
                .arg("-c")
                .arg("docker ps -aq | xargs -r docker rm -f")
                .env("DOCKER_HOST", self.socket())
                .output();
            let _ = Command::new("kill").arg(daemon.id().to_string()).status();
            let _ = daemon.wait();
        }
        end_processes_naming(self.home.path());
        unmount_below(self.home.path());
        let _ = Command::new("ip").args(["netns", "del", &self.namespace]).status();
    }
}

/// The programs in `busybox:test`.
const APPLETS: [&str; 29] = [
    "sh", "sleep", "echo", "cat", "ls", "id", "hostname", "true", "false", "httpd", "wget", "nslookup",
    "mount", "ps", "touch", "test", "dd", "env", "kill", "head", "grep", "stty", "ln", "mkdir", "rm", "tr",
    "sed", "tty", "wc",
];

/// A program that was built beside the daemon.
pub(crate) fn sibling(name: &str) -> String {
    let path = Path::new(env!("CARGO_BIN_EXE_skepd")).with_file_name(name);
    path.to_str().expect("paths are text").to_owned()
}

fn run(program: &str, words: &[&str]) {
    let output = Command::new(program).args(words).output().expect("the program is installed");
    expect_success(program, words, output);
}

fn expect_success(program: &str, words: &[&str], output: Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{program} {words:?}: {}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

/// Supervisors and what they hold name the machine's folder in their command line.
fn end_processes_naming(folder: &Path) {
    let folder = folder.as_os_str().as_encoded_bytes();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let words = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let is_process = entry.file_name().as_encoded_bytes().iter().all(u8::is_ascii_digit);
        if is_process && words.windows(folder.len()).any(|part| part == folder) {
            let _ = Command::new("kill").arg("-9").arg(entry.file_name()).status();
        }
    }
}

fn unmount_below(folder: &Path) {
    let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let places = mounts.lines().filter_map(|line| line.split(' ').nth(1));
    let mut places: Vec<&str> = places.filter(|place| Path::new(place).starts_with(folder)).collect();
    places.sort_unstable();
    for place in places.into_iter().rev() {
        let _ = Command::new("umount").args(["-l", place]).status();
    }
}
