//! Whatever can run tasks: containers in a real node, nothing at all in a trial of scale.

use std::future::Future;

use control::worker::{Done, Failure};
use model::node::NodeDescription;
use model::spec::resources::{Platform, Resources};
use model::task::ContainerStatus;
use model::{Node, Task};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::dependencies::Dependencies;
use crate::logs::{LogLine, LogWish};

/// Whatever can run tasks.
///
/// Every verb may be repeated after a crash, and must then do nothing new. A verb that is no longer wanted hears so
/// by `over`, and ends as soon as nothing of it goes on behind the next verb's back; what it has done so far stays.
/// How many are carried out at the same time is the executor's business.
pub trait Executor: Send + Sync + 'static {
    /// What this node is and has.
    fn describe(&self) -> impl Future<Output = NodeDescription> + Send;
    /// Takes in what the managers say of this node, such as its own addresses in networks.
    fn configure(&self, node: &Node) -> impl Future<Output = ()> + Send;
    /// Fetches the image and makes the container, without starting it.
    fn prepare(
        &self,
        task: &Task,
        needs: &Dependencies,
        over: &CancellationToken,
    ) -> impl Future<Output = Result<Done, Failure>> + Send;
    /// Starts it; ends when it is up and, if it has a health check, healthy.
    fn start(
        &self,
        task: &Task,
        over: &CancellationToken,
    ) -> impl Future<Output = Result<Done, Failure>> + Send;
    /// Ends when it has ended by itself.
    fn wait(
        &self,
        task: &Task,
        over: &CancellationToken,
    ) -> impl Future<Output = Result<Done, Failure>> + Send;
    /// Asks it to end; after its grace, makes it end.
    fn stop(&self, task: &Task) -> impl Future<Output = Result<Done, Failure>> + Send;
    /// Leaves nothing of it on this node.
    fn remove(&self, task: &Task) -> impl Future<Output = Result<Done, Failure>> + Send;
    /// Sends what it wrote and, if wished, what it goes on to write; ends when there is no more. What keeps no
    /// output has none to send.
    fn logs(
        &self,
        _task: &Task,
        _wish: &LogWish,
        _lines: mpsc::Sender<LogLine>,
    ) -> impl Future<Output = Result<(), Failure>> + Send {
        async { Ok(()) }
    }
}

/// Waits for something, but no longer than the verb is wanted.
///
/// # Errors
/// If it is not wanted any more.
pub async fn unless_over<T>(over: &CancellationToken, what: impl Future<Output = T>) -> Result<T, Failure> {
    let given_up = || Failure { message: "given up".to_owned(), temporary: true, container: None };
    over.run_until_cancelled(what).await.ok_or_else(given_up)
}

/// Runs nothing, at once: for trials of scale without containers.
#[derive(Clone, Copy, Debug, Default)]
pub struct NullExecutor;

impl Executor for NullExecutor {
    async fn describe(&self) -> NodeDescription {
        NodeDescription {
            hostname: "null".to_owned(),
            platform: Some(Platform { architecture: "x86_64".to_owned(), os: "linux".to_owned() }),
            resources: Some(Resources {
                nano_cpus: 64_000_000_000,
                memory_bytes: 1 << 40,
                generic: Vec::new(),
            }),
            ..NodeDescription::default()
        }
    }

    async fn configure(&self, _node: &Node) {}

    async fn prepare(
        &self,
        _task: &Task,
        _needs: &Dependencies,
        _over: &CancellationToken,
    ) -> Result<Done, Failure> {
        Ok(Done::default())
    }

    async fn start(&self, task: &Task, _over: &CancellationToken) -> Result<Done, Failure> {
        let container = ContainerStatus { container_id: task.id.to_string(), pid: 0, exit_code: 0 };
        Ok(Done { container: Some(container), ports: None })
    }

    async fn wait(&self, _task: &Task, over: &CancellationToken) -> Result<Done, Failure> {
        unless_over(over, std::future::pending()).await
    }

    async fn stop(&self, _task: &Task) -> Result<Done, Failure> {
        Ok(Done::default())
    }

    async fn remove(&self, _task: &Task) -> Result<Done, Failure> {
        Ok(Done::default())
    }
}
