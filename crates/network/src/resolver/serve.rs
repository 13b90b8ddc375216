//! Reads the questions of all sandboxes and answers them.
//!
//! In: sockets, and the names as they are now. Out: answers. One task waits for all sockets at once, with one buffer; only
//! a question that must be asked elsewhere, or a connection, costs a task of its own for a while.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::ResponseCode;
use host::shutdown::Shutdown;
use model::Chance;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use tokio::io::unix::AsyncFd;
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};
use tokio::time::timeout;

use super::Change;
use super::answer::{Verdict, judge, refuse};
use super::forward::{self, Way};
use super::sockets::Sockets;
use crate::plan::Records;
use crate::readiness::watched;

/// The name server of all sandboxes.
pub(super) struct Server {
    /// All sockets of all sandboxes as one thing to wait for.
    epoll: Epoll,
    ready: AsyncFd<OwnedFd>,
    guests: BTreeMap<u64, Guest>,
    numbers: BTreeMap<String, u64>,
    last_number: u64,
    buffer: Vec<u8>,
    desk: Desk,
}

/// What a question needs to be answered, wherever that happens.
#[derive(Clone)]
struct Desk {
    records: watch::Receiver<Arc<Records>>,
    resolv_conf: Arc<Path>,
    elsewhere: Arc<Semaphore>,
    shutdown: Shutdown,
    chance: Chance,
}

/// One sandbox.
struct Guest {
    container: Arc<str>,
    udp: Arc<UdpSocket>,
    tcp: TcpListener,
    /// So that one container cannot use up what is there for all.
    share: Arc<Semaphore>,
}

/// The right to ask elsewhere or to keep a connection, given back when it is dropped.
struct Permit {
    _of_guest: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Server {
    /// A name server without sandboxes.
    pub(super) fn new(
        shutdown: Shutdown,
        records: watch::Receiver<Arc<Records>>,
        resolv_conf: PathBuf,
    ) -> io::Result<Self> {
        let desk = Desk {
            records,
            resolv_conf: resolv_conf.into(),
            elsewhere: Arc::new(Semaphore::new(ELSEWHERE_MAX)),
            shutdown,
            chance: host::chance::chance()?,
        };
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        Ok(Self {
            ready: watched(epoll.0.try_clone()?)?,
            epoll,
            guests: BTreeMap::new(),
            numbers: BTreeMap::new(),
            last_number: 0,
            buffer: vec![0; QUESTION_MAX],
            desk,
        })
    }

    /// Serves until the way down begins.
    pub(super) async fn run(mut self, mut changes: mpsc::UnboundedReceiver<Change>) {
        let end = self.desk.shutdown.token().clone();
        loop {
            tokio::select! {
                () = end.cancelled() => return,
                change = changes.recv() => match change {
                    Some(change) => self.apply(change),
                    None => return,
                },
                questions = Self::questions(&self.ready, &self.epoll) => self.answer_all(questions),
            }
        }
    }

    fn apply(&mut self, change: Change) {
        match change {
            Change::Open(container, sockets) => {
                self.close(&container);
                if let Err(error) = self.open(&container, sockets) {
                    tracing::warn!(container, %error, "this container has no name server");
                }
            }
            Change::Close(container) => self.close(&container),
        }
    }

    fn open(&mut self, container: &str, sockets: Sockets) -> io::Result<()> {
        let Sockets { udp, tcp } = sockets;
        self.last_number += 1;
        let number = self.last_number;
        self.epoll.add(&udp, EpollEvent::new(EpollFlags::EPOLLIN, token(number, Way::Udp)))?;
        // Told once for each connection: one that cannot be accepted, for want of descriptors, must not wake us for ever.
        let once = EpollFlags::EPOLLIN | EpollFlags::EPOLLET;
        self.epoll.add(&tcp, EpollEvent::new(once, token(number, Way::Tcp)))?;
        let share = Arc::new(Semaphore::new(SHARE_MAX));
        let guest = Guest { container: container.into(), udp: Arc::new(udp), tcp, share };
        self.guests.insert(number, guest);
        self.numbers.insert(container.to_owned(), number);
        Ok(())
    }

    fn close(&mut self, container: &str) {
        let number = self.numbers.remove(container);
        let Some(guest) = number.and_then(|number| self.guests.remove(&number)) else { return };
        for outcome in [self.epoll.delete(&guest.udp), self.epoll.delete(&guest.tcp)] {
            outcome.expect("the sockets of a guest are waited for");
        }
    }

    /// Waits until somebody asks; says who.
    async fn questions(ready: &AsyncFd<OwnedFd>, epoll: &Epoll) -> Vec<u64> {
        let mut events = [EpollEvent::empty(); TURN];
        loop {
            let Ok(mut guard) = ready.readable().await else { return Vec::new() };
            let found = guard.try_io(|_| match epoll.wait(&mut events, EpollTimeout::ZERO) {
                Ok(0) => Err(io::ErrorKind::WouldBlock.into()),
                found => Ok(found.unwrap_or(0)),
            });
            if let Ok(Ok(count)) = found {
                return events[..count].iter().map(EpollEvent::data).collect();
            }
        }
    }

    fn answer_all(&mut self, questions: Vec<u64>) {
        let Self { guests, buffer, desk, .. } = self;
        for token in questions {
            match guests.get(&(token >> 1)) {
                Some(guest) if token & 1 == 0 => desk.read_datagrams(guest, buffer),
                Some(guest) => desk.accept(guest),
                None => {} // closed since
            }
        }
    }
}

impl Desk {
    fn read_datagrams(&mut self, guest: &Guest, buffer: &mut [u8]) {
        // A few in a row, so that one guest who asks without end does not keep the others waiting.
        for _ in 0..TURN {
            let Ok((length, asker)) = guest.udp.recv_from(buffer) else { return };
            let question = &buffer[..length];
            match self.judge(question, &guest.container) {
                Verdict::Answer(answer) => reply(&guest.udp, &answer, asker),
                Verdict::Forward => self.ask_elsewhere(question.to_vec(), guest, asker),
                Verdict::Ignore => {}
            }
        }
    }

