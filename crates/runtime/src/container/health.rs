//! Whether a container is well: what is asked, how often, and what came of it.

use std::collections::VecDeque;
use std::sync::Arc;

use model::Timestamp;
use model::time::Duration;
use serde::{Deserialize, Serialize};

use crate::container::containers::tell;
use crate::container::description::Description;
use crate::container::exec::{self, ExecWish};
use crate::container::ground::Ground;
use crate::container::id::ContainerId;
use crate::container::keeper::Command;

/// How to see that a container is well. Absent parts mean the image's, then the usual.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthTest {
    /// `NONE`, `CMD` and arguments, or `CMD-SHELL` and a line; empty means the image's.
    pub test: Vec<String>,
    /// Between two tests; absent means 30 s.
    pub interval: Option<Duration>,
    /// The longest a test may take; absent means 30 s.
    pub timeout: Option<Duration>,
    /// So many failures in a row make it unhealthy; 0 means 3.
    pub retries: u32,
    /// Failures this soon after its start do not count.
    pub start_period: Option<Duration>,
    /// Between two tests while it starts; absent means 5 s.
    pub start_interval: Option<Duration>,
}

/// What is known of a container's health.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Health {
    /// In one word.
    pub status: HealthStatus,
    /// How many tests in a row have failed.
    pub failing_streak: u32,
    /// The last five, the oldest first.
    pub log: VecDeque<Probe>,
}

/// A container's health in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HealthStatus {
    /// It is not known yet.
    Starting,
    /// It is well.
    Healthy,
    /// It is not.
    Unhealthy,
}

impl HealthStatus {
    /// The word that people know it by.
    pub fn word(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
        }
    }
}

/// One test and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// When it began.
    pub start: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// 0 if all is well.
    pub exit_code: i32,
    /// What it said, at most 4096 bytes.
    pub output: String,
}

impl Health {
    /// What is known when a container starts: nothing.
    pub(crate) fn starting() -> Self {
        Self { status: HealthStatus::Starting, failing_streak: 0, log: VecDeque::new() }
    }

    /// Takes in what came of a test.
    fn note(&mut self, probe: Probe, plan: &HealthPlan, started: Timestamp) {
        if probe.exit_code == 0 {
            self.failing_streak = 0;
            self.status = HealthStatus::Healthy;
        } else {
            let excused = self.status == HealthStatus::Starting && probe.start < started + plan.start_period;
            if !excused {
                self.failing_streak += 1;
                if self.failing_streak >= plan.retries {
                    self.status = HealthStatus::Unhealthy;
                }
            }
        }
        self.log.push_back(probe);
        if self.log.len() > LOG_MAX {
            self.log.pop_front();
        }
    }
}

/// A health test with nothing left open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HealthPlan {
    command: Vec<String>,
    interval: Duration,
    timeout: Duration,
    retries: u32,
    start_period: Duration,
    start_interval: Duration,
}

/// How a container's health is tested; `None` if it is not.
pub(crate) fn plan(wish: &Description) -> Option<HealthPlan> {
    let image = wish.image.defaults.health.clone().unwrap_or_default();
    let own = wish.health.clone().unwrap_or_default();
    let test = if own.test.is_empty() { image.test } else { own.test };
    let command = match test.split_first()? {
        (word, rest) if word == "CMD" && !rest.is_empty() => rest.to_vec(),
        (word, rest) if word == "CMD-SHELL" && !rest.is_empty() => {
            vec!["/bin/sh".to_owned(), "-c".to_owned(), rest.join(" ")]
        }
        _ => return None,
    };
    let pick = |own: Option<Duration>, image: Option<Duration>, usual: Duration| {
        let said = |time: &Duration| !time.is_zero();
        own.filter(said).or(image.filter(said)).unwrap_or(usual)
    };
    let retries = [own.retries, image.retries].into_iter().find(|count| *count > 0).unwrap_or(RETRIES);
    Some(HealthPlan {
        command,
        interval: pick(own.interval, image.interval, INTERVAL),
        timeout: pick(own.timeout, image.timeout, INTERVAL),
        retries,
        start_period: pick(own.start_period, image.start_period, Duration::ZERO),
        start_interval: pick(own.start_interval, image.start_interval, START_INTERVAL),
    })
}

