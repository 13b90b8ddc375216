//! Pumps the worker machine: hands it what happens, and has its wishes carried out by the executor.
//!
//! It decides nothing. Each step is a task of its own, so that no container waits for another.

use std::collections::BTreeMap;
use std::sync::Arc;

use control::worker::{Done, Failure, Input, Output, Step, Worker};
use host::{clock, pump};
use model::{Machine, Task, TaskId};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::Tasks;
use crate::dependencies::Dependencies;
use crate::executor::Executor;
use crate::memory::Memory;
use crate::reports::Reports;

/// The worker machine, and the hands that obey it.
pub(crate) struct Hands<E> {
    worker: Worker,
    executor: Arc<E>,
    dependencies: Arc<Dependencies>,
    reports: Arc<Reports>,
    tasks: watch::Sender<Tasks>,
    steps: JoinSet<(TaskId, Step, Result<Done, Failure>)>,
    cancellations: BTreeMap<TaskId, CancellationToken>,
}

impl<E: Executor> Hands<E> {
    /// Hands that have nothing to do yet.
    pub(crate) fn new(executor: Arc<E>, dependencies: Arc<Dependencies>, reports: Arc<Reports>) -> Self {
        let worker = Worker::new();
        Self {
            worker,
            executor,
            dependencies,
            reports,
            tasks: watch::Sender::default(),
            steps: JoinSet::new(),
            cancellations: BTreeMap::new(),
        }
    }

    /// The tasks as the machine has them, whenever they change.
    pub(crate) fn tasks(&self) -> watch::Receiver<Tasks> {
        self.tasks.subscribe()
    }

    /// Takes up the remembered tasks, then obeys until it is stopped. Steps under way are dropped; tasks go on.
    pub(crate) async fn run(
        mut self,
        memory: Memory,
        mut inputs: mpsc::Receiver<Input>,
        stop: CancellationToken,
    ) {
        match memory.recall() {
            Ok(tasks) => self.hear(Input::Remembered(tasks), &memory),
            Err(error) => warn!("{error}: {:?}; the managers are asked instead", error),
        }
        loop {
            let due = self.worker.wake_at();
            let input = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                Some(ended) = self.steps.join_next() => ended_step(ended),
                Some(input) = inputs.recv() => Some(input),
                () = pump::sleep_until(due) => Some(Input::Wake),
            };
            if let Some(input) = input {
                self.hear(input, &memory);
            }
        }
    }

    fn hear(&mut self, input: Input, memory: &Memory) {
        if let Input::Done(task, ..) = &input {
            self.cancellations.remove(task);
        }
        for wish in self.worker.handle(clock::now(), input) {
            self.carry_out(wish, memory);
        }
    }

    fn carry_out(&mut self, wish: Output, memory: &Memory) {
        let kept = match wish {
            Output::Do(task, step) => {
                self.begin(task, step);
                Ok(())
            }
            Output::Cancel(task) => {
                if let Some(cancellation) = self.cancellations.get(&task) {
                    cancellation.cancel();
                }
                Ok(())
            }
            Output::Report(task, status) => {
                debug!(%task, state = %status.state, err = status.err, "reporting");
                self.reports.put(task, status);
                Ok(())
            }
            Output::Remember(task) => {
                let kept = memory.remember(&task);
                self.tasks.send_modify(|tasks| drop(tasks.insert(task.id, task)));
                kept
            }
            Output::Forget(task) => {
                self.tasks.send_modify(|tasks| drop(tasks.remove(&task)));
                memory.forget(task)
            }
        };
        if let Err(error) = kept {
            // A task that is not remembered is told again by the managers after a restart.
            warn!("{error}: {:?}", error);
        }
    }

    fn begin(&mut self, task: Arc<Task>, step: Step) {
        let cancellation = CancellationToken::new();
        self.cancellations.insert(task.id, cancellation.clone());
        let executor = Arc::clone(&self.executor);
        let dependencies = Arc::clone(&self.dependencies);
        self.steps.spawn(async move {
            let result = perform(&*executor, &task, step, &dependencies, &cancellation).await;
            (task.id, step, result)
        });
    }
}

async fn perform<E: Executor>(
    executor: &E,
    task: &Task,
    step: Step,
    dependencies: &Dependencies,
    over: &CancellationToken,
) -> Result<Done, Failure> {
    match step {
        Step::Prepare => executor.prepare(task, dependencies, over).await,
        Step::Start => executor.start(task, over).await,
        Step::Wait => executor.wait(task, over).await,
        Step::Stop => executor.stop(task).await,
        Step::Remove => executor.remove(task).await,
    }
}

/// A step that panicked is a bug: it is told, and the daemon goes on with the other tasks.
fn ended_step(ended: Result<(TaskId, Step, Result<Done, Failure>), tokio::task::JoinError>) -> Option<Input> {
    match ended {
        Ok((task, step, result)) => Some(Input::Done(task, step, result)),
        Err(error) => {
            warn!("a step ended by a bug: {error}");
            None
        }
    }
}
