//! Nothing is lost in translation, and garbage topples nothing.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::Arc;

use model::cluster::{EncryptionKey, ExternalCa, RoleAdmissionPolicy};
use model::network::NetworkAttachment;
use model::spec::container::{ConfigReference, ConfigTarget, FileTarget, RegistryAuth, SecretReference};
use model::spec::placement::Preference;
use model::spec::privileges::{CredentialSpec, Seccomp};
use model::spec::resources::GenericResource;
use model::volume::VolumeAccess;
use model::{Annotations, Chance, ClusterSpec, Duration, Node, Runtime, ServiceMode, TaskState, Timestamp};
use proptest::prelude::{ProptestConfig, any, prop_assert_eq, proptest};
use prost::Message;
use store::{Change, Object};

use super::OnWire;
use crate::change::{Member, Snapshot, entry_from_bytes, entry_to_bytes};
use crate::{proto, raftpb};

/// Any value of a type, drawn by chance. The tables of `twins!` and `words!` bring it for their types.
pub(crate) trait Any {
    fn any(chance: &mut Chance) -> Self;
}

macro_rules! numbers {
    ($($kind:ty),*) => {$(
        impl Any for $kind {
            fn any(chance: &mut Chance) -> Self {
                chance.number() as Self
            }
        }
    )*};
}
numbers!(u8, u32, u64, i32, i64);

impl Any for bool {
    fn any(chance: &mut Chance) -> Self {
        chance.one_in(1, 2)
    }
}

impl Any for f32 {
    fn any(chance: &mut Chance) -> Self {
        chance.below(1000) as Self / 1000.0
    }
}

impl Any for String {
    fn any(chance: &mut Chance) -> Self {
        (0..chance.below(4)).map(|_| char::from(b'a' + chance.below(26) as u8)).collect()
    }
}

impl Any for Timestamp {
    fn any(chance: &mut Chance) -> Self {
        Self::from_nanos(i64::any(chance))
    }
}

impl Any for Duration {
    fn any(chance: &mut Chance) -> Self {
        Self::from_nanos(chance.number())
    }
}

impl<T: Any> Any for Option<T> {
    fn any(chance: &mut Chance) -> Self {
        bool::any(chance).then(|| T::any(chance))
    }
}

impl<T: Any> Any for Box<T> {
    fn any(chance: &mut Chance) -> Self {
        Self::new(T::any(chance))
    }
}

impl<T: Any> Any for Vec<T> {
    fn any(chance: &mut Chance) -> Self {
        (0..chance.below(3)).map(|_| T::any(chance)).collect()
    }
}

impl<A: Any, B: Any> Any for (A, B) {
    fn any(chance: &mut Chance) -> Self {
        (A::any(chance), B::any(chance))
    }
}

impl<T: Any> Any for BTreeMap<String, T> {
    fn any(chance: &mut Chance) -> Self {
        <Vec<(String, T)>>::any(chance).into_iter().collect()
    }
}

impl Any for TaskState {
    fn any(chance: &mut Chance) -> Self {
        Self::ALL[chance.below(14) as usize]
    }
}

macro_rules! one_of {
    ($($kind:ty: |$chance:ident| $($choice:expr),+;)*) => {$(
        impl Any for $kind {
            fn any($chance: &mut Chance) -> Self {
                let choices: &[fn(&mut Chance) -> Self] = &[$(|$chance| $choice),+];
                choices[$chance.below(choices.len() as u64) as usize]($chance)
            }
        }
    )*};
}
one_of! {
    GenericResource: |chance|
        Self::Named { kind: Any::any(chance), value: Any::any(chance) },
        Self::Discrete { kind: Any::any(chance), value: Any::any(chance) };
    Preference: |chance| Self::Spread(Any::any(chance));
    Seccomp: |chance| { let _ = chance; Self::Default }, { let _ = chance; Self::Unconfined }, Self::Custom(Any::any(chance));
    CredentialSpec: |chance|
        Self::File(Any::any(chance)), Self::Registry(Any::any(chance)), Self::Config(Any::any(chance));
    RegistryAuth: |chance| Self(Any::any(chance));
    ConfigTarget: |chance| Self::File(FileTarget::any(chance)), { let _ = chance; Self::Runtime };
    SecretReference: |chance| Self {
        secret_id: Any::any(chance), secret_name: Any::any(chance), file: Any::any(chance)
    };
    ConfigReference: |chance| Self {
        config_id: Any::any(chance), config_name: Any::any(chance), target: Any::any(chance)
    };
    Runtime: |chance|
        Self::Container(Any::any(chance)), Self::Attachment(Any::any(chance)), Self::Generic(Any::any(chance));
    ServiceMode: |chance|
        Self::Replicated { replicas: Any::any(chance) },
        { let _ = chance; Self::Global },
        Self::ReplicatedJob { max_concurrent: Any::any(chance), total_completions: Any::any(chance) },
        { let _ = chance; Self::GlobalJob };
    VolumeAccess: |chance|
        { let _ = chance; Self::Block },
        Self::Mount { fs_type: Any::any(chance), mount_flags: Any::any(chance) };
    ClusterSpec: |chance| Self {
        annotations: Annotations::any(chance),
        acceptance_policy: Any::any(chance),
        task_history_retention_limit: Any::any(chance),
        raft: Any::any(chance),
        heartbeat_period: Any::any(chance),
        ca: Any::any(chance),
        default_log_driver: Any::any(chance),
        auto_lock_managers: Any::any(chance),
    };
    RoleAdmissionPolicy: |chance| Self {
        role: Any::any(chance), autoaccept: Any::any(chance), secret: Any::any(chance)
    };
    ExternalCa: |chance| Self {
        url: Any::any(chance), options: Any::any(chance), ca_cert: Any::any(chance)
    };
    EncryptionKey: |chance| Self {
        subsystem: Any::any(chance), key: Any::any(chance), lamport_time: Any::any(chance)
    };
    Node: |chance| Self {
        id: Any::any(chance),
        meta: Any::any(chance),
        spec: Any::any(chance),
        description: Any::any(chance),
        status: Any::any(chance),
        manager_status: Any::any(chance),
        attachments: <Vec<NetworkAttachment>>::any(chance),
        certificate: Any::any(chance),
        role: Any::any(chance),
        vxlan_port: Any::any(chance),
    };
    Object: |chance|
        Self::Node(Arc::new(Any::any(chance))),
        Self::Service(Arc::new(Any::any(chance))),
        Self::Network(Arc::new(Any::any(chance))),
        Self::Task(Arc::new(Any::any(chance))),
        Self::Cluster(Arc::new(Any::any(chance))),
        Self::Secret(Arc::new(Any::any(chance))),
        Self::Resource(Arc::new(Any::any(chance))),
        Self::Extension(Arc::new(Any::any(chance))),
        Self::Config(Arc::new(Any::any(chance))),
        Self::Volume(Arc::new(Any::any(chance)));
    Change: |chance|
        Self::Create(Any::any(chance)), Self::Update(Any::any(chance)), Self::Remove(Any::any(chance));
    Member: |chance| Self {
        raft_id: Any::any(chance), node_id: Any::any(chance), addr: Any::any(chance)
    };
}

