//! A root's certificate, signed by another root instead of itself (`security.md` section 9).
//!
//! In: both certificates, and the signer's key. Out: the first as it is, but with the other as its issuer. It is taken
//! apart and put together as DER, since nothing else that it says of itself may change.

use std::collections::BTreeMap;

use pkcs8::ObjectIdentifier;
use pkcs8::der::asn1::{Any, AnyRef, BitString};
use pkcs8::der::{self, Decode, Encode, Tag, TagNumber};
use pkcs8::spki::AlgorithmIdentifier;
use rcgen::{KeyPair, SigningKey};
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::trust::chain_from_pem;
use crate::{Unusable, pem};

/// The field of a request's attributes.
const NO_ATTRIBUTES: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber::N0 };

/// Where a certificate of version 3 says how it is signed, and by whom.
const ALGORITHM: usize = 2;
const ISSUER: usize = 3;

/// Signs a root with the key of another; PEM.
pub(crate) fn sign(signer_pem: &[u8], key: &KeyPair, root_pem: &[u8]) -> Result<Vec<u8>, Unusable> {
    let (signer, root) = (chain_from_pem(signer_pem)?.remove(0), chain_from_pem(root_pem)?.remove(0));
    let (_, signer) = X509Certificate::from_der(&signer).map_err(unreadable)?;
    let algorithm = algorithm_of(key).map_err(unreadable)?;
    let unsigned = unsigned(&root, &algorithm, signer.subject().as_raw()).map_err(unreadable)?;
    let signature = key.sign(&unsigned).map_err(unreadable)?;
    let signed = signed(&unsigned, algorithm, &signature).map_err(unreadable)?;
    Ok(pem::block("CERTIFICATE", &BTreeMap::new(), &signed))
}

/// Asks another authority to sign this root; a request, PEM, with the root's name and key.
pub(crate) fn request(root_pem: &[u8], key: &KeyPair) -> Result<Vec<u8>, Unusable> {
    let root = chain_from_pem(root_pem)?.remove(0);
    let (_, root) = X509Certificate::from_der(&root).map_err(unreadable)?;
    let content = request_content(root.subject().as_raw(), root.public_key().raw).map_err(unreadable)?;
    let signature = key.sign(&content).map_err(unreadable)?;
    let algorithm = algorithm_of(key).map_err(unreadable)?;
    let request = signed(&content, algorithm, &signature).map_err(unreadable)?;
    Ok(pem::block("CERTIFICATE REQUEST", &BTreeMap::new(), &request))
}

/// A request of version 1, without attributes.
fn request_content(subject: &[u8], public_key: &[u8]) -> der::Result<Vec<u8>> {
    let version = Any::encode_from(&0_u8)?;
    let attributes = Any::new(NO_ATTRIBUTES, [])?;
    vec![version, Any::from_der(subject)?, Any::from_der(public_key)?, attributes].to_der()
}

/// The part of the root that is signed, with another signer in it.
fn unsigned(root: &[u8], algorithm: &Any, issuer: &[u8]) -> der::Result<Vec<u8>> {
    let certificate = Vec::<Any>::from_der(root)?;
    let content = certificate.first().ok_or(der::ErrorKind::Failed)?.to_der()?;
    let mut fields = Vec::<Any>::from_der(&content)?;
    if fields.len() <= ISSUER {
        return Err(der::ErrorKind::Failed.into());
    }
    fields[ALGORITHM] = algorithm.clone();
    fields[ISSUER] = Any::from_der(issuer)?;
    fields.to_der()
}

fn signed(unsigned: &[u8], algorithm: Any, signature: &[u8]) -> der::Result<Vec<u8>> {
    let signature = Any::encode_from(&BitString::from_bytes(signature)?)?;
    vec![Any::from_der(unsigned)?, algorithm, signature].to_der()
}

/// How this key signs, as certificates say it.
fn algorithm_of(key: &KeyPair) -> der::Result<Any> {
    let (oid, parameters) = match key.algorithm() {
        kind if kind == &rcgen::PKCS_ECDSA_P256_SHA256 => ("1.2.840.10045.4.3.2", None),
        kind if kind == &rcgen::PKCS_ECDSA_P384_SHA384 => ("1.2.840.10045.4.3.3", None),
        _ => ("1.2.840.113549.1.1.11", Some(AnyRef::NULL)),
    };
    let oid = ObjectIdentifier::new(oid)?;
    Any::encode_from(&AlgorithmIdentifier { oid, parameters })
}

fn unreadable(why: impl ToString) -> Unusable {
    Unusable::unreadable("root certificate", why)
}
