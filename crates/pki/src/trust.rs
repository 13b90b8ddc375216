//! Whom a connection trusts: the swarm's roots, and TLS settings made of them (`security.md` sections 2 and 6).

use std::collections::BTreeMap;
use std::sync::Arc;

use model::Timestamp;
use model::node::NodeTlsInfo;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use x509_parser::oid_registry::{
    OID_PKCS1_SHA256WITHRSA, OID_PKCS1_SHA384WITHRSA, OID_PKCS1_SHA512WITHRSA, OID_SIG_ECDSA_WITH_SHA256,
    OID_SIG_ECDSA_WITH_SHA384, OID_SIG_ECDSA_WITH_SHA512, Oid,
};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::public_key::PublicKey;

use crate::subject::Subject;
use crate::{Unusable, pem};

/// The protocol that TLS agrees upon.
pub(crate) const ALPN_H2: &[u8] = b"h2";

/// The roots that a swarm trusts: one, or several while they change.
#[derive(Clone, Debug)]
pub struct Roots {
    pem: Arc<[u8]>,
    certificates: Arc<[CertificateDer<'static>]>,
    store: Arc<RootCertStore>,
}

impl Roots {
    /// Reads a bundle, PEM. Each root must have signed itself.
    ///
    /// # Errors
    /// If it holds no root, or one that must not be used.
    pub fn from_pem(pem: &[u8]) -> Result<Self, Unusable> {
        let certificates = chain_from_pem(pem)?;
        let mut store = RootCertStore::empty();
        for certificate in &certificates {
            check_root(certificate)?;
            store.add(certificate.clone()).map_err(|error| Unusable::untrusted("root certificate", error))?;
        }
        Ok(Self { pem: pem.into(), certificates: certificates.into(), store: store.into() })
    }

    /// The bundle, byte for byte as it was given: tokens name its digest.
    pub fn pem(&self) -> &[u8] {
        &self.pem
    }

    /// The bundle without any text around the certificates, as a swarm serves it.
    pub fn normal_pem(&self) -> Vec<u8> {
        let block = |root: &CertificateDer<'_>| pem::block("CERTIFICATE", &BTreeMap::new(), root);
        self.certificates.iter().flat_map(block).collect()
    }

    /// The roots, DER.
    pub fn certificates(&self) -> &[CertificateDer<'static>] {
        &self.certificates
    }

    /// What a node says of its certificate that the first of these roots signed.
    pub fn as_issuer(&self) -> NodeTlsInfo {
        let first = parsed(&self.certificates[0]);
        NodeTlsInfo {
            trust_root: self.pem.to_vec(),
            cert_issuer_subject: first.subject().as_raw().to_vec(),
            cert_issuer_public_key: first.public_key().raw.to_vec(),
        }
    }

    /// When the first of these roots ends.
    pub fn until(&self) -> Timestamp {
        Timestamp::from_parts(parsed(&self.certificates[0]).validity().not_after.timestamp(), 0)
    }

    /// These roots, and those of another bundle.
    ///
    /// # Errors
    /// As [`Roots::from_pem`].
    pub fn and(&self, pem: &[u8]) -> Result<Self, Unusable> {
        Self::from_pem(&[&self.pem, b"\n".as_slice(), pem].concat())
    }

    /// TLS for a client that has no certificate yet, but knows whom to trust.
    pub fn anonymous_client(&self) -> Arc<ClientConfig> {
        let config = client_builder().with_root_certificates(self.store.clone()).with_no_client_auth();
        Arc::new(with_alpn(config))
    }

    /// True if this is the same root, or bundle, byte for byte in what counts: the text around the certificates does
    /// not.
    pub fn is(&self, other: &Self) -> bool {
        self.certificates == other.certificates
    }

    /// True if both have the same key, whatever else they say.
    pub fn has_key_of(&self, other: &Self) -> bool {
        self.as_issuer().cert_issuer_public_key == other.as_issuer().cert_issuer_public_key
    }

    /// Judges what one of these roots is said to have signed in the place of another root.
    ///
    /// # Errors
    /// If it is not the other root, or none of these signed it.
    pub fn check_crossed(&self, crossed_pem: &[u8], root: &Self) -> Result<(), Unusable> {
        let crossed = chain_from_pem(crossed_pem)?.remove(0);
        let (_, crossed) = X509Certificate::from_der(&crossed)
            .map_err(|error| Unusable::unreadable("root certificate", error))?;
        let original = parsed(&root.certificates[0]);
        let is_same = crossed.subject().as_raw() == original.subject().as_raw()
            && crossed.public_key().raw == original.public_key().raw
            && crossed.is_ca();
        let signs =
            |signer: &CertificateDer<'_>| crossed.verify_signature(Some(parsed(signer).public_key())).is_ok();
        if is_same && self.certificates.iter().any(signs) {
            return Ok(());
        }
        Err(Unusable::untrusted("root certificate", "it is not the new root, signed by the old one"))
    }

