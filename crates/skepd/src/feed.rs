//! What happens becomes events: to containers of this node, and to the swarm's objects while this node is a manager.
//!
//! In: the containers' own events, and the book's news. Out: events, told to all listeners. It tells only; nobody
//! waits for it, and what it misses while it is behind is missed by its listeners too.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::event::{Actor, Event};
use api::node::{availability_word, reachability_word, role_word, state_word};
use manager::book::News;
use model::{Meta, Node, Runtime, Service, ServiceMode, Timestamp};
use runtime::container::mounts::MountKind;
use runtime::container::{Action, ContainerEvent};
use store::{Event as Change, Object};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use crate::connect::Wiring;
use crate::daemon::Daemon;
use crate::standing::Standing;

/// Tells what happens to containers until the way down begins.
pub(crate) async fn containers(daemon: Arc<Daemon>, stop: CancellationToken) {
    let mut events = daemon.containers.events();
    loop {
        match stop.run_until_cancelled(events.recv()).await {
            Some(Ok(event)) => tell_container(&daemon, &event),
            Some(Err(RecvError::Lagged(_))) => {}
            Some(Err(RecvError::Closed)) | None => return,
        }
    }
}

/// Tells what happens in the swarm, whenever this node is a manager, until the way down begins.
pub(crate) async fn swarm(daemon: Arc<Daemon>, stop: CancellationToken) {
    let mut standing = daemon.node.watch();
    loop {
        let feed = match &*standing.borrow_and_update() {
            Standing::Manager(_, manager) => manager.book.feed(),
            _ => None,
        };
        let changed = match feed {
            Some(mut feed) => loop {
                let news = tokio::select! {
                    news = feed.recv() => news,
                    changed = standing.changed() => break changed,
                    () = stop.cancelled() => return,
                };
                match news {
                    Ok(News::Changed { events, .. }) => {
                        events.iter().filter_map(of_swarm).for_each(|event| daemon.events.tell(event))
                    }
                    Ok(News::Replaced(_)) | Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => break standing.changed().await,
                }
            },
            None => tokio::select! {
                changed = standing.changed() => changed,
                () = stop.cancelled() => return,
            },
        };
        if changed.is_err() {
            return;
        }
    }
}

/// Tells what happened to a container, and to its places and volumes: it gets them before it starts, and loses them
/// after it has ended.
fn tell_container(daemon: &Daemon, event: &ContainerEvent) {
    let (before, after) = match event.action {
        Action::Start => (its_places(daemon, event, ["connect", "mount"]), Vec::new()),
        Action::Die { .. } => (Vec::new(), its_places(daemon, event, ["disconnect", "unmount"])),
        _ => Default::default(),
    };
    before.into_iter().chain([of_container(event)]).chain(after).for_each(|event| daemon.events.tell(event));
}

/// What happens to the places of a container in networks, and to its volumes; nothing if it is gone already.
fn its_places(daemon: &Daemon, event: &ContainerEvent, [network, volume]: [&str; 2]) -> Vec<Event> {
    let Ok(record) = daemon.containers.inspect(event.id) else { return Vec::new() };
    let container = || ("container".to_owned(), event.id.to_string());
    let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let mounted = record.mounts.iter().filter(|mount| mount.kind == MountKind::Volume).map(|mount| {
        let mut attributes = BTreeMap::from([container(), pair("driver", "local")]);
        if volume == "mount" {
            attributes.insert("destination".to_owned(), mount.target.clone());
            attributes.insert("propagation".to_owned(), mount.propagation.clone());
            attributes.insert("read/write".to_owned(), mount.writable.to_string());
        }
        let actor = Actor { id: mount.volume.clone(), attributes };
        Event::local("volume", volume, actor, event.at)
    });
    let wiring = Wiring::of(&record.description);
    let name = wiring.network_name();
    let kind = if name == "none" { "null" } else { name };
    let connected = (name != "container").then(|| {
        let attributes = BTreeMap::from([container(), pair("name", name), pair("type", kind)]);
        let actor = Actor { id: network::network_id(&daemon.id, name), attributes };
        Event::local("network", network, actor, event.at)
    });
    mounted.chain(connected).collect()
}

