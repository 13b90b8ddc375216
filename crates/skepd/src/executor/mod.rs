//! Runs tasks as containers: the agent's hands on this node.
//!
//! In: tasks, with the secrets and configs they need. Out: containers that carry the task's name and labels, and
//! what became of them. It decides nothing: when a container has ended, it only says how.

mod containers;
mod description;
mod files;
pub(crate) mod image;
mod logs;
mod node;
mod sandbox;
mod template;

use std::io;
use std::sync::Arc;

use agent::{Dependencies, Executor, LogLine, LogWish, unless_over};
use control::worker::{Done, Failure};
use model::node::{NodeDescription, NodeTlsInfo};
use model::spec::container::ContainerSpec;
use model::{Node, Task};
use network::Network;
use runtime::container::{ContainerError, ContainerId, Containers, Leavings, Record, Removal, StopWish};
use runtime::image::Images;
use tokio::sync::{Semaphore, SemaphorePermit, mpsc, watch};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::config::Config;
use crate::connect::Connector;
use crate::machine::Machine;
use containers::Life;
use files::TaskFiles;
use image::TaskImages;
use template::TaskTemplates;

/// The hands of this node.
#[derive(Debug)]
pub(crate) struct ContainerExecutor {
    config: Config,
    machine: Machine,
    images: TaskImages,
    containers: Containers,
    network: Network,
    connector: Connector,
    files: TaskFiles,
    /// So many containers are made, started or removed at the same time.
    turns: Semaphore,
    tls: watch::Sender<Option<NodeTlsInfo>>,
}

impl ContainerExecutor {
    /// Hands with these images, containers and network, which connects the containers of users too.
    pub(crate) fn new(
        config: &Config,
        images: Images,
        containers: Containers,
        network: Network,
        connector: Connector,
    ) -> io::Result<Self> {
        Ok(Self {
            machine: Machine::read(),
            images: TaskImages::new(images),
            connector,
            files: TaskFiles::open(&config.exec_root)?,
            turns: Semaphore::new(config.task_parallelism),
            tls: watch::Sender::new(None),
            config: config.clone(),
            containers,
            network,
        })
    }

    /// Says what this node's certificate hangs on, for the managers.
    pub(crate) fn identify(&self, tls: NodeTlsInfo) {
        self.tls.send_replace(Some(tls));
    }

    /// Leaves nothing of any task: this node leaves its swarm.
    pub(crate) async fn remove_all(&self) {
        let is_task = |record: &Arc<Record>| record.description.labels.contains_key(containers::TASK_LABEL);
        let tasks: Vec<_> = self.containers.list().into_iter().filter(is_task).collect();
        let removals = tasks.iter().map(|record| self.clear(record.id));
        for outcome in futures_util::future::join_all(removals).await {
            if let Err(error) = outcome {
                warn!("removing a task's container: {error}");
            }
        }
    }

    /// Waits for a turn: the machine does only so much at the same time.
    async fn turn(&self) -> SemaphorePermit<'_> {
        self.turns.acquire().await.expect("turns are never closed")
    }

    async fn make(
        &self,
        task: &Task,
        spec: &ContainerSpec,
        needs: &Dependencies,
        over: &CancellationToken,
    ) -> Result<ContainerId, Failure> {
        let image = unless_over(over, self.images.fetch(spec)).await??;
        let _turn = unless_over(over, self.turn()).await?;
        let told = node::describe(&self.machine, &self.config, None);
        let templates = TaskTemplates::of(task, &told);
        let mut wish =
            description::describe(task, spec, &templates, &self.config.log_driver).map_err(unfit)?;
        wish.image = image;
        wish.mounts.extend(self.files.write(task, spec, needs, &templates)?);
        sandbox::wiring(task, spec, &wish.hostname).note(&mut wish);
        self.containers.create(wish).await.map_err(|error| containers::failed(&error))
    }

    /// Takes a container away, with its volumes that have no name and its place in the network.
    async fn clear(&self, id: ContainerId) -> Result<(), ContainerError> {
        let _turn = self.turn().await;
        let removed = self.containers.remove(id, Removal::Forced(Leavings::Nothing)).await;
        self.network.remove(&id.to_string()).await;
        match removed {
            Err(ContainerError::NotFound(_)) => Ok(()),
            other => other,
        }
    }

    /// Waits until something of the container changes that its task cares for.
    async fn until(
        &self,
        id: ContainerId,
        over: &CancellationToken,
        is_enough: impl Fn(Life) -> bool,
    ) -> Result<Arc<Record>, Failure> {
        let mut seen = self.containers.watch(id).map_err(|error| containers::failed(&error))?;
        let record = unless_over(over, seen.wait_for(|record| is_enough(containers::life(record)))).await?;
        record.map(|record| Arc::clone(&record)).map_err(|_| gone())
    }

    /// Stops a container that is not well, and says that its task failed for that.
    async fn give_up(&self, id: ContainerId) -> Failure {
        self.network.drain(&id.to_string()).await;
        if let Err(error) = self.containers.stop(id, StopWish::default()).await {
            warn!("stopping an unhealthy container: {error}");
        }
        self.containers.inspect(id).map_or_else(|_| gone(), |record| containers::unhealthy(&record))
    }

    fn container_of(&self, task: &Task) -> Result<ContainerId, Failure> {
        containers::find(&self.containers, task).ok_or_else(gone)
    }
}

