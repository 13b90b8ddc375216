//! Their words for ours: messages, entries, snapshots, as both put them on the wire (`raft.md` section 9).

use protobuf::Message as _;
use raft::{
    Ballot, Body, ConfChange, ConfChangeKind, ConfState, Entry, Message, Payload, Position, Snapshot,
};
use raft_rs::eraftpb as theirs;
use theirs::{ConfChangeType, EntryType, MessageType};

/// What a vote says that the leader itself asked for.
const BY_TRANSFER: &[u8] = b"CampaignTransfer";

pub(crate) fn message_to(message: &Message) -> theirs::Message {
    let Message { from, to, term, body } = message;
    let mut all = theirs::Message { from: *from, to: *to, term: *term, ..theirs::Message::default() };
    let kind = match body {
        Body::Append { previous, entries, commit } => {
            (all.index, all.log_term, all.commit) = (previous.index, previous.term, *commit);
            all.set_entries(entries.iter().map(entry_to).collect());
            MessageType::MsgAppend
        }
        Body::Appended { index } => {
            all.index = *index;
            MessageType::MsgAppendResponse
        }
        Body::AppendRejected { index, hint } => {
            (all.index, all.reject, all.reject_hint, all.log_term) = (*index, true, hint.index, hint.term);
            MessageType::MsgAppendResponse
        }
        Body::Vote { ballot, last, by_transfer } => {
            (all.index, all.log_term) = (last.index, last.term);
            if *by_transfer {
                all.context = BY_TRANSFER.to_vec().into();
            }
            match ballot {
                Ballot::Real => MessageType::MsgRequestVote,
                Ballot::Pre => MessageType::MsgRequestPreVote,
            }
        }
        Body::Voted { ballot, granted } => {
            all.reject = !granted;
            match ballot {
                Ballot::Real => MessageType::MsgRequestVoteResponse,
                Ballot::Pre => MessageType::MsgRequestPreVoteResponse,
            }
        }
        Body::Snapshot(snapshot) => {
            all.set_snapshot(snapshot_to(snapshot));
            MessageType::MsgSnapshot
        }
        Body::Heartbeat { commit, context } => {
            all.commit = *commit;
            all.context = context.clone().into();
            MessageType::MsgHeartbeat
        }
        Body::HeartbeatHeard { context } => {
            all.context = context.clone().into();
            MessageType::MsgHeartbeatResponse
        }
        Body::TransferLeader => MessageType::MsgTransferLeader,
        Body::TimeoutNow => MessageType::MsgTimeoutNow,
        Body::ReadIndex { context } => {
            all.set_entries(vec![marked(context)].into());
            MessageType::MsgReadIndex
        }
        Body::ReadIndexKnown { index, context } => {
            all.index = *index;
            all.set_entries(vec![marked(context)].into());
            MessageType::MsgReadIndexResp
        }
    };
    all.set_msg_type(kind);
    all
}

/// Our word for theirs; nothing for what never travels between managers.
pub(crate) fn message_from(all: &theirs::Message) -> Option<Message> {
    let at = Position { index: all.index, term: all.log_term };
    let context = all.context.to_vec();
    let mark = || all.entries.first().map(|entry| entry.data.to_vec()).unwrap_or_default();
    let body = match all.get_msg_type() {
        MessageType::MsgAppend => {
            let entries = all.entries.iter().map(entry_from).collect();
            Body::Append { previous: at, entries, commit: all.commit }
        }
        MessageType::MsgAppendResponse if all.reject => {
            let hint = Position { index: all.reject_hint, term: all.log_term };
            Body::AppendRejected { index: all.index, hint }
        }
        MessageType::MsgAppendResponse => Body::Appended { index: all.index },
        MessageType::MsgRequestVote | MessageType::MsgRequestPreVote => {
            let is_real = all.get_msg_type() == MessageType::MsgRequestVote;
            let ballot = if is_real { Ballot::Real } else { Ballot::Pre };
            Body::Vote { ballot, last: at, by_transfer: context == BY_TRANSFER }
        }
        MessageType::MsgRequestVoteResponse => Body::Voted { ballot: Ballot::Real, granted: !all.reject },
        MessageType::MsgRequestPreVoteResponse => Body::Voted { ballot: Ballot::Pre, granted: !all.reject },
        MessageType::MsgSnapshot => Body::Snapshot(snapshot_from(all.get_snapshot())),
        MessageType::MsgHeartbeat => Body::Heartbeat { commit: all.commit, context },
        MessageType::MsgHeartbeatResponse => Body::HeartbeatHeard { context },
        MessageType::MsgTransferLeader => Body::TransferLeader,
        MessageType::MsgTimeoutNow => Body::TimeoutNow,
        MessageType::MsgReadIndex => Body::ReadIndex { context: mark() },
        MessageType::MsgReadIndexResp => Body::ReadIndexKnown { index: all.index, context: mark() },
        _ => return None,
    };
    Some(Message { from: all.from, to: all.to, term: all.term, body })
}

