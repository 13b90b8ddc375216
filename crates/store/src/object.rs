//! What can be stored, and the keys under which it is found.

use std::sync::Arc;

use model::{
    Annotations, Cluster, Config, Extension, Meta, Network, Node, NodeId, Resource, Secret, Service,
    ServiceId, Task, Volume,
};

/// The kinds of objects, in the order in which snapshots list them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Machines.
    Node,
    /// Services.
    Service,
    /// Networks.
    Network,
    /// Tasks.
    Task,
    /// The cluster object.
    Cluster,
    /// Secrets.
    Secret,
    /// Foreign objects.
    Resource,
    /// Kinds of foreign objects.
    Extension,
    /// Configs.
    Config,
    /// Cluster volumes.
    Volume,
}

/// A key under which objects are found besides their id. Several objects may share one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// The name in lower case: names do not differ by case alone. Shared, since maps copy the keys beside one that changes.
    Name(Arc<str>),
    /// Whose task it is.
    Service(ServiceId),
    /// Which slot of which service it fills.
    Slot(ServiceId, u64),
    /// Where it runs.
    Node(NodeId),
    /// Whose task it is, and where it runs: for tasks that no slot number tells apart.
    On(ServiceId, NodeId),
}

/// An object that a table can hold.
pub trait Stored: Clone {
    /// Its id.
    type Id: Copy + Ord + std::fmt::Debug;

    /// Its id.
    fn id(&self) -> Self::Id;
    /// Its version and times.
    fn meta(&self) -> &Meta;
    /// Its version and times, to be stamped.
    fn meta_mut(&mut self) -> &mut Meta;
    /// The keys under which it is found.
    fn keys(&self) -> Vec<Key>;
    /// The lowest id of its kind.
    fn lowest_id() -> Self::Id;
    /// The object as one of many kinds.
    fn into_object(object: Arc<Self>) -> Object;
}

macro_rules! stored {
    ($($kind:ident: $id:ty, $keys:expr;)*) => {
        /// One object of any kind. Cloning shares it.
        #[derive(Clone, Debug, PartialEq)]
        #[expect(missing_docs, reason = "each variant is the type it holds")]
        pub enum Object {
            $($kind(Arc<$kind>),)*
        }

        impl Object {
            /// Its kind.
            pub fn kind(&self) -> Kind {
                match self { $(Self::$kind(_) => Kind::$kind,)* }
            }

            /// Its id as text.
            pub fn id(&self) -> String {
                match self { $(Self::$kind(object) => object.id.to_string(),)* }
            }

            /// Its version and times.
            pub fn meta(&self) -> &Meta {
                match self { $(Self::$kind(object) => &object.meta,)* }
            }
        }

        $(impl Stored for $kind {
            type Id = $id;

            fn id(&self) -> $id {
                self.id
            }

            fn meta(&self) -> &Meta {
                &self.meta
            }

            fn meta_mut(&mut self) -> &mut Meta {
                &mut self.meta
            }

            fn keys(&self) -> Vec<Key> {
                let keys: fn(&Self) -> Vec<Key> = $keys;
                keys(self)
            }

            fn lowest_id() -> $id {
                <$id>::LOWEST
            }

            fn into_object(object: Arc<Self>) -> Object {
                Object::$kind(object)
            }
        })*
    };
}

stored! {
    Node: model::NodeId, |node| named(&node.spec.annotations);
    Service: model::ServiceId, |service| named(&service.spec.annotations);
    Task: model::TaskId, task_keys;
    Network: model::NetworkId, |network| named(&network.spec.annotations);
    Cluster: model::ClusterId, |cluster| named(&cluster.spec.annotations);
    Secret: model::SecretId, |secret| named(&secret.spec.annotations);
    Config: model::ConfigId, |config| named(&config.spec.annotations);
    Volume: model::VolumeId, |volume| named(&volume.spec.annotations);
    Extension: model::ExtensionId, |extension| named(&extension.annotations);
    Resource: model::ResourceId, |resource| named(&resource.annotations);
}

fn named(annotations: &Annotations) -> Vec<Key> {
    if annotations.name.is_empty() {
        Vec::new()
    } else {
        vec![Key::Name(annotations.name.to_lowercase().into())]
    }
}

fn task_keys(task: &Task) -> Vec<Key> {
    let mut keys = Vec::with_capacity(3);
    if let Some(service) = task.service_id {
        keys.push(Key::Service(service));
        keys.push(Key::Slot(service, task.slot));
    }
    if let Some(node) = task.node_id {
        keys.push(Key::Node(node));
        keys.extend(task.service_id.filter(|_| task.slot == 0).map(|service| Key::On(service, node)));
    }
    keys
}
