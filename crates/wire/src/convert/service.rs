//! Services: the wish, and how far it is fulfilled.

use model::service::{JobStatus, Service, ServiceMode, ServiceSpec, UpdateState, UpdateStatus};
use model::spec::update::{FailureAction, UpdateConfig, UpdateOrder};

use super::{Malformed, OnWire, twins, words};
use crate::proto;
use crate::proto::service_spec::Mode;

twins!(Service, proto::Service {
    id,
    meta!,
    spec!,
    spec_version,
    previous_spec,
    previous_spec_version,
    endpoint,
    update_status,
    pending_delete,
    job_status,
});
twins!(ServiceSpec, proto::ServiceSpec {
    annotations!,
    task!,
    mode,
    update,
    rollback,
    networks,
    endpoint,
});
twins!(UpdateStatus, proto::UpdateStatus { state, started_at, completed_at, message });
words!(UpdateState {
    Unknown = 0,
    Updating = 1,
    Paused = 2,
    Completed = 3,
    RollbackStarted = 4,
    RollbackPaused = 5,
    RollbackCompleted = 6,
});
twins!(JobStatus, proto::JobStatus { job_iteration!, last_execution, });
twins!(UpdateConfig, proto::UpdateConfig {
    parallelism,
    delay!,
    failure_action,
    monitor,
    max_failure_ratio,
    order,
});
words!(FailureAction { Pause = 0, Continue = 1, Rollback = 2 });
words!(UpdateOrder { StopFirst = 0, StartFirst = 1 });

impl OnWire<Option<Mode>> for ServiceMode {
    fn to_wire(&self) -> Option<Mode> {
        Some(match *self {
            Self::Replicated { replicas } => Mode::Replicated(proto::ReplicatedService { replicas }),
            Self::Global => Mode::Global(proto::GlobalService {}),
            Self::ReplicatedJob { max_concurrent, total_completions } => {
                Mode::ReplicatedJob(proto::ReplicatedJob { max_concurrent, total_completions })
            }
            Self::GlobalJob => Mode::GlobalJob(proto::GlobalJob {}),
        })
    }

    fn from_wire(wire: Option<Mode>) -> Result<Self, Malformed> {
        match wire {
            Some(Mode::Replicated(proto::ReplicatedService { replicas })) => {
                Ok(Self::Replicated { replicas })
            }
            Some(Mode::Global(proto::GlobalService {})) => Ok(Self::Global),
            Some(Mode::ReplicatedJob(proto::ReplicatedJob { max_concurrent, total_completions })) => {
                Ok(Self::ReplicatedJob { max_concurrent, total_completions })
            }
            Some(Mode::GlobalJob(proto::GlobalJob {})) => Ok(Self::GlobalJob),
            None => Err(Malformed::absent("")),
        }
    }
}
