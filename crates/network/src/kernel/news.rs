//! What others do to the packet rules of this host.
//!
//! In: a socket that the kernel tells of every change. Out: the changes that concern us. It repairs nothing.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, recv, socket,
};

use super::message::{Reply, attributes, replies};

/// A change of the packet rules that concerns us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// Another firewall has a new chain, or a chain has another policy.
    OtherFirewall,
    /// Somebody removed our table.
    TableGone,
}

/// Opens a socket that hears of every change of packet rules in the thread's present network namespace.
pub(crate) fn open() -> io::Result<OwnedFd> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let socket = socket(AddressFamily::Netlink, SockType::Raw, flags, SockProtocol::NetlinkNetFilter)?;
    bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 1 << (libc::NFNLGRP_NFTABLES - 1)))?;
    Ok(socket)
}

/// Reads what there is. `own` is the socket by which we change the table ourselves.
pub(crate) fn read(socket: &OwnedFd, table: &str, own: u32) -> io::Result<Vec<News>> {
    let mut buffer = vec![0; BUFFER];
    match recv(socket.as_raw_fd(), &mut buffer, MsgFlags::empty()) {
        Ok(length) => Ok(replies(&buffer[..length]).filter_map(|reply| judge(&reply, table, own)).collect()),
        // So much happened that some of it was not told: anything may have changed.
        Err(Errno::ENOBUFS) => Ok(vec![News::OtherFirewall, News::TableGone]),
        Err(error) => Err(error.into()),
    }
}

fn judge(reply: &Reply<'_>, table: &str, own: u32) -> Option<News> {
    let name = attributes(reply.body.get(4..)?).find(|(kind, _)| *kind == TABLE)?.1;
    let name = name.strip_suffix(&[0]).unwrap_or(name);
    match reply.kind {
        NEW_CHAIN if name == FILTER => Some(News::OtherFirewall),
        DELETE_TABLE if name == table.as_bytes() && reply.socket != own => Some(News::TableGone),
        _ => None,
    }
}

const BUFFER: usize = 32 * 1024;
const SUBSYSTEM: u16 = libc::NFNL_SUBSYS_NFTABLES as u16;
const DELETE_TABLE: u16 = SUBSYSTEM << 8 | 2;
const NEW_CHAIN: u16 = SUBSYSTEM << 8 | 3;
/// Tables and chains have the name of the table as their first attribute.
const TABLE: u16 = 1;
/// The table `iptables` keeps its verdicts in.
const FILTER: &[u8] = b"filter";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn reply(kind: u16, socket: u32, body: &[u8]) -> Reply<'_> {
        Reply { kind, sequence: 0, socket, body }
    }

    #[test]
    fn only_what_concerns_us_is_news() {
        let ours = [2, 0, 0, 0, 9, 0, 1, 0, b's', b'k', b'e', b'p', 0, 0, 0, 0];
        assert_eq!(judge(&reply(DELETE_TABLE, 7, &ours), "skep", 9), Some(News::TableGone));
        assert_eq!(judge(&reply(DELETE_TABLE, 9, &ours), "skep", 9), None, "our own doing");
        assert_eq!(judge(&reply(DELETE_TABLE, 7, &ours), "demo", 9), None, "another daemon's table");
        assert_eq!(judge(&reply(NEW_CHAIN, 7, &ours), "skep", 9), None);
        let theirs = [2, 0, 0, 0, 11, 0, 1, 0, b'f', b'i', b'l', b't', b'e', b'r', 0];
        assert_eq!(judge(&reply(NEW_CHAIN, 7, &theirs), "skep", 9), Some(News::OtherFirewall));
    }

    proptest! {
        #[test]
        fn garbage_is_no_news(kind: u16, body: Vec<u8>) {
            judge(&reply(kind, 0, &body), "skep", 9);
        }
    }
}
