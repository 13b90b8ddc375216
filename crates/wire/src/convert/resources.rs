//! What tasks need and nodes have, and where tasks may run.

use model::spec::placement::{Placement, Preference};
use model::spec::resources::{GenericResource, Platform, ResourceRequirements, Resources};
use model::spec::restart::{RestartCondition, RestartPolicy};

use super::{Malformed, OnWire, twins, words};
use crate::proto;
use crate::proto::generic_resource::Resource;
use crate::proto::placement_preference;

twins!(Resources, proto::Resources { nano_cpus, memory_bytes, generic });
twins!(Platform, proto::Platform { architecture, os });
twins!(
    ResourceRequirements,
    proto::ResourceRequirements { limits, reservations, swap_bytes, memory_swappiness }
);
twins!(Placement, proto::Placement { constraints, preferences, platforms, max_replicas });
twins!(RestartPolicy, proto::RestartPolicy { condition, delay, max_attempts, window });
words!(RestartCondition { None = 0, OnFailure = 1, Any = 2 });

impl OnWire<proto::GenericResource> for GenericResource {
    fn to_wire(&self) -> proto::GenericResource {
        let resource = match self.clone() {
            Self::Named { kind, value } => {
                Resource::NamedResourceSpec(proto::NamedGenericResource { kind, value })
            }
            Self::Discrete { kind, value } => {
                Resource::DiscreteResourceSpec(proto::DiscreteGenericResource { kind, value })
            }
        };
        proto::GenericResource { resource: Some(resource) }
    }

    fn from_wire(wire: proto::GenericResource) -> Result<Self, Malformed> {
        let proto::GenericResource { resource } = wire;
        match resource {
            Some(Resource::NamedResourceSpec(proto::NamedGenericResource { kind, value })) => {
                Ok(Self::Named { kind, value })
            }
            Some(Resource::DiscreteResourceSpec(proto::DiscreteGenericResource { kind, value })) => {
                Ok(Self::Discrete { kind, value })
            }
            None => Err(Malformed::absent("resource")),
        }
    }
}

impl OnWire<proto::PlacementPreference> for Preference {
    fn to_wire(&self) -> proto::PlacementPreference {
        let Self::Spread(descriptor) = self;
        let spread = proto::SpreadOver { spread_descriptor: descriptor.clone() };
        proto::PlacementPreference { preference: Some(placement_preference::Preference::Spread(spread)) }
    }

    fn from_wire(wire: proto::PlacementPreference) -> Result<Self, Malformed> {
        let proto::PlacementPreference { preference } = wire;
        match preference {
            Some(placement_preference::Preference::Spread(spread)) => {
                let proto::SpreadOver { spread_descriptor } = spread;
                Ok(Self::Spread(spread_descriptor))
            }
            None => Err(Malformed::absent("preference")),
        }
    }
}
