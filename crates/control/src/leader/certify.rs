//! Which certificates want to be signed.
//!
//! In: nodes that ask, and what the signer made of it. Out: wishes to sign, and drafted certificates. It knows
//! no keys: the shell signs.

use std::collections::{BTreeMap, BTreeSet};

use model::limits::CERT_EXPIRY_DEFAULT;
use model::node::{Certificate, IssuanceState, IssuanceStatus, Membership};
use model::{Duration, Node, NodeId, Timestamp};
use store::{Change, Draft, Object, State};

use super::input::{Output, SignRequest};

/// After this time without an answer the signer is asked again.
const RETRY: Duration = Duration::from_secs(10);

/// What was asked of the signer.
#[derive(Debug)]
pub(super) struct Certifier {
    touched: BTreeSet<NodeId>,
    asked: BTreeMap<NodeId, Asked>,
    signed: Vec<(NodeId, Result<Vec<u8>, String>)>,
}

/// A request to sign that has no answer yet.
#[derive(Debug)]
struct Asked {
    csr: Vec<u8>,
    again_at: Timestamp,
}

impl Certifier {
    /// Nothing was asked yet; all nodes are to be looked at.
    pub(super) fn of(state: &State) -> Self {
        let touched = state.nodes.iter().map(|node| node.id).collect();
        Self { touched, asked: BTreeMap::new(), signed: Vec::new() }
    }

    /// The signer answers.
    pub(super) fn hear(&mut self, node: NodeId, result: Result<Vec<u8>, String>) {
        self.signed.push((node, result));
    }

    pub(super) fn wants_draft(&self) -> bool {
        !self.signed.is_empty()
    }

    /// Writes down what was signed, unless the node asks for another one meanwhile.
    pub(super) fn draft(&mut self, draft: &mut Draft) {
        for (id, result) in std::mem::take(&mut self.signed) {
            let asked = self.asked.remove(&id);
            let Some(node) = draft.nodes.get(id).cloned() else { continue };
            if asked.is_none_or(|asked| asked.csr != node.certificate.csr) {
                self.touched.insert(id);
                continue;
            }
            draft.edit(&node, |node| issue(&mut node.certificate, result));
        }
    }

    /// Nodes that changed may ask for something.
    pub(super) fn committed(&mut self, changes: &[Change]) {
        for change in changes {
            if let Object::Node(node) = change.object() {
                self.touched.insert(node.id);
            }
        }
    }

    /// Asks the signer for what is wanted and not asked for yet, and again for what it does not answer.
    pub(super) fn wishes(&mut self, state: &State, now: Timestamp) -> Vec<Output> {
        let overdue = self.asked.iter().filter(|(_, asked)| asked.again_at <= now).map(|(id, _)| *id);
        let overdue: Vec<NodeId> = overdue.collect();
        self.touched.extend(overdue);
        let touched = std::mem::take(&mut self.touched);
        touched.into_iter().filter_map(|id| self.wish(state, id, now)).collect()
    }

    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        self.asked.values().map(|asked| asked.again_at).min()
    }

    fn wish(&mut self, state: &State, id: NodeId, now: Timestamp) -> Option<Output> {
        let (Some(node), Some(cluster)) = (state.nodes.get(id).filter(|node| asks(node)), state.cluster())
        else {
            self.asked.remove(&id);
            return None;
        };
        let Certificate { role, csr, .. } = &node.certificate;
        if self.asked.get(&id).is_some_and(|asked| asked.csr == *csr && asked.again_at > now) {
            return None;
        }
        self.asked.insert(id, Asked { csr: csr.clone(), again_at: now + RETRY });
        let expiry = cluster.spec.ca.node_cert_expiry.unwrap_or(CERT_EXPIRY_DEFAULT);
        let request =
            SignRequest { csr: csr.clone(), role: *role, node_id: id, cluster_id: cluster.id, expiry };
        Some(Output::Sign(id, request))
    }
}

/// True if the node waits for a certificate and may have one.
fn asks(node: &Node) -> bool {
    match node.certificate.status.state {
        IssuanceState::Renew => true,
        IssuanceState::Pending => node.spec.membership == Membership::Accepted,
        _ => false,
    }
}

fn issue(certificate: &mut Certificate, result: Result<Vec<u8>, String>) {
    match result {
        Ok(chain) => {
            certificate.status = IssuanceStatus { state: IssuanceState::Issued, err: String::new() };
            certificate.certificate = chain;
        }
        Err(err) => certificate.status = IssuanceStatus { state: IssuanceState::Failed, err },
    }
}
