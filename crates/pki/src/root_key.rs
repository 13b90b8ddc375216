//! Keys of roots, in the forms that OpenSSL writes.
//!
//! In: PEM of PKCS#8, SEC1 (`EC PRIVATE KEY`) or PKCS#1 (`RSA PRIVATE KEY`). Out: a key that can sign. Those that are
//! not PKCS#8 are wrapped in it. Which kinds are accepted: RSA of 2048 bits and more, and ECDSA on P-256 and P-384.

use pkcs8::der::{AnyRef, Encode};
use pkcs8::{AlgorithmIdentifierRef, ObjectIdentifier, PrivateKeyInfo};
use rcgen::KeyPair;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::Unusable;

const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const CURVES: [ObjectIdentifier; 2] = [
    ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7"), // P-256
    ObjectIdentifier::new_unwrap("1.3.132.0.34"),        // P-384
];
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");

/// The key of a root.
///
/// # Errors
/// If it cannot be read, or is of a kind that is not accepted.
pub(crate) fn pair(pem: &[u8]) -> Result<KeyPair, Unusable> {
    let unreadable = |error: String| Unusable::unreadable("root key", error);
    match PrivateKeyDer::from_pem_slice(pem).map_err(|error| unreadable(error.to_string()))? {
        PrivateKeyDer::Pkcs8(key) => of_pkcs8(key.secret_pkcs8_der()),
        PrivateKeyDer::Sec1(key) => {
            let wrapped = CURVES.iter().map(|curve| wrap((EC, curve.into()), key.secret_sec1_der()));
            let pairs = wrapped.map(|der| of_pkcs8(&der?));
            pairs.reduce(Result::or).expect("there are curves")
        }
        PrivateKeyDer::Pkcs1(key) => of_pkcs8(&wrap((RSA, AnyRef::NULL), key.secret_pkcs1_der())?),
        _ => Err(unreadable("it is of a kind that is not known here".to_owned())),
    }
}

fn of_pkcs8(der: &[u8]) -> Result<KeyPair, Unusable> {
    let pair = KeyPair::try_from(&PrivatePkcs8KeyDer::from(der))
        .map_err(|error| Unusable::unreadable("root key", error))?;
    let kinds = [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_RSA_SHA256];
    if kinds.contains(&pair.algorithm()) {
        return Ok(pair);
    }
    Err(Unusable::untrusted("root key", "it is neither RSA nor ECDSA on P-256 or P-384"))
}

fn wrap((oid, parameters): (ObjectIdentifier, AnyRef<'_>), key: &[u8]) -> Result<Vec<u8>, Unusable> {
    let algorithm = AlgorithmIdentifierRef { oid, parameters: Some(parameters) };
    let wrapped = PrivateKeyInfo::new(algorithm, key).to_der();
    wrapped.map_err(|error| Unusable::unreadable("root key", error))
}
