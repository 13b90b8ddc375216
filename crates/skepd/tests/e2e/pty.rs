//! A person's terminal with a program on it: what it shows, what is typed, and its size.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::pty::{PtyMaster, grantpt, posix_openpt, ptsname_r, unlockpt};

/// How long a program may be silent before a test calls it broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// A terminal with a program on it.
pub(crate) struct Terminal {
    keyboard: PtyMaster,
    /// What the program shows, as it comes; ends with the program.
    screen: Receiver<Vec<u8>>,
    /// The program's side, while the size may still change.
    line: File,
    child: Child,
    shown: Vec<u8>,
}

impl Terminal {
    /// Starts a program on a terminal of this size.
    pub(crate) fn start(program: &Command, [rows, columns]: [u32; 2]) -> Self {
        let master =
            posix_openpt(OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC).expect("a terminal can be made");
        grantpt(&master).expect("it is ours");
        unlockpt(&master).expect("it can be unlocked");
        let path = ptsname_r(&master).expect("it has a name");
        let no_ctty = OFlag::O_NOCTTY.bits();
        let line = File::options()
            .read(true)
            .write(true)
            .custom_flags(no_ctty)
            .open(path)
            .expect("it can be opened");
        resize(&line, [rows, columns]);
        // With a session of its own the program's is the terminal that signals come from.
        let mut command = Command::new("setsid");
        command.arg("--ctty").arg(program.get_program()).args(program.get_args());
        command.envs(program.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let end = || Stdio::from(line.try_clone().expect("it can be shared"));
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().expect("setsid is there");
        let screen = watch(&master);
        Self { keyboard: master, screen, line, child, shown: Vec::new() }
    }

    /// Waits until this is shown, after all that was waited for before.
    pub(crate) fn until(&mut self, text: &str) -> &mut Self {
        assert!(self.shows(text, PATIENCE), "waited in vain for {text:?}: {:?}", self.seen());
        self
    }

    /// Types this.
    pub(crate) fn types(&mut self, keys: &str) -> &mut Self {
        self.keyboard.write_all(keys.as_bytes()).expect("it takes what is typed");
        self
    }

    /// Changes the size until this is shown.
    ///
    /// The program is told again and again, as by a person who pulls at a window: the stock client begins to listen
    /// only after the process has begun to speak, and what it is told before that is lost.
    pub(crate) fn resize_until(&mut self, size: [u32; 2], text: &str) -> &mut Self {
        resize(&self.line, size);
        let pid = self.child.id().to_string();
        for _ in 0..PATIENCE.as_secs() {
            if self.shows(text, Duration::from_secs(1)) {
                return self;
            }
            let told = Command::new("kill").args(["-s", "WINCH", &pid]).status();
            assert!(told.expect("kill is there").success());
        }
        panic!("resized in vain until {text:?}: {:?}", self.seen());
    }

    /// Waits for the program's end: the code, and what was shown since the last time anything was waited for.
    pub(crate) fn end(self) -> (Option<i32>, String) {
        let Self { keyboard, screen, line, mut child, mut shown } = self;
        let status = child.wait().expect("it ends");
        drop(line);
        shown.extend(screen.iter().flatten());
        // Only now: the keyboard's end would be told to the program.
        drop(keyboard);
        (status.code(), String::from_utf8_lossy(&shown).into_owned())
    }

    /// Whether this is shown before the program has been silent for so long.
    fn shows(&mut self, text: &str, patience: Duration) -> bool {
        loop {
            let found = self.shown.windows(text.len()).position(|part| part == text.as_bytes());
            if let Some(at) = found {
                self.shown.drain(..at + text.len());
                return true;
            }
            match self.screen.recv_timeout(patience) {
                Ok(more) => self.shown.extend(more),
                Err(_) => return false,
            }
        }
    }

    fn seen(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }
}

/// Sends on what is shown, until the last one who could show something is gone.
fn watch(master: &PtyMaster) -> Receiver<Vec<u8>> {
    let mut screen =
        File::from(std::os::fd::AsFd::as_fd(master).try_clone_to_owned().expect("it can be shared"));
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        while let Ok(length @ 1..) = screen.read(&mut buffer) {
            if sender.send(buffer[..length].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

fn resize(line: &File, [rows, columns]: [u32; 2]) {
    let (rows, columns) = (rows.to_string(), columns.to_string());
    let line = line.try_clone().expect("it can be shared");
    let done = Command::new("stty").args(["rows", &rows, "cols", &columns]).stdin(line).status();
    assert!(done.expect("stty is there").success());
}
