//! One task for each container, which alone changes what is known of it.
//!
//! In: commands of users and the worker, words of the supervisor. Out: the record, for all to see; events. The
//! keeper waits for nothing but its commands, its supervisor, and what it asked the disk to do.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::path::PathBuf;
use std::sync::Arc;

use model::Timestamp;
use tokio::sync::{OwnedMutexGuard, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::container::attachment::Attachment;
use crate::container::description::{Limits, Size, Surroundings};
use crate::container::error::{ContainerError, Doing};
use crate::container::event::Action;
use crate::container::ground::{Ground, Handle};
use crate::container::health::{self, Health};
use crate::container::oci;
use crate::container::prepare::{self, Beginning, EXIT_FILE};
use crate::container::restart::{RestartPolicy, Restarts};
use crate::container::state::{Exit, Phase, Record, Running, StartFailure};
use crate::supervisor::{self, Ended, Line, Request, Word};

/// What a keeper can be told.
#[derive(Debug)]
pub(crate) enum Command {
    /// Start it; the answer comes when it runs.
    Start(Option<Surroundings>, Occasion, Answer),
    /// Connect with it: now if it runs, else when it starts.
    Attach(oneshot::Sender<Result<Attachment, ContainerError>>),
    /// A signal for its process.
    Signal(u8, Answer),
    /// A user wants it to end.
    MarkStopped,
    /// Its terminal has another size.
    Resize(Size, Answer),
    /// It stands still, or goes on.
    Freeze(Frozen, Answer),
    /// Another name, which is already kept for it.
    Rename(String, Answer),
    /// Other limits, and perhaps another policy.
    Update(Box<Limits>, Option<RestartPolicy>, Answer),
    /// What is known of its health.
    Health(Health),
    /// Leave nothing of it.
    Remove(Leavings, Answer),
}

/// To whom a command is answered.
pub(crate) type Answer = oneshot::Sender<Result<(), ContainerError>>;

/// Why a container is started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// Somebody wishes it.
    Wished,
    /// It has ended, and is due to be started again.
    Due,
}

/// Whether a container stands still.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Frozen {
    /// It does.
    Still,
    /// It goes on.
    Moving,
}

/// What is left of a container that is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leavings {
    /// Its volumes, also those without name.
    Volumes,
    /// Nothing; named volumes are not its.
    Nothing,
}

/// The keeper of one container.
#[derive(Debug)]
pub(crate) struct Keeper {
    ground: Arc<Ground>,
    record: watch::Sender<Arc<Record>>,
    commands: mpsc::Receiver<Command>,
    line: Option<Line>,
    starting: Option<Starting>,
    /// Those who want to hear it from its first word on.
    listeners: Vec<oneshot::Sender<Result<Attachment, ContainerError>>>,
    health: Option<CancellationToken>,
    files: Arc<tokio::sync::Mutex<()>>,
}

/// A start that is under way.
#[derive(Debug)]
struct Starting {
    answer: Answer,
    at: Timestamp,
    /// Nobody else mounts its files until it runs.
    _alone: OwnedMutexGuard<()>,
}

/// Whether a keeper goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    GoesOn,
    IsDone,
}

impl Keeper {
    /// Sets a keeper to work, and says how to reach it. With a line, its process runs already.
    pub(crate) fn hire(ground: &Arc<Ground>, record: Record, line: Option<Line>) -> Handle {
        let (commands, received) = mpsc::channel(COMMANDS_MAX);
        let (sender, seen) = watch::channel(Arc::new(record));
        let mut keeper = Self {
            ground: Arc::clone(ground),
            record: sender,
            commands: received,
            line,
            starting: None,
            listeners: Vec::new(),
            health: None,
            files: Arc::default(),
        };
        let files = Arc::clone(&keeper.files);
        if keeper.line.is_some() {
            keeper.watch_health();
        }
        ground.shutdown.spawn(keeper.keep());
        Handle { commands, record: seen, files }
    }

