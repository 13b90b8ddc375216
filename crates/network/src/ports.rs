//! The ports of this host that nobody else shall have while they lead to containers.
//!
//! In: doors. Out: the same, reserved by sockets that are bound and never listen, so that a door without rules refuses.
//! It loads no rules.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddrV4;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, SockaddrIn, bind, setsockopt, socket, sockopt::ReuseAddr,
};

use crate::plan::Door;
use crate::sandbox::{HostPort, Protocol};

/// The reserved doors.
#[derive(Default)]
pub(crate) struct Ports {
    held: BTreeMap<Door, Option<OwnedFd>>,
    /// Those that were given back. A program that is just being started has copies of all that the daemon holds until
    /// it begins, so that their sockets may live on for a moment.
    given_back: BTreeSet<Door>,
    next_ephemeral: u16,
}

/// Somebody else has the port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Bind for {}:{} failed: port is already allocated", .0.host_ip, .0.port)]
pub struct PortTaken(pub Door);

impl Ports {
    /// The doors that are reserved.
    pub(crate) fn doors(&self) -> BTreeSet<Door> {
        self.held.keys().copied().collect()
    }

    /// Reserves a door.
    pub(crate) fn reserve(&mut self, door: Door) -> Result<(), PortTaken> {
        if self.held.keys().any(|other| other.overlaps(&door)) {
            return Err(PortTaken(door));
        }
        let was_ours = || self.given_back.iter().any(|last| last.overlaps(&door));
        let socket = hold(door, Neighbour::Nobody)
            .or_else(|error| if was_ours() { hold(door, Neighbour::OurLast) } else { Err(error) });
        self.held.insert(door, socket.map_err(|_| PortTaken(door))?);
        Ok(())
    }

    /// Reserves a door, or at least notes it if somebody outside has it: rules go before sockets.
    pub(crate) fn reserve_if_free(&mut self, door: Door) -> Result<(), PortTaken> {
        let outcome = self.reserve(door);
        self.held.entry(door).or_default();
        outcome
    }

    /// Reserves a container's ports, all or none, and chooses those that are left to choice.
    pub(crate) fn reserve_all(&mut self, wished: &[HostPort]) -> Result<Vec<HostPort>, PortTaken> {
        let mut got = Vec::with_capacity(wished.len());
        for port in wished {
            match self.reserve_one(*port) {
                Ok(port) => got.push(port),
                Err(taken) => {
                    self.release_all(&got);
                    return Err(taken);
                }
            }
        }
        Ok(got)
    }

    /// Gives a container's ports back.
    pub(crate) fn release_all(&mut self, ports: &[HostPort]) {
        ports.iter().for_each(|port| self.release(door_of(port)));
    }

    /// Gives a door back.
    pub(crate) fn release(&mut self, door: Door) {
        if let Some(Some(socket)) = self.held.remove(&door) {
            // If this cannot be said, the port is free a moment later.
            let _ = setsockopt(&socket, ReuseAddr, &true);
            self.given_back.insert(door);
        }
    }

    fn reserve_one(&mut self, wished: HostPort) -> Result<HostPort, PortTaken> {
        if wished.host_port != 0 {
            return self.reserve(door_of(&wished)).map(|()| wished);
        }
        for _ in EPHEMERAL {
            let port = self.next_ephemeral.max(*EPHEMERAL.start());
            self.next_ephemeral = if port == *EPHEMERAL.end() { *EPHEMERAL.start() } else { port + 1 };
            let chosen = HostPort { host_port: port, ..wished };
            if self.reserve(door_of(&chosen)).is_ok() {
                return Ok(chosen);
            }
        }
        Err(PortTaken(door_of(&wished)))
    }
}

/// The door of a container's port.
pub(crate) fn door_of(port: &HostPort) -> Door {
    let HostPort { protocol, host_ip, host_port, container_port: _ } = *port;
    Door { protocol, host_ip, port: host_port }
}

/// Who may be bound to a port beside us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Neighbour {
    Nobody,
    /// A socket of ours that was given back, and whoever does not mind.
    OurLast,
}

