//! What users ask of a manager over gRPC (`control.md` section 11). The Engine API has its own way.
//!
//! Data of secrets and keys of the authority never leave by this door.

use control::leader::{Answer, Request as Question, Rollback};
use model::{Annotations, Resource, Service, Task, Volume};
use tonic::{Request, Response, Status};
use wire::proto::control_server;
use wire::{OnWire, proto};

use super::guard::MANAGERS;
use super::lists::{Filters, accept_node, accept_service, accept_task, accept_volume, service_status};
use super::lookup::{Control, confused, id, spec, version};
use super::shown::{with_defaults, without_data, without_keys};

type Reply<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl control_server::Control for Control {
    async fn get_node(&self, request: Request<proto::GetNodeRequest>) -> Reply<proto::GetNodeResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let node = self.find("node", &request.get_ref().node_id, |state| &state.nodes).await?;
        Ok(Response::new(proto::GetNodeResponse { node: Some(node.as_ref().to_wire()) }))
    }

    async fn list_nodes(&self, request: Request<proto::ListNodesRequest>) -> Reply<proto::ListNodesResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let wanted = request.into_inner().filters.unwrap_or_default();
        let nodes =
            self.list(|state| &state.nodes, |node| accept_node(&wanted, node), |node| node.to_wire()).await?;
        Ok(Response::new(proto::ListNodesResponse { nodes }))
    }

    async fn update_node(
        &self,
        request: Request<proto::UpdateNodeRequest>,
    ) -> Reply<proto::UpdateNodeResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let proto::UpdateNodeRequest { node_id, node_version, spec: wished } = request.into_inner();
        let (id, version) = (id("node", &node_id)?, version(node_version)?);
        let answer = self.ask(Question::UpdateNode { id, version, spec: *spec(wished)? }).await?;
        let Answer::Node(node) = answer else { return Err(confused(answer)) };
        Ok(Response::new(proto::UpdateNodeResponse { node: Some(node.as_ref().to_wire()) }))
    }

    async fn remove_node(
        &self,
        request: Request<proto::RemoveNodeRequest>,
    ) -> Reply<proto::RemoveNodeResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let proto::RemoveNodeRequest { node_id, force } = request.into_inner();
        self.ask(Question::RemoveNode { id: id("node", &node_id)?, force }).await?;
        Ok(Response::new(proto::RemoveNodeResponse {}))
    }

    async fn get_task(&self, request: Request<proto::GetTaskRequest>) -> Reply<proto::GetTaskResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let task = self.find("task", &request.get_ref().task_id, |state| &state.tasks).await?;
        Ok(Response::new(proto::GetTaskResponse { task: Some(task.as_ref().to_wire()) }))
    }

    async fn list_tasks(&self, request: Request<proto::ListTasksRequest>) -> Reply<proto::ListTasksResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let wanted = request.into_inner().filters.unwrap_or_default();
        let book = self.book().await?;
        let accept = |task: &Task| accept_task(&wanted, task, &book);
        let tasks = self.list(|state| &state.tasks, accept, |task| task.to_wire()).await?;
        Ok(Response::new(proto::ListTasksResponse { tasks }))
    }

    async fn remove_task(
        &self,
        request: Request<proto::RemoveTaskRequest>,
    ) -> Reply<proto::RemoveTaskResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let id = id("task", &request.get_ref().task_id)?;
        self.ask(Question::RemoveTask(id)).await?;
        Ok(Response::new(proto::RemoveTaskResponse {}))
    }

    async fn get_service(
        &self,
        request: Request<proto::GetServiceRequest>,
    ) -> Reply<proto::GetServiceResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let proto::GetServiceRequest { service_id, insert_defaults } = request.into_inner();
        let service = self.find("service", &service_id, |state| &state.services).await?;
        let service = if insert_defaults { with_defaults(&service) } else { Service::clone(&service) };
        Ok(Response::new(proto::GetServiceResponse { service: Some(service.to_wire()) }))
    }

    async fn list_services(
        &self,
        request: Request<proto::ListServicesRequest>,
    ) -> Reply<proto::ListServicesResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let wanted = request.into_inner().filters.unwrap_or_default();
        let accept = |service: &Service| accept_service(&wanted, service);
        let services = self.list(|state| &state.services, accept, |service| service.to_wire()).await?;
        Ok(Response::new(proto::ListServicesResponse { services }))
    }

    async fn create_service(
        &self,
        request: Request<proto::CreateServiceRequest>,
    ) -> Reply<proto::CreateServiceResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let spec = spec(request.into_inner().spec)?;
        let answer = self.ask(Question::CreateService(spec)).await?;
        let Answer::Service(service) = answer else { return Err(confused(answer)) };
        Ok(Response::new(proto::CreateServiceResponse { service: Some(service.as_ref().to_wire()) }))
    }

    async fn update_service(
        &self,
        request: Request<proto::UpdateServiceRequest>,
    ) -> Reply<proto::UpdateServiceResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let proto::UpdateServiceRequest { service_id, service_version, spec: wished, rollback } =
            request.into_inner();
        let rollback = match proto::update_service_request::Rollback::try_from(rollback) {
            Ok(proto::update_service_request::Rollback::Previous) => Rollback::Previous,
            Ok(proto::update_service_request::Rollback::None) | Err(_) => Rollback::None,
        };
        let (id, version) = (id("service", &service_id)?, version(service_version)?);
        let spec = if rollback == Rollback::Previous { Box::default() } else { spec(wished)? };
        let answer = self.ask(Question::UpdateService { id, version, spec, rollback }).await?;
        let Answer::Service(service) = answer else { return Err(confused(answer)) };
        Ok(Response::new(proto::UpdateServiceResponse { service: Some(service.as_ref().to_wire()) }))
    }

    async fn remove_service(
        &self,
        request: Request<proto::RemoveServiceRequest>,
    ) -> Reply<proto::RemoveServiceResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let id = id("service", &request.get_ref().service_id)?;
        self.ask(Question::RemoveService(id)).await?;
        Ok(Response::new(proto::RemoveServiceResponse {}))
    }

    async fn list_service_statuses(
        &self,
        request: Request<proto::ListServiceStatusesRequest>,
    ) -> Reply<proto::ListServiceStatusesResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let book = self.book().await?;
        let ids = request.into_inner().services;
        let statuses = ids.iter().map(|id| service_status(&book, id)).collect();
        Ok(Response::new(proto::ListServiceStatusesResponse { statuses }))
    }

    async fn get_network(
        &self,
        request: Request<proto::GetNetworkRequest>,
    ) -> Reply<proto::GetNetworkResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let proto::GetNetworkRequest { name, network_id, appdata: _ } = request.into_inner();
        let network = self.find_network(&name, &network_id).await?;
        Ok(Response::new(proto::GetNetworkResponse { network: Some(network.as_ref().to_wire()) }))
    }

    async fn list_networks(
        &self,
        request: Request<proto::ListNetworksRequest>,
    ) -> Reply<proto::ListNetworksResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let filters = Filters::from(request.into_inner().filters.unwrap_or_default());
        let networks = self
            .list(
                |state| &state.networks,
                |network| {
                    filters.accept(
                        network.id.as_str(),
                        &network.spec.annotations.name,
                        &network.spec.annotations.labels,
                    )
                },
                |network| network.to_wire(),
            )
            .await?;
        Ok(Response::new(proto::ListNetworksResponse { networks }))
    }

    async fn create_network(
        &self,
        request: Request<proto::CreateNetworkRequest>,
    ) -> Reply<proto::CreateNetworkResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let spec = spec(request.into_inner().spec)?;
        let answer = self.ask(Question::CreateNetwork(spec)).await?;
        let Answer::Network(network) = answer else { return Err(confused(answer)) };
        Ok(Response::new(proto::CreateNetworkResponse { network: Some(network.as_ref().to_wire()) }))
    }

    async fn remove_network(
        &self,
        request: Request<proto::RemoveNetworkRequest>,
    ) -> Reply<proto::RemoveNetworkResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let proto::RemoveNetworkRequest { name, network_id } = request.into_inner();
        let network = self.find_network(&name, &network_id).await?;
        self.ask(Question::RemoveNetwork(network.id)).await?;
        Ok(Response::new(proto::RemoveNetworkResponse {}))
    }

    async fn get_cluster(
        &self,
        request: Request<proto::GetClusterRequest>,
    ) -> Reply<proto::GetClusterResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let cluster = self.find("cluster", &request.get_ref().cluster_id, |state| &state.clusters).await?;
        Ok(Response::new(proto::GetClusterResponse {
            cluster: Some(without_keys(cluster.as_ref().to_wire())),
        }))
    }

    async fn list_clusters(
        &self,
        request: Request<proto::ListClustersRequest>,
    ) -> Reply<proto::ListClustersResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let filters = Filters::from(request.into_inner().filters.unwrap_or_default());
        let clusters = self
            .list(
                |state| &state.clusters,
                |cluster| {
                    filters.accept(
                        cluster.id.as_str(),
                        &cluster.spec.annotations.name,
                        &cluster.spec.annotations.labels,
                    )
                },
                |cluster| without_keys(cluster.to_wire()),
            )
            .await?;
        Ok(Response::new(proto::ListClustersResponse { clusters }))
    }

    async fn update_cluster(
        &self,
        request: Request<proto::UpdateClusterRequest>,
    ) -> Reply<proto::UpdateClusterResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let proto::UpdateClusterRequest { cluster_id, cluster_version, spec: wished, rotation } =
            request.into_inner();
        let (id, version) = (id("cluster", &cluster_id)?, version(cluster_version)?);
        let (spec, rotation) = (spec(wished)?, self.draw(rotation.unwrap_or_default()).await?);
        let answer = self.ask(Question::UpdateCluster { id, version, spec, rotation }).await?;
        let Answer::Cluster(cluster) = answer else { return Err(confused(answer)) };
        Ok(Response::new(proto::UpdateClusterResponse {
            cluster: Some(without_keys(cluster.as_ref().to_wire())),
        }))
    }

    async fn get_secret(&self, request: Request<proto::GetSecretRequest>) -> Reply<proto::GetSecretResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let secret = self.find("secret", &request.get_ref().secret_id, |state| &state.secrets).await?;
        Ok(Response::new(proto::GetSecretResponse { secret: Some(without_data(secret.as_ref().to_wire())) }))
    }

    async fn update_secret(
        &self,
        request: Request<proto::UpdateSecretRequest>,
    ) -> Reply<proto::UpdateSecretResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let proto::UpdateSecretRequest { secret_id, secret_version, spec: wished } = request.into_inner();
        let (id, version) = (id("secret", &secret_id)?, version(secret_version)?);
        let answer = self.ask(Question::UpdateSecret { id, version, spec: spec(wished)? }).await?;
        let Answer::Secret(secret) = answer else { return Err(confused(answer)) };
        Ok(Response::new(proto::UpdateSecretResponse {
            secret: Some(without_data(secret.as_ref().to_wire())),
        }))
    }

    async fn list_secrets(
        &self,
        request: Request<proto::ListSecretsRequest>,
    ) -> Reply<proto::ListSecretsResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let filters = Filters::from(request.into_inner().filters.unwrap_or_default());
        let secrets = self
            .list(
                |state| &state.secrets,
                |secret| {
                    filters.accept(
                        secret.id.as_str(),
                        &secret.spec.annotations.name,
                        &secret.spec.annotations.labels,
                    )
                },
                |secret| without_data(secret.to_wire()),
            )
            .await?;
        Ok(Response::new(proto::ListSecretsResponse { secrets }))
    }

    async fn create_secret(
        &self,
        request: Request<proto::CreateSecretRequest>,
    ) -> Reply<proto::CreateSecretResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let spec = spec(request.into_inner().spec)?;
        let answer = self.ask(Question::CreateSecret(spec)).await?;
        let Answer::Secret(secret) = answer else { return Err(confused(answer)) };
        Ok(Response::new(proto::CreateSecretResponse {
            secret: Some(without_data(secret.as_ref().to_wire())),
        }))
    }

    async fn remove_secret(
        &self,
        request: Request<proto::RemoveSecretRequest>,
    ) -> Reply<proto::RemoveSecretResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let id = id("secret", &request.get_ref().secret_id)?;
        self.ask(Question::RemoveSecret(id)).await?;
        Ok(Response::new(proto::RemoveSecretResponse {}))
    }

    async fn get_config(&self, request: Request<proto::GetConfigRequest>) -> Reply<proto::GetConfigResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let config = self.find("config", &request.get_ref().config_id, |state| &state.configs).await?;
        Ok(Response::new(proto::GetConfigResponse { config: Some(config.as_ref().to_wire()) }))
    }

    async fn update_config(
        &self,
        request: Request<proto::UpdateConfigRequest>,
    ) -> Reply<proto::UpdateConfigResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let proto::UpdateConfigRequest { config_id, config_version, spec: wished } = request.into_inner();
        let (id, version) = (id("config", &config_id)?, version(config_version)?);
        let answer = self.ask(Question::UpdateConfig { id, version, spec: spec(wished)? }).await?;
        let Answer::Config(config) = answer else { return Err(confused(answer)) };
        Ok(Response::new(proto::UpdateConfigResponse { config: Some(config.as_ref().to_wire()) }))
    }

    async fn list_configs(
        &self,
        request: Request<proto::ListConfigsRequest>,
    ) -> Reply<proto::ListConfigsResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let filters = Filters::from(request.into_inner().filters.unwrap_or_default());
        let configs = self
            .list(
                |state| &state.configs,
                |config| {
                    filters.accept(
                        config.id.as_str(),
                        &config.spec.annotations.name,
                        &config.spec.annotations.labels,
                    )
                },
                |config| config.to_wire(),
            )
            .await?;
        Ok(Response::new(proto::ListConfigsResponse { configs }))
    }

    async fn create_config(
        &self,
        request: Request<proto::CreateConfigRequest>,
    ) -> Reply<proto::CreateConfigResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let spec = spec(request.into_inner().spec)?;
        let answer = self.ask(Question::CreateConfig(spec)).await?;
        let Answer::Config(config) = answer else { return Err(confused(answer)) };
        Ok(Response::new(proto::CreateConfigResponse { config: Some(config.as_ref().to_wire()) }))
    }

    async fn remove_config(
        &self,
        request: Request<proto::RemoveConfigRequest>,
    ) -> Reply<proto::RemoveConfigResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let id = id("config", &request.get_ref().config_id)?;
        self.ask(Question::RemoveConfig(id)).await?;
        Ok(Response::new(proto::RemoveConfigResponse {}))
    }

    async fn get_extension(
        &self,
        request: Request<proto::GetExtensionRequest>,
    ) -> Reply<proto::GetExtensionResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let extension =
            self.find("extension", &request.get_ref().extension_id, |state| &state.extensions).await?;
        Ok(Response::new(proto::GetExtensionResponse { extension: Some(extension.as_ref().to_wire()) }))
    }

    async fn create_extension(
        &self,
        request: Request<proto::CreateExtensionRequest>,
    ) -> Reply<proto::CreateExtensionResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let proto::CreateExtensionRequest { annotations, description } = request.into_inner();
        let annotations = *spec(annotations)?;
        let answer = self.ask(Question::CreateExtension { annotations, description }).await?;
        let Answer::Extension(extension) = answer else { return Err(confused(answer)) };
        Ok(Response::new(proto::CreateExtensionResponse { extension: Some(extension.as_ref().to_wire()) }))
    }

    async fn remove_extension(
        &self,
        request: Request<proto::RemoveExtensionRequest>,
    ) -> Reply<proto::RemoveExtensionResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let id = id("extension", &request.get_ref().extension_id)?;
        self.ask(Question::RemoveExtension(id)).await?;
        Ok(Response::new(proto::RemoveExtensionResponse {}))
    }

    async fn get_resource(
        &self,
        request: Request<proto::GetResourceRequest>,
    ) -> Reply<proto::GetResourceResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let resource =
            self.find("resource", &request.get_ref().resource_id, |state| &state.resources).await?;
        Ok(Response::new(proto::GetResourceResponse { resource: Some(resource.as_ref().to_wire()) }))
    }

    async fn update_resource(
        &self,
        request: Request<proto::UpdateResourceRequest>,
    ) -> Reply<proto::UpdateResourceResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let proto::UpdateResourceRequest { resource_id, resource_version, annotations, payload } =
            request.into_inner();
        let (id, version) = (id("resource", &resource_id)?, version(resource_version)?);
        let (annotations, payload) = (OnWire::from_wire(annotations)?, OnWire::from_wire(payload)?);
        let answer = self.ask(Question::UpdateResource { id, version, annotations, payload }).await?;
        let Answer::Resource(resource) = answer else { return Err(confused(answer)) };
        Ok(Response::new(proto::UpdateResourceResponse { resource: Some(resource.as_ref().to_wire()) }))
    }

    async fn list_resources(
        &self,
        request: Request<proto::ListResourcesRequest>,
    ) -> Reply<proto::ListResourcesResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let wanted = request.into_inner().filters.unwrap_or_default();
        let filters = Filters::from(&wanted);
        let accept = |resource: &Resource| {
            let Annotations { name, labels, .. } = &resource.annotations;
            (wanted.kind.is_empty() || wanted.kind == resource.kind)
                && filters.accept(resource.id.as_str(), name, labels)
        };
        let resources = self.list(|state| &state.resources, accept, |resource| resource.to_wire()).await?;
        Ok(Response::new(proto::ListResourcesResponse { resources }))
    }

    async fn create_resource(
        &self,
        request: Request<proto::CreateResourceRequest>,
    ) -> Reply<proto::CreateResourceResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let proto::CreateResourceRequest { annotations, kind, payload } = request.into_inner();
        let (annotations, payload) = (*spec(annotations)?, OnWire::from_wire(payload)?);
        let answer = self.ask(Question::CreateResource { annotations, kind, payload }).await?;
        let Answer::Resource(resource) = answer else { return Err(confused(answer)) };
        Ok(Response::new(proto::CreateResourceResponse { resource: Some(resource.as_ref().to_wire()) }))
    }

    async fn remove_resource(
        &self,
        request: Request<proto::RemoveResourceRequest>,
    ) -> Reply<proto::RemoveResourceResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let id = id("resource", &request.get_ref().resource_id)?;
        self.ask(Question::RemoveResource(id)).await?;
        Ok(Response::new(proto::RemoveResourceResponse {}))
    }

    async fn create_volume(
        &self,
        request: Request<proto::CreateVolumeRequest>,
    ) -> Reply<proto::CreateVolumeResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let spec = spec(request.into_inner().spec)?;
        let answer = self.ask(Question::CreateVolume(spec)).await?;
        let Answer::Volume(volume) = answer else { return Err(confused(answer)) };
        Ok(Response::new(proto::CreateVolumeResponse { volume: Some(volume.as_ref().to_wire()) }))
    }

    async fn get_volume(&self, request: Request<proto::GetVolumeRequest>) -> Reply<proto::GetVolumeResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let volume = self.find("volume", &request.get_ref().volume_id, |state| &state.volumes).await?;
        Ok(Response::new(proto::GetVolumeResponse { volume: Some(volume.as_ref().to_wire()) }))
    }

    async fn update_volume(
        &self,
        request: Request<proto::UpdateVolumeRequest>,
    ) -> Reply<proto::UpdateVolumeResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let proto::UpdateVolumeRequest { volume_id, volume_version, spec: wished } = request.into_inner();
        let (id, version) = (id("volume", &volume_id)?, version(volume_version)?);
        let answer = self.ask(Question::UpdateVolume { id, version, spec: spec(wished)? }).await?;
        let Answer::Volume(volume) = answer else { return Err(confused(answer)) };
        Ok(Response::new(proto::UpdateVolumeResponse { volume: Some(volume.as_ref().to_wire()) }))
    }

    async fn list_volumes(
        &self,
        request: Request<proto::ListVolumesRequest>,
    ) -> Reply<proto::ListVolumesResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let wanted = request.into_inner().filters.unwrap_or_default();
        let accept = |volume: &Volume| accept_volume(&wanted, volume);
        let volumes = self.list(|state| &state.volumes, accept, |volume| volume.to_wire()).await?;
        Ok(Response::new(proto::ListVolumesResponse { volumes }))
    }

    async fn remove_volume(
        &self,
        request: Request<proto::RemoveVolumeRequest>,
    ) -> Reply<proto::RemoveVolumeResponse> {
        self.guard.allow(&request, MANAGERS)?;
        let proto::RemoveVolumeRequest { volume_id, force } = request.into_inner();
        self.ask(Question::RemoveVolume { id: id("volume", &volume_id)?, force }).await?;
        Ok(Response::new(proto::RemoveVolumeResponse {}))
    }
}
