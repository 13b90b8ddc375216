//! What the log holds: entries, and the little that must survive beside them.
//!
//! Plain values with raftpb's meaning (`wire` translates them). They decide nothing.

use std::sync::Arc;

/// A replica of the group; never 0, never used again after it was removed.
pub type ReplicaId = u64;
/// A reign: each has at most one leader.
pub type Term = u64;
/// A place in the log; the first is 1.
pub type Index = u64;
/// Bytes that many may hold at once.
pub type Bytes = Arc<[u8]>;

/// One place of the log, filled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The reign in which it was proposed.
    pub term: Term,
    /// Its place.
    pub index: Index,
    /// What it says.
    pub payload: Payload,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// Nothing: the first entry of a new leader (raftpb: a normal entry without data).
    Nothing,
    /// Something only the book understands.
    Data(Bytes),
    /// A change of the group itself.
    Change(ConfChange),
}

impl Entry {
    /// Roughly what it weighs in a message.
    pub fn size(&self) -> usize {
        const FRAME: usize = 24;
        FRAME
            + match &self.payload {
                Payload::Nothing => 0,
                Payload::Data(data) => data.len(),
                Payload::Change(change) => FRAME + change.context.len(),
            }
    }
}

/// A change of the group by one replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfChange {
    /// The proposer's number for it; 0 for one that nobody proposed.
    pub id: u64,
    /// What happens to the replica.
    pub kind: ConfChangeKind,
    /// To which replica.
    pub replica: ReplicaId,
    /// The member's description, for the shell (a marshalled `RaftMember`); empty for a removal.
    pub context: Bytes,
}

/// What happens to a replica. The numbers are raftpb's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConfChangeKind {
    /// It becomes a voter (0).
    Add,
    /// It leaves (1).
    Remove,
    /// Its address changes; the group stays as it is (2).
    Update,
    /// It hears everything but does not vote (3).
    AddLearner,
}

/// What a replica has promised, and must still know after a crash.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct HardState {
    /// The latest reign it knows.
    pub term: Term,
    /// Whom it voted for in that reign; 0 is nobody.
    pub vote: ReplicaId,
    /// Up to where it knows the log to be committed. It may lag behind on disk: it is only a hint.
    pub commit: Index,
}

/// Who is in the group. Both lists are sorted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfState {
    /// Those whose voices count.
    pub voters: Vec<ReplicaId>,
    /// Those who only listen.
    pub learners: Vec<ReplicaId>,
}

impl ConfState {
    /// Whether the replica belongs to the group in any role.
    pub fn contains(&self, id: ReplicaId) -> bool {
        self.is_voter(id) || self.learners.binary_search(&id).is_ok()
    }

    /// Whether the replica's voice counts.
    pub fn is_voter(&self, id: ReplicaId) -> bool {
        self.voters.binary_search(&id).is_ok()
    }

    /// Everyone in the group.
    pub fn all(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        self.voters.iter().chain(&self.learners).copied()
    }
}

/// The whole book as of one entry, in place of all entries up to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The last entry it contains.
    pub index: Index,
    /// That entry's reign.
    pub term: Term,
    /// The group as of that entry.
    pub members: ConfState,
    /// The book, as only the shell understands it.
    pub data: Bytes,
}

/// What a disk gives back when a replica starts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stored {
    /// The promises.
    pub hard_state: HardState,
    /// The entries after the snapshot, without gaps.
    pub entries: Vec<Entry>,
    /// The latest snapshot.
    pub snapshot: Option<Snapshot>,
}

impl Stored {
    /// What the founder of a group stores before it starts: itself as the first voter, already committed.
    pub fn founding(id: ReplicaId, context: Bytes) -> Self {
        let change = ConfChange { id: 0, kind: ConfChangeKind::Add, replica: id, context };
        Self {
            hard_state: HardState { term: 1, vote: 0, commit: 1 },
            entries: vec![Entry { term: 1, index: 1, payload: Payload::Change(change) }],
            snapshot: None,
        }
    }
}
