//! The two sockets of a sandbox's name server.
//!
//! In: the thread's present network namespace. Out: sockets that stay in it, whoever reads from them.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, setsockopt, socket, sockopt};

use crate::sandbox::Protocol;

/// The two sockets of a sandbox's name server.
pub(crate) struct Sockets {
    pub(crate) udp: UdpSocket,
    pub(crate) tcp: TcpListener,
}

/// Where the sockets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Port {
    /// Where everybody asks.
    Usual,
    /// Anywhere else; packet rules lead there.
    Any,
}

impl Sockets {
    /// Opens them in the thread's present network namespace, whose loopback must be up.
    pub(crate) fn open(port: Port) -> io::Result<Self> {
        let port = if port == Port::Usual { NAMES } else { 0 };
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let address = SockaddrIn::from(SocketAddrV4::new(ADDRESS, port));
        let udp = socket(AddressFamily::Inet, SockType::Datagram, flags, None)?;
        // A name server that a container runs for others may then have the same port on all its addresses.
        setsockopt(&udp, sockopt::ReuseAddr, &true)?;
        bind(udp.as_raw_fd(), &address)?;
        let listener = TcpListener::bind(SocketAddrV4::new(ADDRESS, port))?;
        listener.set_nonblocking(true)?;
        Ok(Self { udp: udp.into(), tcp: listener })
    }

    /// The ports they are on.
    pub(crate) fn ports(&self) -> io::Result<[(Protocol, u16); 2]> {
        Ok([(Protocol::Udp, self.udp.local_addr()?.port()), (Protocol::Tcp, self.tcp.local_addr()?.port())])
    }
}

/// Where containers expect their name server.
pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
const NAMES: u16 = 53;
