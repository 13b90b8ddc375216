//! Whether this manager is well.

use tonic::{Request, Response, Status};
use wire::proto;
use wire::proto::health_check_response::ServingStatus;
use wire::proto::health_server;

use super::guard::{Guard, MANAGERS};

/// The services that one may ask for: both answer as soon as this one does.
const KNOWN: [&str; 3] = ["", "Raft", "ControlAPI"];

/// The service.
#[derive(Debug)]
pub(super) struct Health {
    guard: Guard,
}

impl Health {
    pub(super) fn new(guard: Guard) -> Self {
        Self { guard }
    }
}

#[tonic::async_trait]
impl health_server::Health for Health {
    async fn check(
        &self,
        request: Request<proto::HealthCheckRequest>,
    ) -> Result<Response<proto::HealthCheckResponse>, Status> {
        self.guard.allow(&request, MANAGERS)?;
        if !KNOWN.contains(&request.get_ref().service.as_str()) {
            return Err(Status::not_found("unknown service"));
        }
        Ok(Response::new(proto::HealthCheckResponse { status: ServingStatus::Serving.into() }))
    }
}
