//! Cluster volumes.

use model::volume::{
    CapacityRange, Topology, TopologyRequirement, Volume, VolumeAccess, VolumeAccessMode, VolumeAssignment,
    VolumeInfo, VolumePublishState, VolumePublishStatus, VolumeScope, VolumeSecret, VolumeSharing,
    VolumeSpec,
};

use super::{Malformed, OnWire, twins, words};
use crate::proto;
use crate::proto::volume_access_mode::{AccessType, BlockVolume, MountVolume};

twins!(Volume, proto::Volume {
    id,
    meta!,
    spec!,
    publish_status,
    info = volume_info,
    pending_delete,
});
twins!(VolumeSpec, proto::VolumeSpec {
    annotations!,
    group,
    driver,
    access_mode,
    secrets,
    accessibility_requirements,
    capacity_range,
    availability,
});
twins!(VolumeAccessMode, proto::VolumeAccessMode { scope, sharing, access = access_type, });
words!(VolumeScope { SingleNode = 0, MultiNode = 1 });
words!(VolumeSharing { None = 0, ReadOnly = 1, OneWriter = 2, All = 3 });
twins!(VolumeSecret, proto::VolumeSecret { key, secret });
twins!(TopologyRequirement, proto::TopologyRequirement { requisite, preferred });
twins!(Topology, proto::Topology { segments });
twins!(CapacityRange, proto::CapacityRange { required_bytes, limit_bytes });
twins!(VolumePublishStatus, proto::VolumePublishStatus { node_id, state, publish_context, message });
words!(VolumePublishState {
    PendingPublish = 0,
    Published = 1,
    PendingNodeUnpublish = 2,
    PendingUnpublish = 3,
});
twins!(VolumeInfo, proto::VolumeInfo { capacity_bytes, volume_context, volume_id, accessible_topology });
twins!(
    VolumeAssignment,
    proto::VolumeAssignment { id, volume_id, driver, volume_context, publish_context, access_mode, secrets }
);

impl OnWire<Option<AccessType>> for Option<VolumeAccess> {
    fn to_wire(&self) -> Option<AccessType> {
        self.clone().map(|access| match access {
            VolumeAccess::Block => AccessType::Block(BlockVolume {}),
            VolumeAccess::Mount { fs_type, mount_flags } => {
                AccessType::Mount(MountVolume { fs_type, mount_flags })
            }
        })
    }

    fn from_wire(wire: Option<AccessType>) -> Result<Self, Malformed> {
        Ok(wire.map(|access| match access {
            AccessType::Block(BlockVolume {}) => VolumeAccess::Block,
            AccessType::Mount(MountVolume { fs_type, mount_flags }) => {
                VolumeAccess::Mount { fs_type, mount_flags }
            }
        }))
    }
}
