//! Puts a request to a leader on another manager, in the words of the gRPC services.
//!
//! In: a request, and a channel to the leader. Out: its answer. It has the limits of the wire: secrets and keys are
//! not in what comes back; whoever needs them looks into the book.

use std::sync::Arc;

use control::leader::{Answer, Request, Rollback, Rotation};
use model::{Refusal, TaskId};
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
pub(crate) async fn request(channel: Channel, request: Request) -> Answered {
    let mut leader = Leader(ControlClient::new(channel.clone()).max_decoding_message_size(MESSAGE_BYTES_MAX));
    match request {
        request @ (Request::CreateService(_) | Request::UpdateService { .. } | Request::RemoveService(_)) => {
            leader.service(request).await
        }
        Request::UpdateNode { .. } | Request::RemoveNode { .. } | Request::UpdateCluster { .. } => {
            leader.swarm(request).await
        }
        Request::CreateNetwork(_) | Request::RemoveNetwork(_) | Request::RemoveTask(_) => {
            leader.network_or_task(request).await
        }
        Request::CreateSecret(_) | Request::UpdateSecret { .. } | Request::RemoveSecret(_) => {
            leader.secret(request).await
        }
        Request::CreateConfig(_) | Request::UpdateConfig { .. } | Request::RemoveConfig(_) => {
            leader.config(request).await
        }
        Request::CreateVolume(_) | Request::UpdateVolume { .. } | Request::RemoveVolume { .. } => {
            leader.volume(request).await
        }
        Request::CreateExtension { .. } | Request::RemoveExtension(_) => leader.extension(request).await,
        Request::CreateResource { .. } | Request::UpdateResource { .. } | Request::RemoveResource(_) => {
            leader.resource(request).await
        }
        Request::AttachNetwork { .. } | Request::DetachNetwork(_) => place(channel, request).await,
        Request::Found(_) | Request::IssueCertificate { .. } | Request::RenewCertificate { .. } => {
            Err(not_from_here())
        }
    }
}

/// The leader's door for users.
struct Leader(ControlClient<Channel>);

impl Leader {
    async fn service(&mut self, request: Request) -> Answered {
        match request {
            Request::CreateService(spec) => {
                let request = proto::CreateServiceRequest { spec: Some(spec.as_ref().to_wire()) };
                let service = self.0.create_service(request).await?.into_inner().service;
                Ok(Answer::Service(object(service)?))
            }
            Request::UpdateService { id, version, spec, rollback } => {
                let rollback = match rollback {
                    Rollback::None => update_service_request::Rollback::None,
                    Rollback::Previous => update_service_request::Rollback::Previous,
                };
                let request = proto::UpdateServiceRequest {
                    service_id: id.to_wire(),
                    service_version: Some(version.to_wire()),
                    spec: Some(spec.as_ref().to_wire()),
                    rollback: rollback.into(),
                };
                let service = self.0.update_service(request).await?.into_inner().service;
                Ok(Answer::Service(object(service)?))
            }
            Request::RemoveService(id) => {
                done(self.0.remove_service(proto::RemoveServiceRequest { service_id: id.to_wire() }).await)
            }
            _ => Err(not_from_here()),
        }
    }

    async fn swarm(&mut self, request: Request) -> Answered {
        match request {
            Request::UpdateNode { id, version, spec } => {
                let request = proto::UpdateNodeRequest {
                    node_id: id.to_wire(),
                    node_version: Some(version.to_wire()),
                    spec: Some(spec.to_wire()),
                };
                Ok(Answer::Node(object(self.0.update_node(request).await?.into_inner().node)?))
            }
            Request::RemoveNode { id, force } => {
                let request = proto::RemoveNodeRequest { node_id: id.to_wire(), force };
                done(self.0.remove_node(request).await)
            }
            Request::UpdateCluster { id, version, spec, rotation } => {
                let request = proto::UpdateClusterRequest {
                    cluster_id: id.to_wire(),
                    cluster_version: Some(version.to_wire()),
                    spec: Some(spec.as_ref().to_wire()),
                    rotation: Some(wishes(&rotation)),
                };
                Ok(Answer::Cluster(object(self.0.update_cluster(request).await?.into_inner().cluster)?))
            }
            _ => Err(not_from_here()),
        }
    }

    async fn network_or_task(&mut self, request: Request) -> Answered {
        match request {
            Request::CreateNetwork(spec) => {
                let request = proto::CreateNetworkRequest { spec: Some(spec.as_ref().to_wire()) };
                Ok(Answer::Network(object(self.0.create_network(request).await?.into_inner().network)?))
            }
            Request::RemoveNetwork(id) => {
                let request = proto::RemoveNetworkRequest { network_id: id.to_wire(), ..Default::default() };
                done(self.0.remove_network(request).await)
            }
            Request::RemoveTask(id) => {
                done(self.0.remove_task(proto::RemoveTaskRequest { task_id: id.to_wire() }).await)
            }
            _ => Err(not_from_here()),
        }
    }

