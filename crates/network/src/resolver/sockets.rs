//! The two sockets of a sandbox's name server.
//!
//! In: the thread's present network namespace. Out: sockets that stay in it, whoever reads from them.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, UdpSocket};
use std::os::fd::AsRawFd;

use nix::sys::socket::{AddressFamily, SockFlag, SockType, SockaddrIn, bind, setsockopt, socket, sockopt};

/// The two sockets of a sandbox's name server.
pub(crate) struct Sockets {
    pub(crate) udp: UdpSocket,
    pub(crate) tcp: TcpListener,
}

impl Sockets {
    /// Opens them in the thread's present network namespace, whose loopback must be up.
    pub(crate) fn open() -> io::Result<Self> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let address = SockaddrIn::from(SocketAddrV4::new(ADDRESS, PORT));
        let udp = socket(AddressFamily::Inet, SockType::Datagram, flags, None)?;
        // A name server that a container runs for others may then have the same port on all its addresses.
        setsockopt(&udp, sockopt::ReuseAddr, &true)?;
        bind(udp.as_raw_fd(), &address)?;
        let listener = TcpListener::bind(SocketAddrV4::new(ADDRESS, PORT))?;
        listener.set_nonblocking(true)?;
        Ok(Self { udp: udp.into(), tcp: listener })
    }
}

/// Where containers expect their name server.
pub(crate) const ADDRESS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 11);
const PORT: u16 = 53;
