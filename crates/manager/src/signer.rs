//! Signs certificates with the swarm's authority, as the leader wishes, and reads certificates for it.
//!
//! In: the book, where the authority's key is, and a wish. Out: a certificate, or why not. It decides nothing: who
//! gets which certificate was decided before.

use control::leader::{SignRequest, Successor};
use host::clock;
use model::cluster::{JoinTokens, RootCa, RootRotation};
use model::{Chance, Cluster};
use pki::{Authority, Issue, JoinToken, Roots, Unusable};
use store::State;

/// Signs a request; the chain, PEM.
pub(crate) fn sign(state: &State, request: &SignRequest, chance: &mut Chance) -> Result<Vec<u8>, String> {
    let cluster = state.cluster().ok_or("there is no swarm yet")?;
    let SignRequest { csr, role, node_id, cluster_id, expiry } = request;
    let issue = Issue { node: *node_id, cluster: *cluster_id, role: *role, expiry: *expiry };
    let authority = authority(cluster).map_err(|error| error.to_string())?;
    authority.sign(csr, issue, clock::now(), chance).map_err(|error| error.to_string())
}

/// Who signs now: while one root follows another, the new one, with what the old one said of it.
fn authority(cluster: &Cluster) -> Result<Authority, Unusable> {
    let RootCa { ca_key, ca_cert, root_rotation, .. } = &cluster.root_ca;
    match root_rotation {
        None => Authority::from_pem(ca_cert, ca_key),
        Some(RootRotation { ca_cert, ca_key, cross_signed_ca_cert }) => {
            Ok(Authority::from_pem(ca_cert, ca_key)?.with_intermediates(cross_signed_ca_cert))
        }
    }
}

/// What the leader wants to know of a root that shall follow.
pub(crate) fn study(root: Vec<u8>, chance: &mut Chance) -> Result<Successor, Unusable> {
    let issuer = Roots::from_pem(&root)?.as_issuer();
    let mut token = || JoinToken::random(&root, chance).to_string();
    let tokens = JoinTokens { worker: token(), manager: token() };
    Ok(Successor { issuer, hash: pki::token::root_hash(&root), tokens, root })
}
