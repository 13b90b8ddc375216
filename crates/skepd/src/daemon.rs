//! The parts of the daemon that its routes talk to.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::event::{Actor, Event};
use api::network::{EndpointResource, Ipam, IpamConfig};
use network::{LocalEndpoint, LocalNetwork, Network};
use runtime::container::Containers;
use runtime::image::{Images, Removed, Use, UseState, Uses};

use crate::config::Config;
use crate::connect::{Connector, Mode, Wiring};
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
        let mut networks: Vec<_> = self.network.networks().await.into_iter().map(local).collect();
        for network in networks.iter_mut().filter(|network| network.name == "host") {
            network.containers = Some(self.on_host(&network.id));
        }
        networks
    }

    /// The containers that are on the host's network, by id.
    fn on_host(&self, network: &str) -> BTreeMap<String, EndpointResource> {
        let mut shown = BTreeMap::new();
        for record in self.containers.list() {
            if record.running().is_some() && Wiring::of(&record.description).mode == Mode::Host {
                let id = record.id.to_string();
                let endpoint_id = network::endpoint_id(network, &id);
                let name = record.name.clone();
                shown.insert(id, EndpointResource { name, endpoint_id, ..EndpointResource::default() });
            }
        }
        shown
    }

    /// Which containers use which images.
    pub(crate) fn image_uses(&self) -> Uses {
        let mut uses = Uses::default();
        for record in self.containers.list() {
            let Ok(image) = self.images.resolve(&record.description.image.id) else { continue };
            let state = if record.running().is_some() { UseState::Running } else { UseState::Stopped };
            uses.0.entry(image).or_default().push(Use { container: record.id.to_string(), state });
        }
        uses
    }

    /// Tells that something happened to an image.
    pub(crate) fn tell_image(&self, action: &str, name: &str, id: &str) {
        let attributes = [("name".to_owned(), name.to_owned())].into();
        let actor = Actor { id: id.to_owned(), attributes };
        self.events.tell(Event::local("image", action, actor, host::clock::now()));
    }

    /// Tells that something happened to a volume.
    pub(crate) fn tell_volume(&self, action: &str, name: &str) {
        let attributes = [("driver".to_owned(), "local".to_owned())].into();
        let actor = Actor { id: name.to_owned(), attributes };
        self.events.tell(Event::local("volume", action, actor, host::clock::now()));
    }

    /// Tells that those of a kind that nobody used were removed, and how many bytes are free again.
    pub(crate) fn tell_pruned(&self, kind: &str, bytes: u64) {
        let attributes = [("reclaimed".to_owned(), bytes.to_string())].into();
        let actor = Actor { id: String::new(), attributes };
        self.events.tell(Event::local(kind, "prune", actor, host::clock::now()));
    }

    /// Tells that a name, an image or a layer is gone.
    pub(crate) fn tell_removed(&self, removed: &Removed) {
        match removed {
            Removed::Untagged(name) => self.tell_image("untag", name, name),
            Removed::Deleted(digest) => self.tell_image("delete", &digest.to_string(), &digest.to_string()),
        }
    }
}

/// One of this node's own networks as users see it.
fn local(network: LocalNetwork) -> api::network::Network {
    let LocalNetwork { id, name, driver, subnet, gateway, options, containers } = network;
    let subnet = subnet.map(|subnet| IpamConfig {
        subnet: subnet.to_string(),
        gateway: gateway.map(|gateway| gateway.to_string()).unwrap_or_default(),
        ..IpamConfig::default()
    });
    let place = |(container, endpoint)| {
        let LocalEndpoint { id, name, mac, address } = endpoint;
        let resource = EndpointResource {
            name,
            endpoint_id: id,
            mac_address: mac.map(|mac| mac.to_string()).unwrap_or_default(),
            ipv4_address: address.map(|(address, bits)| format!("{address}/{bits}")).unwrap_or_default(),
            ipv6_address: String::new(),
        };
        (container, resource)
    };
    api::network::Network {
        name: name.to_owned(),
        id,
        scope: "local".to_owned(),
        driver: driver.to_owned(),
        enable_ipv4: true,
        ipam: Ipam { driver: "default".to_owned(), config: subnet.into_iter().collect(), ..Ipam::default() },
        containers: Some(containers.into_iter().map(place).collect()),
        options,
        ..api::network::Network::default()
    }
}
