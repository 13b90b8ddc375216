//! The swarm's settings, authority, tokens and unlock keys (`control.md` section 11, `security.md` sections 9 and 11).

use std::sync::Arc;

use model::cluster::{DEFAULT_CLUSTER, EncryptionKey, ExternalCa, RootCa, UNLOCK_SUBSYSTEM};
use model::limits::CERT_EXPIRY_MIN;
use model::{Cluster, ClusterId, ClusterSpec, Refusal, Version};
use store::Draft;

use super::check_version;
use crate::leader::request::{Answer, Rotation};

/// Gives the swarm other settings, and draws words anew.
pub(super) fn update(
    draft: &mut Draft,
    (id, version): (ClusterId, Version),
    spec: ClusterSpec,
    rotation: Rotation,
) -> Result<Answer, Refusal> {
    let cluster = draft.clusters.get(id).cloned().ok_or_else(|| Refusal::not_found("cluster", id))?;
    check_version(&cluster.meta, version)?;
    check_spec(&spec)?;
    let mut next = Cluster { spec, ..Cluster::clone(&cluster) };
    rotate(&mut next, rotation);
    draft.update(next);
    let cluster = draft.clusters.get(id).expect("it was drafted a moment ago");
    Ok(Answer::Cluster(Arc::clone(cluster)))
}

fn check_spec(spec: &ClusterSpec) -> Result<(), Refusal> {
    if spec.annotations.name != DEFAULT_CLUSTER {
        return Err(Refusal::invalid("modification of cluster name is not allowed"));
    }
    if spec.ca.node_cert_expiry.is_some_and(|expiry| expiry < CERT_EXPIRY_MIN) {
        return Err(Refusal::invalid("minimum certificate expiry time is: 1h0m0s"));
    }
    let hashes = spec.acceptance_policy.iter().filter_map(|policy| policy.secret.as_ref());
    for (_, algorithm) in hashes {
        if !algorithm.eq_ignore_ascii_case("bcrypt") {
            return Err(Refusal::invalid(format!("hashing algorithm is not supported: {algorithm}")));
        }
    }
    spec.ca.external_cas.iter().try_for_each(ExternalCa::check)?;
    if !spec.ca.signing_ca_key.is_empty() && spec.ca.signing_ca_cert.is_empty() {
        let message = "if a signing CA key is provided, the signing CA cert must also be provided";
        return Err(Refusal::invalid(message));
    }
    Ok(())
}

fn rotate(cluster: &mut Cluster, rotation: Rotation) {
    let Rotation { worker_token, manager_token, unlock_key, rotate_unlock_key, authority } = rotation;
    if let Some(authority) = authority {
        let join_tokens = std::mem::take(&mut cluster.root_ca.join_tokens);
        cluster.root_ca = RootCa { join_tokens, ..*authority };
    }
    let tokens = &mut cluster.root_ca.join_tokens;
    tokens.worker = worker_token.unwrap_or(std::mem::take(&mut tokens.worker));
    tokens.manager = manager_token.unwrap_or(std::mem::take(&mut tokens.manager));

    let locks = |key: &EncryptionKey| key.subsystem == UNLOCK_SUBSYSTEM;
    let has_key = cluster.unlock_keys.iter().any(locks);
    if !cluster.spec.auto_lock_managers {
        cluster.unlock_keys.retain(|key| !locks(key));
    } else if let Some(key) = unlock_key.filter(|_| rotate_unlock_key || !has_key) {
        cluster.unlock_keys.retain(|key| !locks(key));
        let subsystem = UNLOCK_SUBSYSTEM.to_owned();
        cluster.unlock_keys.push(EncryptionKey { subsystem, key, lamport_time: 0 });
    }
}
