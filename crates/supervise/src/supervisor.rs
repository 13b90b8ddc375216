//! The one loop: output to the log and to those who are attached, requests to the process, its end to all.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixListener;

use crate::client::{Client, Connection, Hearing, Request};
use crate::input::Input;
use crate::launch::{self, Standard};
use crate::log::{Log, Stream};
use crate::plan::{Plan, Stdin};
use crate::sys;

/// A supervisor at work.
pub(crate) struct Supervisor {
    plan: Plan,
    stage: Stage,
    children: File,
    listener: UnixListener,
    console: Option<UnixListener>,
    clients: Vec<Client>,
    /// The process's output and errors; with a terminal, the terminal is the output.
    output: [Option<File>; 2],
    input: Input,
    log: Option<Log>,
    size: Option<(u16, u16)>,
    /// Children that ended while the runtime was at work, and how.
    early: Vec<(i32, i32)>,
}

/// Where the process is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Waits for the word to start.
    Held,
    /// The runtime makes it.
    Starting { runtime: i32 },
    /// It runs.
    Running { pid: i32, since: u64 },
    /// It has ended, or could not be started.
    Over,
}

impl Supervisor {
    /// Makes all that is needed, and starts the process unless it is to be held.
    pub(crate) fn start(plan: Plan) -> io::Result<Self> {
        let children = sys::child_signals()?;
        let _ = fs::remove_file(SOCKET);
        let listener = UnixListener::bind(SOCKET)?;
        listener.set_nonblocking(true)?;
        let mut first = Client::new(sys::standard_input_socket()?);
        first.attached = plan.attached;
        let mut supervisor = Self {
            log: Log::open(&plan),
            stage: Stage::Held,
            children,
            listener,
            console: None,
            clients: vec![first],
            output: [None, None],
            input: Input::new(plan.tty || plan.stdin != Stdin::Closed),
            size: None,
            early: Vec::new(),
            plan,
        };
        if supervisor.plan.held {
            supervisor.tell(HELD, &[]);
        } else {
            supervisor.launch()?;
        }
        Ok(supervisor)
    }

    /// Works until the process has ended and all is cleared up.
    pub(crate) fn run(mut self) {
        while self.stage != Stage::Over {
            let mut fds = self.poll_list();
            sys::poll(&mut fds, self.timeout_ms());
            self.turn(&fds);
            self.let_the_stuck_go();
            if let Some(log) = &mut self.log {
                log.flush();
            }
        }
        if self.plan.process.is_none() {
            launch::delete(&self.plan);
        }
        let _ = fs::remove_file(SOCKET);
    }

    fn launch(&mut self) -> io::Result<()> {
        let nothing = || fs::OpenOptions::new().read(true).write(true).open("/dev/null");
        let standard = if self.plan.tty {
            let _ = fs::remove_file(launch::CONSOLE);
            self.console = Some(UnixListener::bind(launch::CONSOLE)?);
            Standard { input: nothing()?, output: nothing()?, errors: nothing()? }
        } else {
            let (output, its_output) = sys::pipe()?;
            let (errors, its_errors) = sys::pipe()?;
            sys::never_wait(output.as_raw_fd());
            sys::never_wait(errors.as_raw_fd());
            self.output = [Some(output), Some(errors)];
            let its_input = match self.plan.stdin {
                Stdin::Closed => nothing()?,
                Stdin::Open | Stdin::Once => {
                    let (its_input, input) = sys::pipe()?;
                    self.input.open(input);
                    its_input
                }
            };
            Standard { input: its_input, output: its_output, errors: its_errors }
        };
        self.stage = Stage::Starting { runtime: launch::start(&self.plan, &standard)? };
        Ok(())
    }

    /// The fixed ones first (see [`Supervisor::turn`]), then the clients.
    fn poll_list(&self) -> Vec<libc::pollfd> {
        let entry = |fd: Option<RawFd>, events| libc::pollfd { fd: fd.unwrap_or(-1), events, revents: 0 };
        let behind = self.clients.iter().any(|client| client.attached && client.is_behind());
        let output = |file: &Option<File>| file.as_ref().filter(|_| !behind).map(AsRawFd::as_raw_fd);
        let mut list = Vec::with_capacity(FIXED + self.clients.len());
        list.extend([
            entry(Some(self.children.as_raw_fd()), libc::POLLIN),
            entry(output(&self.output[0]), libc::POLLIN),
            entry(output(&self.output[1]), libc::POLLIN),
            entry(self.input.outlet(), libc::POLLOUT),
            entry(Some(self.listener.as_raw_fd()), libc::POLLIN),
            entry(self.console.as_ref().map(AsRawFd::as_raw_fd), libc::POLLIN),
        ]);
        list.extend(self.clients.iter().map(|client| client.poll(self.hearing(client))));
        list
    }

