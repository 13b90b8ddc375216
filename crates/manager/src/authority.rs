//! What new settings wish of the swarm's authority: judged, and prepared for the leader (`security.md` section 9).
//!
//! In: the swarm as it is, and the settings it shall have. Out: the authority as it shall be, if it changes: another
//! key, or the begin of a rotation in which the new root was signed by the old one. What the leader makes of it is
//! its business.

use host::clock;
use model::cluster::{CaConfig, RootCa, RootRotation};
use model::{Chance, Cluster, Duration, Refusal, RefusalKind};
use pki::{Authority, Roots, Unusable};

use crate::external::{Externals, Signers};

/// How long a root must last at least.
const LIFE_MIN: Duration = Duration::from_secs(365 * 24 * 3600);

/// A root that a user wishes: its certificate, and its key if the swarm itself shall sign.
struct Desired {
    roots: Roots,
    authority: Option<Authority>,
}

/// The authority as these settings wish it; `None` if it stays.
///
/// # Errors
/// Which rule the settings break.
pub(crate) async fn prepare(
    cluster: &Cluster,
    settings: &CaConfig,
    externals: &Externals,
    chance: &mut Chance,
) -> Result<Option<Box<RootCa>>, Refusal> {
    let present = &cluster.root_ca;
    if settings.signing_ca_cert.is_empty() {
        if !settings.signing_ca_key.is_empty() {
            let message = "if a signing CA key is provided, the signing CA cert must also be provided";
            return Err(Refusal::invalid(message));
        }
        if settings.force_rotate != present.last_forced_rotation {
            let authority = Authority::found(clock::now(), chance);
            let desired = Desired::of(authority)?;
            return begin(cluster, settings, desired, externals).await.map(Some);
        }
        check_signers(present, settings, externals).await?;
        return Ok(None);
    }
    let desired = Desired::read(settings)?;
    if desired.authority.is_none() {
        check_reach(present, settings, (&settings.signing_ca_cert, "desired"), externals).await?;
    }
    let forced = settings.force_rotate;
    let ca_key = desired.key();
    let now = Roots::from_pem(&present.ca_cert).map_err(invalid)?;
    if now.is(&desired.roots) {
        let root = RootCa { ca_key, root_rotation: None, last_forced_rotation: forced, ..present.clone() };
        return Ok(Some(Box::new(root)));
    }
    if now.has_key_of(&desired.roots) {
        return Err(Refusal::invalid("Cannot update to a cert with an identical key"));
    }
    if let Some(running) = present.root_rotation.as_ref().filter(|running| desired.is_of(running)) {
        let rotation = RootRotation { ca_key, ..running.clone() };
        let root = RootCa { root_rotation: Some(rotation), last_forced_rotation: forced, ..present.clone() };
        return Ok(Some(Box::new(root)));
    }
    begin(cluster, settings, desired, externals).await.map(Some)
}

/// Has the old root sign the new one.
async fn begin(
    cluster: &Cluster,
    settings: &CaConfig,
    desired: Desired,
    externals: &Externals,
) -> Result<Box<RootCa>, Refusal> {
    let present = &cluster.root_ca;
    let crossed = if present.ca_key.is_empty() {
        let Some(authority) = &desired.authority else {
            let message = "rotating from one external CA to a different external CA is not supported";
            return Err(Refusal::invalid(message));
        };
        let signers = Signers::of(settings, present, &present.ca_cert).map_err(invalid)?;
        let old = Roots::from_pem(&present.ca_cert).map_err(invalid)?;
        let crossed = externals.cross_sign(&signers, authority, &old).await;
        crossed.map_err(|error| Refusal::new(RefusalKind::Unavailable, error.to_string()))?
    } else {
        let old = Authority::from_pem(&present.ca_cert, &present.ca_key).map_err(invalid)?;
        old.cross_sign(desired.roots.pem()).map_err(invalid)?
    };
    let rotation = RootRotation {
        ca_key: desired.key(),
        ca_cert: desired.roots.normal_pem(),
        cross_signed_ca_cert: crossed,
    };
    Ok(Box::new(RootCa {
        root_rotation: Some(rotation),
        last_forced_rotation: settings.force_rotate,
        ..present.clone()
    }))
}

/// Where only signers outside have the key that signs now, one of them must be there.
async fn check_signers(present: &RootCa, settings: &CaConfig, externals: &Externals) -> Result<(), Refusal> {
    let (key, root, which) = match &present.root_rotation {
        Some(rotation) => (&rotation.ca_key, &rotation.ca_cert, "next"),
        None => (&present.ca_key, &present.ca_cert, "current"),
    };
    if key.is_empty() { check_reach(present, settings, (root, which), externals).await } else { Ok(()) }
}

async fn check_reach(
    present: &RootCa,
    settings: &CaConfig,
    (root, which): (&[u8], &str),
    externals: &Externals,
) -> Result<(), Refusal> {
    let signers = Signers::of(settings, present, root).map_err(invalid)?;
    if externals.reach(&signers).await {
        return Ok(());
    }
    Err(Refusal::invalid(format!(
        "there must be at least one valid, reachable external CA corresponding to the {which} CA certificate"
    )))
}

impl Desired {
    fn of(authority: Authority) -> Result<Self, Refusal> {
        let roots = Roots::from_pem(authority.certificate_pem()).map_err(invalid)?;
        Ok(Self { roots, authority: Some(authority) })
    }

    /// What the settings name.
    fn read(settings: &CaConfig) -> Result<Self, Refusal> {
        let CaConfig { signing_ca_cert, signing_ca_key, .. } = settings;
        let roots = Roots::from_pem(signing_ca_cert).map_err(invalid)?;
        if roots.certificates().len() != 1 {
            return Err(Refusal::invalid("the desired CA certificate cannot contain multiple certificates"));
        }
        let authority = (!signing_ca_key.is_empty())
            .then(|| Authority::from_pem(signing_ca_cert, signing_ca_key))
            .transpose()
            .map_err(invalid)?;
        if roots.until() < clock::now() + LIFE_MIN {
            return Err(Refusal::invalid("CA certificate expires too soon"));
        }
        Ok(Self { roots, authority })
    }

    /// The key, PEM; empty if only signers outside have it.
    fn key(&self) -> Vec<u8> {
        self.authority.as_ref().map(|authority| authority.key_pem().to_vec()).unwrap_or_default()
    }

    fn is_of(&self, rotation: &RootRotation) -> bool {
        Roots::from_pem(&rotation.ca_cert).is_ok_and(|running| running.is(&self.roots))
    }
}

fn invalid(unusable: Unusable) -> Refusal {
    Refusal::invalid(match unusable {
        Unusable::Untrusted { why, .. } if why == pki::authority::KEY_MISMATCH => why,
        other => other.to_string(),
    })
}
