//! Pretended containers: they start slowly, fail, flap, hang.
//!
//! In: steps for tasks, with the time. Out: when each step ends, and how. The name of the image says how its
//! containers behave. Containers outlive the daemon, but not the machine.

use std::collections::BTreeMap;

use control::worker::{Done, Failure, Step};
use model::task::ContainerStatus;
use model::{Chance, Duration, Task, TaskId, Timestamp};

/// How the containers of an image behave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// It runs until it is stopped.
    Runs,
    /// It ends by itself with this code after this time.
    Ends(Duration, i32),
    /// There is no such image.
    Missing,
    /// The registry answers only at the third time.
    Shy,
    /// It cannot be started.
    Broken,
    /// It starts, but is never well.
    Hangs,
    /// It takes its whole grace to stop.
    Stubborn,
}

impl Behaviour {
    /// Reads the name of an image: `done-3` ends well after three seconds, `crash-10` badly after ten; others are
    /// words; anything else runs.
    pub fn of(image: &str) -> Self {
        let name = image.split([':', '@']).next().unwrap_or_default();
        let seconds = |rest: &str| rest.parse().map(Duration::from_secs).unwrap_or(Duration::from_secs(1));
        match name.split_once('-') {
            Some(("done", rest)) => Self::Ends(seconds(rest), 0),
            Some(("crash", rest)) => Self::Ends(seconds(rest), 1),
            _ => match name {
                "missing" => Self::Missing,
                "shy" => Self::Shy,
                "broken" => Self::Broken,
                "hangs" => Self::Hangs,
                "stubborn" => Self::Stubborn,
                _ => Self::Runs,
            },
        }
    }
}

/// One pretended container.
#[derive(Clone, Debug)]
struct Container {
    /// When it ends by itself.
    ends: Option<(Timestamp, i32)>,
    state: ContainerState,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ContainerState {
    Created,
    Running,
    Ended(i32),
}

/// The containers of one machine.
#[derive(Clone, Debug, Default)]
pub struct Containers {
    all: BTreeMap<TaskId, Container>,
    attempts: BTreeMap<TaskId, u32>,
}

/// How a step will end: when, never for some.
pub type Ending = Option<(Timestamp, Result<Done, Failure>)>;

impl Containers {
    /// Begins a step; tells when and how it will end, if nothing comes between.
    pub fn begin(&mut self, now: Timestamp, task: &Task, step: Step, chance: &mut Chance) -> Ending {
        let soon = now + Duration::from_millis(5 + chance.below(20));
        let behaviour = behaviour(task);
        match step {
            Step::Prepare => {
                Some((now + Duration::from_millis(20 + chance.below(200)), self.prepare(task, behaviour)))
            }
            Step::Start => self.start(soon, task, behaviour),
            Step::Wait => self.wait(now, task.id),
            Step::Stop => Some(self.stop(soon, task, behaviour)),
            Step::Remove => {
                self.all.remove(&task.id);
                self.attempts.remove(&task.id);
                Some((soon, Ok(Done::default())))
            }
        }
    }

    /// Ends a running container badly; the one who waits for it is told when its wait is looked at again.
    pub fn crash(&mut self, task: TaskId) -> Option<Result<Done, Failure>> {
        let container =
            self.all.get_mut(&task).filter(|container| container.state == ContainerState::Running)?;
        container.state = ContainerState::Ended(137);
        Some(ended(task, 137))
    }

    /// The machine lost its power.
    pub fn crash_all(&mut self) {
        for container in self.all.values_mut() {
            if container.state == ContainerState::Running {
                container.state = ContainerState::Ended(255);
            }
        }
    }

    /// The clock of the machine is set back from this time by so much: no container lives longer for it, and none
    /// that has ended runs again.
    pub fn clock_goes_back(&mut self, now: Timestamp, by: Duration) {
        let running = self.all.values_mut().filter(|container| container.state == ContainerState::Running);
        for container in running {
            match container.ends {
                Some((at, code)) if at <= now => container.state = ContainerState::Ended(code),
                Some((at, code)) => container.ends = Some((at - by, code)),
                None => {}
            }
        }
    }