    /// Who gave input that was not taken yet must wait; all others are heard: they may say that the process shall end.
    fn hearing(&self, client: &Client) -> Hearing {
        if client.gives_input && self.input.is_behind() { Hearing::Later } else { Hearing::Open }
    }

    fn timeout_ms(&self) -> i32 {
        let now = sys::ticks_ms();
        let soonest = self.clients.iter().filter_map(Client::patience_ends_ms).min();
        soonest.map_or(-1, |end| i32::try_from((end - now).max(0)).unwrap_or(i32::MAX))
    }

    fn turn(&mut self, fds: &[libc::pollfd]) {
        let ready = |number: usize| fds[number].revents != 0;
        // Clients before output, so that who is attached when the process starts misses nothing of it; and from
        // the last to the first, so that those who go do not move those who come.
        for index in (0..fds.len() - FIXED).rev() {
            if fds[FIXED + index].revents != 0 {
                self.serve(index, fds[FIXED + index].revents);
            }
        }
        if ready(4) {
            self.accept();
        }
        for (number, stream) in [(1, Stream::Output), (2, Stream::Errors)] {
            if ready(number) {
                self.pass_on(stream);
            }
        }
        if ready(3) {
            self.input.push();
        }
        if ready(5) {
            self.take_terminal();
        }
        if ready(0) {
            self.reap();
        }
    }

    fn let_the_stuck_go(&mut self) {
        let now = sys::ticks_ms();
        self.clients.retain(|client| client.patience_ends_ms().is_none_or(|end| end > now));
    }

