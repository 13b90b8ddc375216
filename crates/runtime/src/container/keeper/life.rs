//! From the start of a container's process to its end, in its supervisor's words.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::container::ContainerId;
use crate::container::description::Surroundings;
use crate::container::error::ContainerError;
use crate::container::event::Action;
use crate::container::ground::Ground;
use crate::container::keeper::{Answer, Keeper, Leavings, Occasion, Starting, Work, connect, next_word};
use crate::container::oci;
use crate::container::prepare::{self, Beginning, EXIT_FILE};
use crate::container::restart::Restarts;
use crate::container::state::{Exit, Phase, Record, Running, StartFailure};
use crate::supervisor::{self, Ended, Line, Request, Word};

impl Keeper {
    pub(super) async fn start(
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
            record.health = None;
        });
        match self.launch(record, surroundings).await {
            Ok(line) => {
                self.line = Some(line);
                self.starting = Some(Starting { answer, at: host::clock::now(), restarts, _alone: alone });
                Work::GoesOn
            }
            Err(error) => {
                self.change(|record| record.restarts = restarts);
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
        // What the kernel got ready for may be too long ago: let it begin again while two programs are started.
        self.ground.anticipation.begin();
        supervisor::launch(program, &folder, &plan).map_err(|cause| match cause.kind() {
            io::ErrorKind::NotFound => {
                ContainerError::Missing { what: program.to_string_lossy().into_owned(), package: "skep" }
            }
            _ => ContainerError::Machine { doing: "starting the supervisor".into(), cause },
        })
    }

    pub(super) async fn hear(&mut self, word: Option<Word>) -> Work {
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
        if self.now().running().is_some() {
            return;
        }
        let starting = self.starting.take();
        let at = starting.as_ref().map_or_else(host::clock::now, |starting| starting.at);
        self.change(|record| {
            record.phase = Phase::Running(Running { pid, started: at });
            record.starts += 1;
            record.failure = None;
            record.restarts = starting.as_ref().map_or(record.restarts, |starting| starting.restarts);
        });
        let saved = self.save();
        self.watch_health();
        self.publish(Action::Start);
        if let Some(starting) = starting {
            let _ = starting.answer.send(saved);
        }
    }

    async fn failed(&mut self) -> Work {
        let program = self.ground.oci().map(|oci| oci.program).unwrap_or_default();
        let failure = oci::failure(&self.ground.run_folder(self.id()), &program);
        let starting = self.starting.take();
        self.change(|record| {
            record.failure = Some(failure.clone());
            record.restarts = starting.as_ref().map_or(record.restarts, |starting| starting.restarts);
        });
        // The answer tells the failure; that it could not be kept would say nothing more.
        let _ = self.save();
        self.give_back();
        if let Some(starting) = starting {
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
            record.end(exit);
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
    pub(super) async fn wait_until_cleared(&mut self) {
        while self.line.is_some() && self.now().running().is_none() {
            match next_word(&mut self.line).await {
                Some(_) => {}
                None => self.line = None,
            }
        }
    }
}

fn take_volumes(ground: &Ground, record: &Record) -> Result<(), ContainerError> {
    for mount in record.mounts.iter().filter(|mount| !mount.volume.is_empty()) {
        ground.volumes.take(&mount.volume)?;
    }
    Ok(())
}

/// Kills a process whose supervisor is gone, if it is still that container's.
#[expect(unsafe_code, reason = "nix has no word for pidfd_open")]
fn kill_lost(pid: u32, id: ContainerId) {
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

/// The code of a process whose end nobody saw.
const LOST: i32 = 137;
