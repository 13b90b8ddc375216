//! Events: what happened, for whoever listens.

use std::collections::BTreeMap;

use model::Timestamp;
use serde::{Deserialize, Serialize};

use crate::json::is_zero;

/// One thing that happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Event {
    /// The action, for containers and images: a form that old clients read.
    #[serde(skip_serializing_if = "is_zero")]
    pub status: String,
    /// The actor's id, for containers and images: a form that old clients read.
    #[serde(skip_serializing_if = "is_zero")]
    pub id: String,
    /// The image, for containers: a form that old clients read.
    #[serde(skip_serializing_if = "is_zero")]
    pub from: String,
    /// To what it happened: `container`, `image`, `service` …
    #[serde(rename = "Type")]
    pub kind: String,
    /// What: `create`, `start`, `update` …
    #[serde(rename = "Action")]
    pub action: String,
    /// To which.
    #[serde(rename = "Actor")]
    pub actor: Actor,
    /// `local` or `swarm`.
    pub scope: String,
    /// When, in seconds.
    pub time: i64,
    /// When, in nanoseconds.
    #[serde(rename = "timeNano")]
    pub time_nano: i64,
}

/// To which it happened.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub struct Actor {
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// What else is to be said.
    pub attributes: BTreeMap<String, String>,
}

impl Event {
    /// An event of this node. Containers and images also get the form that old clients read.
    pub fn local(kind: &str, action: &str, actor: Actor, at: Timestamp) -> Self {
        let old = matches!(kind, "container" | "image");
        let (status, id) = if old { (action.to_owned(), actor.id.clone()) } else { Default::default() };
        let from = match (kind, actor.attributes.get("image")) {
            ("container", Some(image)) => image.clone(),
            _ => String::new(),
        };
        Self { status, id, from, ..Self::new(kind, action, actor, at) }.with_scope("local")
    }

    /// An event of the swarm.
    pub fn swarm(kind: &str, action: &str, actor: Actor, at: Timestamp) -> Self {
        Self::new(kind, action, actor, at).with_scope("swarm")
    }

    fn new(kind: &str, action: &str, actor: Actor, at: Timestamp) -> Self {
        Self {
            kind: kind.to_owned(),
            action: action.to_owned(),
            actor,
            time: at.parts().0,
            time_nano: at.nanos(),
            ..Self::default()
        }
    }

    fn with_scope(mut self, scope: &str) -> Self {
        scope.clone_into(&mut self.scope);
        self
    }
}
