//! A stage for containers: a root file system of busybox, folders of its own, and a sweep afterwards.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use skep_runtime::container::description::{ImageDefaults, ImageUse, Mount, MountSource};
use skep_runtime::container::{
    ContainerId, Containers, Description, Exit, Leavings, Removal, RuntimeConfig, WaitFor,
};
use skep_runtime::logs::{Follow, LogQuery};

/// A stage of its own for one test.
pub(crate) struct Stage {
    root: tempfile::TempDir,
    name: String,
}

impl Stage {
    /// Builds one.
    pub(crate) fn build() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let root = tempfile::tempdir().unwrap();
        let stage = Self { root, name: format!("skep-test-{}-{number}", std::process::id()) };
        let bin = stage.layer().join("bin");
        for folder in ["bin", "etc", "proc", "sys", "dev", "tmp", "root", "data", "sbin"] {
            std::fs::create_dir_all(stage.layer().join(folder)).unwrap();
        }
        std::fs::copy("/usr/bin/busybox", bin.join("busybox")).unwrap();
        for applet in APPLETS.split(' ') {
            std::os::unix::fs::symlink("busybox", bin.join(applet)).unwrap();
        }
        std::fs::write(
            stage.layer().join("etc/passwd"),
            "root:x:0:0::/root:/bin/sh\nweb:x:33:33::/:/bin/sh\n",
        )
        .unwrap();
        std::fs::write(stage.layer().join("etc/group"), "root:x:0:\nweb:x:33:\nwheel:x:10:root,web\n")
            .unwrap();
        std::fs::write(stage.layer().join("data/hello"), "from the image").unwrap();
        stage
    }

    /// Where the layer of the image is.
    pub(crate) fn layer(&self) -> PathBuf {
        self.path().join("layer")
    }

    /// The folder of the stage.
    pub(crate) fn path(&self) -> &Path {
        self.root.path()
    }

    /// Where the daemon is told that things are.
    pub(crate) fn config(&self) -> RuntimeConfig {
        RuntimeConfig {
            data_root: self.path().join("data"),
            exec_root: self.path().join("run"),
            supervise: supervise(),
            oci_runtime: std::env::var_os("SKEP_TEST_RUNTIME").map(Into::into),
            init: None,
            seccomp_profile: None,
            cgroup_parent: format!("/{}", self.name),
        }
    }

    /// A daemon's containers on this stage.
    pub(crate) async fn open(&self) -> Containers {
        Containers::open(self.config()).await.unwrap()
    }

    /// A container that runs a line of shell.
    pub(crate) fn shell(&self, name: &str, line: &str) -> Description {
        self.command(name, &["/bin/sh", "-c", line])
    }

    /// A container that runs a command.
    pub(crate) fn command(&self, name: &str, words: &[&str]) -> Description {
        Description {
            name: name.to_owned(),
            image: ImageUse {
                reference: "busybox:latest".to_owned(),
                id: format!("sha256:{}", "0".repeat(64)),
                layers: vec![self.layer()],
                defaults: ImageDefaults::default(),
            },
            command: Some(words.iter().map(|word| (*word).to_owned()).collect()),
            ..Description::default()
        }
    }
}

impl Drop for Stage {
    /// Leaves nothing, also after a failure: processes, supervisors, control groups.
    fn drop(&mut self) {
        let groups = || {
            let roots = std::fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten();
            let inner = roots.map(|entry| entry.path().join(&self.name));
            inner.chain([Path::new("/sys/fs/cgroup").join(&self.name)]).filter(|path| path.exists())
        };
        for group in groups() {
            for container in std::fs::read_dir(&group).into_iter().flatten().flatten() {
                let procs =
                    std::fs::read_to_string(container.path().join("cgroup.procs")).unwrap_or_default();
                procs.lines().filter_map(|pid| pid.parse().ok()).for_each(kill);
            }
        }
        until_none_works_in(&self.path().join("run"));
        for group in groups() {
            let _ = std::fs::remove_dir(&group);
        }
    }
}

/// Kills a process of the host.
pub(crate) fn kill(pid: u32) {
    Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap();
}

/// Waits until there is no process of this number any more.
pub(crate) fn until_gone(pid: u32) {
    let words = ["30", "tail", "-s", "0.02", "--pid", &pid.to_string(), "-f", "/dev/null"];
    assert!(Command::new("timeout").args(words).status().unwrap().success(), "process {pid} does not end");
}

/// Waits until no supervisor works in a folder; for so long as any may take. One that nobody has waited for yet works
/// nowhere.
pub(crate) fn until_none_works_in(folder: &Path) {
    for _ in 0..500 {
        if supervisors_in(folder).is_empty() {
            return;
        }
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
}

/// A folder of the host in a container, writable.
pub(crate) fn bind(path: &Path, target: &str) -> Mount {
    let source = MountSource::Bind {
        path: path.to_owned(),
        propagation: String::new(),
        non_recursive: false,
        create: false,
    };
    Mount { source, target: target.to_owned(), ..Mount::default() }
}

/// The supervisors that work in a folder.
pub(crate) fn supervisors_in(folder: &Path) -> Vec<u32> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let is_ours = std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder))
            && std::fs::read_to_string(entry.path().join("comm"))
                .is_ok_and(|name| name.starts_with("skep-super"));
        if is_ours {
            found.push(pid);
        }
    }
    found
}

/// The program, beside the tests.
fn supervise() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let built = own.parent().unwrap().parent().unwrap().join("skep-supervise");
    let program = std::env::var_os("SKEP_TEST_SUPERVISE").map_or(built, PathBuf::from);
    assert!(program.is_file(), "build it first: cargo build -p skep-supervise");
    program
}

/// Makes and starts a container.
pub(crate) async fn start(containers: &Containers, wish: Description) -> ContainerId {
    let id = containers.create(wish).await.unwrap();
    containers.start(id, None).await.unwrap();
    id
}

/// Waits until a container has written its first line: what it did before that is done.
pub(crate) async fn first_line(containers: &Containers, id: ContainerId) {
    let query = LogQuery { follow: Follow::UntilExit, ..LogQuery::default() };
    containers.logs(id, query).unwrap().recv().await.unwrap();
}

/// Runs a container to its end, and returns how it ended and what it wrote.
pub(crate) async fn run(containers: &Containers, wish: Description) -> (Exit, String) {
    let id = containers.create(wish).await.unwrap();
    let listening = tokio::spawn({
        let containers = containers.clone();
        async move {
            let mut attachment = containers.attach(id).await.unwrap();
            let mut text = Vec::new();
            while let Some((_, bytes)) = attachment.output.next().await.unwrap() {
                text.extend_from_slice(&bytes);
            }
            String::from_utf8(text).unwrap()
        }
    });
    tokio::task::yield_now().await;
    containers.start(id, None).await.unwrap();
    let exit = containers.wait(id, WaitFor::NotRunning).await.unwrap().unwrap();
    let text = listening.await.unwrap();
    containers.remove(id, Removal::IfStopped(Leavings::Nothing)).await.unwrap();
    (exit, text)
}

const APPLETS: &str = "sh echo cat ls id sleep true false kill ps mount mkdir touch dd yes head tail stty hostname \
                       grep env pwd readlink wc ip test mknod unshare nproc chroot date tty";