fn of_container(event: &ContainerEvent) -> Event {
    let ContainerEvent { at, id, name, image, labels, action } = event;
    let mut attributes = labels.clone();
    attributes.insert("image".to_owned(), image.clone());
    attributes.insert("name".to_owned(), name.clone());
    match action {
        Action::Kill { signal } => attributes.insert("signal".to_owned(), signal.to_string()),
        Action::Die { exit_code } => attributes.insert("exitCode".to_owned(), exit_code.to_string()),
        Action::Rename { old } => attributes.insert("oldName".to_owned(), format!("/{old}")),
        Action::ExecCreate { exec, .. } | Action::ExecStart { exec, .. } => {
            attributes.insert("execID".to_owned(), exec.clone())
        }
        Action::ExecDie { exec, exit_code } => {
            attributes.insert("execID".to_owned(), exec.clone());
            attributes.insert("exitCode".to_owned(), exit_code.to_string())
        }
        _ => None,
    };
    Event::local("container", &action.word(), Actor { id: id.to_string(), attributes }, *at)
}

/// The event of one change of the book; tasks have none.
fn of_swarm(change: &Change) -> Option<Event> {
    let (action, old, new) = match change {
        Change::Created(new) => ("create", None, new),
        Change::Updated { old, new } => ("update", Some(old), new),
        Change::Removed(old) => ("remove", None, old),
    };
    let (kind, id, name, meta) = named(new)?;
    let mut attributes: BTreeMap<String, String> = [("name".to_owned(), name)].into();
    match (old, new) {
        (Some(Object::Service(old)), Object::Service(new)) => service(old, new, &mut attributes),
        (Some(Object::Node(old)), Object::Node(new)) => node(old, new, &mut attributes),
        _ => {}
    }
    let at = match action {
        "create" => meta.created_at,
        "update" => meta.updated_at,
        _ => None,
    };
    let at: Timestamp = at.unwrap_or_else(host::clock::now);
    Some(Event::swarm(kind, action, Actor { id, attributes }, at))
}

fn named(object: &Object) -> Option<(&'static str, String, String, Meta)> {
    Some(match object {
        Object::Service(service) => {
            ("service", service.id.to_string(), service.spec.annotations.name.clone(), service.meta)
        }
        Object::Node(node) => ("node", node.id.to_string(), node.name().to_owned(), node.meta),
        Object::Network(network) => {
            ("network", network.id.to_string(), network.spec.annotations.name.clone(), network.meta)
        }
        Object::Secret(secret) => {
            ("secret", secret.id.to_string(), secret.spec.annotations.name.clone(), secret.meta)
        }
        Object::Config(config) => {
            ("config", config.id.to_string(), config.spec.annotations.name.clone(), config.meta)
        }
        Object::Task(_)
        | Object::Cluster(_)
        | Object::Resource(_)
        | Object::Extension(_)
        | Object::Volume(_) => {
            return None;
        }
    })
}

/// Notes what became of something, if it changed.
fn note(attributes: &mut BTreeMap<String, String>, key: &str, old: String, new: String) {
    if old != new {
        attributes.insert(format!("{key}.old"), old);
        attributes.insert(format!("{key}.new"), new);
    }
}

fn service(old: &Service, new: &Service, attributes: &mut BTreeMap<String, String>) {
    let image = |service: &Service| match &service.spec.task.runtime {
        Runtime::Container(container) => container.image.clone(),
        Runtime::Attachment(_) | Runtime::Generic(_) => String::new(),
    };
    let replicas = |service: &Service| match service.spec.mode {
        ServiceMode::Replicated { replicas } => replicas.to_string(),
        _ => String::new(),
    };
    let update = |service: &Service| {
        service.update_status.as_ref().map(api::service::UpdateStatus::from).unwrap_or_default().state
    };
    note(attributes, "image", image(old), image(new));
    note(attributes, "replicas", replicas(old), replicas(new));
    note(attributes, "updatestate", update(old), update(new));
}

fn node(old: &Node, new: &Node, attributes: &mut BTreeMap<String, String>) {
    let manager = |node: &Node| node.manager_status.clone().unwrap_or_default();
    let mut words = |key: &str, old: &str, new: &str| note(attributes, key, old.to_owned(), new.to_owned());
    words("availability", availability_word(old.spec.availability), availability_word(new.spec.availability));
    words("role", role_word(old.role), role_word(new.role));
    words("state", state_word(old.status.state), state_word(new.status.state));
    words(
        "reachability",
        reachability_word(manager(old).reachability),
        reachability_word(manager(new).reachability),
    );
    note(attributes, "leader", manager(old).leader.to_string(), manager(new).leader.to_string());
}
