//! Links, addresses and routes.
//!
//! In: names and addresses. Out: done, or the kernel's refusal. It knows no containers and chooses nothing.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, BorrowedFd};

use super::message::{Batch, attributes, u32_at};
use super::netlink::{Netlink, Part};
use crate::sandbox::Mac;
use crate::subnet::Subnet;

/// Makes and asks for links, addresses and routes in one network namespace.
pub(crate) struct Links(Netlink);

/// A pair of links: one end here, under a bridge, the other in another namespace.
pub(crate) struct Pair<'a> {
    /// The name of the end that stays here.
    pub(crate) here: &'a str,
    /// The index of the bridge it belongs to.
    pub(crate) bridge: u32,
    /// The name of the end that goes there.
    pub(crate) there: &'a str,
    /// The hardware address of that end.
    pub(crate) mac: Mac,
    /// The namespace it goes to.
    pub(crate) namespace: BorrowedFd<'a>,
}

impl Links {
    /// For the thread's present network namespace.
    pub(crate) fn open() -> io::Result<Self> {
        Netlink::open(Part::Route).map(Self)
    }

    /// The index of a link. None if there is no such link.
    pub(crate) fn index(&mut self, name: &str) -> io::Result<Option<u32>> {
        let mut question = Batch::default();
        question.begin(libc::RTM_GETLINK, ACK).header(&link_header(0, 0)).text(libc::IFLA_IFNAME, name);
        let mut index = None;
        match self.0.ask(question, |_, body| index = index.or(u32_at(body, 4))) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(None),
            other => other.map(|()| index),
        }
    }

    /// Makes a bridge, up.
    pub(crate) fn add_bridge(&mut self, name: &str, mac: Mac) -> io::Result<()> {
        let mut batch = Batch::default();
        batch
            .begin(libc::RTM_NEWLINK, CREATE)
            .header(&link_header(0, libc::IFF_UP as u32))
            .text(libc::IFLA_IFNAME, name)
            .attribute(libc::IFLA_ADDRESS, &mac.0)
            .nest(libc::IFLA_LINKINFO, |info| {
                info.attribute(libc::IFLA_INFO_KIND, b"bridge");
            });
        self.0.perform(batch)
    }

    /// Makes a pair of links. This end is up; the other cannot be before both are there.
    pub(crate) fn add_pair(&mut self, pair: &Pair<'_>) -> io::Result<()> {
        let mut batch = Batch::default();
        batch
            .begin(libc::RTM_NEWLINK, CREATE)
            .header(&link_header(0, libc::IFF_UP as u32))
            .text(libc::IFLA_IFNAME, pair.here)
            .nest(libc::IFLA_LINKINFO, |info| {
                info.attribute(libc::IFLA_INFO_KIND, b"veth").nest(libc::IFLA_INFO_DATA, |data| {
                    data.nest(VETH_INFO_PEER, |peer| {
                        peer.header(&link_header(0, 0))
                            .text(libc::IFLA_IFNAME, pair.there)
                            .attribute(libc::IFLA_ADDRESS, &pair.mac.0)
                            .number(libc::IFLA_NET_NS_FD, pair.namespace.as_raw_fd() as u32);
                    });
                });
            });
        join_messages(&mut batch, pair.here, pair.bridge);
        self.0.perform(batch)
    }

    /// Puts a link under a bridge, where it may be already. The link need not be there.
    pub(crate) fn join(&mut self, name: &str, bridge: u32) -> io::Result<()> {
        let mut batch = Batch::default();
        join_messages(&mut batch, name, bridge);
        match self.0.perform(batch) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
            other => other,
        }
    }

    /// Removes a link, and with it the other end if it is a pair. It need not be there.
    pub(crate) fn remove(&mut self, name: &str) -> io::Result<()> {
        let mut batch = Batch::default();
        batch.begin(libc::RTM_DELLINK, ACK).header(&link_header(0, 0)).text(libc::IFLA_IFNAME, name);
        match self.0.perform(batch) {
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => Ok(()),
            other => other,
        }
    }

    /// Brings a link up.
    pub(crate) fn raise(&mut self, index: u32) -> io::Result<()> {
        let mut batch = Batch::default();
        batch.begin(libc::RTM_NEWLINK, ACK).header(&link_header(index, libc::IFF_UP as u32));
        self.0.perform(batch)
    }

    /// Gives a link an address of a subnet, and no other. It may have it already.
    pub(crate) fn add_address(&mut self, index: u32, address: Ipv4Addr, subnet: Subnet) -> io::Result<()> {
        let mut batch = Batch::default();
        address_message(&mut batch, index, address, subnet);
        match self.0.perform(batch) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            other => other,
        }
    }

    /// Brings a guest's link up with its address, and sends everything else by way of the gateway.
    pub(crate) fn settle(&mut self, index: u32, address: Ipv4Addr, subnet: Subnet) -> io::Result<()> {
        let mut batch = Batch::default();
        batch.begin(libc::RTM_NEWLINK, ACK).header(&link_header(index, libc::IFF_UP as u32));
        address_message(&mut batch, index, address, subnet);
        batch
            .begin(libc::RTM_NEWROUTE, CREATE)
            .header(&route_header())
            .attribute(libc::RTA_GATEWAY, &subnet.gateway().octets())
            .number(libc::RTA_OIF, index);
        self.0.perform(batch)
    }

    /// The addresses of all links here, each with the index of its link.
    pub(crate) fn addresses(&mut self) -> io::Result<Vec<(u32, Ipv4Addr, u8)>> {
        let mut question = Batch::default();
        question.begin(libc::RTM_GETADDR, libc::NLM_F_DUMP as u16).header(&[
            libc::AF_INET as u8,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ]);
        let mut found = Vec::new();
        self.0.ask(question, |_, body| {
            let local = || attributes(body.get(8..)?).find(|(kind, _)| *kind == libc::IFA_LOCAL);
            if let (Some(index), Some(prefix), Some((_, address))) = (u32_at(body, 4), body.get(1), local()) {
                found.extend(ipv4(address).map(|address| (index, address, *prefix)));
            }
        })?;
        Ok(found)
    }

    /// The subnets that are spoken for here: by an address or by a route.
    pub(crate) fn taken(&mut self) -> io::Result<Vec<Subnet>> {
        let addresses = self.addresses()?;
        let mut taken: Vec<_> = addresses
            .into_iter()
            .filter_map(|(_, address, prefix)| Subnet::around(address, prefix))
            .collect();
        let mut question = Batch::default();
        question.begin(libc::RTM_GETROUTE, libc::NLM_F_DUMP as u16).header(&[
            libc::AF_INET as u8,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            0,
        ]);
        self.0.ask(question, |_, body| {
            let target = || attributes(body.get(12..)?).find(|(kind, _)| *kind == libc::RTA_DST);
            if let (Some(prefix), Some((_, address))) = (body.get(1), target()) {
                // A route to one host counts as the small subnet around it; the default route has no target.
                let prefix = (*prefix).clamp(8, 30);
                taken.extend(ipv4(address).and_then(|address| Subnet::around(address, prefix)));
            }
        })?;
        Ok(taken)
    }
}

