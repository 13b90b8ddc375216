//! Attaches containers to the bridge and detaches them.
//!
//! In: a sandbox, as it shall be. Out: a namespace with a loopback, an `eth0` if wished, and the two sockets of
//! its name server, all made in one visit. It chooses no address and remembers nothing.

use std::fs::File;
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsFd;
use std::path::Path;

use crate::kernel::link::{Links, Pair};
use crate::kernel::netlink::{Netlink, Part};
use crate::kernel::{netns, nft, sysctl};
use crate::plan::{Bridge, doorway};
use crate::resolver::{self, Port, Sockets};
use crate::sandbox::{Mac, Sandbox, SandboxSpec};

/// Makes and ends the places of containers. It belongs to one thread, whose home is the host's network.
pub(crate) struct Endpoints {
    home: netns::Home,
    links: Links,
    bridge: Bridge,
    table: String,
}

/// What is found in a namespace that an earlier daemon left.
pub(crate) struct Found {
    /// The address of its `eth0`.
    pub(crate) address: Option<Ipv4Addr>,
    /// New sockets for its name server. A container may have taken the port meanwhile.
    pub(crate) sockets: io::Result<Sockets>,
}

impl Endpoints {
    /// For the thread's present network namespace. The bridge need not be there yet.
    pub(crate) fn open(bridge: &Bridge, table: &str) -> io::Result<Self> {
        let links = Links::open()?;
        Ok(Self { home: netns::Home::here()?, links, bridge: bridge.clone(), table: table.to_owned() })
    }

    /// Makes a namespace at the sandbox's path and connects it, if it has an interface.
    pub(crate) fn attach(&mut self, sandbox: &Sandbox) -> io::Result<Sockets> {
        let Self { home, links, bridge, table } = self;
        home.make(&sandbox.netns, |namespace| {
            let mut inside = Links::open()?;
            inside.raise(LOOPBACK)?;
            switches()?;
            if let Some(address) = sandbox.address() {
                let here = host_end(&sandbox.container);
                let index = links.index(&bridge.name)?.ok_or(io::ErrorKind::NotFound)?;
                connect(links, &pair(&here, index, address, namespace))?;
                let eth0 = inside.index(GUEST_END)?.ok_or(io::ErrorKind::NotFound)?;
                inside.settle(eth0, address, bridge.subnet)?;
            }
            name_server(table, &sandbox.spec)
        })
    }

    /// Puts the links of these sandboxes under the bridge, which may be a new one.
    pub(crate) fn rejoin<'a>(&mut self, sandboxes: impl Iterator<Item = &'a Sandbox>) -> io::Result<()> {
        let index = self.links.index(&self.bridge.name)?.ok_or(io::ErrorKind::NotFound)?;
        let mut connected = sandboxes.filter(|sandbox| sandbox.interface.is_some());
        connected.try_for_each(|sandbox| self.links.join(&host_end(&sandbox.container), index))
    }

    /// Looks into a namespace that an earlier daemon left. None if it is there no more.
    pub(crate) fn revisit(&self, sandbox: &Sandbox) -> io::Result<Option<Found>> {
        let look = || {
            let mut inside = Links::open()?;
            let eth0 = inside.index(GUEST_END)?;
            let addresses = inside.addresses()?;
            let address = addresses.into_iter().find(|(index, ..)| Some(*index) == eth0);
            Ok(Found {
                address: address.map(|(_, address, _)| address),
                sockets: name_server(&self.table, &sandbox.spec),
            })
        };
        match self.home.visit(&sandbox.netns, look) {
            // After a reboot there is no file, or one that nothing is pinned to.
            Err(error) if matches!(error.raw_os_error(), Some(libc::ENOENT | libc::EINVAL)) => Ok(None),
            found => found.map(Some),
        }
    }

    /// Unpins a namespace. Its links go with it, as soon as nobody is in it any more.
    pub(crate) fn detach(&self, path: &Path) -> io::Result<()> {
        netns::remove(path)
    }
}

/// The name of the end of a container's link that stays on the host.
fn host_end(container: &str) -> String {
    let id = container.get(..10).unwrap_or(container);
    format!("veth{id}")
}

fn pair<'a>(here: &'a str, bridge: u32, address: Ipv4Addr, namespace: &'a File) -> Pair<'a> {
    Pair { here, bridge, there: GUEST_END, mac: Mac::of(address), namespace: namespace.as_fd() }
}

/// A link of this name may be left of an attempt that broke off; nobody else has a container of this id.
fn connect(links: &mut Links, pair: &Pair<'_>) -> io::Result<()> {
    match links.add_pair(pair) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            links.remove(pair.here)?;
            links.add_pair(pair)
        }
        other => other,
    }
}

/// The sockets of the name server of the namespace the thread is in, and the rules that lead to them if some are needed.
fn name_server(table: &str, spec: &SandboxSpec) -> io::Result<Sockets> {
    if !doorway::is_needed(spec) {
        return Sockets::open(Port::Usual);
    }
    let sockets = Sockets::open(Port::Any)?;
    let ruleset = doorway::ruleset(table, resolver::ADDRESS, sockets.ports()?);
    nft::load(&mut Netlink::open(Part::Netfilter)?, &ruleset)?;
    Ok(sockets)
}

/// No second protocol. What a container's processes may do in here is its description's to say.
fn switches() -> io::Result<()> {
    sysctl::set_if_known("ipv6/conf/default/disable_ipv6", "1")
}

/// The first link of every namespace.
const LOOPBACK: u32 = 1;
/// What a container calls its link.
const GUEST_END: &str = "eth0";