    fn judge(&mut self, question: &[u8], container: &str) -> Verdict {
        let records = self.records.borrow().clone();
        judge(question, container, &records, &mut self.chance)
    }

    fn ask_elsewhere(&self, question: Vec<u8>, guest: &Guest, asker: SocketAddr) {
        let Some(permit) = self.permit(guest) else { return };
        let udp = guest.udp.clone();
        let (resolv_conf, end) = (self.resolv_conf.clone(), self.shutdown.token().clone());
        self.shutdown.spawn(async move {
            let _permit = permit;
            let answered = end.run_until_cancelled(forward::ask(&question, Way::Udp, &resolv_conf)).await;
            if let Some(answer) = answered.and_then(|answer| answer.or_else(|| failure(&question))) {
                reply(&udp, &answer, asker);
            }
        });
    }

    fn accept(&self, guest: &Guest) {
        while let Ok((stream, _)) = guest.tcp.accept() {
            // Without a permit the connection closes at once, and the asker tries again.
            if let Some(permit) = self.permit(guest) {
                self.serve(stream, permit, guest.container.clone());
            }
        }
    }

    fn serve(&self, stream: std::net::TcpStream, permit: Permit, container: Arc<str>) {
        let (mut desk, end) = (self.clone(), self.shutdown.token().clone());
        self.shutdown.spawn(async move {
            let _permit = permit;
            // However it ends, the connection is closed; there is nobody to tell.
            let _ = end.run_until_cancelled(desk.converse(stream, &container)).await;
        });
    }

    async fn converse(&mut self, stream: std::net::TcpStream, container: &str) -> io::Result<()> {
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream)?;
        loop {
            let question = timeout(IDLE_MAX, forward::read_framed(&mut stream)).await??;
            let answer = match self.judge(&question, container) {
                Verdict::Answer(answer) => Some(answer),
                Verdict::Forward => {
                    let answer = forward::ask(&question, Way::Tcp, &self.resolv_conf).await;
                    answer.or_else(|| failure(&question))
                }
                Verdict::Ignore => None,
            };
            let Some(answer) = answer else { return Ok(()) };
            timeout(IDLE_MAX, forward::write_framed(&mut stream, &answer)).await??;
        }
    }

    fn permit(&self, guest: &Guest) -> Option<Permit> {
        let of_guest = guest.share.clone().try_acquire_owned().ok()?;
        let of_all = self.elsewhere.clone().try_acquire_owned().ok()?;
        Some(Permit { _of_guest: of_guest, _of_all: of_all })
    }
}

fn failure(question: &[u8]) -> Option<Vec<u8>> {
    match refuse(question, ResponseCode::ServFail) {
        Verdict::Answer(answer) => Some(answer),
        Verdict::Forward | Verdict::Ignore => None,
    }
}

fn reply(udp: &UdpSocket, answer: &[u8], asker: SocketAddr) {
    // A datagram that does not get through is asked for again.
    let _ = udp.send_to(answer, asker);
}

fn token(number: u64, way: Way) -> u64 {
    number << 1 | u64::from(way == Way::Tcp)
}

/// Questions that may be asked elsewhere at the same time, and connections that may be open.
const ELSEWHERE_MAX: usize = 1024;
/// The same for one container.
const SHARE_MAX: usize = 128;
/// How long a connection may be silent.
const IDLE_MAX: Duration = Duration::from_secs(10);
/// Longer questions are none.
const QUESTION_MAX: usize = 4096;
/// How many sockets, and questions of one socket, are served before the others get their turn.
const TURN: usize = 32;