    /// The tasks whose containers run now.
    pub fn running(&self, now: Timestamp) -> impl Iterator<Item = TaskId> {
        let runs = move |container: &Container| {
            container.state == ContainerState::Running && container.ends.is_none_or(|(at, _)| at > now)
        };
        self.all.iter().filter(move |(_, container)| runs(container)).map(|(id, _)| *id)
    }

    /// How many containers there are, running or not.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    fn prepare(&mut self, task: &Task, behaviour: Behaviour) -> Result<Done, Failure> {
        let attempt = self.attempts.entry(task.id).or_default();
        *attempt += 1;
        match behaviour {
            Behaviour::Missing => return Err(failure("No such image: missing:latest", false)),
            Behaviour::Shy if *attempt < 3 => return Err(failure("registry does not answer", true)),
            _ => {}
        }
        let created = Container { ends: None, state: ContainerState::Created };
        self.all.entry(task.id).or_insert(created);
        Ok(Done::default())
    }

    fn start(&mut self, at: Timestamp, task: &Task, behaviour: Behaviour) -> Ending {
        let container =
            self.all.entry(task.id).or_insert(Container { ends: None, state: ContainerState::Created });
        match (behaviour, container.state) {
            (Behaviour::Broken, _) => {
                return Some((at, Err(failure("exec: no such file or directory", false))));
            }
            (_, ContainerState::Ended(code)) => return Some((at, ended(task.id, code))),
            (_, ContainerState::Running) => {}
            (_, ContainerState::Created) => {
                container.state = ContainerState::Running;
                container.ends = match behaviour {
                    Behaviour::Ends(after, code) => Some((at + after, code)),
                    _ => None,
                };
            }
        }
        if behaviour == Behaviour::Hangs {
            return None;
        }
        Some((at, Ok(Done { container: Some(status(task.id, 0)), ports: None })))
    }

    fn wait(&mut self, now: Timestamp, task: TaskId) -> Ending {
        let Some(container) = self.all.get_mut(&task) else {
            return Some((now, Err(failure("container is gone", false))));
        };
        match (container.state, container.ends) {
            (ContainerState::Ended(code), _) => Some((now, ended(task, code))),
            (_, Some((at, code))) => Some((at, ended(task, code))),
            (_, None) => None,
        }
    }

    fn stop(
        &mut self,
        soon: Timestamp,
        task: &Task,
        behaviour: Behaviour,
    ) -> (Timestamp, Result<Done, Failure>) {
        let grace = task.spec.container().and_then(|container| container.stop_grace_period);
        let grace = grace.unwrap_or(model::limits::STOP_GRACE_DEFAULT);
        let running = self.all.get(&task.id).is_some_and(|it| it.state == ContainerState::Running);
        if let Some(container) = self.all.get_mut(&task.id) {
            container.state = ContainerState::Ended(0);
        }
        let at = if running && behaviour == Behaviour::Stubborn { soon + grace } else { soon };
        (at, Ok(Done::default()))
    }
}

fn behaviour(task: &Task) -> Behaviour {
    Behaviour::of(task.spec.container().map(|container| container.image.as_str()).unwrap_or_default())
}

fn ended(task: TaskId, code: i32) -> Result<Done, Failure> {
    let container = Some(status(task, code));
    if code == 0 {
        return Ok(Done { container, ports: None });
    }
    let message = format!("task: non-zero exit ({code})");
    Err(Failure { message, temporary: false, container })
}

fn status(task: TaskId, exit_code: i32) -> ContainerStatus {
    ContainerStatus { container_id: task.to_string(), pid: 1, exit_code }
}

fn failure(message: &str, temporary: bool) -> Failure {
    Failure { message: message.to_owned(), temporary, container: None }
}
