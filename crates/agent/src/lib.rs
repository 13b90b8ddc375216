//! The shell of a worker: one conversation with the managers, and one worker machine that hands obey.
//!
//! In: an [`Executor`] that can run tasks, an identity, and where managers are. Out: tasks that run, and reports
//! of them. It has no book and knows no container; when all managers are gone, tasks simply go on.

mod authority;
mod certificate;
mod dependencies;
mod executor;
mod logs;
mod memory;
mod renewal;
mod reports;
mod session;
mod worker;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use model::{Chance, Duration, NodeId, Task, TaskId};
use pki::Identity;
use tokio::sync::{mpsc, watch};

pub use certificate::{CertificateError, Credentials};
pub use dependencies::Dependencies;
pub use executor::{Executor, NullExecutor, unless_over};
pub use logs::{LogLine, LogStream, LogWish};
pub use memory::MemoryError;
pub use session::News;

/// What an agent must know.
#[derive(Debug)]
pub struct AgentConfig {
    /// Who this node is.
    pub node_id: NodeId,
    /// Where it remembers its tasks.
    pub state_dir: PathBuf,
    /// Addresses of managers, with port, to begin with.
    pub managers: Vec<String>,
    /// Where this node's own manager is, while it has one: it is preferred.
    pub local: watch::Receiver<Option<String>>,
    /// Its certificate and key, which may be renewed at any time.
    pub identity: watch::Receiver<Arc<Identity>>,
    /// For back-off and the choice among managers.
    pub chance: Chance,
}

/// An agent at work.
#[derive(Debug)]
pub struct Agent {
    shutdown: host::shutdown::Shutdown,
    news: watch::Receiver<Option<Arc<News>>>,
    tasks: watch::Receiver<Tasks>,
}

/// The tasks of this node, as it sees them.
pub type Tasks = BTreeMap<TaskId, Arc<Task>>;

/// Inputs that wait for the worker: statuses of steps and differences of assignments.
const INPUTS_WAITING_MAX: usize = 4096;
/// How long the way down may take. Containers are not stopped on it.
const DOWN_MAX: Duration = Duration::from_secs(5);

impl Agent {
    /// Takes up the remembered tasks, then speaks with the managers until it is stopped.
    ///
    /// # Errors
    /// If what it remembers cannot be read.
    pub fn start<E: Executor>(config: AgentConfig, executor: Arc<E>) -> Result<Self, MemoryError> {
        let memory = memory::Memory::open(config.state_dir.join("tasks"))?;
        let shutdown = host::shutdown::Shutdown::new();
        let (inputs, received) = mpsc::channel(INPUTS_WAITING_MAX);
        let reports = Arc::new(reports::Reports::default());
        let dependencies = Arc::new(Dependencies::default());
        let (tell_news, news) = watch::channel(None);

        let hands =
            worker::Hands::new(Arc::clone(&executor), Arc::clone(&dependencies), Arc::clone(&reports));
        let tasks = hands.tasks();
        let readers = logs::Readers { executor: Arc::clone(&executor), tasks: tasks.clone() };
        shutdown.spawn(hands.run(memory, received, shutdown.token().clone()));
        let speaker =
            session::Speaker { config, executor, inputs, reports, dependencies, readers, news: tell_news };
        shutdown.spawn(speaker.run(shutdown.token().clone()));
        Ok(Self { shutdown, news, tasks })
    }

    /// What the managers last said of this node and of themselves; `None` before the first session.
    pub fn news(&self) -> watch::Receiver<Option<Arc<News>>> {
        self.news.clone()
    }

    /// The tasks of this node as it sees them, whenever they change.
    pub fn tasks(&self) -> watch::Receiver<Tasks> {
        self.tasks.clone()
    }

    /// Ends all conversations, and returns when they have ended. Tasks go on.
    pub async fn stop(&self) {
        self.shutdown.finish(DOWN_MAX).await;
    }
}

impl Drop for Agent {
    /// Lets nothing run on that nobody holds.
    fn drop(&mut self) {
        self.shutdown.token().cancel();
    }
}
