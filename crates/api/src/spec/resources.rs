//! What a task needs and may take, and what a node has.

use model::spec::resources as spec;
use serde::{Deserialize, Serialize};

use crate::error::ApiError;
use crate::json::is_zero;

/// What a task needs and may take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct ResourceRequirements {
    /// The most it may take.
    #[serde(skip_serializing_if = "is_zero")]
    pub limits: Option<Limit>,
    /// What is set aside for it.
    #[serde(skip_serializing_if = "is_zero")]
    pub reservations: Option<Resources>,
    /// Swap beyond memory, in bytes.
    #[serde(skip_serializing_if = "is_zero")]
    pub swap_bytes: Option<i64>,
    /// 0 to 100.
    #[serde(skip_serializing_if = "is_zero")]
    pub memory_swappiness: Option<i64>,
}

/// The most a task may take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Limit {
    /// In billionths of a processor.
    #[serde(rename = "NanoCPUs", skip_serializing_if = "is_zero")]
    pub nano_cpus: i64,
    /// In bytes.
    #[serde(skip_serializing_if = "is_zero")]
    pub memory_bytes: i64,
    /// Processes.
    #[serde(skip_serializing_if = "is_zero")]
    pub pids: i64,
}

/// What is set aside for a task, or what a node has.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Resources {
    /// In billionths of a processor.
    #[serde(rename = "NanoCPUs", skip_serializing_if = "is_zero")]
    pub nano_cpus: i64,
    /// In bytes.
    #[serde(skip_serializing_if = "is_zero")]
    pub memory_bytes: i64,
    /// Things that only the operator knows.
    #[serde(skip_serializing_if = "is_zero")]
    pub generic_resources: Vec<GenericResource>,
}

/// A thing that only the operator knows: one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct GenericResource {
    /// One thing with a name of its own.
    #[serde(skip_serializing_if = "is_zero")]
    pub named_resource_spec: Option<NamedResource>,
    /// A number of things that are all alike.
    #[serde(skip_serializing_if = "is_zero")]
    pub discrete_resource_spec: Option<DiscreteResource>,
}

/// One thing with a name of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct NamedResource {
    /// Such as `GPU`.
    #[serde(skip_serializing_if = "is_zero")]
    pub kind: String,
    /// Such as `UUID1`.
    #[serde(skip_serializing_if = "is_zero")]
    pub value: String,
}

/// A number of things that are all alike.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct DiscreteResource {
    /// Such as `SSD`.
    #[serde(skip_serializing_if = "is_zero")]
    pub kind: String,
    /// How many.
    #[serde(skip_serializing_if = "is_zero")]
    pub value: i64,
}

/// Processor and system.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Platform {
    /// Such as `x86_64`.
    #[serde(skip_serializing_if = "is_zero")]
    pub architecture: String,
    /// Such as `linux`.
    #[serde(rename = "OS", skip_serializing_if = "is_zero")]
    pub os: String,
}

impl ResourceRequirements {
    /// The model's requirements, and the most processes, which the model keeps with the container.
    pub fn into_model(self) -> Result<(spec::ResourceRequirements, i64), ApiError> {
        let Self { limits, reservations, swap_bytes, memory_swappiness } = self;
        let bounded = limits.as_ref().is_some_and(|limit| limit.memory_bytes > 0);
        if swap_bytes.is_some_and(|bytes| bytes > 0) && !bounded {
            return Err(ApiError::invalid("memory swap provided, but no memory-limit was set"));
        }
        let pids = limits.as_ref().map_or(0, |limit| limit.pids);
        let limits = limits.map(|Limit { nano_cpus, memory_bytes, pids: _ }| spec::Resources {
            nano_cpus,
            memory_bytes,
            generic: Vec::new(),
        });
        let reservations = reservations.map(Resources::into_model).transpose()?;
        Ok((spec::ResourceRequirements { limits, reservations, swap_bytes, memory_swappiness }, pids))
    }

    /// The requirements as users read them, with the most processes where they expect it.
    pub fn from_model(requirements: Option<&spec::ResourceRequirements>, pids: i64) -> Option<Self> {
        if requirements.is_none() && pids == 0 {
            return None;
        }
        let spec::ResourceRequirements { limits, reservations, swap_bytes, memory_swappiness } =
            requirements.cloned().unwrap_or_default();
        let limits = match limits {
            None if pids == 0 => None,
            limits => {
                let spec::Resources { nano_cpus, memory_bytes, generic: _ } = limits.unwrap_or_default();
                Some(Limit { nano_cpus, memory_bytes, pids })
            }
        };
        let reservations = reservations.as_ref().map(Resources::from);
        Some(Self { limits, reservations, swap_bytes, memory_swappiness })
    }
}

impl Resources {
    fn into_model(self) -> Result<spec::Resources, ApiError> {
        let Self { nano_cpus, memory_bytes, generic_resources } = self;
        let generic = generic_resources.into_iter().map(GenericResource::into_model);
        Ok(spec::Resources { nano_cpus, memory_bytes, generic: generic.collect::<Result<_, _>>()? })
    }
}

impl From<&spec::Resources> for Resources {
    fn from(spec::Resources { nano_cpus, memory_bytes, generic }: &spec::Resources) -> Self {
        let generic_resources = generic.iter().map(GenericResource::from).collect();
        Self { nano_cpus: *nano_cpus, memory_bytes: *memory_bytes, generic_resources }
    }
}

impl GenericResource {
    fn into_model(self) -> Result<spec::GenericResource, ApiError> {
        match self {
            Self {
                named_resource_spec: Some(NamedResource { kind, value }),
                discrete_resource_spec: None,
            } => Ok(spec::GenericResource::Named { kind, value }),
            Self {
                named_resource_spec: None,
                discrete_resource_spec: Some(DiscreteResource { kind, value }),
            } => Ok(spec::GenericResource::Discrete { kind, value }),
            _ => Err(ApiError::invalid(
                "GenericResources: exactly one of NamedResourceSpec and DiscreteResourceSpec should be set",
            )),
        }
    }
}

impl From<&spec::GenericResource> for GenericResource {
    fn from(generic: &spec::GenericResource) -> Self {
        let (named, discrete) = match generic.clone() {
            spec::GenericResource::Named { kind, value } => (Some(NamedResource { kind, value }), None),
            spec::GenericResource::Discrete { kind, value } => (None, Some(DiscreteResource { kind, value })),
        };
        Self { named_resource_spec: named, discrete_resource_spec: discrete }
    }
}

impl From<Platform> for spec::Platform {
    fn from(Platform { architecture, os }: Platform) -> Self {
        Self { architecture, os }
    }
}

impl From<&spec::Platform> for Platform {
    fn from(spec::Platform { architecture, os }: &spec::Platform) -> Self {
        Self { architecture: architecture.clone(), os: os.clone() }
    }
}