impl Executor for ContainerExecutor {
    async fn describe(&self) -> NodeDescription {
        node::describe(&self.machine, &self.config, self.tls.borrow().clone())
    }

    async fn configure(&self, _node: &Node) {}

    async fn prepare(
        &self,
        task: &Task,
        needs: &Dependencies,
        over: &CancellationToken,
    ) -> Result<Done, Failure> {
        let Some(spec) = task.spec.container() else {
            let message = format!("this node runs containers only, and no \"{}\"", task.runtime_name());
            return Err(Failure { message, temporary: false, container: None });
        };
        self.containers.expect_start();
        let id = match containers::find(&self.containers, task) {
            Some(id) => id,
            None => self.make(task, spec, needs, over).await?,
        };
        let record = self.containers.inspect(id).map_err(|error| containers::failed(&error))?;
        Ok(Done { container: Some(containers::status(&record)), ports: None })
    }

    async fn start(&self, task: &Task, over: &CancellationToken) -> Result<Done, Failure> {
        let id = self.container_of(task)?;
        let record = self.containers.inspect(id).map_err(|error| containers::failed(&error))?;
        let place = match (record.running(), record.starts) {
            (None, 0) => {
                let _turn = unless_over(over, self.turn()).await?;
                self.connector.start(id).await.map_err(|error| containers::failed(&error))?
            }
            // It was started before the daemon ended, and has ended since.
            (None, _) => return containers::ended(&record),
            (Some(_), _) => self.connector.place_of(id).await,
        };
        let record = self.until(id, over, |life| life != Life::Uncertain).await?;
        match containers::life(&record) {
            Life::Well | Life::Uncertain => {}
            Life::Over => return containers::ended(&record),
            Life::Unwell => return Err(self.give_up(id).await),
        }
        self.network.serve(&id.to_string()).await;
        let ports = sandbox::port_status(task, place.as_ref());
        Ok(Done { container: Some(containers::status(&record)), ports })
    }

    async fn wait(&self, task: &Task, over: &CancellationToken) -> Result<Done, Failure> {
        let id = self.container_of(task)?;
        let record = self.until(id, over, |life| matches!(life, Life::Over | Life::Unwell)).await?;
        match containers::life(&record) {
            Life::Unwell => Err(self.give_up(id).await),
            _ => containers::ended(&record),
        }
    }

    async fn stop(&self, task: &Task) -> Result<Done, Failure> {
        let Some(id) = containers::find(&self.containers, task) else { return Ok(Done::default()) };
        self.network.drain(&id.to_string()).await;
        match self.containers.stop(id, StopWish::default()).await {
            Ok(()) | Err(ContainerError::NotModified(_) | ContainerError::NotFound(_)) => {}
            Err(error) => return Err(containers::failed(&error)),
        }
        let record = self.containers.inspect(id).ok();
        Ok(Done { container: record.map(|record| containers::status(&record)), ports: None })
    }

    async fn remove(&self, task: &Task) -> Result<Done, Failure> {
        if let Some(id) = containers::find(&self.containers, task) {
            self.clear(id).await.map_err(|error| containers::failed(&error))?;
        }
        match self.files.remove(task.id) {
            Ok(()) => Ok(Done::default()),
            Err(error) => Err(files::FilesError::from(error).into()),
        }
    }

    async fn logs(&self, task: &Task, wish: &LogWish, lines: mpsc::Sender<LogLine>) -> Result<(), Failure> {
        logs::send(&self.containers, self.container_of(task)?, wish, lines).await
    }
}

fn unfit(unfit: description::Unfit) -> Failure {
    Failure { message: unfit.to_string(), temporary: false, container: None }
}

/// Somebody removed the container behind the swarm's back.
fn gone() -> Failure {
    Failure { message: "the container of this task is gone".to_owned(), temporary: false, container: None }
}
