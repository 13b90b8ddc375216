//! Raft's messages between managers, and who is a member of the group (`raft.md` sections 2 and 3).
//!
//! In: messages, and managers that come and go. Out: messages for the replica, and changes of the group. Whoever
//! wants to come must first answer where it says that it lives.

use std::net::{IpAddr, SocketAddr};

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use tonic::{Request, Response, Status, Streaming};
use wire::ours::{Heard, line_server};
use wire::proto::{raft_membership_server, raft_server};
use wire::{OnWire, proto, raftpb, status_of};

use super::guard::{Guard, MANAGERS};
use crate::registrar::{Admission, Registrar};
use crate::transport::Incoming;

/// The services.
#[derive(Clone, Debug)]
pub(super) struct Membership {
    guard: Guard,
    incoming: Incoming,
    registrar: Registrar,
}

impl Membership {
    pub(super) fn new(guard: Guard, incoming: Incoming, registrar: Registrar) -> Self {
        Self { guard, incoming, registrar }
    }
}

#[tonic::async_trait]
impl raft_server::Raft for Membership {
    async fn process_raft_message(
        &self,
        request: Request<proto::ProcessRaftMessageRequest>,
    ) -> Result<Response<proto::ProcessRaftMessageResponse>, Status> {
        self.guard.allow(&request, MANAGERS)?;
        self.incoming.hear(request.into_inner().message.unwrap_or_default()).await?;
        Ok(Response::new(proto::ProcessRaftMessageResponse {}))
    }

    async fn stream_raft_message(
        &self,
        request: Request<Streaming<proto::StreamRaftMessageRequest>>,
    ) -> Result<Response<proto::StreamRaftMessageResponse>, Status> {
        self.guard.allow(&request, MANAGERS)?;
        self.incoming.hear_stream(request.into_inner()).await?;
        Ok(Response::new(proto::StreamRaftMessageResponse {}))
    }

    async fn resolve_address(
        &self,
        request: Request<proto::ResolveAddressRequest>,
    ) -> Result<Response<proto::ResolveAddressResponse>, Status> {
        self.guard.allow(&request, MANAGERS)?;
        let id = request.into_inner().raft_id;
        let addr = self.incoming.members.borrow().present.get(&id).map(|member| member.addr.clone());
        let addr = addr.ok_or_else(|| Status::not_found(format!("member {id:x} not found")))?;
        Ok(Response::new(proto::ResolveAddressResponse { addr }))
    }
}

#[tonic::async_trait]
impl line_server::Line for Membership {
    type CarryStream = BoxStream<'static, Result<Heard, Status>>;

    async fn carry(
        &self,
        request: Request<Streaming<raftpb::Message>>,
    ) -> Result<Response<Self::CarryStream>, Status> {
        self.guard.allow(&request, MANAGERS)?;
        Ok(Response::new(self.incoming.hear_all(request.into_inner()).boxed()))
    }
}

#[tonic::async_trait]
impl raft_membership_server::RaftMembership for Membership {
    async fn join(
        &self,
        request: Request<proto::JoinRequest>,
    ) -> Result<Response<proto::JoinResponse>, Status> {
        let caller = self.guard.allow(&request, MANAGERS)?;
        let addr = reachable_addr(&request.get_ref().addr, &caller.addr)?;
        if let Err(why) = self.incoming.call_back(&addr).await {
            let why = format!("rpc error: code = {:?} desc = {}", why.code(), why.message());
            return Err(Status::unknown(format!(
                "could not connect to prospective new cluster member using its advertised address: {why}"
            )));
        }
        let admitted = self.registrar.admit(caller.node, addr).await;
        let Admission { raft_id, members } = admitted.map_err(|refusal| status_of(&refusal))?;
        let members = members.to_wire();
        Ok(Response::new(proto::JoinResponse { raft_id, members, removed_members: Vec::new() }))
    }

    async fn leave(
        &self,
        request: Request<proto::LeaveRequest>,
    ) -> Result<Response<proto::LeaveResponse>, Status> {
        self.guard.allow(&request, MANAGERS)?;
        let node = request.into_inner().node;
        let node = node.ok_or_else(|| Status::invalid_argument("no node information provided"))?;
        self.registrar.release(node.raft_id).await.map_err(|refusal| status_of(&refusal))?;
        Ok(Response::new(proto::LeaveResponse {}))
    }
}

/// The address under which a manager says that it lives. One that does not know its own host lives where it calls
/// from.
fn reachable_addr(said: &str, caller: &str) -> Result<String, Status> {
    let invalid = || Status::invalid_argument(format!("invalid address {said} in raft join request"));
    let (host, port) = said.rsplit_once(':').ok_or_else(invalid)?;
    let port: u16 = port.parse().map_err(|_| invalid())?;
    let is_unspecified = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(ip) => ip.is_unspecified(),
        Err(_) => host.is_empty(),
    };
    if !is_unspecified {
        return Ok(said.to_owned());
    }
    let ip: IpAddr = caller.parse().map_err(|_| invalid())?;
    Ok(SocketAddr::new(ip, port).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_does_not_know_its_host_lives_where_it_calls_from() {
        for (said, caller, addr) in [
            ("10.0.0.1:2377", "10.0.0.2", "10.0.0.1:2377"),
            ("host.example:2377", "10.0.0.2", "host.example:2377"),
            ("0.0.0.0:2377", "10.0.0.2", "10.0.0.2:2377"),
            (":2377", "10.0.0.2", "10.0.0.2:2377"),
            ("[::]:2377", "fd00::2", "[fd00::2]:2377"),
        ] {
            assert_eq!(reachable_addr(said, caller).unwrap(), addr);
        }
        for said in ["", "10.0.0.1", "10.0.0.1:", "10.0.0.1:70000", "10.0.0.1:port"] {
            let refused = reachable_addr(said, "10.0.0.2").unwrap_err();
            assert_eq!(refused.message(), format!("invalid address {said} in raft join request"));
        }
    }
}
