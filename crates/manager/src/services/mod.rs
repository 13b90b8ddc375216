//! What other nodes may call on a manager: SwarmKit's gRPC services.
//!
//! Each handler says who may call, what is meant, who decides, and how it is answered. Reads come from this
//! manager's book; changes go to the leader. Nothing is decided here.

mod ca;
mod control;
mod dispatcher;
mod guard;
mod health;
mod lists;
mod logs;
mod membership;
mod reading;
mod resource;
mod shown;
mod watch;

use std::sync::Arc;

use store::State;
use tokio::sync::watch::Receiver;
use tonic::service::Routes;
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
}

impl Services {
    /// All services, ready to be served by [`wire::channel::serve`].
    pub fn routes(self) -> Routes {
        let Self { ask, book, logs } = self;
        let guard = Guard::new(book.clone());
        let ca = ca::CertificateAuthority::new(guard.clone(), ask.clone(), book.clone());
        let dispatcher = dispatcher::Dispatcher::new(guard.clone(), ask.clone());
        let control = control::Control::new(guard.clone(), ask.clone(), book.clone());
        let resource = resource::ResourceAllocator::new(guard.clone(), ask);
        let reading = logs::Logs::new(guard.clone(), logs, book.clone());
        let membership = membership::Membership::new(guard.clone());
        let mut routes = Routes::builder();
        routes
            .add_service(CaServer::new(ca.clone()))
            .add_service(NodeCaServer::new(ca))
            .add_service(DispatcherServer::new(dispatcher))
            .add_service(ControlServer::new(control))
            .add_service(ResourceAllocatorServer::new(resource))
            .add_service(LogsServer::new(reading.clone()))
            .add_service(LogBrokerServer::new(reading))
            .add_service(HealthServer::new(health::Health::new(guard.clone())))
            .add_service(RaftServer::new(membership.clone()))
            .add_service(RaftMembershipServer::new(membership))
            .add_service(WatchServer::new(watch::Watch::new(guard, book)));
        routes.routes()
    }
}
