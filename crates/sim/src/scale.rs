//! A large swarm under one manager: what sessions, heartbeats, work and the loss of a tenth of all workers cost.
//!
//! In: how many workers and tasks. Out: step by step, how long each takes in the swarm's own time; what it takes of
//! this machine is for whoever runs it to measure. The promises are not looked at: that would cost more than what is
//! measured.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use control::leader::Request;
use model::node::NodeState;
use model::{Duration, Node, NodeId, ServiceMode, Task, TaskId, TaskState};

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

/// One of so many workers is lost.
const LOST_PART: u32 = 10;
/// No step takes longer.
const TOO_LONG: Duration = Duration::from_secs(600);
/// How long one only listens.
const QUIET: Duration = Duration::from_secs(60);
/// How often one looks whether a step is done.
const LOOK: Duration = Duration::from_millis(100);

impl Trial {
    /// What is measured, in order.
    pub const STEPS: [Step; 5] = [
        Step { name: "all workers open their sessions", run: Self::open },
        Step { name: "a service is created, and all its tasks run", run: Self::fill },
        Step { name: "a minute of nothing but heartbeats", run: Self::listen },
        Step { name: "a tenth of the workers dies, and every task runs again", run: Self::lose },
        Step { name: "they return, and in a minute nothing moves", run: Self::regain },
    ];

    /// So many workers, whose daemons are about to start, and how many tasks they shall run.
    pub fn begin(workers: u32, tasks: usize, seed: u64) -> Self {
        let names: Vec<String> = (0..=workers).map(|number| format!("n{number}")).collect();
        let swarm = Swarm::begin(Plan { is_watched: false, ..Plan::of(&names, seed) });
        Self { swarm, tasks }
    }

    /// How many entries the log has.
    pub fn entries(&self) -> u64 {
        self.swarm.truth.committed()
    }

    fn open(&mut self) -> Result<Duration, Broken> {
        self.until(|trial| trial.nodes_in(NodeState::Ready) == trial.swarm.machines.len())
    }

    fn fill(&mut self) -> Result<Duration, Broken> {
        let begin = self.swarm.now();
        let mut spec = plain("web");
        spec.mode = ServiceMode::Replicated { replicas: self.tasks as u64 };
        let answer = self.swarm.ask(Request::CreateService(Box::new(spec)))?;
        answer.map_err(|no| self.broken(no.to_string()))?;
        self.until(Self::is_full)?;
        Ok(self.swarm.now().since(begin))
    }

    fn listen(&mut self) -> Result<Duration, Broken> {
        self.swarm.run(QUIET)?;
        Ok(QUIET)
    }

    fn lose(&mut self) -> Result<Duration, Broken> {
        let (begin, mut before) = (self.swarm.now(), self.places());
        let lost = self.lost();
        lost.iter().for_each(|number| self.swarm.crash_machine(*number));
        self.until(|trial| trial.nodes_in(NodeState::Down) == lost.len())?;
        self.until(Self::is_full)?;
        let gone: BTreeSet<NodeId> = lost.iter().map(|number| self.swarm.machine(*number).node.id).collect();
        before.retain(|_, node| node.is_some_and(|node| !gone.contains(&node)));
        self.check_unmoved(&before)?;
        Ok(self.swarm.now().since(begin))
    }

    fn regain(&mut self) -> Result<Duration, Broken> {
        let (begin, before) = (self.swarm.now(), self.places());
        for number in self.lost() {
            self.swarm.boot(number);
        }
        self.open()?;
        self.listen()?;
        self.check_unmoved(&before)?;
        Ok(self.swarm.now().since(begin))
    }

    /// Looks whether these tasks still run, and where they did.
    fn check_unmoved(&self, before: &BTreeMap<TaskId, Option<NodeId>>) -> Result<(), Broken> {
        let after = self.places();
        match before.iter().filter(|(task, node)| after.get(task) != Some(node)).count() {
            0 => Ok(()),
            moved => Err(self.broken(format!("{moved} tasks moved that need not"))),
        }
    }

    /// The workers that die: the first ones.
    fn lost(&self) -> Vec<NodeNumber> {
        (1..=(self.swarm.machines.len() as u32 / LOST_PART)).map(NodeNumber).collect()
    }

    fn nodes_in(&self, state: NodeState) -> usize {
        let is_so = |node: &&Arc<Node>| node.status.state == state;
        self.swarm.book().nodes.iter().filter(is_so).count()
    }

    fn running(&self) -> impl Iterator<Item = &Arc<Task>> {
        let runs = |task: &&Arc<Task>| {
            task.status.state == TaskState::Running && task.desired_state == TaskState::Running
        };
        self.swarm.book().tasks.iter().filter(runs)
    }

    fn is_full(&self) -> bool {
        self.running().count() == self.tasks
    }

    /// Where every task runs.
    fn places(&self) -> BTreeMap<TaskId, Option<NodeId>> {
        self.running().map(|task| (task.id, task.node_id)).collect()
    }

    fn until(&mut self, holds: impl Fn(&Self) -> bool) -> Result<Duration, Broken> {
        let begin = self.swarm.now();
        while !holds(self) {
            if self.swarm.now() >= begin + TOO_LONG {
                return Err(self.broken("it does not".to_owned()));
            }
            self.swarm.run(LOOK)?;
        }
        Ok(self.swarm.now().since(begin))
    }

    fn broken(&self, what: String) -> Broken {
        Broken { check: "a large swarm settles", at: self.swarm.now(), what }
    }
}