    /// Reads output once, and passes it on. False if there was none.
    fn pass_on(&mut self, stream: Stream) -> bool {
        let mut bytes = [0; CHUNK];
        let Some(file) = &mut self.output[stream as usize] else { return false };
        match file.read(&mut bytes) {
            Ok(count) if count > 0 => {
                if let Some(log) = &mut self.log {
                    log.take(stream, &bytes[..count]);
                }
                let kind = if stream == Stream::Output { OUTPUT } else { ERRORS };
                self.clients.retain_mut(|client| {
                    !client.attached || client.send(kind, &bytes[..count]) == Connection::Open
                });
                true
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            // A terminal that nobody has open any more says that by an error.
            Ok(_) | Err(_) => {
                self.output[stream as usize] = None;
                false
            }
        }
    }

    fn serve(&mut self, index: usize, events: i16) {
        let client = &mut self.clients[index];
        let mut connection = Connection::Open;
        if events & libc::POLLOUT != 0 {
            connection = client.push();
        }
        if events & (libc::POLLIN | libc::POLLHUP | libc::POLLERR) != 0 && connection == Connection::Open {
            connection = client.hear();
        }
        let was_attached = client.attached;
        loop {
            match self.clients[index].next() {
                Ok(Some(request)) => self.obey(index, request),
                Ok(None) => break,
                Err(()) => {
                    connection = Connection::Over;
                    break;
                }
            }
        }
        if connection == Connection::Over {
            self.clients.remove(index);
            if self.stage == Stage::Held && self.clients.is_empty() {
                // Nobody is left who could give the word.
                self.stage = Stage::Over;
            }
            if was_attached {
                self.end_input();
            }
        }
    }

    fn obey(&mut self, index: usize, request: Request) {
        match request {
            Request::Input(bytes) => {
                self.clients[index].gives_input = true;
                self.input.take(&bytes);
            }
            Request::EndInput => self.end_input(),
            Request::Resize { rows, columns } => {
                self.size = Some((rows, columns));
                if let Some(terminal) = self.output[0].as_ref().filter(|_| self.plan.tty) {
                    sys::resize(terminal, rows, columns);
                }
            }
            Request::Signal(signal) => {
                if let Stage::Running { pid, .. } = self.stage {
                    sys::kill(pid, signal);
                }
            }
            Request::Attach => self.clients[index].attached = true,
            Request::Go => {
                if self.stage == Stage::Held && self.launch().is_err() {
                    self.fail();
                }
            }
        }
    }

    /// Ends the process's input, if that is wished.
    fn end_input(&mut self) {
        if self.plan.stdin == Stdin::Once && !self.plan.tty {
            self.input.end();
        }
    }

    fn accept(&mut self) {
        while let Ok((socket, _)) = self.listener.accept() {
            let mut client = Client::new(socket);
            let told = match self.stage {
                Stage::Running { pid, since } => client.send(STARTED, &started(pid, since)),
                Stage::Held | Stage::Starting { .. } | Stage::Over => Connection::Open,
            };
            if told == Connection::Open && self.clients.len() < CLIENTS_MAX {
                self.clients.push(client);
            }
        }
    }

    fn take_terminal(&mut self) {
        let Some(listener) = self.console.take() else { return };
        let terminal = listener.accept().and_then(|(socket, _)| sys::receive_file(socket.as_raw_fd()));
        let _ = fs::remove_file(launch::CONSOLE);
        if let Ok(terminal) = terminal {
            sys::never_wait(terminal.as_raw_fd());
            if let Some((rows, columns)) = self.size {
                sys::resize(&terminal, rows, columns);
            }
            if let Ok(keyboard) = terminal.try_clone() {
                self.input.open(keyboard);
            }
            self.output[0] = Some(terminal);
        }
    }

    fn reap(&mut self) {
        let mut told = [0; 128];
        // What the signal says is not needed: the children are asked themselves.
        let _ = self.children.read(&mut told);
        while let Some((pid, status)) = sys::reap() {
            match self.stage {
                Stage::Starting { runtime } if pid == runtime => self.started_or_failed(status),
                // It may end, and be reaped, before the runtime that started it.
                Stage::Starting { .. } => self.early.push((pid, status)),
                Stage::Running { pid: own, .. } if pid == own => self.ended(status),
                Stage::Held | Stage::Running { .. } | Stage::Over => {}
            }
        }
    }

    fn started_or_failed(&mut self, status: i32) {
        if sys::code_of(status).0 != 0 {
            return self.fail();
        }
        let pid = fs::read_to_string(launch::PID_FILE).ok().and_then(|text| text.trim().parse().ok());
        let Some(pid) = pid else { return self.fail() };
        if self.console.is_some() {
            self.take_terminal();
        }
        let since = start_ticks(pid).unwrap_or(0);
        self.stage = Stage::Running { pid, since };
        self.tell(STARTED, &started(pid, since));
        let early = std::mem::take(&mut self.early);
        if let Some((_, status)) = early.into_iter().find(|(other, _)| *other == pid) {
            self.ended(status);
        }
    }

    fn fail(&mut self) {
        self.drain();
        self.tell(FAILED, &[]);
        self.stage = Stage::Over;
    }

    fn ended(&mut self, status: i32) {
        self.drain();
        if let Some(log) = &mut self.log {
            log.finish();
        }
        let (code, signal) = sys::code_of(status);
        let killed = self.plan.oom_file.as_ref().and_then(|path| fs::read_to_string(path).ok());
        let oom = killed.as_deref().is_some_and(counts_kills);
        let text = format!("{code} {signal} {} {}", u8::from(oom), sys::now_nanos());
        if let Some(path) = &self.plan.exit_file {
            let new = path.with_extension("new");
            // If it cannot be written, the daemon still hears it, unless it is away just now.
            let _ = fs::write(&new, &text).and_then(|()| fs::rename(&new, path));
        }
        self.tell(EXITED, text.as_bytes());
        self.stage = Stage::Over;
    }

    /// Passes on all output that there is; nothing will come any more.
    fn drain(&mut self) {
        for stream in [Stream::Output, Stream::Errors] {
            while self.pass_on(stream) {
                self.wait_for_clients();
            }
        }
    }

    /// Tells everybody, and lets nobody go who would hear it within reason.
    fn tell(&mut self, kind: u8, bytes: &[u8]) {
        self.clients.retain_mut(|client| client.send(kind, bytes) == Connection::Open);
        self.wait_for_clients();
    }

    fn wait_for_clients(&mut self) {
        while self.clients.iter().any(Client::is_behind) {
            let mut fds: Vec<_> = self.clients.iter().map(|client| client.poll(Hearing::Later)).collect();
            sys::poll(&mut fds, self.timeout_ms());
            self.let_the_stuck_go();
            self.clients.retain_mut(|client| client.push() == Connection::Open);
        }
    }
}

fn started(pid: i32, since: u64) -> [u8; 12] {
    let mut bytes = [0; 12];
    bytes[..4].copy_from_slice(&pid.to_be_bytes());
    bytes[4..].copy_from_slice(&since.to_be_bytes());
    bytes
}

/// When a process was started, in the kernel's ticks: with its number, this names it for ever.
fn start_ticks(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(')')?;
    rest.split_whitespace().nth(19)?.parse().ok()
}

/// Whether `memory.oom_control` (v1) or `memory.events` (v2) tells of a kill.
fn counts_kills(text: &str) -> bool {
    let count = text.lines().find_map(|line| line.strip_prefix("oom_kill "));
    count.is_some_and(|count| count.trim() != "0")
}

/// Where all may connect; in the working directory.
const SOCKET: &str = "socket";
/// So many entries of the poll list come before the clients.
const FIXED: usize = 6;
/// More clients than this are turned away.
const CLIENTS_MAX: usize = 256;
/// So much output is read at once.
const CHUNK: usize = 8 * 1024;

/// Kinds of frames to clients: output.
const OUTPUT: u8 = 1;
/// Errors of the process.
const ERRORS: u8 = 2;
/// It runs: its number and start, in four and eight bytes.
const STARTED: u8 = 16;
/// It could not be started; the runtime's log says why.
const FAILED: u8 = 17;
/// It waits for the word to start.
const HELD: u8 = 19;
/// It has ended: code, signal, whether for want of memory, and when, as text.
const EXITED: u8 = 18;