fn hold(door: Door, neighbour: Neighbour) -> io::Result<Option<OwnedFd>> {
    let kind = match door.protocol {
        Protocol::Tcp => SockType::Stream,
        Protocol::Udp => SockType::Datagram,
        // Many kernels have no SCTP of their own and still pass it on, so only our own book is asked.
        Protocol::Sctp => return Ok(None),
    };
    let socket = socket(AddressFamily::Inet, kind, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&socket, ReuseAddr, &(neighbour == Neighbour::OurLast))?;
    bind(socket.as_raw_fd(), &SockaddrIn::from(SocketAddrV4::new(door.host_ip, door.port)))?;
    // From now on nobody else.
    setsockopt(&socket, ReuseAddr, &false)?;
    Ok(Some(socket))
}

/// From where ports are chosen: above the ones that have names.
const EPHEMERAL: std::ops::RangeInclusive<u16> = 32_768..=60_999;

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn tcp(host_ip: Ipv4Addr, host_port: u16) -> HostPort {
        HostPort { protocol: Protocol::Tcp, host_ip, host_port, container_port: 80 }
    }

    #[test]
    fn a_port_is_given_once() {
        let mut ports = Ports::default();
        let chosen = ports.reserve_all(&[tcp(Ipv4Addr::LOCALHOST, 0)]).unwrap();
        assert!(chosen[0].host_port >= 32_768);
        let again = ports.reserve_all(&[tcp(Ipv4Addr::UNSPECIFIED, chosen[0].host_port)]).unwrap_err();
        let text = format!("Bind for 0.0.0.0:{} failed: port is already allocated", chosen[0].host_port);
        assert_eq!(again.to_string(), text);
        ports.release_all(&chosen);
        assert!(ports.doors().is_empty());
    }

    #[test]
    fn a_port_somebody_listens_on_is_refused() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut ports = Ports::default();
        assert!(ports.reserve_all(&[tcp(Ipv4Addr::LOCALHOST, port)]).is_err());
        assert!(ports.doors().is_empty());
    }

    #[test]
    fn nobody_may_listen_on_a_reserved_port() {
        let mut ports = Ports::default();
        let chosen = ports.reserve_all(&[tcp(Ipv4Addr::LOCALHOST, 0)]).unwrap();
        assert!(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, chosen[0].host_port)).is_err());
        let refused = std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, chosen[0].host_port)).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[test]
    fn a_port_that_was_given_back_is_free_at_once() {
        for protocol in [Protocol::Tcp, Protocol::Udp] {
            let mut ports = Ports::default();
            let chosen = ports.reserve_all(&[HostPort { protocol, ..tcp(Ipv4Addr::LOCALHOST, 0) }]).unwrap();
            let held = ports.held[&door_of(&chosen[0])].as_ref().unwrap();
            let copy_of_a_child = held.try_clone().unwrap();
            ports.release_all(&chosen);
            let wider = [HostPort { host_ip: Ipv4Addr::UNSPECIFIED, ..chosen[0] }];
            ports.reserve_all(&wider).unwrap();
            ports.release_all(&wider);
            ports.reserve_all(&chosen).unwrap();
            let address = (Ipv4Addr::LOCALHOST, chosen[0].host_port);
            match protocol {
                Protocol::Tcp => assert!(std::net::TcpListener::bind(address).is_err()),
                _ => assert!(std::net::UdpSocket::bind(address).is_err()),
            }
            drop(copy_of_a_child);
        }
    }

    #[test]
    fn a_port_that_was_given_back_and_taken_is_refused() {
        let mut ports = Ports::default();
        let chosen = ports.reserve_all(&[tcp(Ipv4Addr::LOCALHOST, 0)]).unwrap();
        ports.release_all(&chosen);
        let _listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, chosen[0].host_port)).unwrap();
        assert!(ports.reserve_all(&chosen).is_err());
    }

    #[test]
    fn of_several_ports_all_or_none_are_reserved() {
        let mut ports = Ports::default();
        let chosen = ports.reserve_all(&[tcp(Ipv4Addr::LOCALHOST, 0)]).unwrap();
        let wished = [tcp(Ipv4Addr::LOCALHOST, 0), chosen[0]];
        assert!(ports.reserve_all(&wished).is_err());
        assert_eq!(ports.doors().len(), 1);
    }
}
