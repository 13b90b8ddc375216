//! Who may call what (`security.md` section 7).
//!
//! In: the certificate of the peer, whose chain TLS has verified, and for calls that another manager forwards what it
//! says of the caller. Out: who calls, or no, in the words that stock nodes know.

use model::node::NodeRole;
use model::{ClusterId, NodeId};
use pki::Subject;
use pki::subject::unit_of;
use tonic::{Request, Status};
use wire::Peer;

use super::Book;
use super::forwarded::Forwarded;

/// Managers only.
pub(super) const MANAGERS: &[NodeRole] = &[NodeRole::Manager];
/// Every node of the swarm.
pub(super) const NODES: &[NodeRole] = &[NodeRole::Worker, NodeRole::Manager];

/// Judges callers by their certificates, and by what the book says of nodes that were removed.
#[derive(Clone, Debug)]
pub(super) struct Guard {
    cluster: ClusterId,
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
    /// A guard of this swarm's manager. The book may still be empty: a manager that joins has none yet.
    pub(super) fn new(cluster: ClusterId, book: Book) -> Self {
        Self { cluster, book }
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
        match Forwarded::of(request.metadata()) {
            Some(forwarded) => forwarded.is_known(),
            None => request.extensions().get::<Peer>().is_some_and(|peer| peer.certificate.is_some()),
        }
    }

    fn judge<T>(&self, request: &Request<T>, roles: &[NodeRole]) -> Result<Caller, String> {
        let peer = request.extensions().get::<Peer>().ok_or("request is not using TLS")?;
        let certificate = peer.certificate.as_ref().ok_or("no client certificates in request")?;
        let subject = Subject::of(certificate).map_err(|_| "no verified chains for remote certificate")?;
        let Some(forwarded) = Forwarded::of(request.metadata()) else {
            self.judge_subject(&subject, roles)?;
            self.judge_membership(&subject)?;
            let node = subject.node_id().ok_or("no verified chains for remote certificate")?;
            return Ok(Caller { node, addr: peer.addr.ip().to_canonical().to_string() });
        };
        self.judge_subject(&subject, MANAGERS)?;
        self.judge_membership(&subject)?;
        let missing = "Permission denied: missing information in forwarded request";
        let caller = forwarded.subject().ok_or(missing)?;
        self.judge_subject(caller, roles)?;
        // Stock managers pass over this; but who was removed shall not come in by a side door.
        self.judge_membership(caller)?;
        let addr = forwarded.addr().unwrap_or_else(|| peer.addr.ip());
        Ok(Caller { node: caller.node_id().ok_or(missing)?, addr: addr.to_canonical().to_string() })
    }

    fn judge_subject(&self, subject: &Subject, roles: &[NodeRole]) -> Result<(), String> {
        if !roles.iter().any(|role| subject.has(*role)) {
            let units: Vec<_> = roles.iter().map(|role| unit_of(*role)).collect();
            let units = units.join(" ");
            return Err(format!("Permission denied: remote certificate not part of OUs: [{units}]"));
        }
        if subject.organization != self.cluster.as_str() {
            let organization = self.cluster;
            return Err(format!(
                "Permission denied: remote certificate not part of organization: {organization}"
            ));
        }
        Ok(())
    }

    /// A node that was removed speaks no more, however long its certificate lasts.
    fn judge_membership(&self, subject: &Subject) -> Result<(), String> {
        let book = self.book.borrow();
        let refused = book.cluster().map(|cluster| &cluster.blacklisted_certificates);
        match refused.is_some_and(|refused| refused.contains_key(&subject.common_name)) {
            true => {
                let node = &subject.common_name;
                Err(format!("Permission denied: node {node} was removed from swarm"))
            }
            false => Ok(()),
        }
    }
}
