//! Places in networks for containers that no service owns.

use control::leader::{Answer, Request as Question};
use tonic::{Request, Response, Status};
use wire::proto::resource_allocator_server;
use wire::{OnWire, proto, status_of};

use super::guard::{Guard, NODES};
use crate::ask::Ask;

/// The service.
#[derive(Debug)]
pub(super) struct ResourceAllocator {
    guard: Guard,
    ask: Ask,
}

impl ResourceAllocator {
    pub(super) fn new(guard: Guard, ask: Ask) -> Self {
        Self { guard, ask }
    }
}

#[tonic::async_trait]
impl resource_allocator_server::ResourceAllocator for ResourceAllocator {
    async fn attach_network(
        &self,
        request: Request<proto::AttachNetworkRequest>,
    ) -> Result<Response<proto::AttachNetworkResponse>, Status> {
        let caller = self.guard.allow(&request, NODES)?;
        let proto::AttachNetworkRequest { config, container_id } = request.into_inner();
        let config = OnWire::from_wire(config.unwrap_or_default())?;
        let question = Question::AttachNetwork { node: caller.node, config, container_id };
        match self.ask.request_of_this(question).await.map_err(|refusal| status_of(&refusal))? {
            Answer::Attachment(task) => {
                Ok(Response::new(proto::AttachNetworkResponse { attachment_id: task.to_wire() }))
            }
            other => unreachable!("attaching was answered with {other:?}"),
        }
    }

    async fn detach_network(
        &self,
        request: Request<proto::DetachNetworkRequest>,
    ) -> Result<Response<proto::DetachNetworkResponse>, Status> {
        self.guard.allow(&request, NODES)?;
        let id = OnWire::from_wire(request.into_inner().attachment_id)?;
        let done = self.ask.request_of_this(Question::DetachNetwork(id)).await;
        done.map_err(|refusal| status_of(&refusal))?;
        Ok(Response::new(proto::DetachNetworkResponse {}))
    }
}
