//! A conversation with the kernel: sends a batch of messages, waits for its answers.
//!
//! In: batches. Out: the bodies of the answers, or the first refusal. The socket stays in the network namespace in which
//! it was opened, wherever the thread goes later.
//!
//! It blocks, and is meant to: the kernel answers within the call, and a thread that owns the network has nothing else
//! to do meanwhile. No task, no buffer and no connection is kept per namespace.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::errno::Errno;
use nix::sys::socket::{
    AddressFamily, MsgFlags, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, getsockname, recv, send,
    setsockopt, socket, sockopt,
};

use super::message::{Batch, Reply, replies, u32_at};

/// A conversation with one part of the kernel, in one network namespace.
pub(crate) struct Netlink {
    socket: OwnedFd,
    buffer: Vec<u8>,
}

/// Which part of the kernel to talk to.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    /// Links, addresses, routes.
    Route,
    /// Rules and flows.
    Netfilter,
}

impl Netlink {
    /// Opens a conversation in the thread's present network namespace.
    pub(crate) fn open(part: Part) -> io::Result<Self> {
        let protocol = match part {
            Part::Route => SockProtocol::NetlinkRoute,
            Part::Netfilter => SockProtocol::NetlinkNetFilter,
        };
        let socket = socket(AddressFamily::Netlink, SockType::Raw, SockFlag::SOCK_CLOEXEC, protocol)?;
        bind(socket.as_raw_fd(), &NetlinkAddr::new(0, 0))?;
        Ok(Self { socket, buffer: vec![0; BUFFER] })
    }

    /// The kernel's number of this conversation, by which it tells others who changed something.
    pub(crate) fn number(&self) -> io::Result<u32> {
        Ok(getsockname::<NetlinkAddr>(self.socket.as_raw_fd())?.pid())
    }

    /// Sends a batch in which every message asks for an acknowledgement, and waits for all of them.
    pub(crate) fn perform(&mut self, batch: Batch) -> io::Result<()> {
        let mut open = batch.count();
        self.send(batch)?;
        let mut refusal = None;
        while open > 0 {
            for reply in self.receive()? {
                if let Some(outcome) = outcome(&reply) {
                    open = open.saturating_sub(1);
                    refusal = refusal.or(outcome.err());
                }
            }
        }
        refusal.map_or(Ok(()), Err)
    }

    /// Sends a batch that is done as a whole or not at all, and waits for the answer to its message number `last`.
    pub(crate) fn commit(&mut self, batch: Batch, last: u32) -> io::Result<()> {
        self.send(batch)?;
        let mut refusal = None;
        loop {
            for reply in self.receive()? {
                let Some(outcome) = outcome(&reply) else { continue };
                let refused = outcome.is_err();
                refusal = refusal.or(outcome.err());
                // The first message stands for the whole batch: if it is refused, the others are not even read.
                if reply.sequence == last || (reply.sequence == 0 && refused) {
                    return refusal.map_or(Ok(()), Err);
                }
            }
        }
    }

    /// Sends one question and hands every answer's kind and body to `hear`.
    pub(crate) fn ask(&mut self, question: Batch, mut hear: impl FnMut(u16, &[u8])) -> io::Result<()> {
        self.send(question)?;
        loop {
            for reply in self.receive()? {
                match outcome(&reply) {
                    Some(outcome) => return outcome,
                    None if reply.kind == libc::NLMSG_DONE as u16 => return Ok(()),
                    None => hear(reply.kind, reply.body),
                }
            }
        }
    }

    fn send(&mut self, batch: Batch) -> io::Result<()> {
        let bytes = batch.finish();
        if bytes.len() > SEND_DEFAULT {
            setsockopt(&self.socket, sockopt::SndBufForce, &(bytes.len() * 2))?;
        }
        send(self.socket.as_raw_fd(), &bytes, MsgFlags::empty())?;
        Ok(())
    }

    fn receive(&mut self) -> io::Result<impl Iterator<Item = Reply<'_>>> {
        let length = loop {
            match recv(self.socket.as_raw_fd(), &mut self.buffer, MsgFlags::empty()) {
                Err(Errno::EINTR) => {}
                received => break received?,
            }
        };
        Ok(replies(&self.buffer[..length]))
    }
}

/// What an answer says about the message it answers; None if it is not about success or failure.
fn outcome(reply: &Reply<'_>) -> Option<io::Result<()>> {
    if reply.kind != libc::NLMSG_ERROR as u16 {
        return None;
    }
    Some(match u32_at(reply.body, 0) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error((code as i32).wrapping_neg())),
        None => Err(io::ErrorKind::InvalidData.into()),
    })
}

/// The kernel fills at most this much in one go.
const BUFFER: usize = 32 * 1024;
/// A socket takes this much without being asked to make room.
const SEND_DEFAULT: usize = 100 * 1024;
