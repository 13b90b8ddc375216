//! A large swarm under one manager: what sessions, heartbeats and the loss of a tenth of all workers cost.
//!
//! In: how many workers. Out: step by step, how long each takes in the swarm's own time; what it takes of this machine
//! is for whoever runs it to measure. The promises are not looked at: that would cost more than what is measured.

use control::leader::Request;
use model::node::NodeState;
use model::{Duration, ServiceMode, TaskState};

use crate::swarm::{Broken, NodeNumber, Plan, Swarm};
use crate::wish::plain;

/// A large swarm.
#[derive(Debug)]
pub struct Trial {
    swarm: Swarm,
    tasks: usize,
}

/// One step of the trial.
#[derive(Clone, Copy, Debug)]
pub struct Step {
    /// What it is.
    pub name: &'static str,
    /// Takes it; returns how long it takes in the swarm's own time.
    pub run: fn(&mut Trial) -> Result<Duration, Broken>,
}

/// Tasks for each worker.
const TASKS: usize = 20;
/// No step takes longer.
const TOO_LONG: Duration = Duration::from_secs(600);
/// How long one only listens to heartbeats.
const QUIET: Duration = Duration::from_secs(60);

impl Trial {
    /// What is measured, in order.
    pub const STEPS: [Step; 4] = [
        Step { name: "all workers open their sessions", run: Self::open },
        Step { name: "one service of 20 tasks a worker runs", run: Self::fill },
        Step { name: "a minute of nothing but heartbeats", run: Self::listen },
        Step { name: "a tenth of the workers is lost, and every task runs again", run: Self::lose },
    ];

    /// So many workers, whose daemons are about to start.
    pub fn begin(workers: u32, seed: u64) -> Self {
        let names: Vec<String> = (0..=workers).map(|number| format!("n{number}")).collect();
        let swarm = Swarm::begin(Plan { is_watched: false, ..Plan::of(&names, seed) });
        Self { swarm, tasks: workers as usize * TASKS }
    }

    /// How many entries the log has.
    pub fn entries(&self) -> u64 {
        self.swarm.truth.committed()
    }

    fn open(&mut self) -> Result<Duration, Broken> {
        let all = self.swarm.machines.len();
        self.until(move |swarm| {
            let is_ready = |node: &&std::sync::Arc<model::Node>| node.status.state == NodeState::Ready;
            swarm.book().nodes.iter().filter(is_ready).count() == all
        })
    }

    fn fill(&mut self) -> Result<Duration, Broken> {
        let mut spec = plain("web");
        spec.mode = ServiceMode::Replicated { replicas: self.tasks as u64 };
        self.swarm.ask(Request::CreateService(Box::new(spec)))?.map_err(|no| Broken {
            check: "a service is created",
            at: self.swarm.now(),
            what: no.to_string(),
        })?;
        self.until_all_run()
    }

    fn listen(&mut self) -> Result<Duration, Broken> {
        self.swarm.run(QUIET)?;
        Ok(QUIET)
    }

    fn lose(&mut self) -> Result<Duration, Broken> {
        let begin = self.swarm.now();
        let lost = self.swarm.machines.len() as u32 / 10;
        for number in (1..=lost).map(NodeNumber) {
            self.swarm.crash_machine(number);
        }
        let is_lost = move |swarm: &Swarm| {
            let is_down = |node: &&std::sync::Arc<model::Node>| node.status.state == NodeState::Down;
            swarm.book().nodes.iter().filter(is_down).count() as u32 == lost
        };
        self.until(is_lost)?;
        self.until_all_run()?;
        Ok(self.swarm.now().since(begin))
    }

    fn until_all_run(&mut self) -> Result<Duration, Broken> {
        let all = self.tasks;
        self.until(move |swarm| {
            let runs = |task: &&std::sync::Arc<model::Task>| {
                task.status.state == TaskState::Running && task.desired_state == TaskState::Running
            };
            swarm.book().tasks.iter().filter(runs).count() == all
        })
    }

    fn until(&mut self, holds: impl Fn(&Swarm) -> bool) -> Result<Duration, Broken> {
        let begin = self.swarm.now();
        if self.swarm.run_until(TOO_LONG, holds)? {
            return Ok(self.swarm.now().since(begin));
        }
        Err(Broken { check: "a large swarm settles", at: begin, what: "it does not".to_owned() })
    }
}
