//! The local bridge: which subnet it has, and how it comes and goes.
//!
//! In: the configuration, and what the kernel has. Out: a bridge that is up and lets packets through. It knows no guests.

use std::io;

use crate::config::NetworkConfig;
use crate::failure::Kernel;
use crate::kernel::forward;
use crate::kernel::link::Links;
use crate::plan::Bridge;
use crate::sandbox::{Mac, Sandbox};
use crate::subnet::Subnet;

/// The bridge there is, or else the one to be made: as the containers that are still there know it, as wished, or where
/// there is room.
pub(crate) fn choose(config: &NetworkConfig, remembered: &[Sandbox]) -> Result<Bridge, Kernel> {
    let name = config.instance.bridge();
    let doing = || Kernel::doing("looking for a free subnet");
    let mut links = Links::open().map_err(doing())?;
    if let Some(subnet) = present(&mut links, &name).map_err(doing())? {
        return Ok(Bridge { name, subnet });
    }
    let known = remembered.iter().find_map(|sandbox| sandbox.interface);
    let known = known.and_then(|interface| Subnet::around(interface.address, interface.prefix));
    if let Some(subnet) = known.or(config.subnet) {
        return Ok(Bridge { name, subnet });
    }
    let taken = links.taken().map_err(doing())?;
    let free = candidates().find(|subnet| !taken.iter().any(|other| other.overlaps(*subnet)));
    let exhausted =
        || io::Error::new(io::ErrorKind::AddrInUse, "172.17.0.0/16 to 172.31.0.0/16 are all in use");
    Ok(Bridge { name, subnet: free.ok_or_else(exhausted).map_err(doing())? })
}

/// Lets other firewalls let the bridge's packets pass. Containers of this host reach each other without it, so that it is
/// no reason to have no network at all.
pub(crate) fn open_forward(bridge: &Bridge) {
    if let Err(error) = forward::open(&bridge.name) {
        tracing::warn!(%error, "another firewall may stop the packets of containers");
    }
}

/// Makes the bridge, or completes one that is there.
pub(crate) fn make(bridge: &Bridge) -> Result<(), Kernel> {
    complete(bridge).map_err(Kernel::doing("making the bridge"))
}

/// Removes the bridge, and the rules for it in other firewalls.
pub(crate) fn remove(bridge: &Bridge) -> Result<(), Kernel> {
    if let Err(error) = forward::shut(&bridge.name) {
        tracing::warn!(%error, "rules for a bridge that is gone may be left in another firewall");
    }
    let removed = Links::open().and_then(|mut links| links.remove(&bridge.name));
    removed.map_err(Kernel::doing("removing the bridge"))
}

fn complete(bridge: &Bridge) -> io::Result<()> {
    let mut links = Links::open()?;
    let gateway = bridge.subnet.gateway();
    match links.add_bridge(&bridge.name, Mac::of(gateway)) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let index = links.index(&bridge.name)?.ok_or(io::ErrorKind::NotFound)?;
    links.raise(index)?;
    links.add_address(index, gateway, bridge.subnet)
}

/// The subnet of the bridge, if it is there and has one.
fn present(links: &mut Links, name: &str) -> io::Result<Option<Subnet>> {
    let Some(bridge) = links.index(name)? else { return Ok(None) };
    let addresses = links.addresses()?;
    let own = addresses.into_iter().find(|(index, ..)| *index == bridge);
    Ok(own.and_then(|(_, address, prefix)| Subnet::around(address, prefix)))
}

/// Where users expect local containers.
fn candidates() -> impl Iterator<Item = Subnet> {
    (17..=31).filter_map(|second| Subnet::around([172, second, 0, 0].into(), 16))
}
