//! Certificates: asked for with a token, and asked for anew (`security.md` section 5).

use model::node::{
    Availability, Certificate, IssuanceState, IssuanceStatus, Membership, NodeRole, NodeStatus,
};
use model::{Cluster, Cx, Meta, Node, NodeId, NodeSpec, Refusal, RefusalKind};
use store::Draft;

use super::not_now;
use crate::leader::request::Answer;

/// Makes a node for whoever knows a token, in the role that the token stands for.
pub(super) fn issue(
    draft: &mut Draft,
    token: &str,
    (csr, availability): (Vec<u8>, Availability),
    cx: &mut Cx<'_>,
) -> Result<Answer, Refusal> {
    let cluster = draft.cluster().cloned().ok_or_else(|| not_now("the swarm has not begun"))?;
    if csr.is_empty() {
        return Err(Refusal::invalid("InvalidArgument"));
    }
    let Some(role) = role_of(&cluster, token) else {
        return Err(Refusal::invalid("A valid join token is necessary to join this cluster"));
    };
    let id = NodeId::random(cx.chance);
    draft.create(Node {
        id,
        meta: Meta::default(),
        spec: NodeSpec {
            desired_role: role,
            membership: Membership::Accepted,
            availability,
            ..NodeSpec::default()
        },
        description: None,
        status: NodeStatus::default(),
        manager_status: None,
        attachments: Vec::new(),
        certificate: wanted(id, role, (csr, IssuanceState::Pending)),
        role,
        vxlan_port: cluster.vxlan_port,
    });
    Ok(Answer::Certificate(id))
}

/// Lets a node have a new certificate, in the role it has now.
pub(super) fn renew(draft: &mut Draft, id: NodeId, csr: Vec<u8>) -> Result<Answer, Refusal> {
    if csr.is_empty() {
        return Err(Refusal::invalid("InvalidArgument"));
    }
    let Some(node) = draft.nodes.get(id).cloned() else {
        let message = format!("node {id} not found when attempting to renew certificate");
        return Err(Refusal::new(RefusalKind::NotFound, message));
    };
    draft.edit(&node, |node| node.certificate = wanted(id, node.role, (csr, IssuanceState::Renew)));
    Ok(Answer::Certificate(id))
}

fn wanted(id: NodeId, role: NodeRole, (csr, state): (Vec<u8>, IssuanceState)) -> Certificate {
    let status = IssuanceStatus { state, err: String::new() };
    Certificate { role, csr, status, certificate: Vec::new(), common_name: id.to_string() }
}

/// The role that a token stands for. Both comparisons take the same time whatever the token.
fn role_of(cluster: &Cluster, token: &str) -> Option<NodeRole> {
    let tokens = &cluster.root_ca.join_tokens;
    let manager = is_same(&tokens.manager, token);
    let worker = is_same(&tokens.worker, token);
    match (manager, worker) {
        (true, _) => Some(NodeRole::Manager),
        (_, true) => Some(NodeRole::Worker),
        _ => None,
    }
}

/// Compares in a time that does not tell where the words differ. No token is empty.
fn is_same(known: &str, said: &str) -> bool {
    let differing = known.bytes().zip(said.bytes()).fold(0, |all, (one, other)| all | (one ^ other));
    !known.is_empty() && known.len() == said.len() && differing == 0
}
