//! Whether a container is well: what is asked, how often, and what came of it.

use std::collections::VecDeque;

use model::Timestamp;
use model::time::Duration;
use serde::{Deserialize, Serialize};

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
