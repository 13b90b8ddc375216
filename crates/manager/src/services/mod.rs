//! What other nodes may call on a manager: SwarmKit's gRPC services.
//!
//! Each handler says who may call, what is meant, who decides, and how it is answered. Reads come from this
//! manager's book, as soon as it has all that was acknowledged; changes go to its leader. What only a leader can serve is forwarded to it. Nothing is decided here.

mod ca;
mod control;
mod dispatcher;
mod forward;
mod forwarded;
mod guard;
mod health;
mod lists;
mod logs;
mod lookup;
mod membership;
mod reading;
mod resource;
mod shown;
mod watch;

use std::sync::Arc;

use model::ClusterId;
use store::State;
use tokio::sync::watch::{Receiver, Sender};
use tonic::service::Routes;
use wire::ours::line_server::LineServer;
use wire::proto::ca_server::CaServer;
use wire::proto::control_server::ControlServer;
use wire::proto::dispatcher_server::DispatcherServer;
use wire::proto::health_server::HealthServer;
use wire::proto::log_broker_server::LogBrokerServer;
use wire::proto::logs_server::LogsServer;
use wire::proto::node_ca_server::NodeCaServer;
use wire::proto::raft_membership_server::RaftMembershipServer;
use wire::proto::raft_server::RaftServer;
use wire::proto::resource_allocator_server::ResourceAllocatorServer;
use wire::proto::watch_server::WatchServer;

use crate::ask::Ask;
use crate::registrar::Registrar;
use crate::transport::Incoming;
use forward::AtLeader;
use guard::Guard;
pub use logs::{LogBroker, LogSelector, LogSubscription};
pub use reading::{LogReader, LogReading};

/// This manager's book, as it changes.
pub type Book = Receiver<Arc<State>>;

/// What the services of a manager stand upon.
#[derive(Clone, Debug)]
pub struct Services {
    /// The way to the leader.
    pub ask: Ask,
    /// This manager's book.
    pub book: Book,
    /// Who reads what tasks write.
    pub logs: LogBroker,
    /// Which swarm this is.
    pub(crate) cluster: ClusterId,
    /// The way to this manager's replica.
    pub(crate) incoming: Incoming,
    /// Who takes managers into the group.
    pub(crate) registrar: Registrar,
}

impl Services {
    /// All services, ready to be served by [`wire::channel::serve`].
    pub fn routes(self) -> Routes {
        let Self { ask, book, logs, cluster, incoming, registrar } = self;
        let guard = Guard::new(cluster, book.clone());
        let route = ask.route().clone();
        let ca = ca::CertificateAuthority::new(guard.clone(), ask.clone(), book.clone());
        let dispatcher = dispatcher::Dispatcher::new(guard.clone(), ask.clone());
        let control = lookup::Control::new(guard.clone(), ask.clone());
        let resource = resource::ResourceAllocator::new(guard.clone(), ask);
        let reading = logs::Logs::new(guard.clone(), logs, book.clone());
        let membership = membership::Membership::new(guard.clone(), incoming, registrar);
        let mut routes = Routes::builder();
        routes
            .add_service(AtLeader::new(CaServer::new(ca.clone()), route.clone()))
            .add_service(AtLeader::new(NodeCaServer::new(ca), route.clone()))
            .add_service(AtLeader::new(DispatcherServer::new(dispatcher), route.clone()))
            .add_service(AtLeader::new(ResourceAllocatorServer::new(resource), route.clone()))
            .add_service(AtLeader::new(LogBrokerServer::new(reading.clone()), route.clone()))
            .add_service(AtLeader::new(RaftMembershipServer::new(membership.clone()), route))
            .add_service(ControlServer::new(control))
            .add_service(LogsServer::new(reading))
            .add_service(HealthServer::new(health::Health::new(guard.clone())))
            .add_service(RaftServer::new(membership.clone()))
            .add_service(LineServer::new(membership))
            .add_service(WatchServer::new(watch::Watch::new(guard, book)));
        routes.routes().prepare()
    }
}

/// What a node serves that is about to become a manager of this swarm: only that it is there, since whoever takes it
/// into the group looks for it first.
pub fn waiting_routes(cluster: ClusterId) -> Routes {
    let guard = Guard::new(cluster, Sender::default().subscribe());
    let mut routes = Routes::builder();
    routes.add_service(HealthServer::new(health::Health::new(guard)));
    routes.routes().prepare()
}
