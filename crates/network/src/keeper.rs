//! The one who owns this host's network: a thread that hears commands and performs them, one after the other.
//!
//! In: commands. Out: answers, and a kernel that looks as it should. It makes and ends sandboxes at once; everything they
//! have in common (rules, ports, names) it brings in line after each handful of commands, so that many changes cost one.
//!
//! It is a thread and not a task because what it does is calls into the kernel that block, partly from within other
//! network namespaces, into which a thread of the runtime must never go.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;
use std::ops::ControlFlow;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};

use crate::config::NetworkConfig;
use crate::endpoint::Endpoints;
use crate::failure::{AttachError, Kernel};
use crate::kernel::netlink::{Netlink, Part};
use crate::kernel::news::{self, News};
use crate::kernel::{conntrack, nft, sysctl};
use crate::listing::{self, BridgeFacts, LocalNetwork};
use crate::memory::Memory;
use crate::plan::{Bridge, Now, Operation, Records, Wanted, diff};
use crate::pool::Pool;
use crate::ports::Ports;
use crate::resolver::{Resolver, Sockets};
use crate::sandbox::{HostPort, Interface, Link, Mac, Sandbox, SandboxSpec, Standing};
use crate::uplink;

/// Something to be done.
pub(crate) enum Command {
    /// Make a sandbox, or bring the one that is there in line with the wish.
    Attach(String, Box<SandboxSpec>, Answer<Result<Sandbox, AttachError>>),
    /// Let a service send work to a container, or no more.
    Stand(String, Standing, Answer<()>),
    /// End a sandbox.
    Detach(String, Answer<()>),
    /// End all sandboxes but these.
    Retain(BTreeSet<String>, Answer<()>),
    /// Say which sandboxes there are.
    List(Answer<Vec<Sandbox>>),
    /// Say what users see.
    Networks(Answer<Vec<LocalNetwork>>),
    /// Somebody else changed this host's packet rules.
    LookAgain(Vec<News>),
    /// Do no more.
    End(End),
}

/// How the keeper ends.
pub(crate) enum End {
    /// It leaves everything as it is.
    Stop(Answer<()>),
    /// It leaves nothing behind.
    Wipe(Answer<Result<(), Kernel>>),
}

/// Where an answer goes.
pub(crate) type Answer<T> = oneshot::Sender<T>;

/// The one who owns this host's network.
pub(crate) struct Keeper {
    config: NetworkConfig,
    memory: Memory,
    endpoints: Endpoints,
    netfilter: Netlink,
    bridge: Bridge,
    pool: Pool,
    ports: Ports,
    sandboxes: BTreeMap<String, Sandbox>,
    now: Now,
    /// Something was done since everything was last in line.
    changed: bool,
    resolver: Resolver,
    records: watch::Sender<Arc<Records>>,
    /// Answers that wait until everything is in line.
    waiting: Vec<Waiting>,
}

/// An answer that waits until everything is in line.
enum Waiting {
    /// It is done, as well as it could be.
    Done(Answer<()>),
    /// A container starts when it hears this, so its name must be known by then, and its ports open.
    Attached(Answer<Result<Sandbox, AttachError>>, Result<Box<Sandbox>, AttachError>),
}

/// The parts of the house the keeper talks to.
pub(crate) struct Neighbours {
    pub(crate) resolver: Resolver,
    pub(crate) records: watch::Sender<Arc<Records>>,
}

impl Keeper {
    /// Finds or makes the bridge, and takes over the sandboxes an earlier daemon left.
    pub(crate) fn start(config: NetworkConfig, neighbours: Neighbours) -> Result<Self, Kernel> {
        let memory =
            Memory::open(&config.exec_root).map_err(Kernel::doing("making the network's folders"))?;
        let remembered = memory.all().map_err(Kernel::doing("remembering the sandboxes"))?;
        let bridge = uplink::choose(&config, &remembered)?;
        let endpoints = Endpoints::open(&bridge, config.instance.table())
            .map_err(Kernel::doing("looking at this host's links"))?;
        let Neighbours { resolver, records } = neighbours;
        let mut keeper = Self {
            memory,
            endpoints,
            netfilter: Netlink::open(Part::Netfilter).map_err(Kernel::doing("asking for packet rules"))?,
            pool: Pool::new(bridge.subnet),
            ports: Ports::default(),
            sandboxes: BTreeMap::new(),
            now: Now::default(),
            changed: true,
            resolver,
            records,
            waiting: Vec::new(),
            bridge,
            config,
        };
        keeper.take_over(remembered).map_err(Kernel::doing("taking over the sandboxes"))?;
        keeper.settle()?;
        Ok(keeper)
    }

