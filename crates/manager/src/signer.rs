//! Signs certificates with the swarm's authority, as the leader wishes.
//!
//! In: the book, where the authority's key is, and a wish. Out: a certificate, or why not. It decides nothing: who
//! gets which certificate was decided before.

use control::leader::SignRequest;
use host::clock;
use model::Chance;
use pki::{Authority, Issue};
use store::State;

/// Signs a request; the chain, PEM.
pub(crate) fn sign(state: &State, request: &SignRequest, chance: &mut Chance) -> Result<Vec<u8>, String> {
    let cluster = state.cluster().ok_or("there is no swarm yet")?;
    let root = &cluster.root_ca;
    let SignRequest { csr, role, node_id, cluster_id, expiry } = request;
    let issue = Issue { node: *node_id, cluster: *cluster_id, role: *role, expiry: *expiry };
    let authority = Authority::from_pem(&root.ca_cert, &root.ca_key).map_err(|error| error.to_string())?;
    authority.sign(csr, issue, clock::now(), chance).map_err(|error| error.to_string())
}