    async fn keep(mut self) {
        let stop = self.ground.shutdown.token().clone();
        loop {
            let work = tokio::select! {
                () = stop.cancelled() => return,
                command = self.commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => return,
                },
                word = next_word(&mut self.line) => self.hear(word).await,
            };
            if work == Work::IsDone {
                return;
            }
        }
    }

    async fn obey(&mut self, command: Command) -> Work {
        match command {
            Command::Start(surroundings, occasion, answer) => {
                return self.start(surroundings, occasion, answer).await;
            }
            Command::Attach(answer) => self.attach(answer).await,
            Command::Signal(signal, answer) => {
                let done = self.signal(signal).await;
                let _ = answer.send(done);
            }
            Command::MarkStopped => self.mark_stopped(),
            Command::Resize(size, answer) => {
                let done = self.resize(size).await;
                let _ = answer.send(done);
            }
            Command::Freeze(frozen, answer) => {
                let _ = answer.send(self.freeze(frozen));
            }
            Command::Rename(name, answer) => {
                let old = self.record.borrow().name.clone();
                self.change(|record| record.name = name);
                let _ = answer.send(self.save());
                self.publish(Action::Rename { old });
            }
            Command::Update(limits, policy, answer) => {
                let _ = answer.send(self.update(*limits, policy));
            }
            Command::Health(health) => self.note_health(health),
            Command::Remove(leavings, answer) => return self.remove(leavings, answer).await,
        }
        Work::GoesOn
    }

    // Starting.

    async fn start(
        &mut self,
        surroundings: Option<Surroundings>,
        occasion: Occasion,
        answer: Answer,
    ) -> Work {
        let record = self.now();
        let restarts = match (occasion, record.restarts.due) {
            (Occasion::Wished, _) => Restarts::default(),
            (Occasion::Due, Some(_)) => record.restarts.done(),
            (Occasion::Due, None) => {
                let _ = answer.send(Err(ContainerError::NotModified("it is not due any more".into())));
                return Work::GoesOn;
            }
        };
        if self.starting.is_some() || record.running().is_some() {
            let _ = answer.send(Err(ContainerError::NotModified("container already running".into())));
            return Work::GoesOn;
        }
        self.wait_until_cleared().await;
        let alone = Arc::clone(&self.files).lock_owned().await;
        let surroundings = surroundings.or_else(|| record.surroundings.clone()).unwrap_or_default();
        self.change(|record| {
            record.surroundings = Some(surroundings.clone());
            record.stopped_by_user = false;
            record.restarts = restarts;
            record.health = None;
        });
        match self.launch(record, surroundings).await {
            Ok(line) => {
                self.line = Some(line);
                self.starting = Some(Starting { answer, at: host::clock::now(), _alone: alone });
                Work::GoesOn
            }
            Err(error) => {
                self.give_back();
                let _ = answer.send(Err(error));
                self.leave_if_wished().await
            }
        }
    }

    async fn launch(&self, record: Arc<Record>, surroundings: Surroundings) -> Result<Line, ContainerError> {
        let ground = Arc::clone(&self.ground);
        let beginning = if self.listeners.is_empty() { Beginning::AtOnce } else { Beginning::Held };
        let folder = ground.run_folder(record.id);
        let prepared = tokio::task::spawn_blocking(move || {
            take_volumes(&ground, &record)?;
            prepare::prepare(&ground, &record, &surroundings, beginning)
        });
        let plan = prepared.await.map_err(|_| ContainerError::ShuttingDown)??;
        let program = &self.ground.config.supervise;
        supervisor::launch(program, &folder, &plan).map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => {
                ContainerError::Missing { what: program.to_string_lossy().into_owned(), package: "skep" }
            }
            _ => ContainerError::Machine { doing: "starting the supervisor".into(), cause },
        })
    }

    // The supervisor's words.

    async fn hear(&mut self, word: Option<Word>) -> Work {
        match word {
            Some(Word::Held) => self.let_listeners_in().await,
            Some(Word::Started { pid }) => self.started(pid),
            Some(Word::Failed) => return self.failed().await,
            Some(Word::Exited(ended)) => self.exited(ended),
            Some(Word::Output(..)) => {}
            None => return self.line_closed().await,
        }
        Work::GoesOn
    }

    async fn let_listeners_in(&mut self) {
        let folder = self.ground.run_folder(self.id());
        for listener in std::mem::take(&mut self.listeners) {
            let _ = listener.send(connect(&folder).await);
        }
        if let Some(line) = &mut self.line {
            // If this fails, the line is about to be closed, and that is heard.
            let _ = line.say(&Request::Go).await;
        }
    }

    fn started(&mut self, pid: u32) {
        let at = self.starting.as_ref().map_or_else(host::clock::now, |starting| starting.at);
        if self.now().running().is_some() {
            return;
        }
        self.change(|record| {
            record.phase = Phase::Running(Running { pid, started: at });
            record.starts += 1;
            record.failure = None;
        });
        let saved = self.save();
        prepare::keep_compiled(&self.ground, &self.now());
        self.watch_health();
        self.publish(Action::Start);
        if let Some(starting) = self.starting.take() {
            let _ = starting.answer.send(saved);
        }
    }

    async fn failed(&mut self) -> Work {
        let program = self.ground.oci().map(|oci| oci.program).unwrap_or_default();
        let failure = oci::failure(&self.ground.run_folder(self.id()), &program);
        self.change(|record| record.failure = Some(failure.clone()));
        // The answer tells the failure; that it could not be kept would say nothing more.
        let _ = self.save();
        self.give_back();
        if let Some(starting) = self.starting.take() {
            let StartFailure { exit_code, message } = failure;
            let _ = starting.answer.send(Err(ContainerError::Start { exit_code, message }));
        }
        self.leave_if_wished().await
    }

    /// A container that is wished to go away by itself does so when it has ended, or could not be started.
    async fn leave_if_wished(&mut self) -> Work {
        if self.now().description.auto_remove {
            self.remove(Leavings::Nothing, oneshot::channel().0).await
        } else {
            Work::GoesOn
        }
    }

    fn exited(&mut self, ended: Ended) {
        let Some(running) = self.now().running() else { return };
        let Ended { code, oom, at } = ended;
        let exit = Exit { code, oom, started: running.started, finished: at };
        self.change(|record| {
            record.phase = Phase::Exited(exit);
            record.exits += 1;
            let policy = record.description.restart;
            record.restarts = record.restarts.after(policy, exit, record.stopped_by_user);
        });
        if let Err(error) = self.save() {
            tracing::warn!(container = %self.id(), %error, "the end of a container could not be kept");
        }
        if let Some(health) = self.health.take() {
            health.cancel();
        }
        self.give_back();
        if oom {
            self.publish(Action::Oom);
        }
        self.publish(Action::Die { exit_code: code });
    }

    async fn line_closed(&mut self) -> Work {
        self.line = None;
        if self.starting.is_some() {
            return self.failed().await;
        }
        if let Some(running) = self.now().running() {
            let exit_file = self.ground.folder(self.id()).join(EXIT_FILE);
            let ended = supervisor::last_words(&exit_file).unwrap_or_else(|| {
                // Its supervisor was killed: nobody holds its pipes, so it must not go on.
                kill_lost(running.pid, self.id());
                Ended { code: LOST, oom: false, at: host::clock::now() }
            });
            self.exited(ended);
        }
        if self.now().exit().is_some() { self.leave_if_wished().await } else { Work::GoesOn }
    }

    /// Waits until nothing of the last process is left.
    async fn wait_until_cleared(&mut self) {
        while self.line.is_some() && self.now().running().is_none() {
            match next_word(&mut self.line).await {
                Some(_) => {}
                None => self.line = None,
            }
        }
    }

    // What users ask.

    async fn attach(&mut self, answer: oneshot::Sender<Result<Attachment, ContainerError>>) {
        if self.now().running().is_some() || self.starting.is_some() {
            let _ = answer.send(connect(&self.ground.run_folder(self.id())).await);
        } else {
            self.listeners.push(answer);
        }
        self.publish(Action::Attach);
    }

    /// A container that is due to be started again is so no more.
    fn mark_stopped(&self) {
        self.change(|record| {
            record.stopped_by_user = true;
            record.restarts.due = None;
        });
        if self.now().running().is_none()
            && let Err(error) = self.save()
        {
            tracing::warn!(container = %self.id(), %error, "that a container was stopped could not be kept");
        }
    }

    async fn signal(&mut self, signal: u8) -> Result<(), ContainerError> {
        let record = self.now();
        let not_running = || ContainerError::Conflict(format!("Container {} is not running", record.id));
        if record.running().is_none() {
            return Err(not_running());
        }
        if matches!(record.phase, Phase::Paused(_)) && signal == libc::SIGKILL as u8 {
            self.freeze(Frozen::Moving)?;
        }
        let Some(line) = &mut self.line else { return Err(not_running()) };
        line.say(&Request::Signal(signal)).await.doing(|| "asking the supervisor".into())?;
        self.publish(Action::Kill { signal: i32::from(signal) });
        Ok(())
    }

    async fn resize(&mut self, size: Size) -> Result<(), ContainerError> {
        let not_running = || ContainerError::Conflict("container is not running".to_owned());
        let line = self.line.as_mut().ok_or_else(not_running)?;
        line.say(&Request::Resize(size)).await.doing(|| "asking the supervisor".into())?;
        self.publish(Action::Resize);
        Ok(())
    }

    fn freeze(&mut self, frozen: Frozen) -> Result<(), ContainerError> {
        let record = self.now();
        let (phase, action) = match (record.phase, frozen) {
            (Phase::Running(running), Frozen::Still) => (Phase::Paused(running), Action::Pause),
            (Phase::Paused(running), Frozen::Moving) => (Phase::Running(running), Action::Unpause),
            (Phase::Paused(_), Frozen::Still) => {
                return Err(ContainerError::Conflict(format!("Container {} is already paused", record.name)));
            }
            (_, Frozen::Still) => {
                return Err(ContainerError::Conflict(format!("Container {} is not running", record.id)));
            }
            (_, Frozen::Moving) => {
                return Err(ContainerError::Conflict(format!("Container {} is not paused", record.id)));
            }
        };
        crate::cgroup::freeze(&self.ground, record.id, frozen)
            .doing(|| "freezing the control group".into())?;
        self.change(|record| record.phase = phase);
        self.publish(action);
        self.save()
    }

    fn update(&mut self, limits: Limits, policy: Option<RestartPolicy>) -> Result<(), ContainerError> {
        let record = self.now();
        if policy.is_some_and(|policy| policy != RestartPolicy::No) && record.description.auto_remove {
            let text = "Restart policy cannot be updated because AutoRemove is enabled for the container";
            return Err(ContainerError::Conflict(text.to_owned()));
        }
        let confinement = &record.description.confinement;
        let wanted = crate::container::spec::resources::resources(&limits, confinement, &[])?;
        if record.running().is_some() {
            crate::cgroup::limit(&self.ground, record.id, &wanted)
                .doing(|| "changing the control group".into())?;
        }
        self.change(|record| {
            let description = Arc::make_mut(&mut record.description);
            description.limits = limits;
            description.restart = policy.unwrap_or(description.restart);
        });
        self.publish(Action::Update);
        self.save()
    }

    async fn remove(&mut self, leavings: Leavings, answer: Answer) -> Work {
        let record = self.now();
        if self.starting.is_some() || record.running().is_some() {
            let text = format!(
                "cannot remove container \"/{}\": container is running: stop the container before removing or \
                 force remove",
                record.name
            );
            let _ = answer.send(Err(ContainerError::Conflict(text)));
            return Work::GoesOn;
        }
        self.wait_until_cleared().await;
        self.change(|record| record.phase = Phase::Removing);
        let ground = Arc::clone(&self.ground);
        let gone = Arc::clone(&record);
        let removed = tokio::task::spawn_blocking(move || remove_all(&ground, &gone, leavings)).await;
        let removed = removed.unwrap_or(Err(ContainerError::ShuttingDown));
        if let Err(error) = removed {
            self.change(|changed| changed.phase = record.phase);
            let _ = answer.send(Err(error));
            return Work::GoesOn;
        }
        {
            let mut index = self.ground.index();
            index.by_id.remove(&record.id);
            index.by_name.remove(&record.name);
        }
        self.ground.execs.forget(record.id);
        self.publish(Action::Destroy);
        let _ = answer.send(Ok(()));
        Work::IsDone
    }

    // Health.

    fn watch_health(&mut self) {
        let record = self.now();
        let Some(plan) = health::plan(&record.description) else { return };
        let Some(running) = record.running() else { return };
        self.change(|record| record.health = Some(Health::starting()));
        let over = self.ground.shutdown.token().child_token();
        let watch = health::watch(Arc::clone(&self.ground), record.id, plan, running.started);
        let ended = over.clone();
        self.ground.shutdown.spawn(async move {
            tokio::select! {
                () = ended.cancelled() => {}
                () = watch => {}
            }
        });
        self.health = Some(over);
    }

    fn note_health(&mut self, health: Health) {
        let record = self.now();
        if record.running().is_none() {
            return;
        }
        let changed = record.health.as_ref().is_none_or(|before| before.status != health.status);
        let status = health.status;
        self.change(|record| record.health = Some(health));
        if changed {
            self.publish(Action::Health(status));
        }
    }

    // The record.

    fn now(&self) -> Arc<Record> {
        Arc::clone(&self.record.borrow())
    }

    fn id(&self) -> crate::container::ContainerId {
        self.record.borrow().id
    }

    fn change(&self, change: impl FnOnce(&mut Record)) {
        self.record.send_modify(|record| change(Arc::make_mut(record)));
    }

    fn save(&self) -> Result<(), ContainerError> {
        let record = self.now();
        record.save(&self.ground.folder(record.id)).doing(|| format!("keeping container {}", record.id))
    }

    fn publish(&self, action: Action) {
        self.ground.publish(&self.now(), action);
    }

    fn give_back(&self) {
        for mount in self.now().mounts.iter().filter(|mount| !mount.volume.is_empty()) {
            self.ground.volumes.give_back(&mount.volume);
        }
    }
}

