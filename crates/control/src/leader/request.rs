//! What can be asked of the leader, and how it answers.
//!
//! Only changes are asked; whoever wants to read looks into the book.

use std::sync::Arc;

use model::ClusterId;
use model::cluster::RootCa;
use model::meta::Payload;
use model::node::Availability;
use model::spec::endpoint::NetworkAttachmentConfig;
use model::{
    Annotations, Cluster, ClusterSpec, Config, ConfigId, ConfigSpec, Duration, Extension, ExtensionId,
    Network, NetworkId, NetworkSpec, Node, NodeId, NodeSpec, Resource, ResourceId, Secret, SecretId,
    SecretSpec, Service, ServiceId, ServiceSpec, SessionId, TaskId, Version, Volume, VolumeId, VolumeSpec,
};

/// A change that somebody asks for. Updates name the version they were made from.
#[derive(Clone, Debug)]
pub enum Request {
    /// The very first: what the swarm begins with. Does nothing if it has begun.
    Found(Box<Founding>),
    /// A new service.
    CreateService(Box<ServiceSpec>),
    /// Another spec for a service.
    UpdateService {
        /// Which.
        id: ServiceId,
        /// The version the spec was made from.
        version: Version,
        /// The whole spec; ignored when rolling back.
        spec: Box<ServiceSpec>,
        /// Whether to take the previous spec instead.
        rollback: Rollback,
    },
    /// No such service any more.
    RemoveService(ServiceId),
    /// Another spec for a node.
    UpdateNode {
        /// Which.
        id: NodeId,
        /// The version the spec was made from.
        version: Version,
        /// The whole spec.
        spec: NodeSpec,
    },
    /// No such node any more, even if it is up when `force` is set.
    RemoveNode {
        /// Which.
        id: NodeId,
        /// Although it is not down.
        force: bool,
    },
    /// Other settings for the swarm.
    UpdateCluster {
        /// Which.
        id: ClusterId,
        /// The version the spec was made from.
        version: Version,
        /// The whole spec.
        spec: Box<ClusterSpec>,
        /// Words to be drawn anew.
        rotation: Rotation,
    },
    /// A new network.
    CreateNetwork(Box<NetworkSpec>),
    /// No such network any more.
    RemoveNetwork(NetworkId),
    /// A new secret.
    CreateSecret(Box<SecretSpec>),
    /// Other labels for a secret.
    UpdateSecret {
        /// Which.
        id: SecretId,
        /// The version the spec was made from.
        version: Version,
        /// The whole spec, without data.
        spec: Box<SecretSpec>,
    },
    /// No such secret any more.
    RemoveSecret(SecretId),
    /// A new config.
    CreateConfig(Box<ConfigSpec>),
    /// Other labels for a config.
    UpdateConfig {
        /// Which.
        id: ConfigId,
        /// The version the spec was made from.
        version: Version,
        /// The whole spec.
        spec: Box<ConfigSpec>,
    },
    /// No such config any more.
    RemoveConfig(ConfigId),
    /// A new cluster volume.
    CreateVolume(Box<VolumeSpec>),
    /// Another availability or labels for a cluster volume.
    UpdateVolume {
        /// Which.
        id: VolumeId,
        /// The version the spec was made from.
        version: Version,
        /// The whole spec.
        spec: Box<VolumeSpec>,
    },
    /// No such cluster volume any more, even if it is in use when `force` is set.
    RemoveVolume {
        /// Which.
        id: VolumeId,
        /// Although it is in use.
        force: bool,
    },
    /// No such task any more.
    RemoveTask(TaskId),
    /// A new kind of foreign objects.
    CreateExtension {
        /// Name and labels.
        annotations: Annotations,
        /// In a sentence.
        description: String,
    },
    /// No such kind any more.
    RemoveExtension(ExtensionId),
    /// A new foreign object.
    CreateResource {
        /// Name and labels.
        annotations: Annotations,
        /// The name of its extension.
        kind: String,
        /// The object.
        payload: Option<Payload>,
    },
    /// Another payload for a foreign object.
    UpdateResource {
        /// Which.
        id: ResourceId,
        /// The version it was made from.
        version: Version,
        /// Name and labels, if they change.
        annotations: Option<Annotations>,
        /// The object, if it changes.
        payload: Option<Payload>,
    },
    /// No such foreign object any more.
    RemoveResource(ResourceId),
    /// A place in a network for a container that no service owns.
    AttachNetwork {
        /// On which node.
        node: NodeId,
        /// Which network, and how.
        config: NetworkAttachmentConfig,
        /// The container.
        container_id: String,
    },
    /// No such place any more.
    DetachNetwork(TaskId),
    /// A first certificate, for whoever knows a token.
    IssueCertificate {
        /// The word it knows.
        token: String,
        /// The request, PEM.
        csr: Vec<u8>,
        /// Whether it shall run tasks.
        availability: Availability,
    },
    /// A new certificate for a node that has one.
    RenewCertificate {
        /// Which node.
        node: NodeId,
        /// The request, PEM.
        csr: Vec<u8>,
    },
}

/// What a swarm begins with.
#[derive(Clone, Debug)]
pub struct Founding {
    /// The cluster object, with its authority, tokens and keys.
    pub cluster: Cluster,
    /// The first manager, with its certificate.
    pub node: Node,
}

/// Whether an update takes the previous spec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rollback {
    /// It takes the given one.
    #[default]
    None,
    /// It takes the previous one.
    Previous,
}

/// Keys and words that change with the settings. The asker draws them, since they are made by `pki`; it reads the same
/// version of the swarm that the request names.
#[derive(Clone, Default)]
pub struct Rotation {
    /// The worker's join token.
    pub worker_token: Option<String>,
    /// The manager's join token.
    pub manager_token: Option<String>,
    /// A fresh key to unlock managers with: taken when autolock begins, or when `rotate_unlock_key` is set.
    pub unlock_key: Option<Vec<u8>>,
    /// Whether the unlock key is changed although there is one.
    pub rotate_unlock_key: bool,
    /// The authority as the settings wish it, if they wish it changed. Its tokens do not count.
    pub authority: Option<Box<RootCa>>,
}

impl std::fmt::Debug for Rotation {
    /// Leaves out the words: they must never reach a log.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Rotation")
    }
}

/// What the leader answers.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "a variant that holds an object is the object as it is now")]
pub enum Answer {
    /// Done; there is nothing to tell.
    Done,
    Service(Arc<Service>),
    Node(Arc<Node>),
    Cluster(Arc<Cluster>),
    Network(Arc<Network>),
    Secret(Arc<Secret>),
    Config(Arc<Config>),
    Volume(Arc<Volume>),
    Extension(Arc<Extension>),
    Resource(Arc<Resource>),
    /// A place in a network was made; it is this task.
    Attachment(TaskId),
    /// A session is open.
    Session(SessionId),
    /// The node is heard; it shall be heard again within this time.
    Heartbeat(Duration),
    /// A certificate was asked for; look into the book for it.
    Certificate(NodeId),
}