/// Tests again and again, and tells the container's keeper. Ends when it is dropped, or the container is gone.
pub(crate) async fn watch(ground: Arc<Ground>, id: ContainerId, plan: HealthPlan, started: Timestamp) {
    let mut health = Health::starting();
    loop {
        let in_start =
            health.status == HealthStatus::Starting && host::clock::now() < started + plan.start_period;
        tokio::time::sleep(if in_start { plan.start_interval } else { plan.interval }).await;
        let Some(handle) = ground.index().by_id.get(&id).cloned() else { return };
        if handle.record.borrow().running().is_none() {
            return;
        }
        if matches!(handle.record.borrow().phase, crate::container::Phase::Paused(_)) {
            continue;
        }
        let probe = probe(&ground, id, &plan).await;
        health.note(probe, &plan, started);
        if tell(&handle, Command::Health(health.clone())).await.is_err() {
            return;
        }
    }
}

async fn probe(ground: &Arc<Ground>, id: ContainerId, plan: &HealthPlan) -> Probe {
    let start = host::clock::now();
    let wish = ExecWish { container: Some(id), command: plan.command.clone(), ..ExecWish::default() };
    let (exit_code, output) = match exec::run(ground, wish, plan.timeout).await {
        Ok(Some((code, output))) => (code, output),
        Ok(None) => {
            let text = format!("Health check exceeded timeout ({})", seconds(plan.timeout));
            (TIMED_OUT, text)
        }
        Err(error) => (TIMED_OUT, error.to_string()),
    };
    Probe { start, end: host::clock::now(), exit_code, output }
}

fn seconds(time: Duration) -> String {
    if time.subsec_nanos() == 0 { format!("{}s", time.as_secs()) } else { format!("{}ms", time.as_millis()) }
}

const INTERVAL: Duration = Duration::from_secs(30);
const START_INTERVAL: Duration = Duration::from_secs(5);
const RETRIES: u32 = 3;
const LOG_MAX: usize = 5;
const TIMED_OUT: i32 = -1;

#[cfg(test)]
mod tests {
    use super::*;

    fn wish(test: &[&str]) -> Description {
        let test = test.iter().map(|word| (*word).to_owned()).collect();
        let health = HealthTest {
            test,
            retries: 2,
            start_period: Some(Duration::from_secs(10)),
            ..HealthTest::default()
        };
        Description { health: Some(health), ..Description::default() }
    }

    fn probe(at: u64, exit_code: i32) -> Probe {
        let at = Timestamp::EPOCH + Duration::from_secs(at);
        Probe { start: at, end: at, exit_code, output: String::new() }
    }

    #[test]
    fn tests_are_read_as_docker_writes_them() {
        assert_eq!(plan(&wish(&["CMD", "true"])).unwrap().command, ["true"]);
        assert_eq!(plan(&wish(&["CMD-SHELL", "a | b"])).unwrap().command, ["/bin/sh", "-c", "a | b"]);
        assert_eq!(plan(&wish(&["NONE"])), None);
        assert_eq!(plan(&wish(&[])), None);
        assert_eq!(plan(&wish(&["CMD"])), None);
    }

    #[test]
    fn failures_count_only_after_the_start_period_and_in_a_row() {
        let plan = plan(&wish(&["CMD", "true"])).unwrap();
        let mut health = Health::starting();
        let mut story = Vec::new();
        for (at, code) in [(1, 1), (2, 1), (11, 1), (12, 0), (13, 1), (14, 0), (15, 1), (16, 1), (17, 0)] {
            health.note(probe(at, code), &plan, Timestamp::EPOCH);
            story.push(health.status.word());
        }
        let expected = "starting starting starting healthy healthy healthy healthy unhealthy healthy";
        assert_eq!(story.join(" "), expected);
        assert_eq!(health.log.len(), 5);
    }
}