/// The bridge may send a frame back to where it came from: a container that reaches itself by way of a published port
/// needs it, where the bridge asks the packet rules about its frames (`br_netfilter`).
fn join_messages(batch: &mut Batch, name: &str, bridge: u32) {
    batch
        .begin(libc::RTM_NEWLINK, ACK)
        .header(&link_header(0, 0))
        .text(libc::IFLA_IFNAME, name)
        .number(libc::IFLA_MASTER, bridge);
    batch.begin(libc::RTM_NEWLINK, ACK).header(&link_header(0, 0)).text(libc::IFLA_IFNAME, name).nest(
        libc::IFLA_LINKINFO,
        |info| {
            info.attribute(IFLA_INFO_SLAVE_KIND, b"bridge").nest(IFLA_INFO_SLAVE_DATA, |port| {
                port.attribute(IFLA_BRPORT_MODE, &[HAIRPIN]);
            });
        },
    );
}

fn address_message(batch: &mut Batch, index: u32, address: Ipv4Addr, subnet: Subnet) {
    let [a, b, c, d] = index.to_ne_bytes();
    batch
        .begin(libc::RTM_NEWADDR, CREATE)
        .header(&[libc::AF_INET as u8, subnet.prefix(), 0, libc::RT_SCOPE_UNIVERSE, a, b, c, d])
        .attribute(libc::IFA_LOCAL, &address.octets())
        .attribute(libc::IFA_ADDRESS, &address.octets())
        .attribute(libc::IFA_BROADCAST, &subnet.broadcast().octets());
}

/// The header of messages about links: which one, and the flags it shall have.
fn link_header(index: u32, flags: u32) -> [u8; 16] {
    let mut header = [0; 16];
    header[4..8].copy_from_slice(&index.to_ne_bytes());
    header[8..12].copy_from_slice(&flags.to_ne_bytes());
    header[12..16].copy_from_slice(&flags.to_ne_bytes());
    header
}

/// The header of a default route.
fn route_header() -> [u8; 12] {
    let mut header = [0; 12];
    header[0] = libc::AF_INET as u8;
    header[4] = libc::RT_TABLE_MAIN;
    header[5] = libc::RTPROT_BOOT;
    header[6] = libc::RT_SCOPE_UNIVERSE;
    header[7] = libc::RTN_UNICAST;
    header
}

fn ipv4(bytes: &[u8]) -> Option<Ipv4Addr> {
    <[u8; 4]>::try_from(bytes).ok().map(Ipv4Addr::from)
}

const ACK: u16 = libc::NLM_F_ACK as u16;
const CREATE: u16 = (libc::NLM_F_ACK | libc::NLM_F_CREATE | libc::NLM_F_EXCL) as u16;
const VETH_INFO_PEER: u16 = 1;
const IFLA_INFO_SLAVE_KIND: u16 = 4;
const IFLA_INFO_SLAVE_DATA: u16 = 5;
const IFLA_BRPORT_MODE: u16 = 4;
const HAIRPIN: u8 = 1;