/// Changes a few bytes, cuts the end off, or both: closer to the truth than pure noise, so it gets deeper.
fn spoil(mut bytes: Vec<u8>, chance: &mut Chance) -> Vec<u8> {
    for _ in 0..chance.below(4) {
        let place = chance.below(bytes.len() as u64) as usize;
        if let Some(byte) = bytes.get_mut(place) {
            *byte = chance.number() as u8;
        }
    }
    bytes.truncate(bytes.len() - chance.below(bytes.len() as u64 / 4 + 1) as usize);
    bytes
}

/// Reads as the noun; the error, if it is one, is a sentence.
fn read<W: Message + Default, T: OnWire<W> + Debug>(bytes: &[u8]) -> Option<T> {
    T::from_wire(W::decode(bytes).ok()?).ok()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn an_entry_of_the_log_keeps_all_it_says(seed in any::<u64>()) {
        let chance = &mut Chance::from_number(seed);
        let changes = <Vec<Change>>::any(chance);
        let (id, again) = entry_from_bytes(&entry_to_bytes(seed, &changes)).unwrap();
        prop_assert_eq!((id, again), (seed, changes));
    }

    #[test]
    fn a_snapshot_keeps_all_it_holds(seed in any::<u64>()) {
        let chance = &mut Chance::from_number(seed);
        let mut objects: Vec<Object> = (0..6).map(|_| Object::any(chance)).collect();
        objects.sort_by_key(Object::kind);
        let snapshot = Snapshot { members: Any::any(chance), removed: Any::any(chance), objects };
        prop_assert_eq!(Snapshot::from_bytes(&snapshot.to_bytes()).unwrap(), snapshot);
    }

    #[test]
    fn spoiled_bytes_topple_nothing(seed in any::<u64>()) {
        let chance = &mut Chance::from_number(seed);
        let entry = spoil(entry_to_bytes(seed, &[Change::any(chance), Change::any(chance)]), chance);
        let _ = entry_from_bytes(&entry);
        let snapshot = Snapshot { members: Any::any(chance), removed: Vec::new(), objects: vec![Object::any(chance)] };
        let _ = Snapshot::from_bytes(&spoil(snapshot.to_bytes(), chance));
    }

    #[test]
    fn noise_topples_nothing(bytes in any::<Vec<u8>>()) {
        let _ = entry_from_bytes(&bytes);
        let _ = Snapshot::from_bytes(&bytes);
        let _ = Member::from_bytes(&bytes);
        let _ = read::<raftpb::Message, raft::Message>(&bytes);
        let _ = read::<proto::Task, model::Task>(&bytes);
        let _ = read::<proto::Node, model::Node>(&bytes);
        let _ = read::<proto::Service, model::Service>(&bytes);
        let _ = read::<proto::NodeDescription, model::node::NodeDescription>(&bytes);
    }
}

#[test]
fn what_cannot_be_read_is_named_with_its_path() {
    let restart = proto::RestartPolicy { condition: 7, ..Default::default() };
    let spec = proto::ServiceSpec {
        task: Some(proto::TaskSpec {
            runtime: Some(proto::task_spec::Runtime::Container(Default::default())),
            restart: Some(restart),
            ..Default::default()
        }),
        ..Default::default()
    };
    let malformed = model::ServiceSpec::from_wire(spec).unwrap_err();
    assert_eq!(malformed.to_string(), "task.restart.condition cannot be \"7\"");
}

#[test]
fn a_node_of_an_old_manager_keeps_its_one_attachment() {
    let chance = &mut Chance::from_number(1);
    let attachment = NetworkAttachment::any(chance);
    let node = Node { attachments: vec![attachment.clone()], ..Node::any(chance) };
    let mut wire = node.to_wire();
    wire.attachment = wire.attachments.pop();
    assert_eq!(Node::from_wire(wire).unwrap().attachments, [attachment]);
}
