//! What users ask of a container, from joining it to leaving nothing of it.

use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::sync::oneshot;

use crate::cgroup;
use crate::container::attachment::Attachment;
use crate::container::description::{Limits, Size};
use crate::container::error::{ContainerError, Doing};
use crate::container::event::Action;
use crate::container::ground::Ground;
use crate::container::keeper::{Answer, Frozen, Keeper, Leavings, Work, connect};
use crate::container::restart::RestartPolicy;
use crate::container::spec::resources;
use crate::container::state::{Phase, Record};
use crate::supervisor::Request;

impl Keeper {
    pub(super) async fn attach(&mut self, answer: oneshot::Sender<Result<Attachment, ContainerError>>) {
        if self.now().running().is_some() || self.starting.is_some() {
            let _ = answer.send(connect(&self.ground.run_folder(self.id())).await);
        } else {
            self.listeners.push(answer);
        }
        self.publish(Action::Attach);
    }

    /// A container that is due to be started again is so no more, unless its start is under way.
    pub(super) fn mark_stopped(&self) {
        let is_starting = self.starting.is_some();
        self.change(|record| {
            record.stopped_by_user = true;
            record.restarts.due = record.restarts.due.filter(|_| is_starting);
        });
        if self.now().running().is_none()
            && let Err(error) = self.save()
        {
            tracing::warn!(container = %self.id(), %error, "that a container was stopped could not be kept");
        }
    }

    pub(super) async fn signal(&mut self, signal: u8) -> Result<(), ContainerError> {
        let record = self.now();
        if matches!(record.phase, Phase::Paused(_)) && signal == libc::SIGKILL as u8 {
            self.freeze(Frozen::Moving)?;
        }
        self.say(&Request::Signal(signal)).await?;
        self.publish(Action::Kill { signal: i32::from(signal) });
        Ok(())
    }

    pub(super) async fn resize(&mut self, size: Size) -> Result<(), ContainerError> {
        self.say(&Request::Resize(size)).await?;
        self.publish(Action::Resize);
        Ok(())
    }

    /// Asks the supervisor for something, as long as the process runs.
    async fn say(&mut self, request: &Request) -> Result<(), ContainerError> {
        let record = self.now();
        let not_running = || ContainerError::Conflict(format!("Container {} is not running", record.id));
        if record.running().is_none() {
            return Err(not_running());
        }
        let Some(line) = &mut self.line else { return Err(not_running()) };
        match line.say(request).await {
            // It has gone with its process; its last words are about to be heard.
            Err(error) if matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                Err(not_running())
            }
            said => said.doing(|| "asking the supervisor".into()),
        }
    }

    pub(super) fn freeze(&mut self, frozen: Frozen) -> Result<(), ContainerError> {
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
        cgroup::freeze(&self.ground, record.id, frozen).doing(|| "freezing the control group".into())?;
        self.change(|record| record.phase = phase);
        self.publish(action);
        self.save()
    }

    pub(super) fn update(
        &mut self,
        limits: Limits,
        policy: Option<RestartPolicy>,
    ) -> Result<(), ContainerError> {
        let record = self.now();
        if policy.is_some_and(|policy| policy != RestartPolicy::No) && record.description.auto_remove {
            let text = "Restart policy cannot be updated because AutoRemove is enabled for the container";
            return Err(ContainerError::Conflict(text.to_owned()));
        }
        let confinement = &record.description.confinement;
        let wanted = resources::resources(&limits, confinement, &[])?;
        if record.running().is_some() {
            cgroup::limit(&self.ground, record.id, &wanted).doing(|| "changing the control group".into())?;
        }
        self.change(|record| {
            let description = Arc::make_mut(&mut record.description);
            description.limits = limits;
            description.restart = policy.unwrap_or(description.restart);
        });
        self.publish(Action::Update);
        self.save()
    }

    pub(super) async fn remove(&mut self, leavings: Leavings, answer: Answer) -> Work {
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
