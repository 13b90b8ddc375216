//! Who signs: the swarm's root, and the certificates of its nodes (`security.md` sections 2 and 3).
//!
//! In: a request, and for whom and how long. Out: a certificate. Of a request only the public key counts; all
//! else comes from the signer. Whether somebody may have a certificate is judged elsewhere. While one root follows
//! another (section 9), the new one signs, and what the old one said of it goes with each certificate.

use std::fmt;

use model::node::NodeRole;
use model::{Chance, ClusterId, Duration, NodeId, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, SanType, SerialNumber,
};
use time::OffsetDateTime;

use crate::Unusable;
use crate::identity::Key;
use crate::subject::unit_of;
use crate::trust::Roots;
use crate::{cross, root_key};

/// The root's name, and the name under which managers answer those without a certificate.
const ROOT_NAME: &str = "swarm-ca";
/// How long a root is valid: about twenty years.
const ROOT_LIFE: Duration = Duration::from_secs(630_720_000);
/// Clocks differ: a root is valid since a little before it was made.
const ROOT_BACKDATE: Duration = Duration::from_secs(5 * 60);
/// Clocks differ: a node's certificate is valid since a while before it was made.
const NODE_BACKDATE: Duration = Duration::from_secs(3600);
/// A life that no administrator can mean: the default is taken instead.
const NODE_LIFE_MIN: Duration = model::limits::CERT_EXPIRY_MIN;

/// A root that can sign.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate_pem: Vec<u8>,
    key_pem: Vec<u8>,
    /// What is handed out behind each certificate, PEM: the way to an older root.
    intermediates: Vec<u8>,
}

/// For whom a certificate is, and how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Which node.
    pub node: NodeId,
    /// Of which swarm.
    pub cluster: ClusterId,
    /// In which role.
    pub role: NodeRole,
    /// How long from now.
    pub expiry: Duration,
}

impl Issue {
    /// The names under which the holder answers.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![unit_of(self.role).to_owned(), self.node.to_string()];
        names.extend((self.role == NodeRole::Manager).then(|| ROOT_NAME.to_owned()));
        names
    }
}

impl Authority {
    /// A new root.
    pub fn found(now: Timestamp, chance: &mut Chance) -> Self {
        let key = Key::generate().into_pair();
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, ROOT_NAME);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = Some(serial(chance));
        let from = to_minute(now) - ROOT_BACKDATE;
        (params.not_before, params.not_after) = (date(from), date(from + ROOT_LIFE));

