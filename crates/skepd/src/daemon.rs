//! The parts of the daemon that its routes talk to.

use std::sync::Arc;

use api::event::{Actor, Event};
use network::Network;
use runtime::container::Containers;
use runtime::image::{Images, Removed, Uses};

use crate::config::Config;
use crate::connect::Connector;
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
    /// Containers and volumes.
    pub(crate) containers: Containers,
    /// Places of containers in the network.
    pub(crate) network: Network,
    /// Starts containers in their places.
    pub(crate) connector: Connector,
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

    /// Which containers use which images.
    pub(crate) fn image_uses(&self) -> Uses {
        Uses::default()
    }

    /// Tells that something happened to an image.
    pub(crate) fn tell_image(&self, action: &str, name: &str, id: &str) {
        let attributes = [("name".to_owned(), name.to_owned())].into();
        let actor = Actor { id: id.to_owned(), attributes };
        self.events.tell(Event::local("image", action, actor, host::clock::now()));
    }

    /// Tells that a name, an image or a layer is gone.
    pub(crate) fn tell_removed(&self, removed: &Removed) {
        match removed {
            Removed::Untagged(name) => self.tell_image("untag", name, name),
            Removed::Deleted(digest) => self.tell_image("delete", &digest.to_string(), &digest.to_string()),
        }
    }
}
