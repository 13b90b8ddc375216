//! Messages, entries and promises of Raft become raftpb's, and back.
//!
//! In: what was decoded, or what a replica wishes to say or store. Out: the other. What this house never says
//! (proposals between managers, joint configurations) is [`Malformed`] when it is heard.

use prost::Message as _;
use raft::{
    Ballot, Body, ConfChange, ConfChangeKind, ConfState, Entry, HardState, Message, Payload, Position,
    Snapshot,
};

use crate::convert::{Malformed, OnWire, field};
use crate::raftpb::{self, ConfChangeType, EntryType, MessageType};

/// What a leader writes who hands over on purpose.
const BY_TRANSFER: &[u8] = b"CampaignTransfer";

impl OnWire<raftpb::Message> for Message {
    fn to_wire(&self) -> raftpb::Message {
        let Self { from, to, term, body } = self;
        let bare = raftpb::Message { from: *from, to: *to, term: *term, ..raftpb::Message::default() };
        spoken(bare, body)
    }

    fn from_wire(wire: raftpb::Message) -> Result<Self, Malformed> {
        let (from, to, term) = (wire.from, wire.to, wire.term);
        Ok(Self { from, to, term, body: heard(wire)? })
    }
}

/// Fills in what the body says.
fn spoken(bare: raftpb::Message, body: &Body) -> raftpb::Message {
    let of = |kind: MessageType| raftpb::Message { r#type: kind.into(), ..bare.clone() };
    match body {
        Body::Append { previous, entries, commit } => raftpb::Message {
            entries: entries.to_wire(),
            commit: *commit,
            ..at(of(MessageType::MsgApp), *previous)
        },
        Body::Appended { index } => raftpb::Message { index: *index, ..of(MessageType::MsgAppResp) },
        Body::AppendRejected { index, hint } => raftpb::Message {
            index: *index,
            reject: true,
            reject_hint: hint.index,
            log_term: hint.term,
            ..of(MessageType::MsgAppResp)
        },
        Body::Vote { ballot, last, by_transfer } => raftpb::Message {
            context: by_transfer.then(|| BY_TRANSFER.to_vec()),
            ..at(of(ballot_kind(*ballot, MessageType::MsgVote, MessageType::MsgPreVote)), *last)
        },
        Body::Voted { ballot, granted } => raftpb::Message {
            reject: !granted,
            ..of(ballot_kind(*ballot, MessageType::MsgVoteResp, MessageType::MsgPreVoteResp))
        },
        Body::Snapshot(snapshot) => {
            raftpb::Message { snapshot: Some(snapshot.to_wire()), ..of(MessageType::MsgSnap) }
        }
        Body::Heartbeat { commit, context } => {
            raftpb::Message { commit: *commit, context: mark(context), ..of(MessageType::MsgHeartbeat) }
        }
        Body::HeartbeatHeard { context } => {
            raftpb::Message { context: mark(context), ..of(MessageType::MsgHeartbeatResp) }
        }
        Body::TransferLeader => of(MessageType::MsgTransferLeader),
        Body::TimeoutNow => of(MessageType::MsgTimeoutNow),
        Body::ReadIndex { context } => {
            raftpb::Message { entries: vec![question(context)], ..of(MessageType::MsgReadIndex) }
        }
        Body::ReadIndexKnown { index, context } => raftpb::Message {
            index: *index,
            entries: vec![question(context)],
            ..of(MessageType::MsgReadIndexResp)
        },
    }
}

/// What a message says. Each type has its own few fields; the others mean nothing in it.
fn heard(wire: raftpb::Message) -> Result<Body, Malformed> {
    let position = Position { index: wire.index, term: wire.log_term };
    let vote = |ballot, context: Option<Vec<u8>>| Body::Vote {
        ballot,
        last: position,
        by_transfer: context.as_deref() == Some(BY_TRANSFER),
    };
    let body = match MessageType::try_from(wire.r#type) {
        Ok(MessageType::MsgApp) => {
            Body::Append { previous: position, entries: field("entries", wire.entries)?, commit: wire.commit }
        }
        Ok(MessageType::MsgAppResp) if wire.reject => Body::AppendRejected {
            index: wire.index,
            hint: Position { index: wire.reject_hint, term: wire.log_term },
        },
        Ok(MessageType::MsgAppResp) => Body::Appended { index: wire.index },
        Ok(MessageType::MsgVote) => vote(Ballot::Real, wire.context),
        Ok(MessageType::MsgPreVote) => vote(Ballot::Pre, wire.context),
        Ok(MessageType::MsgVoteResp) => Body::Voted { ballot: Ballot::Real, granted: !wire.reject },
        Ok(MessageType::MsgPreVoteResp) => Body::Voted { ballot: Ballot::Pre, granted: !wire.reject },
        Ok(MessageType::MsgSnap) => {
            let snapshot = wire.snapshot.ok_or_else(|| Malformed::absent("snapshot"))?;
            Body::Snapshot(field("snapshot", snapshot)?)
        }
        Ok(MessageType::MsgHeartbeat) => {
            Body::Heartbeat { commit: wire.commit, context: wire.context.unwrap_or_default() }
        }
        Ok(MessageType::MsgHeartbeatResp) => {
            Body::HeartbeatHeard { context: wire.context.unwrap_or_default() }
        }
        Ok(MessageType::MsgTransferLeader) => Body::TransferLeader,
        Ok(MessageType::MsgTimeoutNow) => Body::TimeoutNow,
        Ok(MessageType::MsgReadIndex) => Body::ReadIndex { context: asked(wire.entries) },
        Ok(MessageType::MsgReadIndexResp) => {
            Body::ReadIndexKnown { index: wire.index, context: asked(wire.entries) }
        }
        Ok(_) | Err(_) => return Err(Malformed::new("type", wire.r#type)),
    };
    Ok(body)
}

fn at(message: raftpb::Message, position: Position) -> raftpb::Message {
    let Position { index, term } = position;
    raftpb::Message { index, log_term: term, ..message }
}

fn ballot_kind(ballot: Ballot, real: MessageType, pre: MessageType) -> MessageType {
    match ballot {
        Ballot::Real => real,
        Ballot::Pre => pre,
    }
}

/// An empty mark is not written at all.
fn mark(context: &[u8]) -> Option<Vec<u8>> {
    (!context.is_empty()).then(|| context.to_vec())
}

/// A question about the log travels as the data of an entry that never gets into it.
fn question(context: &[u8]) -> raftpb::Entry {
    raftpb::Entry { data: mark(context), ..raftpb::Entry::default() }
}

fn asked(entries: Vec<raftpb::Entry>) -> Vec<u8> {
    entries.into_iter().next().and_then(|entry| entry.data).unwrap_or_default()
}

impl OnWire<raftpb::Entry> for Entry {
    fn to_wire(&self) -> raftpb::Entry {
        let Self { term, index, payload } = self;
        let (kind, data) = match payload {
            Payload::Nothing => (EntryType::EntryNormal, None),
            Payload::Data(data) => (EntryType::EntryNormal, Some(data.to_vec())),
            Payload::Change(change) => (EntryType::EntryConfChange, Some(change.to_wire().encode_to_vec())),
        };
        raftpb::Entry { r#type: kind.into(), term: *term, index: *index, data }
    }

    fn from_wire(wire: raftpb::Entry) -> Result<Self, Malformed> {
        let raftpb::Entry { r#type, term, index, data } = wire;
        let data = data.unwrap_or_default();
        let payload = match EntryType::try_from(r#type) {
            Ok(EntryType::EntryNormal) if data.is_empty() => Payload::Nothing,
            Ok(EntryType::EntryNormal) => Payload::Data(data.into()),
            Ok(EntryType::EntryConfChange) => {
                let change = raftpb::ConfChange::decode(data.as_slice())
                    .map_err(|error| Malformed::new("data", error))?;
                Payload::Change(field("data", change)?)
            }
            Ok(EntryType::EntryConfChangeV2) | Err(_) => return Err(Malformed::new("type", r#type)),
        };
        Ok(Self { term, index, payload })
    }
}

impl OnWire<raftpb::ConfChange> for ConfChange {
    fn to_wire(&self) -> raftpb::ConfChange {
        let Self { id, kind, replica, context } = self;
        let kind = match kind {
            ConfChangeKind::Add => ConfChangeType::ConfChangeAddNode,
            ConfChangeKind::Remove => ConfChangeType::ConfChangeRemoveNode,
            ConfChangeKind::Update => ConfChangeType::ConfChangeUpdateNode,
            ConfChangeKind::AddLearner => ConfChangeType::ConfChangeAddLearnerNode,
        };
        raftpb::ConfChange { id: *id, r#type: kind.into(), node_id: *replica, context: mark(context) }
    }

    fn from_wire(wire: raftpb::ConfChange) -> Result<Self, Malformed> {
        let raftpb::ConfChange { id, r#type, node_id, context } = wire;
        let kind = match ConfChangeType::try_from(r#type) {
            Ok(ConfChangeType::ConfChangeAddNode) => ConfChangeKind::Add,
            Ok(ConfChangeType::ConfChangeRemoveNode) => ConfChangeKind::Remove,
            Ok(ConfChangeType::ConfChangeUpdateNode) => ConfChangeKind::Update,
            Ok(ConfChangeType::ConfChangeAddLearnerNode) => ConfChangeKind::AddLearner,
            Err(_) => return Err(Malformed::new("type", r#type)),
        };
        Ok(Self { id, kind, replica: node_id, context: context.unwrap_or_default().into() })
    }
}

impl OnWire<raftpb::HardState> for HardState {
    fn to_wire(&self) -> raftpb::HardState {
        let Self { term, vote, commit } = *self;
        raftpb::HardState { term, vote, commit }
    }

    fn from_wire(wire: raftpb::HardState) -> Result<Self, Malformed> {
        let raftpb::HardState { term, vote, commit } = wire;
        Ok(Self { term, vote, commit })
    }
}

impl OnWire<raftpb::ConfState> for ConfState {
    fn to_wire(&self) -> raftpb::ConfState {
        let Self { voters, learners } = self.clone();
        raftpb::ConfState { voters, learners, ..raftpb::ConfState::default() }
    }

    fn from_wire(wire: raftpb::ConfState) -> Result<Self, Malformed> {
        let raftpb::ConfState { mut voters, mut learners, voters_outgoing, learners_next, auto_leave: _ } =
            wire;
        if !voters_outgoing.is_empty() || !learners_next.is_empty() {
            return Err(Malformed::new("voters_outgoing", "a joint configuration"));
        }
        voters.sort_unstable();
        learners.sort_unstable();
        Ok(Self { voters, learners })
    }
}

impl OnWire<raftpb::Snapshot> for Snapshot {
    fn to_wire(&self) -> raftpb::Snapshot {
        let Self { index, term, members, data } = self;
        let metadata = raftpb::SnapshotMetadata { conf_state: members.to_wire(), index: *index, term: *term };
        raftpb::Snapshot { data: Some(data.to_vec()), metadata }
    }

    fn from_wire(wire: raftpb::Snapshot) -> Result<Self, Malformed> {
        let raftpb::Snapshot { data, metadata } = wire;
        let raftpb::SnapshotMetadata { conf_state, index, term } = metadata;
        let members = field("metadata.conf_state", conf_state)?;
        Ok(Self { index, term, members, data: data.unwrap_or_default().into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn again(body: Body) {
        let message = Message { from: 2, to: 3, term: 4, body };
        let bytes = message.to_wire().encode_to_vec();
        let wire = raftpb::Message::decode(bytes.as_slice()).unwrap();
        assert_eq!(Message::from_wire(wire).unwrap(), message);
    }

    #[test]
    fn every_message_keeps_what_it_says() {
        let position = Position { index: 8, term: 3 };
        let change = ConfChange {
            id: 5,
            kind: ConfChangeKind::Update,
            replica: 9,
            context: b"member".to_vec().into(),
        };
        let entries = vec![
            Entry { term: 3, index: 9, payload: Payload::Nothing },
            Entry { term: 4, index: 10, payload: Payload::Data(b"data".to_vec().into()) },
            Entry { term: 4, index: 11, payload: Payload::Change(change) },
        ];
        let members = ConfState { voters: vec![1, 2], learners: vec![3] };
        let snapshot = Snapshot { index: 7, term: 3, members, data: b"book".to_vec().into() };
        let context = b"mark".to_vec();
        again(Body::Append { previous: position, entries, commit: 7 });
        again(Body::Appended { index: 9 });
        again(Body::AppendRejected { index: 9, hint: position });
        for ballot in [Ballot::Real, Ballot::Pre] {
            again(Body::Vote { ballot, last: position, by_transfer: false });
            again(Body::Vote { ballot, last: position, by_transfer: true });
            again(Body::Voted { ballot, granted: true });
            again(Body::Voted { ballot, granted: false });
        }
        again(Body::Snapshot(snapshot));
        again(Body::Heartbeat { commit: 7, context: context.clone() });
        again(Body::HeartbeatHeard { context: context.clone() });
        again(Body::TransferLeader);
        again(Body::TimeoutNow);
        again(Body::ReadIndex { context: context.clone() });
        again(Body::ReadIndexKnown { index: 9, context });
    }

    #[test]
    fn proposals_and_unknown_messages_are_not_heard() {
        for kind in [MessageType::MsgProp as i32, MessageType::MsgStorageAppend as i32, 99] {
            let wire = raftpb::Message { r#type: kind, ..raftpb::Message::default() };
            assert!(Message::from_wire(wire).is_err(), "{kind}");
        }
    }
}
