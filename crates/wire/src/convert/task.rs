//! Tasks: what they shall run, and how they are.

use model::spec::task::{AttachmentSpec, GenericSpec, ResourceKind, ResourceReference, Runtime, TaskSpec};
use model::task::{ContainerStatus, PortStatus, Task, TaskStatus, VolumeAttachment};

use super::{Malformed, OnWire, twins, words};
use crate::proto;
use crate::proto::task_spec;
use crate::proto::task_status::RuntimeStatus;

twins!(Task, proto::Task {
    id,
    meta!,
    spec!,
    service_id,
    slot,
    node_id,
    annotations!,
    service_annotations!,
    status!,
    desired_state,
    networks,
    endpoint,
    log_driver,
    spec_version,
    assigned_generic_resources,
    job_iteration,
    volumes,
});
twins!(
    TaskSpec,
    proto::TaskSpec {
        runtime,
        resources,
        restart,
        placement,
        log_driver,
        networks,
        force_update,
        resource_references,
    }
);
twins!(ResourceReference, proto::ResourceReference { id = resource_id, kind = resource_type, });
words!(ResourceKind { Task = 0, Secret = 1, Config = 2, Volume = 3 });
twins!(AttachmentSpec, proto::NetworkAttachmentSpec { container_id });
twins!(GenericSpec, proto::GenericRuntimeSpec { kind, payload });
twins!(TaskStatus, proto::TaskStatus {
    timestamp,
    state,
    message,
    err,
    container = runtime_status,
    port_status,
    applied_by,
    applied_at,
});
twins!(ContainerStatus, proto::ContainerStatus { container_id, pid, exit_code });
twins!(PortStatus, proto::PortStatus { ports });
twins!(VolumeAttachment, proto::VolumeAttachment { id, source, target });

impl OnWire<Option<task_spec::Runtime>> for Runtime {
    fn to_wire(&self) -> Option<task_spec::Runtime> {
        Some(match self {
            Self::Container(container) => task_spec::Runtime::Container(container.to_wire()),
            Self::Attachment(attachment) => task_spec::Runtime::Attachment(attachment.to_wire()),
            Self::Generic(generic) => task_spec::Runtime::Generic(generic.to_wire()),
        })
    }

    fn from_wire(wire: Option<task_spec::Runtime>) -> Result<Self, Malformed> {
        match wire {
            Some(task_spec::Runtime::Container(container)) => {
                OnWire::from_wire(container).map(Self::Container)
            }
            Some(task_spec::Runtime::Attachment(attachment)) => {
                OnWire::from_wire(attachment).map(Self::Attachment)
            }
            Some(task_spec::Runtime::Generic(generic)) => OnWire::from_wire(generic).map(Self::Generic),
            None => Err(Malformed::absent("")),
        }
    }
}

impl OnWire<Option<RuntimeStatus>> for Option<ContainerStatus> {
    fn to_wire(&self) -> Option<RuntimeStatus> {
        self.as_ref().map(|container| RuntimeStatus::Container(container.to_wire()))
    }

    fn from_wire(wire: Option<RuntimeStatus>) -> Result<Self, Malformed> {
        wire.map(|RuntimeStatus::Container(container)| OnWire::from_wire(container)).transpose()
    }
}
