//! Every bound in the system, with its reason.

use crate::time::Duration;

/// Letters of a service's or network's name: a DNS label.
pub const NAME_LENGTH_MAX: usize = 63;
/// Letters of a secret's or config's name (`control.md` section 11).
pub const SECRET_NAME_LENGTH_MAX: usize = 64;
/// Bytes of a secret, exclusive (`control.md` section 11).
pub const SECRET_BYTES_MAX: usize = 512_000;
/// Bytes of a config, exclusive (`control.md` section 11).
pub const CONFIG_BYTES_MAX: usize = 1_024_000;
/// The least memory a task may ask for or be bounded to (`control.md` section 11).
pub const MEMORY_BYTES_MIN: i64 = 4 << 20;
/// The least processor time, in billionths of a processor (`control.md` section 11).
pub const NANO_CPUS_MIN: i64 = 1_000_000;
/// Bytes of one encoded log entry: stock managers accept no more (`raft.md` section 4).
pub const ENTRY_BYTES_MAX: usize = 1_572_864;
/// Bytes after which nothing more is drafted: leaves room in the entry for one object of the largest kind.
pub const DRAFT_BYTES_MAX: usize = ENTRY_BYTES_MAX / 4;
/// Changes in one log entry: keeps a round short; what does not fit stays on the agenda.
pub const ENTRY_CHANGES_MAX: usize = 2_000;
/// Requests that wait for the entry in flight: beyond it askers are told to come back.
pub const REQUESTS_WAITING_MAX: usize = 10_000;
/// How long a certificate's shortest life may be set (`security.md` section 3).
pub const CERT_EXPIRY_MIN: Duration = Duration::from_secs(3600);
/// How long a certificate lives if nothing is said.
pub const CERT_EXPIRY_DEFAULT: Duration = Duration::from_secs(90 * 24 * 3600);
/// How often a node must be heard if nothing is said.
pub const HEARTBEAT_PERIOD_DEFAULT: Duration = Duration::from_secs(5);
/// Tasks kept for each slot if nothing is said.
pub const TASK_HISTORY_DEFAULT: i64 = 5;
/// How long a container may take to stop if nothing is said.
pub const STOP_GRACE_DEFAULT: Duration = Duration::from_secs(10);
/// How long an operation on the swarm may take before the client is told (`engine_api.md`, conventions).
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(20);
