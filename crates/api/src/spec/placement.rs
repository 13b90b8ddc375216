//! Where a task may run.

use model::spec::placement as spec;
use serde::{Deserialize, Serialize};

use crate::json::is_zero;
use crate::spec::resources::Platform;

/// Where a task may run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Placement {
    /// All must hold.
    #[serde(skip_serializing_if = "is_zero")]
    pub constraints: Vec<String>,
    /// In the order of their weight.
    #[serde(skip_serializing_if = "is_zero")]
    pub preferences: Vec<PlacementPreference>,
    /// The most tasks of the service on one node.
    #[serde(skip_serializing_if = "is_zero")]
    pub max_replicas: u64,
    /// What the image was made for.
    #[serde(skip_serializing_if = "is_zero")]
    pub platforms: Vec<Platform>,
}

/// A wish that bends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct PlacementPreference {
    /// Evenly over the values of a label.
    pub spread: Option<SpreadOver>,
}

/// A label over whose values tasks are spread.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct SpreadOver {
    /// `node.labels.X` or `engine.labels.X`.
    pub spread_descriptor: String,
}

impl From<Placement> for spec::Placement {
    fn from(placement: Placement) -> Self {
        let Placement { constraints, preferences, max_replicas, platforms } = placement;
        let spread = |PlacementPreference { spread }| {
            spread.map(|SpreadOver { spread_descriptor }| spec::Preference::Spread(spread_descriptor))
        };
        Self {
            constraints,
            preferences: preferences.into_iter().filter_map(spread).collect(),
            platforms: platforms.into_iter().map(Into::into).collect(),
            max_replicas,
        }
    }
}

impl From<&spec::Placement> for Placement {
    fn from(placement: &spec::Placement) -> Self {
        let spec::Placement { constraints, preferences, platforms, max_replicas } = placement;
        let spread = |spec::Preference::Spread(label): &spec::Preference| PlacementPreference {
            spread: Some(SpreadOver { spread_descriptor: label.clone() }),
        };
        Self {
            constraints: constraints.clone(),
            preferences: preferences.iter().map(spread).collect(),
            max_replicas: *max_replicas,
            platforms: platforms.iter().map(Platform::from).collect(),
        }
    }
}
