//! `skep inspect`: one word for things of any kind.

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::inspecting::Inspecting;
use crate::session::Session;

/// Show everything about things of any kind
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  skep inspect web\n  skep inspect --type volume --format '{{.Mountpoint}}' data"
)]
pub(crate) struct Inspect {
    /// Which, by id or name
    #[arg(required = true, value_name = "NAME|ID")]
    things: Vec<String>,
    #[command(flatten)]
    inspecting: Inspecting,
    /// Show how much containers hold
    #[arg(short, long)]
    size: bool,
    /// Only things of this kind
    #[arg(long, value_name = "KIND")]
    r#type: Option<Kind>,
}

/// The kinds, in the order in which they are looked through.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Container,
    Image,
    Network,
    Volume,
    Service,
    Task,
    Node,
    Secret,
    Config,
}

impl Kind {
    fn path(self, name: &str, size: bool) -> String {
        match self {
            Self::Container => format!("/containers/{name}/json?size={}", u8::from(size)),
            Self::Image => format!("/images/{name}/json"),
            Self::Network => format!("/networks/{name}"),
            Self::Volume => format!("/volumes/{name}"),
            Self::Service => format!("/services/{name}?insertDefaults=true"),
            Self::Task => format!("/tasks/{name}"),
            Self::Node => format!("/nodes/{name}"),
            Self::Secret => format!("/secrets/{name}"),
            Self::Config => format!("/configs/{name}"),
        }
    }

    /// What only a manager of a swarm knows.
    fn is_of_the_swarm(self) -> bool {
        matches!(self, Self::Service | Self::Task | Self::Node | Self::Secret | Self::Config)
    }
}

impl Inspect {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let Self { things, inspecting, size, r#type: kind } = self;
        let ask = async |session: &Session, name: &str| match kind {
            Some(kind) => Ok(session.client.get(&kind.path(name, size)).await?),
            None => any(session, name, size).await,
        };
        inspecting.show(session, &things, ask).await
    }
}

/// The first thing of that name.
async fn any(session: &Session, name: &str, size: bool) -> Result<Value> {
    for kind in Kind::value_variants() {
        match session.client.get::<Value>(&kind.path(name, size)).await {
            Err(error) if error.is_not_found() => {}
            // A daemon that manages no swarm has none of these.
            Err(error) if kind.is_of_the_swarm() && error.is_refusal() => {}
            answer => return Ok(answer?),
        }
    }
    bail!("Error: No such object: {name}")
}