/// The next word of a supervisor, if there is one; a broken line is a closed one.
async fn next_word(line: &mut Option<Line>) -> Option<Word> {
    match line {
        Some(line) => line.next().await.unwrap_or(None),
        None => std::future::pending().await,
    }
}

async fn connect(folder: &std::path::Path) -> Result<Attachment, ContainerError> {
    let mut line = supervisor::connect(folder).await.doing(|| "connecting with the supervisor".into())?;
    line.say(&Request::Attach).await.doing(|| "attaching to the supervisor".into())?;
    Ok(Attachment::new(line))
}

fn take_volumes(ground: &Ground, record: &Record) -> Result<(), ContainerError> {
    for mount in record.mounts.iter().filter(|mount| !mount.volume.is_empty()) {
        ground.volumes.take(&mount.volume)?;
    }
    Ok(())
}

fn remove_all(ground: &Ground, record: &Record, leavings: Leavings) -> Result<(), ContainerError> {
    let folders: [PathBuf; 2] = [ground.run_folder(record.id), ground.folder(record.id)];
    for folder in folders {
        host::files::remove_if_there(&folder).doing(|| format!("removing {}", folder.display()))?;
    }
    if leavings == Leavings::Nothing {
        for mount in record.mounts.iter().filter(|mount| mount.anonymous) {
            // Another container may use it: then it stays.
            let _ = ground.volumes.remove(&mount.volume);
        }
    }
    Ok(())
}

/// Kills a process whose supervisor is gone, if it is still that container's.
#[expect(unsafe_code, reason = "nix has no word for pidfd_open")]
fn kill_lost(pid: u32, id: crate::container::ContainerId) {
    let Ok(number) = i32::try_from(pid) else { return };
    // SAFETY: no memory is involved, and the new descriptor is nobody else's.
    let process = unsafe {
        let opened = libc::syscall(libc::SYS_pidfd_open, number, 0);
        match i32::try_from(opened) {
            Ok(opened) if opened >= 0 => OwnedFd::from_raw_fd(opened),
            _ => return,
        }
    };
    // The descriptor names one process for ever; only now is it asked whether it is the right one.
    let cgroups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap_or_default();
    if cgroups.contains(&id.to_string()) {
        // SAFETY: no memory is involved.
        unsafe {
            libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), libc::SIGKILL, 0, 0);
        }
    }
}

const COMMANDS_MAX: usize = 16;
/// The code of a process whose end nobody saw.
const LOST: i32 = 137;
