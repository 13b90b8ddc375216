//! Who may call what (`security.md` section 7).
//!
//! In: the certificate of the peer, whose chain TLS has verified. Out: who calls, or no, in the words that stock
//! nodes know.

use model::NodeId;
use model::node::NodeRole;
use pki::Subject;
use pki::subject::unit_of;
use tonic::{Request, Status};
use wire::Peer;

use super::Book;

/// Managers only.
pub(super) const MANAGERS: &[NodeRole] = &[NodeRole::Manager];
/// Every node of the swarm.
pub(super) const NODES: &[NodeRole] = &[NodeRole::Worker, NodeRole::Manager];

/// Judges callers by what the book says of the swarm.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    book: Book,
}

/// A node that calls.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// Which.
    pub(super) node: NodeId,
    /// From where, without port.
    pub(super) addr: String,
}

impl Guard {
    pub(super) fn new(book: Book) -> Self {
        Self { book }
    }

    /// Lets nodes of these roles call.
    pub(super) fn allow<T>(&self, request: &Request<T>, roles: &[NodeRole]) -> Result<Caller, Status> {
        self.judge(request, roles).map_err(|why| {
            let inner = format!("rpc error: code = PermissionDenied desc = {why}");
            Status::permission_denied(format!("Permission denied: unauthorized peer role: {inner}"))
        })
    }

    /// True if the caller shows a certificate, of whatever kind.
    pub(super) fn is_known<T>(&self, request: &Request<T>) -> bool {
        request.extensions().get::<Peer>().is_some_and(|peer| peer.certificate.is_some())
    }

    fn judge<T>(&self, request: &Request<T>, roles: &[NodeRole]) -> Result<Caller, String> {
        let peer = request.extensions().get::<Peer>().ok_or("request is not using TLS")?;
        let certificate = peer.certificate.as_ref().ok_or("no client certificates in request")?;
        let subject = Subject::of(certificate).map_err(|_| "no verified chains for remote certificate")?;
        self.judge_subject(&subject, roles)?;
        let node = subject.node_id().ok_or("no verified chains for remote certificate")?;
        Ok(Caller { node, addr: peer.addr.ip().to_canonical().to_string() })
    }

    fn judge_subject(&self, subject: &Subject, roles: &[NodeRole]) -> Result<(), String> {
        if !roles.iter().any(|role| subject.has(*role)) {
            let units: Vec<_> = roles.iter().map(|role| unit_of(*role)).collect();
            let units = units.join(" ");
            return Err(format!("Permission denied: remote certificate not part of OUs: [{units}]"));
        }
        let book = self.book.borrow();
        let cluster = book.cluster().ok_or("no verified chains for remote certificate")?;
        if subject.organization != cluster.id.as_str() {
            let organization = cluster.id;
            return Err(format!(
                "Permission denied: remote certificate not part of organization: {organization}"
            ));
        }
        if cluster.blacklisted_certificates.contains_key(&subject.common_name) {
            let node = &subject.common_name;
            return Err(format!("Permission denied: node {node} was removed from swarm"));
        }
        Ok(())
    }
}