pub(crate) fn entry_to(entry: &Entry) -> theirs::Entry {
    let Entry { term, index, payload } = entry;
    let mut all = theirs::Entry { term: *term, index: *index, ..theirs::Entry::default() };
    match payload {
        Payload::Nothing => {}
        Payload::Data(data) => all.data = data.to_vec().into(),
        Payload::Change(change) => {
            all.set_entry_type(EntryType::EntryConfChange);
            all.data = change_to(change).write_to_bytes().expect("it can be written").into();
        }
    }
    all
}

pub(crate) fn entry_from(all: &theirs::Entry) -> Entry {
    let payload = match all.get_entry_type() {
        EntryType::EntryNormal if all.data.is_empty() => Payload::Nothing,
        EntryType::EntryNormal => Payload::Data(all.data.to_vec().into()),
        EntryType::EntryConfChange | EntryType::EntryConfChangeV2 => {
            let mut change = theirs::ConfChange::default();
            change.merge_from_bytes(&all.data).expect("a change of the group can be read");
            Payload::Change(change_from(&change))
        }
    };
    Entry { term: all.term, index: all.index, payload }
}

/// Their number 2 means something else than ours; nobody here changes addresses.
pub(crate) fn change_to(change: &ConfChange) -> theirs::ConfChange {
    let ConfChange { id, kind, replica, context } = change;
    let mut all = theirs::ConfChange { id: *id, node_id: *replica, ..theirs::ConfChange::default() };
    all.context = context.to_vec().into();
    all.set_change_type(match kind {
        ConfChangeKind::Add => ConfChangeType::AddNode,
        ConfChangeKind::Remove => ConfChangeType::RemoveNode,
        ConfChangeKind::AddLearner => ConfChangeType::AddLearnerNode,
        ConfChangeKind::Update => unreachable!("nobody here changes addresses"),
    });
    all
}

fn change_from(all: &theirs::ConfChange) -> ConfChange {
    let kind = match all.get_change_type() {
        ConfChangeType::AddNode => ConfChangeKind::Add,
        ConfChangeType::RemoveNode => ConfChangeKind::Remove,
        ConfChangeType::AddLearnerNode => ConfChangeKind::AddLearner,
    };
    ConfChange { id: all.id, kind, replica: all.node_id, context: all.context.to_vec().into() }
}

pub(crate) fn snapshot_to(snapshot: &Snapshot) -> theirs::Snapshot {
    let Snapshot { index, term, members, data } = snapshot;
    let mut all = theirs::Snapshot { data: data.to_vec().into(), ..theirs::Snapshot::default() };
    let metadata = all.mut_metadata();
    (metadata.index, metadata.term) = (*index, *term);
    metadata.set_conf_state(group_to(members));
    all
}

pub(crate) fn snapshot_from(all: &theirs::Snapshot) -> Snapshot {
    let metadata = all.get_metadata();
    let members = group_from(metadata.get_conf_state());
    Snapshot { index: metadata.index, term: metadata.term, members, data: all.data.to_vec().into() }
}

pub(crate) fn group_to(group: &ConfState) -> theirs::ConfState {
    let ConfState { voters, learners } = group;
    theirs::ConfState { voters: voters.clone(), learners: learners.clone(), ..theirs::ConfState::default() }
}

pub(crate) fn group_from(all: &theirs::ConfState) -> ConfState {
    let mut group = ConfState { voters: all.voters.clone(), learners: all.learners.clone() };
    group.voters.sort_unstable();
    group.learners.sort_unstable();
    group
}

fn marked(context: &[u8]) -> theirs::Entry {
    theirs::Entry { data: context.to_vec().into(), ..theirs::Entry::default() }
}
