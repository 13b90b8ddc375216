//! How nodes get their certificates (`security.md` section 5): the services CA and NodeCA.

use control::leader::{Answer, Request as Question};
use model::cluster::UNLOCK_SUBSYSTEM;
use model::node::{IssuanceState, Membership};
use model::{NodeId, Version};
use tonic::{Code, Request, Response, Status};
use wire::proto::{ca_server, node_ca_server};
use wire::{OnWire, proto, status_of};

use super::Book;
use super::guard::{Guard, MANAGERS, NODES};
use crate::ask::Ask;

/// Both services.
#[derive(Clone, Debug)]
pub(super) struct CertificateAuthority {
    guard: Guard,
    ask: Ask,
    book: Book,
}

impl CertificateAuthority {
    pub(super) fn new(guard: Guard, ask: Ask, book: Book) -> Self {
        Self { guard, ask, book }
    }

    /// A node that shows its certificate renews it; whoever knows a token gets a first one.
    fn question(&self, request: Request<proto::IssueNodeCertificateRequest>) -> Result<Question, Status> {
        if request.get_ref().csr.is_empty() {
            return Err(Status::invalid_argument("InvalidArgument"));
        }
        let caller = self.guard.allow(&request, NODES);
        let is_known = self.guard.is_known(&request);
        // The role that old nodes name counts for nothing: the token says it.
        let proto::IssueNodeCertificateRequest { role: _, csr, token, availability } = request.into_inner();
        match caller {
            Ok(caller) => Ok(Question::RenewCertificate { node: caller.node, csr }),
            Err(denied) if is_known && token.is_empty() => Err(denied),
            Err(_) => {
                let availability = OnWire::from_wire(availability)?;
                Ok(Question::IssueCertificate { token, csr, availability })
            }
        }
    }
}

#[tonic::async_trait]
impl ca_server::Ca for CertificateAuthority {
    async fn get_root_ca_certificate(
        &self,
        _: Request<proto::GetRootCaCertificateRequest>,
    ) -> Result<Response<proto::GetRootCaCertificateResponse>, Status> {
        let cluster = self.book.borrow().cluster().cloned().ok_or_else(starting)?;
        let certificate = cluster.root_ca.ca_cert.clone();
        Ok(Response::new(proto::GetRootCaCertificateResponse { certificate }))
    }

    async fn get_unlock_key(
        &self,
        request: Request<proto::GetUnlockKeyRequest>,
    ) -> Result<Response<proto::GetUnlockKeyResponse>, Status> {
        self.guard.allow(&request, MANAGERS)?;
        let cluster = self.book.borrow().cluster().cloned().ok_or_else(starting)?;
        let key = cluster.unlock_keys.iter().find(|key| key.subsystem == UNLOCK_SUBSYSTEM);
        let Version { index } = cluster.meta.version;
        Ok(Response::new(proto::GetUnlockKeyResponse {
            unlock_key: key.map(|key| key.key.clone()).unwrap_or_default(),
            version: Some(proto::Version { index }),
        }))
    }
}

#[tonic::async_trait]
impl node_ca_server::NodeCa for CertificateAuthority {
    async fn issue_node_certificate(
        &self,
        request: Request<proto::IssueNodeCertificateRequest>,
    ) -> Result<Response<proto::IssueNodeCertificateResponse>, Status> {
        let question = self.question(request)?;
        match self.ask.request_of_this(question).await.map_err(|refusal| status_of(&refusal))? {
            Answer::Certificate(node) => Ok(Response::new(proto::IssueNodeCertificateResponse {
                node_id: node.to_wire(),
                node_membership: Membership::Accepted.to_wire(),
            })),
            other => unreachable!("asking for a certificate was answered with {other:?}"),
        }
    }

    /// Holds the answer back until there is something to say, or the caller loses patience.
    async fn node_certificate_status(
        &self,
        request: Request<proto::NodeCertificateStatusRequest>,
    ) -> Result<Response<proto::NodeCertificateStatusResponse>, Status> {
        let unknown = || Status::new(Code::NotFound, "NotFound");
        let id: NodeId = request.get_ref().node_id.parse().map_err(|_| unknown())?;
        let mut book = self.book.clone();
        let decided = |state: IssuanceState| {
            matches!(state, IssuanceState::Issued | IssuanceState::Failed | IssuanceState::Rotate)
        };
        let state = book
            .wait_for(|state| state.nodes.get(id).is_none_or(|node| decided(node.certificate.status.state)))
            .await
            .map_err(|_| starting())?;
        let node = state.nodes.get(id).cloned().ok_or_else(unknown)?;
        Ok(Response::new(proto::NodeCertificateStatusResponse {
            status: Some(node.certificate.status.to_wire()),
            certificate: Some(node.certificate.to_wire()),
        }))
    }
}

fn starting() -> Status {
    Status::aborted("CA signer is still starting")
}
