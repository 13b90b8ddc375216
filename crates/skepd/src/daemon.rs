//! The parts of the daemon that its routes talk to.

use std::sync::Arc;

use runtime::image::Images;

use crate::config::Config;
use crate::events::Events;
use crate::standing::NodeHandle;

/// The parts of the daemon that its routes talk to.
#[derive(Debug)]
pub(crate) struct Daemon {
    /// All settings.
    pub(crate) config: Config,
    /// This machine's id, the same after every start.
    pub(crate) id: String,
    /// Images.
    pub(crate) images: Images,
    /// What this machine is in a swarm.
    pub(crate) node: NodeHandle,
    /// What happens.
    pub(crate) events: Arc<Events>,
}

impl Daemon {
    /// The networks that this node has of its own.
    pub(crate) async fn local_networks(&self) -> Vec<api::network::Network> {
        Vec::new()
    }
}
