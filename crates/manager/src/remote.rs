//! Puts a request to a leader on another manager, in the words of the gRPC services.
//!
//! In: a request, and a channel to the leader. Out: its answer. It has the limits of the wire: secrets and keys are
//! not in what comes back; whoever needs them looks into the book.

use std::sync::Arc;

use control::leader::{Answer, Request, Rollback, Rotation};
use model::{Refusal, RefusalKind, TaskId};
use tonic::transport::Channel;
use tonic::{Response, Status};
use wire::proto::control_client::ControlClient;
use wire::proto::resource_allocator_client::ResourceAllocatorClient;
use wire::proto::update_service_request;
use wire::{OnWire, proto, status_of};

/// What a leader may answer at once.
const MESSAGE_BYTES_MAX: usize = i32::MAX as usize;

type Answered = Result<Answer, Status>;

/// Asks the leader at the other end of this channel.
///
/// # Errors
/// What the leader says, or why it cannot be heard.
#[expect(clippy::too_many_lines, reason = "a table: one arm for each request, in the words of its call")]
pub(crate) async fn request(channel: Channel, request: Request) -> Answered {
    // Places in networks are given by another service; it takes whoever calls for the node that wants one.
    let mut allocator = ResourceAllocatorClient::new(channel.clone());
    let mut leader = ControlClient::new(channel).max_decoding_message_size(MESSAGE_BYTES_MAX);
    match request {
        Request::CreateService(spec) => {
            let request = proto::CreateServiceRequest { spec: Some(spec.as_ref().to_wire()) };
            Ok(Answer::Service(object(leader.create_service(request).await?.into_inner().service)?))
        }
        Request::UpdateService { id, version, spec, rollback } => {
            let request = proto::UpdateServiceRequest {
                service_id: id.to_wire(),
                service_version: Some(version.to_wire()),
                spec: Some(spec.as_ref().to_wire()),
                rollback: rollback_of(rollback).into(),
            };
            Ok(Answer::Service(object(leader.update_service(request).await?.into_inner().service)?))
        }
        Request::RemoveService(id) => {
            let request = proto::RemoveServiceRequest { service_id: id.to_wire() };
            done(leader.remove_service(request).await)
        }
        Request::UpdateNode { id, version, spec } => {
            let request = proto::UpdateNodeRequest {
                node_id: id.to_wire(),
                node_version: Some(version.to_wire()),
                spec: Some(spec.to_wire()),
            };
            Ok(Answer::Node(object(leader.update_node(request).await?.into_inner().node)?))
        }
        Request::RemoveNode { id, force } => {
            let request = proto::RemoveNodeRequest { node_id: id.to_wire(), force };
            done(leader.remove_node(request).await)
        }
        Request::UpdateCluster { id, version, spec, rotation } => {
            let request = proto::UpdateClusterRequest {
                cluster_id: id.to_wire(),
                cluster_version: Some(version.to_wire()),
                spec: Some(spec.as_ref().to_wire()),
                rotation: Some(wishes(&rotation)),
            };
            Ok(Answer::Cluster(object(leader.update_cluster(request).await?.into_inner().cluster)?))
        }
        Request::CreateNetwork(spec) => {
            let request = proto::CreateNetworkRequest { spec: Some(spec.as_ref().to_wire()) };
            Ok(Answer::Network(object(leader.create_network(request).await?.into_inner().network)?))
        }
        Request::RemoveNetwork(id) => {
            let request = proto::RemoveNetworkRequest { network_id: id.to_wire(), ..Default::default() };
            done(leader.remove_network(request).await)
        }
        Request::RemoveTask(id) => {
            let request = proto::RemoveTaskRequest { task_id: id.to_wire() };
            done(leader.remove_task(request).await)
        }
        Request::CreateSecret(spec) => {
            let request = proto::CreateSecretRequest { spec: Some(spec.as_ref().to_wire()) };
            Ok(Answer::Secret(object(leader.create_secret(request).await?.into_inner().secret)?))
        }
        Request::UpdateSecret { id, version, spec } => {
            let request = proto::UpdateSecretRequest {
                secret_id: id.to_wire(),
                secret_version: Some(version.to_wire()),
                spec: Some(spec.as_ref().to_wire()),
            };
            Ok(Answer::Secret(object(leader.update_secret(request).await?.into_inner().secret)?))
        }
        Request::RemoveSecret(id) => {
            let request = proto::RemoveSecretRequest { secret_id: id.to_wire() };
            done(leader.remove_secret(request).await)
        }
        Request::CreateConfig(spec) => {
            let request = proto::CreateConfigRequest { spec: Some(spec.as_ref().to_wire()) };
            Ok(Answer::Config(object(leader.create_config(request).await?.into_inner().config)?))
        }
        Request::UpdateConfig { id, version, spec } => {
            let request = proto::UpdateConfigRequest {
                config_id: id.to_wire(),
                config_version: Some(version.to_wire()),
                spec: Some(spec.as_ref().to_wire()),
            };
            Ok(Answer::Config(object(leader.update_config(request).await?.into_inner().config)?))
        }
        Request::RemoveConfig(id) => {
            let request = proto::RemoveConfigRequest { config_id: id.to_wire() };
            done(leader.remove_config(request).await)
        }
        Request::CreateVolume(spec) => {
            let request = proto::CreateVolumeRequest { spec: Some(spec.as_ref().to_wire()) };
            Ok(Answer::Volume(object(leader.create_volume(request).await?.into_inner().volume)?))
        }
        Request::UpdateVolume { id, version, spec } => {
            let request = proto::UpdateVolumeRequest {
                volume_id: id.to_wire(),
                volume_version: Some(version.to_wire()),
                spec: Some(spec.as_ref().to_wire()),
            };
            Ok(Answer::Volume(object(leader.update_volume(request).await?.into_inner().volume)?))
        }
        Request::RemoveVolume { id, force } => {
            let request = proto::RemoveVolumeRequest { volume_id: id.to_wire(), force };
            done(leader.remove_volume(request).await)
        }
        Request::CreateExtension { annotations, description } => {
            let request =
                proto::CreateExtensionRequest { annotations: Some(annotations.to_wire()), description };
            Ok(Answer::Extension(object(leader.create_extension(request).await?.into_inner().extension)?))
        }
        Request::RemoveExtension(id) => {
            let request = proto::RemoveExtensionRequest { extension_id: id.to_wire() };
            done(leader.remove_extension(request).await)
        }
        Request::CreateResource { annotations, kind, payload } => {
            let request = proto::CreateResourceRequest {
                annotations: Some(annotations.to_wire()),
                kind,
                payload: payload.to_wire(),
            };
            Ok(Answer::Resource(object(leader.create_resource(request).await?.into_inner().resource)?))
        }
        Request::UpdateResource { id, version, annotations, payload } => {
            let request = proto::UpdateResourceRequest {
                resource_id: id.to_wire(),
                resource_version: Some(version.to_wire()),
                annotations: annotations.to_wire(),
                payload: payload.to_wire(),
            };
            Ok(Answer::Resource(object(leader.update_resource(request).await?.into_inner().resource)?))
        }
        Request::RemoveResource(id) => {
            let request = proto::RemoveResourceRequest { resource_id: id.to_wire() };
            done(leader.remove_resource(request).await)
        }
        Request::AttachNetwork { node: _, config, container_id } => {
            let request = proto::AttachNetworkRequest { config: Some(config.to_wire()), container_id };
            let id = allocator.attach_network(request).await?.into_inner().attachment_id;
            Ok(Answer::Attachment(TaskId::from_wire(id)?))
        }
        Request::DetachNetwork(id) => {
            let request = proto::DetachNetworkRequest { attachment_id: id.to_wire() };
            done(allocator.detach_network(request).await)
        }
        // A swarm is founded, and certificates are given, only where the leader is: nobody asks for that from elsewhere.
        Request::Found(_) | Request::IssueCertificate { .. } | Request::RenewCertificate { .. } => {
            Err(status_of(&Refusal::new(RefusalKind::Unimplemented, "only the leader itself can do that")))
        }
    }
}

fn rollback_of(rollback: Rollback) -> update_service_request::Rollback {
    match rollback {
        Rollback::None => update_service_request::Rollback::None,
        Rollback::Previous => update_service_request::Rollback::Previous,
    }
}

/// Which words are to be drawn anew: over the wire the leader's side draws them.
fn wishes(rotation: &Rotation) -> proto::KeyRotation {
    let Rotation { worker_token, manager_token, unlock_key: _, rotate_unlock_key, authority: _ } = rotation;
    proto::KeyRotation {
        worker_join_token: worker_token.is_some(),
        manager_join_token: manager_token.is_some(),
        manager_unlock_key: *rotate_unlock_key,
    }
}

fn object<W, T: OnWire<W>>(wire: Option<W>) -> Result<Arc<T>, Status> {
    let wire = wire.ok_or_else(|| Status::internal("the leader's answer does not fit the question"))?;
    Ok(Arc::new(T::from_wire(wire)?))
}

fn done<T>(answer: Result<Response<T>, Status>) -> Answered {
    answer.map(|_| Answer::Done)
}
