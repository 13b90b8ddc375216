//! A node's key and certificate: who it is, in which swarm, in which role (`security.md` sections 1 and 3).
//!
//! In: what stands in the three files that a node keeps, and the time. Out: an identity that can speak, or why it
//! cannot.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use model::node::NodeTlsInfo;
use model::{Chance, Duration, Timestamp};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ClientConfig, ServerConfig};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::Unusable;
use crate::key_file::KeyFile;
use crate::subject::{Subject, Validity};
use crate::trust::{ALPN_H2, Roots, chain_from_pem, client_builder, provider, with_alpn};

/// A private key: ECDSA on P-256.
pub struct Key(KeyPair);

/// A node that can speak.
#[derive(Clone)]
pub struct Identity {
    /// Who, in which swarm, in which role.
    pub subject: Subject,
    /// From when until when.
    pub validity: Validity,
    roots: Roots,
    chain: Vec<CertificateDer<'static>>,
    key: Vec<u8>,
}

impl Key {
    /// A new key, from the system's own generator.
    pub fn generate() -> Self {
        Self(KeyPair::generate().expect("the system's generator of random numbers works"))
    }

    /// The key of a file.
    ///
    /// # Errors
    /// If it is none that can sign.
    pub fn from_file(file: &KeyFile) -> Result<Self, Unusable> {
        let key = PrivatePkcs8KeyDer::from(file.key.as_slice());
        KeyPair::try_from(&key).map(Self).map_err(|error| Unusable::unreadable("private key", error))
    }

    /// A request for a certificate, PEM. It names nobody: the signer knows better.
    pub fn request(&self) -> Vec<u8> {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        let request = params.serialize_request(&self.0).and_then(|request| request.pem());
        request.expect("a plain request can be written").into_bytes()
    }

    /// The file of this key, without headers.
    pub fn to_file(&self) -> KeyFile {
        KeyFile { headers: BTreeMap::new(), key: self.0.serialize_der() }
    }

    pub(crate) fn pair(&self) -> &KeyPair {
        &self.0
    }

    pub(crate) fn into_pair(self) -> KeyPair {
        self.0
    }
}

impl fmt::Debug for Key {
    /// Leaves out the key: it must never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key")
    }
}

impl Identity {
    /// Puts together what a node has: the roots it trusts, its chain (PEM, leaf first) and its key.
    ///
    /// # Errors
    /// If something cannot be read, the key is not the certificate's, or the chain leads to no root or is not
    /// valid at `now`.
    pub fn load(roots: Roots, chain_pem: &[u8], key: &KeyFile, now: Timestamp) -> Result<Self, Unusable> {
        let identity = Self::load_expired(roots, chain_pem, key)?;
        identity.roots.check(&identity.chain, now)?;
        Ok(identity)
    }

    /// Like [`Identity::load`], but the chain may be of any time: for a node that was away for too long and
    /// must still know who it was.
    ///
    /// # Errors
    /// If something cannot be read, or the key is not the certificate's.
    pub fn load_expired(roots: Roots, chain_pem: &[u8], key: &KeyFile) -> Result<Self, Unusable> {
        let chain = chain_from_pem(chain_pem)?;
        let (_, leaf) = X509Certificate::from_der(&chain[0])
            .map_err(|error| Unusable::unreadable("certificate", error))?;
        let pair = Key::from_file(key)?;
        if leaf.public_key().subject_public_key.data.as_ref() != pair.pair().public_key_raw() {
            return Err(Unusable::untrusted("private key", "it is not the certificate's"));
        }
        let (subject, validity) = (Subject::of(&chain[0])?, Validity::of(&chain[0])?);
        Ok(Self { subject, validity, roots, chain, key: key.key.clone() })
    }

    /// The roots it trusts.
    pub fn roots(&self) -> &Roots {
        &self.roots
    }

    /// Its own certificate, DER.
    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.chain[0]
    }

    /// The same node, trusting these roots, if its own chain leads to one of them.
    ///
    /// # Errors
    /// If it does not.
    pub fn trusting(&self, roots: Roots, now: Timestamp) -> Result<Self, Unusable> {
        roots.check(&self.chain, now)?;
        Ok(Self { roots, ..self.clone() })
    }

    /// When to ask for the next certificate: somewhere between the half and four fifths of this one's life, on
    /// a whole minute, so that nodes which joined together do not all ask together.
    pub fn renew_at(&self, chance: &mut Chance) -> Timestamp {
        let life_minutes = self.validity.until.since(self.validity.from).as_secs() / 60;
        let (first, last) = (life_minutes / 2, life_minutes * 4 / 5);
        let minute = first + chance.below((last - first).max(1));
        self.validity.from + Duration::from_secs(minute * 60)
    }

    /// What the managers want to know about it, to see how far a change of roots has come.
    pub fn tls_info(&self) -> NodeTlsInfo {
        let issuer = self.issuer();
        let parsed = issuer.and_then(|issuer| X509Certificate::from_der(issuer).ok());
        let Some((_, issuer)) = parsed else {
            return NodeTlsInfo { trust_root: self.roots.pem().to_vec(), ..NodeTlsInfo::default() };
        };
        NodeTlsInfo {
            trust_root: self.roots.pem().to_vec(),
            cert_issuer_subject: issuer.subject().as_raw().to_vec(),
            cert_issuer_public_key: issuer.public_key().raw.to_vec(),
        }
    }

    /// TLS for calling others.
    ///
    /// # Errors
    /// If TLS refuses the key.
    pub fn client_tls(&self) -> Result<Arc<ClientConfig>, Unusable> {
        let config = client_builder()
            .with_root_certificates(self.roots.store())
            .with_client_auth_cert(self.chain.clone(), self.private_key())
            .map_err(|error| Unusable::untrusted("certificate", error))?;
        Ok(Arc::new(with_alpn(config)))
    }

    /// TLS for being called, also by those who have no certificate yet.
    ///
    /// # Errors
    /// If TLS refuses the key.
    pub fn server_tls(&self) -> Result<Arc<ServerConfig>, Unusable> {
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("ring knows all versions of TLS")
            .with_client_cert_verifier(self.roots.client_verifier()?)
            .with_single_cert(self.chain.clone(), self.private_key())
            .map_err(|error| Unusable::untrusted("certificate", error))?;
        config.alpn_protocols = vec![ALPN_H2.to_vec()];
        Ok(Arc::new(config))
    }

    fn private_key(&self) -> PrivateKeyDer<'static> {
        PrivatePkcs8KeyDer::from(self.key.clone()).into()
    }

    /// The certificate of whoever signed the leaf: the next in the chain, or a root.
    fn issuer(&self) -> Option<&CertificateDer<'static>> {
        let (_, leaf) = X509Certificate::from_der(&self.chain[0]).ok()?;
        self.chain[1..].iter().chain(self.roots.certificates()).find(|candidate| {
            let parsed = X509Certificate::from_der(candidate);
            parsed.is_ok_and(|(_, issuer)| leaf.verify_signature(Some(issuer.public_key())).is_ok())
        })
    }
}

impl fmt::Debug for Identity {
    /// Leaves out the key: it must never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("subject", &self.subject).finish_non_exhaustive()
    }
}
