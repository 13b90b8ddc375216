//! Judges what is asked, and drafts what is granted.
//!
//! In: a draft and a request. Out: a yes, with the draft changed, or a refusal, with the draft as it was. Only
//! what was asked is drafted; its consequences are the round's.

mod attachments;
mod certificates;
mod cluster;
mod configs;
mod container;
mod extensions;
mod founding;
mod networks;
mod nodes;
mod references;
mod secrets;
mod services;
mod tasks;
mod volumes;

use std::sync::Arc;

use model::{Cx, Meta, Refusal, RefusalKind, Version};
use store::{Draft, State, Stored, Table};

use super::request::{Answer, Request};

/// Judges one request on the draft so far.
pub(super) fn judge(draft: &mut Draft, request: Request, cx: &mut Cx<'_>) -> Result<Answer, Refusal> {
    match request {
        Request::Found(founding) => founding::found(draft, *founding, cx),
        Request::CreateService(spec) => services::create(draft, *spec, cx),
        Request::UpdateService { id, version, spec, rollback } => {
            services::update(draft, (id, version), *spec, rollback)
        }
        Request::RemoveService(id) => services::remove(draft, id),
        Request::UpdateNode { id, version, spec } => nodes::update(draft, (id, version), spec),
        Request::RemoveNode { id, force } => nodes::remove(draft, id, force),
        Request::UpdateCluster { id, version, spec, rotation } => {
            cluster::update(draft, (id, version), *spec, rotation)
        }
        Request::CreateNetwork(spec) => networks::create(draft, *spec, cx),
        Request::RemoveNetwork(id) => networks::remove(draft, id),
        Request::CreateSecret(spec) => secrets::create(draft, *spec, cx),
        Request::UpdateSecret { id, version, spec } => secrets::update(draft, (id, version), *spec),
        Request::RemoveSecret(id) => secrets::remove(draft, id),
        Request::CreateConfig(spec) => configs::create(draft, *spec, cx),
        Request::UpdateConfig { id, version, spec } => configs::update(draft, (id, version), *spec),
        Request::RemoveConfig(id) => configs::remove(draft, id),
        Request::CreateVolume(spec) => volumes::create(draft, *spec, cx),
        Request::UpdateVolume { id, version, spec } => volumes::update(draft, (id, version), *spec),
        Request::RemoveVolume { id, force } => volumes::remove(draft, id, force),
        Request::RemoveTask(id) => tasks::remove(draft, id),
        Request::CreateExtension { annotations, description } => {
            extensions::create(draft, annotations, description, cx)
        }
        Request::RemoveExtension(id) => extensions::remove(draft, id),
        Request::CreateResource { annotations, kind, payload } => {
            extensions::create_resource(draft, annotations, (kind, payload), cx)
        }
        Request::UpdateResource { id, version, annotations, payload } => {
            extensions::update_resource(draft, (id, version), annotations, payload)
        }
        Request::RemoveResource(id) => extensions::remove_resource(draft, id),
        Request::AttachNetwork { node, config, container_id } => {
            attachments::attach(draft, node, (config, container_id), cx)
        }
        Request::DetachNetwork(id) => attachments::detach(draft, id),
        Request::IssueCertificate { token, csr, availability } => {
            certificates::issue(draft, &token, (csr, availability), cx)
        }
        Request::RenewCertificate { node, csr } => certificates::renew(draft, node, csr),
    }
}

/// The answer with its object as this state has it: as the whole round left it, or as the asker's own book says.
pub fn seen_in(answer: Answer, state: &State) -> Answer {
    fn now<T: Stored>(object: Arc<T>, table: &Table<T>) -> Arc<T> {
        table.get(object.id()).cloned().unwrap_or(object)
    }
    match answer {
        Answer::Service(service) => Answer::Service(now(service, &state.services)),
        Answer::Node(node) => Answer::Node(now(node, &state.nodes)),
        Answer::Cluster(cluster) => Answer::Cluster(now(cluster, &state.clusters)),
        Answer::Network(network) => Answer::Network(now(network, &state.networks)),
        Answer::Secret(secret) => Answer::Secret(now(secret, &state.secrets)),
        Answer::Config(config) => Answer::Config(now(config, &state.configs)),
        Answer::Volume(volume) => Answer::Volume(now(volume, &state.volumes)),
        Answer::Extension(extension) => Answer::Extension(now(extension, &state.extensions)),
        Answer::Resource(resource) => Answer::Resource(now(resource, &state.resources)),
        Answer::Done
        | Answer::Attachment(_)
        | Answer::Session(_)
        | Answer::Heartbeat(_)
        | Answer::Certificate(_) => answer,
    }
}

/// Refuses an update that was made from another version than the present one.
fn check_version(meta: &Meta, version: Version) -> Result<(), Refusal> {
    if meta.version == version { Ok(()) } else { Err(Refusal::out_of_sequence()) }
}

/// A refusal because the swarm is not in the state for it.
fn not_now(message: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Precondition, message)
}

/// A refusal because there is such a thing already.
fn taken(message: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::AlreadyExists, message)
}

/// A refusal because that is never done.
fn unbuilt(message: impl Into<String>) -> Refusal {
    Refusal::new(RefusalKind::Unimplemented, message)
}

#[cfg(test)]
mod tests;