    async fn secret(&mut self, request: Request) -> Answered {
        match request {
            Request::CreateSecret(spec) => {
                let request = proto::CreateSecretRequest { spec: Some(spec.as_ref().to_wire()) };
                Ok(Answer::Secret(object(self.0.create_secret(request).await?.into_inner().secret)?))
            }
            Request::UpdateSecret { id, version, spec } => {
                let request = proto::UpdateSecretRequest {
                    secret_id: id.to_wire(),
                    secret_version: Some(version.to_wire()),
                    spec: Some(spec.as_ref().to_wire()),
                };
                Ok(Answer::Secret(object(self.0.update_secret(request).await?.into_inner().secret)?))
            }
            Request::RemoveSecret(id) => {
                done(self.0.remove_secret(proto::RemoveSecretRequest { secret_id: id.to_wire() }).await)
            }
            _ => Err(not_from_here()),
        }
    }

    async fn config(&mut self, request: Request) -> Answered {
        match request {
            Request::CreateConfig(spec) => {
                let request = proto::CreateConfigRequest { spec: Some(spec.as_ref().to_wire()) };
                Ok(Answer::Config(object(self.0.create_config(request).await?.into_inner().config)?))
            }
            Request::UpdateConfig { id, version, spec } => {
                let request = proto::UpdateConfigRequest {
                    config_id: id.to_wire(),
                    config_version: Some(version.to_wire()),
                    spec: Some(spec.as_ref().to_wire()),
                };
                Ok(Answer::Config(object(self.0.update_config(request).await?.into_inner().config)?))
            }
            Request::RemoveConfig(id) => {
                done(self.0.remove_config(proto::RemoveConfigRequest { config_id: id.to_wire() }).await)
            }
            _ => Err(not_from_here()),
        }
    }

    async fn volume(&mut self, request: Request) -> Answered {
        match request {
            Request::CreateVolume(spec) => {
                let request = proto::CreateVolumeRequest { spec: Some(spec.as_ref().to_wire()) };
                Ok(Answer::Volume(object(self.0.create_volume(request).await?.into_inner().volume)?))
            }
            Request::UpdateVolume { id, version, spec } => {
                let request = proto::UpdateVolumeRequest {
                    volume_id: id.to_wire(),
                    volume_version: Some(version.to_wire()),
                    spec: Some(spec.as_ref().to_wire()),
                };
                Ok(Answer::Volume(object(self.0.update_volume(request).await?.into_inner().volume)?))
            }
            Request::RemoveVolume { id, force } => {
                let request = proto::RemoveVolumeRequest { volume_id: id.to_wire(), force };
                done(self.0.remove_volume(request).await)
            }
            _ => Err(not_from_here()),
        }
    }

    async fn extension(&mut self, request: Request) -> Answered {
        match request {
            Request::CreateExtension { annotations, description } => {
                let annotations = Some(annotations.to_wire());
                let request = proto::CreateExtensionRequest { annotations, description };
                let extension = self.0.create_extension(request).await?.into_inner().extension;
                Ok(Answer::Extension(object(extension)?))
            }
            Request::RemoveExtension(id) => {
                let request = proto::RemoveExtensionRequest { extension_id: id.to_wire() };
                done(self.0.remove_extension(request).await)
            }
            _ => Err(not_from_here()),
        }
    }

    async fn resource(&mut self, request: Request) -> Answered {
        match request {
            Request::CreateResource { annotations, kind, payload } => {
                let (annotations, payload) = (Some(annotations.to_wire()), payload.to_wire());
                let request = proto::CreateResourceRequest { annotations, kind, payload };
                let resource = self.0.create_resource(request).await?.into_inner().resource;
                Ok(Answer::Resource(object(resource)?))
            }
            Request::UpdateResource { id, version, annotations, payload } => {
                let request = proto::UpdateResourceRequest {
                    resource_id: id.to_wire(),
                    resource_version: Some(version.to_wire()),
                    annotations: annotations.to_wire(),
                    payload: payload.to_wire(),
                };
                let resource = self.0.update_resource(request).await?.into_inner().resource;
                Ok(Answer::Resource(object(resource)?))
            }
            Request::RemoveResource(id) => {
                let request = proto::RemoveResourceRequest { resource_id: id.to_wire() };
                done(self.0.remove_resource(request).await)
            }
            _ => Err(not_from_here()),
        }
    }
}

/// Places in networks are given by another service; it takes whoever calls for the node that wants one.
async fn place(channel: Channel, request: Request) -> Answered {
    let mut allocator = ResourceAllocatorClient::new(channel);
    match request {
        Request::AttachNetwork { node: _, config, container_id } => {
            let request = proto::AttachNetworkRequest { config: Some(config.to_wire()), container_id };
            let id = allocator.attach_network(request).await?.into_inner().attachment_id;
            Ok(Answer::Attachment(TaskId::from_wire(id)?))
        }
        Request::DetachNetwork(id) => {
            done(allocator.detach_network(proto::DetachNetworkRequest { attachment_id: id.to_wire() }).await)
        }
        _ => Err(not_from_here()),
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

/// A swarm is founded, and certificates are given, only where the leader is: nobody asks for that from elsewhere.
fn not_from_here() -> Status {
    status_of(&Refusal::new(model::RefusalKind::Unimplemented, "only the leader itself can do that"))
}
