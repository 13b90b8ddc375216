//! The door to this host's network.
//!
//! In: what containers wish. Out: sandboxes. Everything is handed to the keeper, who owns the network; a handle is cheap
//! to clone.

use std::collections::BTreeSet;
use std::sync::Arc;

use host::shutdown::Shutdown;
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::config::NetworkConfig;
use crate::failure::{AttachError, Kernel};
use crate::keeper::{Answer, Command, End, Keeper, Neighbours};
use crate::listing::LocalNetwork;
use crate::plan::Records;
use crate::resolver::Resolver;
use crate::sandbox::{Sandbox, SandboxSpec, Standing};
use crate::watch::Watch;

/// This host's network.
///
/// Sandboxes, rules and names stay when the last handle is dropped, so that containers live on without a daemon; only
/// [`Network::wipe`] removes them.
#[derive(Clone, Debug)]
pub struct Network {
    commands: mpsc::Sender<Command>,
}

impl Network {
    /// Finds or makes the bridge and takes over the sandboxes an earlier daemon left, without disturbing them.
    ///
    /// The name server and whoever watches the packet rules end with `shutdown`; the rest when the last handle is dropped.
    ///
    /// # Errors
    /// If the kernel refuses, as it does without the right to administer networks.
    pub async fn start(config: NetworkConfig, shutdown: &Shutdown) -> Result<Self, Kernel> {
        let (records, current) = watch::channel(Arc::new(Records::default()));
        let resolver = Resolver::start(shutdown, current, config.resolv_conf.clone())
            .map_err(Kernel::doing("starting the name server"))?;
        let (commands, heard) = mpsc::channel(WAITING_MAX);
        let (started, outcome) = oneshot::channel();
        let (ended, end) = oneshot::channel();
        let table = config.instance.table().to_owned();
        let work = move || match Keeper::start(config, Neighbours { resolver, records }) {
            Ok(keeper) => {
                drop(started.send(keeper.watch()));
                keeper.run(heard);
                let _ = ended.send(()); // nobody listens on the way down
            }
            Err(error) => drop(started.send(Err(error))),
        };
        let thread = std::thread::Builder::new().name("network".to_owned()).stack_size(STACK);
        thread.spawn(work).map_err(Kernel::doing("starting the network's thread"))?;
        let (socket, own) = outcome.await.expect("the thread says how it began")?;
        let watch = Watch::new(socket, table, own).map_err(Kernel::doing("watching the packet rules"))?;
        shutdown.spawn(watch.run(shutdown.token().clone(), commands.downgrade()));
        shutdown.spawn(stop_if_it_breaks(shutdown.token().clone(), end));
        Ok(Self { commands })
    }

    /// The network of a host that has none any more: every sandbox is refused. For daemons that shall not touch the
    /// kernel, such as those of tests.
    pub fn ended() -> Self {
        Self { commands: mpsc::channel(1).0 }
    }

    /// Makes a container's sandbox: its namespace, its address, its ports. If it has one, names and service are brought
    /// in line with the wish.
    ///
    /// # Errors
    /// If a port or all addresses are taken, or the kernel refuses; nothing is left behind then.
    pub async fn sandbox(&self, container: &str, spec: SandboxSpec) -> Result<Sandbox, AttachError> {
        let container = container.to_owned();
        let made = self.ask(|answer| Command::Attach(container, Box::new(spec), answer)).await;
        made.unwrap_or(Err(AttachError::Stopped))
    }

    /// Lets the container's service send work to it: its name leads there, and its published ports.
    pub async fn serve(&self, container: &str) {
        self.stand(container, Standing::Serving).await;
    }

    /// Sends no new work to the container any more. Open connections stay.
    pub async fn drain(&self, container: &str) {
        self.stand(container, Standing::Aside).await;
    }

    /// Ends a container's sandbox. There need be none.
    pub async fn remove(&self, container: &str) {
        let container = container.to_owned();
        self.tell(|answer| Command::Detach(container, answer)).await;
    }

    /// Ends all sandboxes but those of these containers: what a daemon does that has come back and found some gone.
    pub async fn retain(&self, containers: BTreeSet<String>) {
        self.tell(|answer| Command::Retain(containers, answer)).await;
    }

    /// All sandboxes, by container.
    pub async fn sandboxes(&self) -> Vec<Sandbox> {
        self.ask(Command::List).await.unwrap_or_default()
    }

    /// The networks that every host has of its own, as users list them.
    pub async fn networks(&self) -> Vec<LocalNetwork> {
        self.ask(Command::Networks).await.unwrap_or_default()
    }

    /// Ends the keeper and leaves everything in the kernel as it is. A new start in this process waits for this.
    pub async fn stop(&self) {
        self.tell(|answer| Command::End(End::Stop(answer))).await;
    }

    /// Removes every trace from this host: sandboxes, bridge, rules, files; then ends. No container must be in a sandbox
    /// any more.
    ///
    /// # Errors
    /// If the kernel refuses; what is left is found again by the next start.
    pub async fn wipe(&self) -> Result<(), Kernel> {
        self.ask(|answer| Command::End(End::Wipe(answer))).await.unwrap_or(Ok(()))
    }

    async fn stand(&self, container: &str, standing: Standing) {
        let container = container.to_owned();
        self.tell(|answer| Command::Stand(container, standing, answer)).await;
    }

    async fn tell(&self, command: impl FnOnce(Answer<()>) -> Command) {
        // A keeper that has ended has nothing to change any more.
        self.ask(command).await.unwrap_or_default();
    }

    /// Hands a command over and waits for the answer. None if the keeper has ended.
    async fn ask<T>(&self, command: impl FnOnce(Answer<T>) -> Command) -> Option<T> {
        let (answer, heard) = oneshot::channel();
        self.commands.send(command(answer)).await.ok()?;
        heard.await.ok()
    }
}

/// A keeper that panicked leaves a daemon that can run nothing; better that it ends, and is started again.
async fn stop_if_it_breaks(shutdown: CancellationToken, end: oneshot::Receiver<()>) {
    if let Some(Err(_)) = shutdown.run_until_cancelled(end).await {
        tracing::error!("the thread that owns the network has broken down");
        shutdown.cancel();
    }
}

/// So many commands may wait for the keeper; whoever brings one more waits too.
const WAITING_MAX: usize = 256;
/// The keeper's calls are shallow.
const STACK: usize = 512 * 1024;
