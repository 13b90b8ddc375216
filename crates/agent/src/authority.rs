//! Calls to the swarm's authority, which any manager answers for (`security.md` section 5).
//!
//! In: a channel to a manager, and what is asked for. Out: roots, certificates, the unlock key. Nothing is kept here.

use model::node::IssuanceState;
use model::{Duration, NodeId};
use pki::{Identity, JoinToken, Roots, UnlockKey};
use tonic::transport::Channel;
use tonic::{Code, Status};
use wire::channel::{self, AUTHORITY_NAME};
use wire::proto::ca_client::CaClient;
use wire::proto::node_ca_client::NodeCaClient;
use wire::{OnWire, proto};

use crate::certificate::CertificateError;

/// How long a call to an authority may take. It may hold back its answer that long.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause between two looks whether the certificate is signed grows by this much,
const STATUS_PAUSE: Duration = Duration::from_secs(1);
/// up to this.
const STATUS_PAUSE_MAX: Duration = Duration::from_secs(30);

/// Fetches the roots from a manager that is not trusted yet: the token says whether they are the right ones.
pub(crate) async fn fetch_roots(addr: &str, token: &JoinToken) -> Result<Roots, CertificateError> {
    let channel = channel::connect(addr, AUTHORITY_NAME, pki::trust::unverified_client()).await?;
    let certificate = root_of(channel).await?;
    if !token.names(&certificate) {
        return Err(CertificateError::Fingerprint { expected: token.digest_hex() });
    }
    Ok(Roots::from_pem(&certificate)?)
}

/// The roots that a manager trusts, PEM.
pub(crate) async fn root_of(channel: Channel) -> Result<Vec<u8>, Status> {
    let mut authority = CaClient::new(channel);
    let call = authority.get_root_ca_certificate(proto::GetRootCaCertificateRequest {});
    Ok(in_time(call).await?.into_inner().certificate)
}

/// Hands in a request and waits until it is signed. Returns the node's id and its chain, PEM.
pub(crate) async fn obtain(
    channel: Channel,
    request: proto::IssueNodeCertificateRequest,
) -> Result<(NodeId, Vec<u8>), CertificateError> {
    let mut authority = NodeCaClient::new(channel);
    let csr = request.csr.clone();
    let issued = in_time(authority.issue_node_certificate(request)).await?.into_inner();
    let node = NodeId::from_wire(issued.node_id).map_err(Status::from)?;

    let mut pause = Duration::ZERO;
    loop {
        let question = proto::NodeCertificateStatusRequest { node_id: node.to_wire() };
        match in_time(authority.node_certificate_status(question)).await {
            Ok(answer) => {
                if let Some(certificate) = signed(answer.into_inner(), &csr) {
                    return Ok((node, certificate));
                }
            }
            Err(status) if status.code() == Code::DeadlineExceeded => {}
            Err(status) => return Err(status.into()),
        }
        pause = (pause + STATUS_PAUSE).min(STATUS_PAUSE_MAX);
        tokio::time::sleep(pause).await;
    }
}

/// The certificate, if it is signed and the one that was asked for.
fn signed(answer: proto::NodeCertificateStatusResponse, csr: &[u8]) -> Option<Vec<u8>> {
    let proto::NodeCertificateStatusResponse { status, certificate } = answer;
    let state = IssuanceState::from_wire(status?.state).ok()?;
    let certificate = certificate.filter(|certificate| certificate.csr == csr)?;
    matches!(state, IssuanceState::Issued | IssuanceState::Rotate).then_some(certificate.certificate)
}

/// The key that managers seal their own keys with, if they do, and the version of the swarm that says so. Only a
/// manager is told.
pub(crate) async fn unlock_key(
    addr: &str,
    identity: &Identity,
) -> Result<(Option<UnlockKey>, u64), CertificateError> {
    let channel = channel::connect(addr, AUTHORITY_NAME, identity.client_tls()?).await?;
    let mut authority = CaClient::new(channel);
    match in_time(authority.get_unlock_key(proto::GetUnlockKeyRequest {})).await {
        Ok(answer) => {
            let proto::GetUnlockKeyResponse { unlock_key, version } = answer.into_inner();
            let key = (!unlock_key.is_empty()).then(|| UnlockKey::from_bytes(&unlock_key)).transpose();
            let key = key.map_err(|_| Status::internal("the manager's unlock key is none"))?;
            Ok((key, version.map_or(0, |version| version.index)))
        }
        // Managers that know no unlock keys lock nothing.
        Err(status) if status.code() == Code::Unimplemented => Ok((None, 0)),
        Err(status) => Err(status.into()),
    }
}

async fn in_time<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let late = |_| Status::deadline_exceeded("the manager does not answer");
    tokio::time::timeout(CALL_TIMEOUT, call).await.map_err(late)?
}
