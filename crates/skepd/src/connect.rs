//! Containers and their places in the network, together: a place is made before a container starts and goes when
//! it has ended.
//!
//! In: a container's [`Wiring`], kept among its notes since it was made. Out: a started container. Both the tasks
//! of services and the containers of users go through here.

use network::{Network, Sandbox, SandboxSpec};
use runtime::container::description::{Description, HostsLine, NetworkPlace, Resolver, Surroundings};
use runtime::container::{Action, ContainerError, ContainerId, Containers};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

/// How a container shall be connected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Wiring {
    /// Where its network is.
    pub(crate) mode: Mode,
    /// What it wishes of the local network, if that is where it is.
    pub(crate) sandbox: SandboxSpec,
    /// Lines of its hosts file beyond the usual.
    pub(crate) hosts: Vec<HostsLine>,
    /// How it resolves names.
    pub(crate) resolver: Resolver,
}

/// Where a container's network is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Mode {
    /// In a sandbox of its own.
    #[default]
    Sandbox,
    /// On the host.
    Host,
    /// In another container's.
    Container(ContainerId),
}

/// The key of the wiring among a container's notes.
const NOTE: &str = "wiring";

impl Wiring {
    /// Notes the wiring in a description.
    pub(crate) fn note(&self, description: &mut Description) {
        let text = serde_json::to_string(self).expect("a plain struct becomes JSON");
        description.notes.insert(NOTE.to_owned(), text);
    }

    /// The wiring that was noted; the usual one if none was.
    pub(crate) fn of(description: &Description) -> Self {
        description.notes.get(NOTE).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
    }
}

/// Starts containers in their places.
#[derive(Clone, Debug)]
pub(crate) struct Connector {
    containers: Containers,
    network: Network,
}

impl Connector {
    /// A connector of these containers with this network.
    pub(crate) fn new(containers: Containers, network: Network) -> Self {
        Self { containers, network }
    }

    /// Starts a container in its place. If it cannot be started, no place is left.
    pub(crate) async fn start(&self, id: ContainerId) -> Result<Option<Sandbox>, ContainerError> {
        let wiring = Wiring::of(&self.containers.inspect(id)?.description);
        let sandbox = match wiring.mode {
            Mode::Sandbox => Some(self.place(id, wiring.sandbox).await?),
            Mode::Host | Mode::Container(_) => None,
        };
        let place = match (&sandbox, wiring.mode) {
            (Some(sandbox), _) => NetworkPlace::Path(sandbox.netns.clone()),
            (None, Mode::Container(other)) => NetworkPlace::Container(other),
            (None, _) => NetworkPlace::Host,
        };
        let surroundings =
            Surroundings { network: place, hosts: hosts(wiring.hosts, &sandbox), resolver: wiring.resolver };
        let started = self.containers.start(id, Some(surroundings)).await;
        if started.is_err() && sandbox.is_some() {
            self.network.remove(&id.to_string()).await;
        }
        started.map(|()| sandbox)
    }

    /// The place of a container that runs already.
    pub(crate) async fn place_of(&self, id: ContainerId) -> Option<Sandbox> {
        let container = id.to_string();
        self.network.sandboxes().await.into_iter().find(|place| place.container == container)
    }

    /// Follows the containers' ends: each takes its place with it. Ends with the daemon.
    pub(crate) async fn follow(self, stop: CancellationToken) {
        let mut events = self.containers.events();
        self.retain_the_living().await;
        loop {
            let event = tokio::select! {
                () = stop.cancelled() => return,
                event = events.recv() => event,
            };
            match event {
                Ok(event) if matches!(event.action, Action::Die { .. } | Action::Destroy) => {
                    self.network.remove(&event.id.to_string()).await;
                }
                Ok(_) => {}
                // Some ends were missed: look at all instead.
                Err(RecvError::Lagged(_)) => self.retain_the_living().await,
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Ends the places of all containers that do not run.
    async fn retain_the_living(&self) {
        let running = self.containers.list().into_iter().filter(|record| record.running().is_some());
        self.network.retain(running.map(|record| record.id.to_string()).collect()).await;
    }

    async fn place(&self, id: ContainerId, spec: SandboxSpec) -> Result<Sandbox, ContainerError> {
        // A name or port may be on its way out with the container that had it.
        let placed = self.network.sandbox(&id.to_string(), spec).await;
        placed.map_err(|error| ContainerError::Conflict(error.to_string()))
    }
}

/// A container's own name leads to its own address.
fn hosts(mut wished: Vec<HostsLine>, sandbox: &Option<Sandbox>) -> Vec<HostsLine> {
    let Some((sandbox, address)) = sandbox.as_ref().and_then(|sandbox| Some((sandbox, sandbox.address()?)))
    else {
        return wished;
    };
    let hostname = &sandbox.spec.hostname;
    let short = sandbox.container.get(..12).unwrap_or(&sandbox.container);
    let name = if hostname.is_empty() { short } else { hostname };
    wished.push(HostsLine { address: address.to_string(), names: vec![name.to_owned()] });
    wished
}