    /// Judges a chain, leaf first: does it lead to a root, and is it valid now?
    ///
    /// # Errors
    /// If not.
    pub fn check(&self, chain: &[CertificateDer<'_>], now: Timestamp) -> Result<(), Unusable> {
        let (leaf, intermediates) =
            chain.split_first().ok_or_else(|| Unusable::unreadable("certificate", "it is empty"))?;
        let seconds = u64::try_from(now.parts().0).unwrap_or(0);
        let time = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        self.client_verifier()?
            .verify_client_cert(leaf, intermediates, time)
            .map_err(|error| Unusable::untrusted("certificate", why(&error)))?;
        Ok(())
    }

    /// The key of the first root, as it stands in its certificate.
    pub(crate) fn public_key(&self) -> Vec<u8> {
        parsed(&self.certificates[0]).public_key().subject_public_key.data.to_vec()
    }

    /// As [`Roots::check`], of a chain in PEM; whom it names.
    ///
    /// # Errors
    /// If it cannot be read, or must not be trusted.
    pub fn check_pem(&self, chain: &[u8], now: Timestamp) -> Result<Subject, Unusable> {
        let chain = chain_from_pem(chain)?;
        self.check(&chain, now)?;
        Subject::of(&chain[0])
    }

    pub(crate) fn store(&self) -> Arc<RootCertStore> {
        self.store.clone()
    }

    /// Clients may come without a certificate; if they bring one, it must be good.
    pub(crate) fn client_verifier(&self) -> Result<Arc<dyn ClientCertVerifier>, Unusable> {
        WebPkiClientVerifier::builder_with_provider(self.store.clone(), provider())
            .allow_unauthenticated()
            .build()
            .map_err(|error| Unusable::untrusted("root certificate", error))
    }
}

/// TLS for a client that trusts anybody: only to fetch the root, which a token's digest then judges.
pub fn unverified_client() -> Arc<ClientConfig> {
    let verifier = Arc::new(Anybody(provider().signature_verification_algorithms));
    let config =
        client_builder().dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    Arc::new(with_alpn(config))
}

/// The same client, to call web servers whose certificates lead to one of these roots.
///
/// # Errors
/// If TLS refuses the roots.
pub fn web_client(client: &ClientConfig, roots: &Roots) -> Result<ClientConfig, Unusable> {
    let verifier = WebPkiServerVerifier::builder_with_provider(roots.store(), provider())
        .build()
        .map_err(|error| Unusable::untrusted("root certificate", error))?;
    let mut client = client.clone();
    client.dangerous().set_certificate_verifier(verifier);
    client.alpn_protocols.clear();
    Ok(client)
}

/// The certificates of a bundle, PEM.
pub(crate) fn chain_from_pem(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let certificates = certificates.map_err(|error| Unusable::unreadable("certificate", error))?;
    if certificates.is_empty() {
        return Err(Unusable::unreadable("certificate", "there is none in the PEM"));
    }
    Ok(certificates)
}

pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

pub(crate) fn client_builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("ring knows all versions of TLS")
}

pub(crate) fn with_alpn(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![ALPN_H2.to_vec()];
    config
}

/// Why TLS refuses a chain, in words that help.
fn why(error: &rustls::Error) -> String {
    use rustls::CertificateError::{Expired, ExpiredContext, NotValidYet, NotValidYetContext};
    match error {
        rustls::Error::InvalidCertificate(NotValidYet | NotValidYetContext { .. }) => {
            "it is not yet valid; is this machine's clock behind?".to_owned()
        }
        rustls::Error::InvalidCertificate(Expired | ExpiredContext { .. }) => {
            "it has expired, or this machine's clock is ahead".to_owned()
        }
        other => other.to_string(),
    }
}

fn parsed<'a>(root: &'a CertificateDer<'_>) -> X509Certificate<'a> {
    X509Certificate::from_der(root).expect("it was read when the roots were").1
}

fn check_root(certificate: &CertificateDer<'_>) -> Result<(), Unusable> {
    let (_, parsed) = X509Certificate::from_der(certificate)
        .map_err(|error| Unusable::unreadable("root certificate", error))?;
    check_kind(&parsed)?;
    parsed.verify_signature(None).map_err(|error| Unusable::untrusted("root certificate", error))?;
    if !parsed.is_ca() {
        return Err(Unusable::untrusted("root certificate", "it is not one of an authority"));
    }
    Ok(())
}

/// Whether nodes can judge what this root signs. Stock nodes take the same kinds, and P-521 too.
fn check_kind(root: &X509Certificate<'_>) -> Result<(), Unusable> {
    let has_known_key = match root.public_key().parsed() {
        Ok(PublicKey::RSA(key)) => key.key_size() >= RSA_BITS_MIN,
        Ok(PublicKey::EC(point)) => matches!(point.key_size(), 256 | 384),
        Ok(_) | Err(_) => false,
    };
    if !has_known_key {
        let why = "its key is neither RSA of 2048 bits or more nor ECDSA on P-256 or P-384";
        return Err(Unusable::untrusted("root certificate", why));
    }
    if !SIGNATURES.contains(&root.signature_algorithm.algorithm) {
        let why = "it is signed neither by RSA nor by ECDSA with SHA-256, SHA-384 or SHA-512";
        return Err(Unusable::untrusted("root certificate", why));
    }
    Ok(())
}

/// RSA keys of roots that are shorter could be broken.
const RSA_BITS_MIN: usize = 2048;
/// How a root may have signed itself.
const SIGNATURES: [Oid<'_>; 6] = [
    OID_PKCS1_SHA256WITHRSA,
    OID_PKCS1_SHA384WITHRSA,
    OID_PKCS1_SHA512WITHRSA,
    OID_SIG_ECDSA_WITH_SHA256,
    OID_SIG_ECDSA_WITH_SHA384,
    OID_SIG_ECDSA_WITH_SHA512,
];

/// Trusts anybody who holds the key of the certificate shown.
#[derive(Debug)]
struct Anybody(WebPkiSupportedAlgorithms);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.0)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.0)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_schemes()
    }
}
