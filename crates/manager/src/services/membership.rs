//! Raft's messages between managers, and who is a member of the group.
//!
//! A group of one needs neither; managers beyond the first are refused clearly until groups can grow.

use tonic::{Request, Response, Status, Streaming};
use wire::proto;
use wire::proto::{raft_membership_server, raft_server};

use super::guard::{Guard, MANAGERS};

/// Both services.
#[derive(Clone, Debug)]
pub(super) struct Membership {
    guard: Guard,
}

impl Membership {
    pub(super) fn new(guard: Guard) -> Self {
        Self { guard }
    }

    fn refuse<T>(&self, request: &Request<T>) -> Status {
        let one_only = || Status::unimplemented("this swarm has one manager and takes no more of them yet");
        self.guard.allow(request, MANAGERS).map_or_else(|denied| denied, |_| one_only())
    }
}

#[tonic::async_trait]
impl raft_server::Raft for Membership {
    async fn process_raft_message(
        &self,
        request: Request<proto::ProcessRaftMessageRequest>,
    ) -> Result<Response<proto::ProcessRaftMessageResponse>, Status> {
        Err(self.refuse(&request))
    }

    async fn stream_raft_message(
        &self,
        request: Request<Streaming<proto::StreamRaftMessageRequest>>,
    ) -> Result<Response<proto::StreamRaftMessageResponse>, Status> {
        Err(self.refuse(&request))
    }

    async fn resolve_address(
        &self,
        request: Request<proto::ResolveAddressRequest>,
    ) -> Result<Response<proto::ResolveAddressResponse>, Status> {
        Err(self.refuse(&request))
    }
}

#[tonic::async_trait]
impl raft_membership_server::RaftMembership for Membership {
    async fn join(
        &self,
        request: Request<proto::JoinRequest>,
    ) -> Result<Response<proto::JoinResponse>, Status> {
        Err(self.refuse(&request))
    }

    async fn leave(
        &self,
        request: Request<proto::LeaveRequest>,
    ) -> Result<Response<proto::LeaveResponse>, Status> {
        Err(self.refuse(&request))
    }
}