    /// Somebody who notices what others do to the packet rules.
    pub(crate) fn watch(&self) -> Result<(OwnedFd, u32), Kernel> {
        let doing = || Kernel::doing("watching the packet rules");
        Ok((news::open().map_err(doing())?, self.netfilter.number().map_err(doing())?))
    }

    /// Does as it is told until nobody can tell it anything any more, or it is told to stop.
    pub(crate) fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        while let Some(first) = commands.blocking_recv() {
            let more = (1..HANDFUL).map_while(|_| commands.try_recv().ok());
            let handful: Vec<_> = std::iter::once(first).chain(more).collect();
            let stopped = handful.into_iter().try_for_each(|command| self.handle(command));
            let settled = if self.changed { self.settle() } else { Ok(()) };
            if let Err(error) = &settled {
                tracing::warn!(%error, cause = %error.source, "this host's packet rules are not as they should be");
            }
            for waiting in std::mem::take(&mut self.waiting) {
                self.answer(waiting, &settled);
            }
            if let ControlFlow::Break(end) = stopped {
                return self.end(end);
            }
        }
    }

    fn answer(&mut self, waiting: Waiting, settled: &Result<(), Kernel>) {
        match (waiting, settled) {
            (Waiting::Done(answer), _) => drop(answer.send(()).ok()),
            (Waiting::Attached(answer, Ok(sandbox)), Err(error)) if !sandbox.ports.is_empty() => {
                self.detach(&sandbox.container);
                drop(answer.send(Err(error.again().into())));
            }
            (Waiting::Attached(answer, outcome), _) => drop(answer.send(outcome.map(|sandbox| *sandbox))),
        }
    }

    /// Ends; gives the ports back before anybody hears of it.
    fn end(mut self, end: End) {
        match end {
            End::Stop(answer) => {
                drop(self);
                let _ = answer.send(());
            }
            End::Wipe(answer) => {
                let outcome = self.wipe();
                drop(self);
                drop(answer.send(outcome));
            }
        }
    }

    /// Does one thing. Nobody need be left to hear the answer, so that is no failure.
    fn handle(&mut self, command: Command) -> ControlFlow<End> {
        match command {
            Command::Attach(container, spec, answer) => self.attach(container, *spec, answer),
            Command::Stand(container, standing, answer) => {
                self.stand(&container, standing);
                self.waiting.push(Waiting::Done(answer));
            }
            Command::Detach(container, answer) => {
                self.detach(&container);
                self.waiting.push(Waiting::Done(answer));
            }
            Command::Retain(containers, answer) => {
                self.retain(&containers);
                self.waiting.push(Waiting::Done(answer));
            }
            Command::List(answer) => drop(answer.send(self.sandboxes.values().cloned().collect())),
            Command::Networks(answer) => drop(answer.send(self.networks())),
            Command::LookAgain(news) => self.look_again(&news),
            Command::End(end) => return ControlFlow::Break(end),
        }
        ControlFlow::Continue(())
    }

    /// Rules that are gone are loaded again when everything is brought in line.
    fn look_again(&mut self, news: &[News]) {
        if news.contains(&News::TableGone) {
            tracing::info!("somebody removed the packet rules; they are loaded again");
            self.now.ruleset = None;
            self.changed = true;
        }
        if news.contains(&News::OtherFirewall) {
            uplink::open_forward(&self.bridge);
        }
    }

    fn attach(&mut self, container: String, spec: SandboxSpec, answer: Answer<Result<Sandbox, AttachError>>) {
        let outcome = match self.sandboxes.get(&container).cloned() {
            Some(sandbox) => self.redescribe(sandbox, spec),
            None => self.make(container, spec),
        };
        self.waiting.push(Waiting::Attached(answer, outcome.map(Box::new)));
    }

    /// The wish for a sandbox has changed, in what can change while it lives.
    fn redescribe(&mut self, sandbox: Sandbox, spec: SandboxSpec) -> Result<Sandbox, AttachError> {
        if sandbox.spec == spec {
            return Ok(sandbox);
        }
        if sandbox.spec.ports != spec.ports || sandbox.spec.link != spec.link {
            return Err(AttachError::Fixed(sandbox.container));
        }
        self.keep(Sandbox { spec, ..sandbox })
    }

    fn make(&mut self, container: String, spec: SandboxSpec) -> Result<Sandbox, AttachError> {
        let ports = self.ports.reserve_all(&spec.ports).map_err(|taken| AttachError::Port {
            name: spec.name.clone(),
            endpoint: listing::endpoint_id(&self.network_id(), &container),
            taken,
        })?;
        self.make_with(container.clone(), spec, ports.clone()).inspect_err(|_| {
            self.detach(&container);
            self.ports.release_all(&ports);
        })
    }

    fn make_with(
        &mut self,
        container: String,
        spec: SandboxSpec,
        ports: Vec<HostPort>,
    ) -> Result<Sandbox, AttachError> {
        let address = match spec.link {
            Link::Bridge => Some(self.pool.give().ok_or(AttachError::Full(self.bridge.subnet))?),
            Link::Loopback => None,
        };
        let netns = self.memory.namespace(&container);
        let interface = address.map(|address| self.interface(address));
        let sandbox = Sandbox { container, netns, interface, ports, standing: Standing::Aside, spec };
        let sockets = self.endpoints.attach(&sandbox).inspect_err(|_| {
            address.into_iter().for_each(|address| self.pool.take_back(address));
            self.changed = true;
            self.now.bridge = None; // perhaps somebody removed it; it is made again if so
        });
        let sockets = sockets.map_err(Kernel::doing("making the sandbox"))?;
        self.resolver.open(&sandbox.container, sockets);
        self.keep(sandbox)
    }

    /// Remembers a sandbox as it is now.
    fn keep(&mut self, sandbox: Sandbox) -> Result<Sandbox, AttachError> {
        let kept = self.memory.keep(&sandbox).map_err(Kernel::doing("remembering the sandbox"));
        self.sandboxes.insert(sandbox.container.clone(), sandbox.clone());
        self.changed = true;
        Ok(kept.map(|()| sandbox)?)
    }

    fn stand(&mut self, container: &str, standing: Standing) {
        let Some(sandbox) = self.sandboxes.get_mut(container) else { return };
        if sandbox.standing != standing {
            sandbox.standing = standing;
            self.changed = true;
            if let Err(error) = self.memory.keep(sandbox) {
                tracing::warn!(container, %error, "whether a container serves is not remembered over a restart");
            }
        }
    }

    fn detach(&mut self, container: &str) {
        let Some(sandbox) = self.sandboxes.remove(container) else { return };
        self.changed = true;
        self.resolver.close(container);
        let unpinned = self.endpoints.detach(&sandbox.netns).and_then(|()| self.memory.forget(container));
        if let Err(error) = unpinned {
            tracing::warn!(container, %error, "a sandbox left something behind");
        }
        sandbox.address().into_iter().for_each(|address| self.pool.take_back(address));
    }

    fn retain(&mut self, containers: &BTreeSet<String>) {
        let gone: Vec<_> = self.sandboxes.keys().filter(|id| !containers.contains(*id)).cloned().collect();
        gone.iter().for_each(|container| self.detach(container));
    }

    /// Takes over what an earlier daemon left: sandboxes that are whole live on, the rest is removed.
    ///
    /// What cannot be told apart ends the start: no container may lose its network because of, say, too many open files.
    fn take_over(&mut self, remembered: Vec<Sandbox>) -> io::Result<()> {
        for sandbox in remembered {
            match self.endpoints.revisit(&sandbox)? {
                Some(found) if found.address == sandbox.address() => self.adopt(sandbox, found.sockets),
                _ => self.memory.forget(&sandbox.container)?,
            }
        }
        let known: BTreeSet<_> = self.sandboxes.values().map(|sandbox| sandbox.netns.clone()).collect();
        let pinned = self.memory.namespaces()?;
        pinned.iter().filter(|path| !known.contains(*path)).try_for_each(|path| self.endpoints.detach(path))
    }

    fn adopt(&mut self, sandbox: Sandbox, sockets: io::Result<Sockets>) {
        let container = &sandbox.container;
        match sockets {
            Ok(sockets) => self.resolver.open(container, sockets),
            Err(error) => tracing::warn!(container, %error, "this container has no name server"),
        }
        sandbox.address().into_iter().for_each(|address| self.pool.note(address));
        self.sandboxes.insert(container.clone(), sandbox);
    }

    /// Brings what all sandboxes have in common in line with them.
    fn settle(&mut self) -> Result<(), Kernel> {
        let wanted = Wanted::of(self.config.instance.table(), &self.bridge, self.sandboxes.values());
        self.records.send_if_modified(|records| {
            let changed = **records != wanted.records;
            if changed {
                *records = Arc::new(wanted.records.clone());
            }
            changed
        });
        self.now.doors = self.ports.doors();
        for operation in diff(&self.now, &wanted) {
            self.perform(operation)?;
        }
        self.now.backends = wanted.backends;
        self.changed = false;
        Ok(())
    }

    fn perform(&mut self, operation: Operation) -> Result<(), Kernel> {
        match operation {
            Operation::MakeBridge(bridge) => {
                uplink::make(&bridge)?;
                let joined = self.endpoints.rejoin(self.sandboxes.values());
                joined.map_err(Kernel::doing("putting the containers under the bridge"))?;
                self.now.bridge = Some(bridge);
                Ok(())
            }
            Operation::Set(switch) => {
                sysctl::set(&switch.name, switch.value).map_err(Kernel::doing("setting a kernel's switch"))
            }
            Operation::OpenForward(bridge) => {
                uplink::open_forward(&bridge);
                Ok(())
            }
            Operation::Reserve(door) => {
                if let Err(taken) = self.ports.reserve_if_free(door) {
                    tracing::warn!(%taken, "somebody else on this host listens on a published port");
                }
                Ok(())
            }
            Operation::Load(ruleset) => {
                let loaded = nft::load(&mut self.netfilter, &ruleset);
                loaded.map_err(Kernel::doing("loading the packet rules"))?;
                self.now.ruleset = Some(ruleset);
                Ok(())
            }
            Operation::Release(door) => {
                self.ports.release(door);
                Ok(())
            }
            Operation::Forget(address) => self.forget(address),
        }
    }

    fn forget(&mut self, address: Ipv4Addr) -> Result<(), Kernel> {
        conntrack::forget(&mut self.netfilter, address).map_err(Kernel::doing("forgetting flows"))
    }

    fn networks(&self) -> Vec<LocalNetwork> {
        let facts = BridgeFacts {
            machine: &self.config.machine,
            name: &self.bridge.name,
            subnet: self.bridge.subnet,
        };
        listing::networks(&facts, self.sandboxes.values())
    }

    fn wipe(&mut self) -> Result<(), Kernel> {
        self.retain(&BTreeSet::new());
        self.ports = Ports::default();
        let removed = nft::remove(&mut self.netfilter, self.config.instance.table());
        removed.map_err(Kernel::doing("removing the packet rules"))?;
        uplink::remove(&self.bridge)?;
        self.memory.wipe().map_err(Kernel::doing("removing the network's folders"))
    }

    fn interface(&self, address: Ipv4Addr) -> Interface {
        let subnet = self.bridge.subnet;
        Interface { address, prefix: subnet.prefix(), gateway: subnet.gateway(), mac: Mac::of(address) }
    }

    fn network_id(&self) -> String {
        listing::network_id(&self.config.machine, "bridge")
    }
}

/// So many commands are performed before everything is brought in line, at most: a limit to how long an answer waits.
const HANDFUL: usize = 8;
