//! The file of a node's private key: PKCS#8 in PEM, with headers beside the key (`security.md` sections 1 and 11).
//!
//! In: bytes, and the unlock key if the file is sealed with it. Out: key and headers, and the bytes again. In the
//! headers a manager keeps what encrypts its log; they are preserved as they are. A sealed file is what stock managers
//! write: PBES2, with PBKDF2 over HMAC-SHA1 and AES-256 in CBC mode, under the unlock key's bytes.

use std::collections::BTreeMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::Chance;
use pkcs8::der::Decode;
use pkcs8::pkcs5::pbes2::{self, EncryptionScheme, Kdf, Pbkdf2Params, Pbkdf2Prf};
use pkcs8::{EncryptedPrivateKeyInfo, SecretDocument, pkcs5};

use crate::{UnlockKey, Unusable, pem};

/// A key's file, open.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyFile {
    /// What stands beside the key, such as `kek-version` and `raft-dek`.
    pub headers: BTreeMap<String, String>,
    /// The key, PKCS#8 DER.
    pub key: Vec<u8>,
}

/// The header that says since which version of the swarm the key is sealed as it is.
pub const SEAL_VERSION: &str = "kek-version";

/// The words around a key in the open.
const OPEN: &str = "PRIVATE KEY";
/// The words around a sealed key.
const SEALED: &str = "ENCRYPTED PRIVATE KEY";
/// What stock managers take. The unlock key is 32 random bytes, so stretching it more would gain nothing.
const ITERATIONS: u32 = 2048;

impl KeyFile {
    /// Reads the file of a key that is not sealed.
    ///
    /// # Errors
    /// If it is not PEM, or sealed ([`Unusable::Locked`]).
    pub fn parse(bytes: &[u8]) -> Result<Self, Unusable> {
        Self::open(bytes, None)
    }

    /// Reads the file of a key, which may be sealed with this unlock key.
    ///
    /// # Errors
    /// If it is not PEM, or sealed with another key than the one given ([`Unusable::Locked`]).
    pub fn open(bytes: &[u8], unlock: Option<&UnlockKey>) -> Result<Self, Unusable> {
        let text = std::str::from_utf8(bytes).map_err(unreadable)?;
        if let Some(body) = pem::body_of(text, OPEN) {
            return Self::of_body(body);
        }
        let body = pem::body_of(text, SEALED).ok_or_else(|| unreadable("there is none in the PEM"))?;
        let Self { headers, key } = Self::of_body(body)?;
        let sealed = EncryptedPrivateKeyInfo::from_der(&key).map_err(unreadable)?;
        let key = sealed.decrypt(unlock.ok_or(Unusable::Locked)?.as_bytes()).map_err(|_| Unusable::Locked)?;
        Ok(Self { headers, key: key.as_bytes().to_vec() })
    }

    fn of_body(body: &str) -> Result<Self, Unusable> {
        let mut headers = BTreeMap::new();
        let mut encoded = String::new();
        for line in body.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line.split_once(':') {
                Some((name, value)) => {
                    headers.insert(name.trim().to_owned(), value.trim().to_owned());
                }
                None => encoded.push_str(line),
            }
        }
        let key = STANDARD.decode(encoded).map_err(unreadable)?;
        Ok(Self { headers, key })
    }

    /// The bytes of the file with the key in the open. They are private.
    pub fn to_bytes(&self) -> Vec<u8> {
        pem::block(OPEN, &self.headers, &self.key)
    }

    /// The bytes of the file with the key sealed. The headers are as they are.
    pub fn to_sealed_bytes(&self, unlock: &UnlockKey, chance: &mut Chance) -> Vec<u8> {
        let (salt, iv) = (chance.bytes::<8>(), chance.bytes::<16>());
        let kdf = Pbkdf2Params {
            salt: &salt,
            iteration_count: ITERATIONS,
            key_length: None,
            prf: Pbkdf2Prf::HmacWithSha1,
        };
        let scheme =
            pbes2::Parameters { kdf: Kdf::Pbkdf2(kdf), encryption: EncryptionScheme::Aes256Cbc { iv: &iv } };
        let data = scheme.encrypt(unlock.as_bytes(), &self.key).expect("a short key can be sealed");
        let sealed = EncryptedPrivateKeyInfo {
            encryption_algorithm: pkcs5::EncryptionScheme::Pbes2(scheme),
            encrypted_data: &data,
        };
        let sealed = SecretDocument::try_from(sealed).expect("a sealed key can be written");
        pem::block(SEALED, &self.headers, sealed.as_bytes())
    }
}

