//! One task for each container, which alone changes what is known of it.
//!
//! In: commands of users and the worker, words of the supervisor. Out: the record, for all to see; events. The
//! keeper waits for nothing but its commands, its supervisor, and what it asked the disk to do.

mod command;
mod life;
mod wishes;

use std::path::Path;
use std::sync::Arc;

use model::Timestamp;
use tokio::sync::{OwnedMutexGuard, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::container::ContainerId;
use crate::container::attachment::Attachment;
use crate::container::error::{ContainerError, Doing};
use crate::container::event::Action;
use crate::container::ground::{Ground, Handle};
use crate::container::health::{self, Health};
use crate::container::restart::Restarts;
use crate::container::state::Record;
use crate::supervisor::{self, Line, Request, Word};
pub(crate) use command::{Answer, Command, Frozen};
pub use command::{Leavings, Occasion};

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
    /// What holds once it is known how the start went. Until then it counts as due if it was.
    restarts: Restarts,
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

    fn id(&self) -> ContainerId {
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

async fn connect(folder: &Path) -> Result<Attachment, ContainerError> {
    let mut line = supervisor::connect(folder).await.doing(|| "connecting with the supervisor".into())?;
    line.say(&Request::Attach).await.doing(|| "attaching to the supervisor".into())?;
    Ok(Attachment::new(line))
}

const COMMANDS_MAX: usize = 16;
