//! How to read what is true now, without writing.
//!
//! The leader notes how far it had committed when asked, at least up to where its reign begins, and answers once a
//! majority has confirmed that it still leads, by the answer to a heartbeat, unless a majority has promised beforehand
//! that nobody else does (`lease`); another replica hears only of what is committed by then. A follower to which nothing
//! is lent passes the question on, with a mark of its present life, so that no late answer is
//! taken for one to a question it asked after a restart; and with its reign, by which it confirms the leader itself: in
//! a group of three nobody else need be asked.

use std::collections::{BTreeSet, VecDeque};
use std::ops::Range;

use crate::election::Role;
use crate::entry::{Index, ReplicaId};
use crate::message::{Body, Message};
use crate::output::{Output, Refused, Ticket};
use crate::quorum;
use crate::replica::Replica;

/// Readers who wait for a majority, the oldest first.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    waiting: VecDeque<Read>,
    marked: u64,
    /// Other replicas who are answered as soon as something of this reign is committed: some implementations take
    /// what they are answered for committed.
    early: Vec<(ReplicaId, Vec<u8>)>,
}

#[derive(Debug)]
struct Read {
    mark: u64,
    reader: Reader,
    index: Index,
    heard: BTreeSet<ReplicaId>,
}

/// Who asked.
#[derive(Clone, Debug)]
enum Reader {
    /// Someone on this machine.
    Here(Ticket),
    /// Someone behind another replica.
    There { id: ReplicaId, context: Vec<u8> },
}

impl Reads {
    /// The mark for heartbeats: that of the youngest reader, who may be answered already.
    pub(crate) fn youngest_mark(&self) -> u64 {
        self.marked
    }

    /// The tickets of those who asked here.
    pub(crate) fn tickets(&self) -> impl Iterator<Item = Ticket> + '_ {
        self.waiting.iter().filter_map(|read| match read.reader {
            Reader::Here(ticket) => Some(ticket),
            Reader::There { .. } => None,
        })
    }
}

impl Replica {
    pub(crate) fn read(&mut self, ticket: Ticket) {
        if let Some(index) = self.read_by_lease() {
            self.out.wish(Output::Readable { ticket, index });
            return;
        }
        match (&self.role, self.leader) {
            (Role::Leader(_), _) => self.read_as_leader(Reader::Here(ticket), None),
            (_, Some(leader)) => {
                let context = [self.life, ticket, self.term].map(u64::to_be_bytes).concat();
                self.out.send(Message {
                    from: self.config.id,
                    to: leader,
                    term: 0,
                    body: Body::ReadIndex { context },
                });
            }
            (_, None) => self.refuse(ticket, Refused::NotLeader),
        }
    }

    pub(crate) fn on_read_index(&mut self, id: ReplicaId, context: Vec<u8>) {
        let reign = context.get(REIGN).and_then(|term| term.try_into().ok()).map(u64::from_be_bytes);
        let follower = (reign == Some(self.term)).then_some(id);
        self.read_as_leader(Reader::There { id, context }, follower);
    }

    pub(crate) fn on_read_index_known(&mut self, index: Index, context: &[u8]) {
        let Some((life, rest)) = context.split_first_chunk() else { return };
        let Some(ticket) = rest.first_chunk().copied().map(u64::from_be_bytes) else { return };
        if u64::from_be_bytes(*life) == self.life {
            self.out.wish(Output::Readable { ticket, index });
        }
    }

    /// Takes in that a follower answered a marked heartbeat.
    pub(crate) fn reader_confirmed(&mut self, from: ReplicaId, mark: u64) {
        let Role::Leader(reign) = &mut self.role else { return };
        let Some(place) = reign.reads.waiting.iter().position(|read| read.mark == mark) else { return };
        let read = &mut reign.reads.waiting[place];
        read.heard.insert(from);
        if is_majority(&self.members.voters, &read.heard) {
            let done: Vec<Read> = reign.reads.waiting.drain(..=place).collect();
            done.into_iter().for_each(|read| self.answer(read.reader, read.index));
        }
    }

    /// Takes in a question, which a follower in this reign may have asked.
    fn read_as_leader(&mut self, reader: Reader, follower: Option<ReplicaId>) {
        let is_trusted = self.is_trusted();
        let Role::Leader(reign) = &mut self.role else { return };
        // What earlier reigns have committed ends before this one's first entry, though it may not be known here how far.
        let index = self.log.committed().max(reign.begins);
        let heard = follower.into_iter().chain([self.config.id]).collect();
        if is_trusted || is_majority(&self.members.voters, &heard) {
            self.answer(reader, index);
            return;
        }
        reign.reads.marked += 1;
        reign.reads.waiting.push_back(Read { mark: reign.reads.marked, reader, index, heard });
        self.broadcast_heartbeat();
    }

    /// Answers other replicas who asked before anything of this reign was committed.
    pub(crate) fn answer_early(&mut self) {
        let Role::Leader(reign) = &mut self.role else { return };
        let index = self.log.committed();
        for (id, context) in std::mem::take(&mut reign.reads.early) {
            self.say(id, Body::ReadIndexKnown { index, context });
        }
    }

    fn answer(&mut self, reader: Reader, index: Index) {
        match (reader, &mut self.role) {
            (Reader::Here(ticket), _) => self.out.wish(Output::Readable { ticket, index }),
            (Reader::There { id, context }, Role::Leader(reign)) if index > self.log.committed() => {
                reign.reads.early.push((id, context));
            }
            (Reader::There { id, context }, _) => self.say(id, Body::ReadIndexKnown { index, context }),
        }
    }
}

/// Whether these are more than half of the voters.
fn is_majority(voters: &[ReplicaId], heard: &BTreeSet<ReplicaId>) -> bool {
    voters.iter().filter(|id| heard.contains(id)).count() >= quorum::majority(voters.len())
}

/// Where a question says in which reign it was asked.
const REIGN: Range<usize> = 16..24;