impl fmt::Debug for KeyFile {
    /// Leaves out the key and the headers: they must never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyFile")
    }
}

fn unreadable(why: impl ToString) -> Unusable {
    Unusable::unreadable("private key", why)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, any, proptest};

    use super::*;
    use crate::Key;

    fn file() -> KeyFile {
        let mut file = Key::generate().to_file();
        file.headers.insert("kek-version".into(), "7".into());
        file.headers.insert("raft-dek".into(), "EiCq+/8=".into());
        file
    }

    #[test]
    fn headers_of_a_key_are_preserved() {
        let file = file();
        let bytes = file.to_bytes();
        assert_eq!(KeyFile::parse(&bytes).unwrap(), file);
        assert!(bytes.starts_with(b"-----BEGIN PRIVATE KEY-----\nkek-version: 7\nraft-dek: EiCq+/8=\n\n"));
        assert!(Key::from_file(&file).is_ok());
    }

    #[test]
    fn only_the_unlock_key_opens_a_sealed_file() {
        let chance = &mut Chance::from_number(1);
        let (unlock, other) = (UnlockKey::random(chance), UnlockKey::random(chance));
        let file = file();
        let bytes = file.to_sealed_bytes(&unlock, chance);
        assert!(bytes.starts_with(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nkek-version: 7\n"));
        assert_eq!(KeyFile::open(&bytes, Some(&unlock)).unwrap(), file);
        assert_eq!(KeyFile::open(&bytes, Some(&other)), Err(Unusable::Locked));
        assert_eq!(KeyFile::parse(&bytes), Err(Unusable::Locked));
        assert_eq!(KeyFile::open(&file.to_bytes(), Some(&unlock)).unwrap(), file, "it may be in the open");
    }

    /// Written by dockerd 20.10 after `docker swarm init --autolock`.
    #[test]
    fn a_file_that_a_stock_manager_sealed_opens() {
        let unlock: UnlockKey = include_str!("../tests/stock/unlock.key").trim().parse().unwrap();
        let file = KeyFile::open(include_bytes!("../tests/stock/swarm-node.key"), Some(&unlock)).unwrap();
        assert!(file.headers.contains_key("kek-version") && file.headers.contains_key("raft-dek"));
        Key::from_file(&file).unwrap();
    }

    proptest! {
        // Each case stretches a key.
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn garbage_does_not_open(
            bytes in any::<Vec<u8>>(),
            kind in "PRIVATE KEY|ENCRYPTED PRIVATE KEY",
            body in "[a-zA-Z0-9+/:= \n]{0,80}",
        ) {
            let text = format!("-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n");
            let encoded = pem::block(SEALED, &BTreeMap::new(), &bytes);
            for bytes in [bytes.as_slice(), text.as_bytes(), &encoded] {
                if let Ok(file) = KeyFile::open(bytes, Some(&UnlockKey::random(&mut Chance::from_number(1)))) {
                    assert!(Key::from_file(&file).is_err());
                }
            }
        }

        #[test]
        fn a_changed_byte_is_noticed(at in 0_usize..1000, seed in any::<u64>()) {
            let chance = &mut Chance::from_number(seed);
            let unlock = UnlockKey::random(chance);
            let file = KeyFile { headers: BTreeMap::new(), ..file() };
            let mut bytes = file.to_sealed_bytes(&unlock, chance);
            let at = at % bytes.len();
            bytes[at] ^= 1;
            if let Ok(opened) = KeyFile::open(&bytes, Some(&unlock)) {
                assert!(opened == file || Key::from_file(&opened).is_err());
            }
        }
    }
}
