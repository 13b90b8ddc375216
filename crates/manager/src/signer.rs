//! Signs certificates with the swarm's authority, as the leader wishes, and reads certificates for it.
//!
//! In: the book, where the authority's key is, or where signers outside are, and a wish. Out: a certificate, or why
//! not. It decides nothing: who gets which certificate was decided before.

use control::leader::{SignRequest, Successor};
use host::clock;
use model::cluster::{JoinTokens, RootCa, RootRotation};
use model::{Chance, Cluster};
use pki::{Authority, Issue, JoinToken, Roots, Unusable};
use store::State;

use crate::external::{ExternalError, Externals, Signers};

/// Who signs at the moment.
pub(crate) enum Signer {
    /// The swarm itself.
    Swarm(Box<Authority>),
    /// Somebody outside.
    Outside(Box<Outside>),
}

/// Signers outside, and how what they sign is judged.
pub(crate) struct Outside {
    signers: Signers,
    /// What goes behind each certificate, PEM.
    behind: Vec<u8>,
    roots: Roots,
}

impl Signer {
    /// Who signs in this swarm: those outside, if its settings name any for the root that signs now.
    pub(crate) fn of(state: &State) -> Result<Self, String> {
        let cluster = state.cluster().ok_or("there is no swarm yet")?;
        let signer = match Outside::of(cluster) {
            Ok(outside) if !outside.signers.urls.is_empty() => Ok(Self::Outside(Box::new(outside))),
            Ok(_) => authority(cluster).map(|authority| Self::Swarm(Box::new(authority))),
            Err(unusable) => Err(unusable),
        };
        signer.map_err(|error| error.to_string())
    }
}

/// Signs a request; the chain, PEM.
pub(crate) fn sign(
    authority: &Authority,
    request: &SignRequest,
    chance: &mut Chance,
) -> Result<Vec<u8>, String> {
    let signed = authority.sign(&request.csr, issue(request), clock::now(), chance);
    signed.map_err(|error| error.to_string())
}

impl Outside {
    fn of(cluster: &Cluster) -> Result<Self, Unusable> {
        let present = &cluster.root_ca;
        let (root, behind) = match &present.root_rotation {
            Some(rotation) => (&rotation.ca_cert, rotation.cross_signed_ca_cert.clone()),
            None => (&present.ca_cert, Vec::new()),
        };
        let signers = Signers::of(&cluster.spec.ca, present, root)?;
        Ok(Self { signers, behind, roots: Roots::from_pem(&present.ca_cert)? })
    }

    /// Has a request signed; the chain, PEM. `None` if nobody can be reached: then it is to be asked again.
    pub(crate) async fn sign(
        &self,
        externals: &Externals,
        request: &SignRequest,
    ) -> Option<Result<Vec<u8>, String>> {
        let question = (request.csr.as_slice(), issue(request));
        match externals.sign(&self.signers, question, (&self.behind, &self.roots)).await {
            Err(error @ ExternalError::Unreachable(_)) => {
                tracing::warn!(%error, node = %request.node_id, "a certificate waits to be signed");
                None
            }
            signed => Some(signed.map_err(|error| error.to_string())),
        }
    }
}

fn issue(request: &SignRequest) -> Issue {
    let SignRequest { csr: _, role, node_id, cluster_id, expiry } = request;
    Issue { node: *node_id, cluster: *cluster_id, role: *role, expiry: *expiry }
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
