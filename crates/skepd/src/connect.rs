//! Containers and their places in the network, together: a place is made before a container starts and goes when
//! it has ended.
//!
//! In: a container's [`Wiring`], kept among its notes since it was made. Out: a started container. Both the tasks
//! of services and the containers of users go through here.

use std::sync::Arc;

use network::{Link, Network, Sandbox, SandboxSpec};
use runtime::container::description::{Description, HostsLine, NetworkPlace, Resolver, Surroundings};
use runtime::container::{Action, ContainerError, ContainerId, Containers, Occasion};
use serde::{Deserialize, Serialize};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Mutex, MutexGuard};
use tokio::task::JoinSet;
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

    /// The network in the words of users.
    pub(crate) fn network_name(&self) -> &'static str {
        match (&self.mode, self.sandbox.link) {
            (Mode::Host, _) => "host",
            (Mode::Container(_), _) => "container",
            (Mode::Sandbox, Link::Loopback) => "none",
            (Mode::Sandbox, Link::Bridge) => "bridge",
        }
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
    /// Whoever makes or ends a container's place waits for its turn, so that the end of its last process does not take the
    /// place of its next. Containers share turns, since these must not grow.
    turns: Arc<[Mutex<()>; TURNS]>,
}

const TURNS: usize = 64;

impl Connector {
    /// A connector of these containers with this network.
    pub(crate) fn new(containers: Containers, network: Network) -> Self {
        Self { containers, network, turns: Arc::new([const { Mutex::const_new(()) }; TURNS]) }
    }

    /// Starts a container in its place, because somebody wishes it.
    pub(crate) async fn start(&self, id: ContainerId) -> Result<Option<Sandbox>, ContainerError> {
        self.start_on(id, Occasion::Wished).await
    }

    /// Starts a container in its place. If it cannot be started, no place is left.
    async fn start_on(&self, id: ContainerId, occasion: Occasion) -> Result<Option<Sandbox>, ContainerError> {
        self.containers.expect_start();
        let _turn = self.turn(id).await;
        let record = self.containers.inspect(id)?;
        if record.running().is_some() {
            return Err(ContainerError::NotModified("container already running".to_owned()));
        }
        if record.starts > 0 {
            // The place of its last process may still be there.
            self.network.remove(&id.to_string()).await;
        }
        let wiring = Wiring::of(&record.description);
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
        let started = self.containers.start_on(id, Some(surroundings), occasion).await;
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

    /// Follows the containers' ends: each takes its place with it, and who is due is started again. Ends with the daemon.
    pub(crate) async fn follow(self, stop: CancellationToken) {
        let mut events = self.containers.events();
        let mut restarts = JoinSet::new();
        self.retain_the_living().await;
        self.start_all_due(&mut restarts);
        loop {
            let event = tokio::select! {
                () = stop.cancelled() => return,
                Some(_) = restarts.join_next() => continue,
                event = events.recv() => event,
            };
            match event {
                Ok(event) if matches!(event.action, Action::Die { .. } | Action::Destroy) => {
                    self.end(event.id).await;
                    self.start_when_due(event.id, &mut restarts);
                }
                Ok(_) => {}
                // Some ends were missed: look at all instead.
                Err(RecvError::Lagged(_)) => {
                    self.retain_the_living().await;
                    self.start_all_due(&mut restarts);
                }
                Err(RecvError::Closed) => return,
            }
        }
    }

    /// Ends the place of a container that does not run.
    async fn end(&self, id: ContainerId) {
        let _turn = self.turn(id).await;
        if self.containers.inspect(id).is_ok_and(|record| record.running().is_some()) {
            return; // it was started again meanwhile, in a new place
        }
        self.network.remove(&id.to_string()).await;
    }

    fn start_all_due(&self, restarts: &mut JoinSet<()>) {
        self.containers.list().iter().for_each(|record| self.start_when_due(record.id, restarts));
    }

    /// Starts a container again when it is due, if it is, and nobody has stopped it meanwhile.
    fn start_when_due(&self, id: ContainerId, restarts: &mut JoinSet<()>) {
        let Ok(record) = self.containers.inspect(id) else { return };
        let Some(due) = record.restarts.due else { return };
        let connector = self.clone();
        restarts.spawn(async move {
            host::pump::sleep_until(Some(due)).await;
            match connector.start_on(id, Occasion::Due).await {
                Ok(_) | Err(ContainerError::NotModified(_) | ContainerError::NotFound(_)) => {}
                Err(error) => {
                    tracing::warn!(container = %id, %error, "a container could not be started again")
                }
            }
        });
    }

    async fn turn(&self, id: ContainerId) -> MutexGuard<'_, ()> {
        let number = id.to_string().bytes().fold(0, |sum: usize, letter| sum + usize::from(letter));
        self.turns[number % TURNS].lock().await
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