        let certificate = params.self_signed(&key).expect("a root can be written");
        let (certificate_pem, key_pem) = (certificate.pem().into_bytes(), key.serialize_pem().into_bytes());
        Self { issuer: Issuer::new(params, key), certificate_pem, key_pem, intermediates: Vec::new() }
    }

    /// The root that the cluster object holds: its certificate and its key, both PEM. The key may be written as
    /// OpenSSL does: PKCS#8, SEC1 or PKCS#1.
    ///
    /// # Errors
    /// If one cannot be read, the certificate is not a root's, or the key is not its own.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, Unusable> {
        let roots = Roots::from_pem(certificate)?;
        let certificate_text = text("root certificate", certificate)?;
        let pair = root_key::pair(key)?;
        if roots.public_key() != pair.public_key_raw() {
            return Err(Unusable::untrusted("root key", KEY_MISMATCH));
        }
        let key_pem = pair.serialize_pem().into_bytes();
        let issuer = Issuer::from_ca_cert_pem(certificate_text, pair)
            .map_err(|error| Unusable::unreadable("root certificate", error))?;
        Ok(Self { issuer, certificate_pem: certificate.to_vec(), key_pem, intermediates: Vec::new() })
    }

    /// The same root, which hands out these certificates, PEM, behind each that it signs: by them, whoever trusts
    /// only an older root finds the way.
    pub fn with_intermediates(self, intermediates: &[u8]) -> Self {
        Self { intermediates: intermediates.to_vec(), ..self }
    }

    /// Signs another root as it is, so that whoever trusts this one trusts that one too; PEM. All that the other
    /// says of itself stays: name, key, validity, number, extensions.
    ///
    /// # Errors
    /// If the other cannot be read.
    pub fn cross_sign(&self, root_pem: &[u8]) -> Result<Vec<u8>, Unusable> {
        cross::sign(&self.certificate_pem, self.issuer.key(), root_pem)
    }

    /// The root's certificate, PEM.
    pub fn certificate_pem(&self) -> &[u8] {
        &self.certificate_pem
    }

    /// The root's key, PEM. It is private.
    pub fn key_pem(&self) -> &[u8] {
        &self.key_pem
    }

    /// A request, PEM, for another authority to sign this root as it is.
    ///
    /// # Errors
    /// If the root cannot be read.
    pub fn request(&self) -> Result<Vec<u8>, Unusable> {
        cross::request(&self.certificate_pem, self.issuer.key())
    }

    /// Signs a request, PEM; the chain is PEM too, the certificate first.
    ///
    /// # Errors
    /// If the request cannot be read or did not sign itself.
    pub fn sign(
        &self,
        request: &[u8],
        issue: Issue,
        now: Timestamp,
        chance: &mut Chance,
    ) -> Result<Vec<u8>, Unusable> {
        let mut request = CertificateSigningRequestParams::from_pem(text("certificate request", request)?)
            .map_err(|error| Unusable::unreadable("certificate request", error))?;
        request.params = node_params(issue, now, chance)?;
        let certificate = request
            .signed_by(&self.issuer)
            .map_err(|error| Unusable::unreadable("certificate request", error))?;
        Ok([certificate.pem().as_bytes(), &self.intermediates].concat())
    }
}

/// What stock managers say of a root key that is not its certificate's.
pub const KEY_MISMATCH: &str = "certificate key mismatch";

impl fmt::Debug for Authority {
    /// Leaves out the key: it must never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Authority")
    }
}

fn node_params(issue: Issue, now: Timestamp, chance: &mut Chance) -> Result<CertificateParams, Unusable> {
    let Issue { node, cluster, role, expiry } = issue;
    let unit = unit_of(role);
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::OrganizationName, cluster.as_str());
    params.distinguished_name.push(DnType::OrganizationalUnitName, unit);
    params.distinguished_name.push(DnType::CommonName, node.as_str());

    let names: Result<Vec<_>, _> =
        issue.names().into_iter().map(|name| name.try_into().map(SanType::DnsName)).collect();
    params.subject_alt_names = names.map_err(|error| Unusable::unreadable("certificate request", error))?;

    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
    params.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(serial(chance));

    let expiry = if expiry < NODE_LIFE_MIN { model::limits::CERT_EXPIRY_DEFAULT } else { expiry };
    let from = to_minute(now) - NODE_BACKDATE;
    (params.not_before, params.not_after) = (date(from), date(from + NODE_BACKDATE + expiry));
    Ok(params)
}

/// Twenty random bytes; the first bit is zero, since serial numbers are positive.
fn serial(chance: &mut Chance) -> SerialNumber {
    let mut bytes: [u8; 20] = chance.bytes();
    bytes[0] = bytes[0] & 0x7f | 0x01;
    SerialNumber::from_slice(&bytes)
}

/// The nearest whole minute.
fn to_minute(time: Timestamp) -> Timestamp {
    let (seconds, _) = time.parts();
    Timestamp::from_parts((seconds + 30).div_euclid(60) * 60, 0)
}

/// Certificates know no times outside of those that calendars have.
fn date(time: Timestamp) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(time.parts().0).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

fn text<'a>(what: &'static str, pem: &'a [u8]) -> Result<&'a str, Unusable> {
    std::str::from_utf8(pem).map_err(|error| Unusable::unreadable(what, error))
}
