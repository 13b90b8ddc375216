//! Log entries, snapshots and objects of any kind: what managers order, keep and hand to each other.
//!
//! In: changes and objects of the book. Out: the bytes that stock managers write for them, and back. Whoever
//! takes in an entry gets all of its changes or none.

use std::sync::Arc;

use model::NodeId;
use prost::Message;
use store::{Change, Object};

use crate::convert::{Malformed, OnWire, field};
use crate::proto::{self, StoreActionKind};

/// A manager as members of the group know it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its number in the group.
    pub raft_id: u64,
    /// Which node it is.
    pub node_id: NodeId,
    /// Where other managers reach it.
    pub addr: String,
}

/// What a snapshot holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Snapshot {
    /// The managers.
    pub members: Vec<Member>,
    /// Numbers that once were in the group and never return.
    pub removed: Vec<u64>,
    /// The whole book.
    pub objects: Vec<Object>,
}

/// The bytes of a log entry. `id` is the proposer's number for it.
pub fn entry_to_bytes(id: u64, changes: &[Change]) -> Vec<u8> {
    proto::InternalRaftRequest { id, action: changes.iter().map(action_to_wire).collect() }.encode_to_vec()
}

/// The proposer's number and the changes of a log entry.
///
/// # Errors
/// If the bytes are not an entry, or one of its changes is not of a kind that is known here.
pub fn entry_from_bytes(bytes: &[u8]) -> Result<(u64, Vec<Change>), Malformed> {
    let proto::InternalRaftRequest { id, action } = decode("entry", bytes)?;
    Ok((id, action.into_iter().map(action_from_wire).collect::<Result<_, _>>()?))
}

impl Snapshot {
    /// The bytes of a snapshot.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Self { members, removed, objects } = self;
        let mut store = proto::StoreSnapshot::default();
        objects.iter().for_each(|object| shelve(&mut store, object));
        let membership = proto::ClusterSnapshot { members: members.to_wire(), removed: removed.clone() };
        proto::Snapshot { version: 0, membership: Some(membership), store: Some(store) }.encode_to_vec()
    }

    /// What these bytes of a snapshot hold.
    ///
    /// # Errors
    /// If the bytes are not a snapshot, or of a version that is not known here.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        let proto::Snapshot { version, membership, store } = decode("snapshot", bytes)?;
        if version != 0 {
            return Err(Malformed::new("snapshot.version", version));
        }
        let proto::ClusterSnapshot { members, removed } = membership.unwrap_or_default();
        let members = field("members", members)?;
        Ok(Self { members, removed, objects: unshelve(store.unwrap_or_default())? })
    }
}

impl Member {
    /// The bytes of a member, as a change of the group carries them.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_wire().encode_to_vec()
    }

    /// The member that a change of the group carries.
    ///
    /// # Errors
    /// If the bytes are not a member.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Malformed> {
        Self::from_wire(decode("member", bytes)?)
    }
}

/// On the wire, a member's status is always written and only filled in answers to people.
impl OnWire<proto::RaftMember> for Member {
    fn to_wire(&self) -> proto::RaftMember {
        let Self { raft_id, node_id, addr } = self;
        proto::RaftMember {
            raft_id: *raft_id,
            node_id: node_id.to_wire(),
            addr: addr.clone(),
            status: Some(proto::RaftMemberStatus::default()),
        }
    }

    fn from_wire(wire: proto::RaftMember) -> Result<Self, Malformed> {
        let proto::RaftMember { raft_id, node_id, addr, status: _ } = wire;
        Ok(Self { raft_id, node_id: field("node_id", node_id)?, addr })
    }
}

fn decode<M: Message + Default>(what: &str, bytes: &[u8]) -> Result<M, Malformed> {
    M::decode(bytes).map_err(|error| Malformed::new(what, error))
}

fn action_to_wire(change: &Change) -> proto::StoreAction {
    let (kind, object) = match change {
        Change::Create(object) => (StoreActionKind::StoreActionCreate, object),
        Change::Update(object) => (StoreActionKind::StoreActionUpdate, object),
        Change::Remove(object) => (StoreActionKind::StoreActionRemove, object),
    };
    proto::StoreAction { action: kind.into(), target: Some(object.to_wire()) }
}

fn action_from_wire(wire: proto::StoreAction) -> Result<Change, Malformed> {
    let proto::StoreAction { action, target } = wire;
    let target = target.ok_or_else(|| Malformed::absent("action.target"))?;
    let object = field("action.target", target)?;
    match StoreActionKind::try_from(action) {
        Ok(StoreActionKind::StoreActionCreate) => Ok(Change::Create(object)),
        Ok(StoreActionKind::StoreActionUpdate) => Ok(Change::Update(object)),
        Ok(StoreActionKind::StoreActionRemove) => Ok(Change::Remove(object)),
        Ok(StoreActionKind::Unknown) | Err(_) => Err(Malformed::new("action.action", action)),
    }
}

/// Every kind of object: where it stands in actions, in watched events, and in snapshots.
macro_rules! kinds {
    ($($kind:ident in $shelf:ident),*) => {
        impl OnWire<proto::store_action::Target> for Object {
            fn to_wire(&self) -> proto::store_action::Target {
                match self {
                    $(Self::$kind(object) => proto::store_action::Target::$kind(object.as_ref().to_wire()),)*
                }
            }

            fn from_wire(wire: proto::store_action::Target) -> Result<Self, Malformed> {
                match wire {
                    $(proto::store_action::Target::$kind(object) => {
                        OnWire::from_wire(object).map(Arc::new).map(Self::$kind)
                    })*
                }
            }
        }

        impl OnWire<proto::object::Object> for Object {
            fn to_wire(&self) -> proto::object::Object {
                match self {
                    $(Self::$kind(object) => proto::object::Object::$kind(object.as_ref().to_wire()),)*
                }
            }

            fn from_wire(wire: proto::object::Object) -> Result<Self, Malformed> {
                match wire {
                    $(proto::object::Object::$kind(object) => {
                        OnWire::from_wire(object).map(Arc::new).map(Self::$kind)
                    })*
                }
            }
        }

        fn shelve(store: &mut proto::StoreSnapshot, object: &Object) {
            match object {
                $(Object::$kind(object) => store.$shelf.push(object.as_ref().to_wire()),)*
            }
        }

        fn unshelve(store: proto::StoreSnapshot) -> Result<Vec<Object>, Malformed> {
            let proto::StoreSnapshot { $($shelf),* } = store;
            let mut objects = Vec::new();
            $(for object in $shelf {
                objects.push(Object::$kind(Arc::new(field(stringify!($shelf), object)?)));
            })*
            Ok(objects)
        }
    };
}

kinds!(
    Node in nodes,
    Service in services,
    Network in networks,
    Task in tasks,
    Cluster in clusters,
    Secret in secrets,
    Resource in resources,
    Extension in extensions,
    Config in configs,
    Volume in volumes
);
