//! Encryption at rest: data keys, and boxes that are bound to the place where they lie.
//!
//! In: plain bytes, a key, a place. Out: sealed bytes, and back. The cipher is NaCl's secretbox
//! (XSalsa20-Poly1305), as in SwarmKit. It has no associated data, so a box is bound to its place by its nonce: it
//! does not open anywhere else. Where keys come from is the business of `keys`.

use std::fmt;

use crypto_secretbox::aead::{AeadInPlace, KeyInit};
use crypto_secretbox::{Nonce, XSalsa20Poly1305};
use sha2::{Digest, Sha256};

/// Bytes that sealing adds.
pub const TAG_BYTES: usize = 16;

/// A data key.
#[derive(Clone, PartialEq, Eq)]
pub struct DataKey([u8; 32]);

/// Names a data key without telling it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyId(pub [u8; 8]);

/// The data keys of a log: one to write with, and all that may be needed to read.
#[derive(Clone, Debug)]
pub struct Keys {
    /// What is written from now on is sealed with this one.
    pub current: DataKey,
    /// Keys of earlier times, while something sealed with them may be left.
    pub earlier: Vec<DataKey>,
}

/// The box is not what was sealed, or not with this key, or not in this place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Broken;

impl DataKey {
    /// A key of these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its bytes, to be stored in private.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Its name.
    pub fn id(&self) -> KeyId {
        let digest = Sha256::new().chain_update(b"skep data key").chain_update(self.0).finalize();
        let mut id = [0; 8];
        id.copy_from_slice(&digest[..8]);
        KeyId(id)
    }

    /// Seals the bytes where they are. A nonce must never be used twice for different bytes.
    pub fn seal(&self, nonce: &[u8; 24], bytes: &mut [u8]) -> [u8; TAG_BYTES] {
        let tag = self.cipher().encrypt_in_place_detached(Nonce::from_slice(nonce), &[], bytes);
        tag.expect("a box of less than 256 GiB can be sealed").into()
    }

    /// Opens sealed bytes where they are.
    ///
    /// # Errors
    /// If they are not what was sealed with this key and nonce; the bytes are then worthless.
    pub fn open(&self, nonce: &[u8; 24], tag: &[u8; TAG_BYTES], bytes: &mut [u8]) -> Result<(), Broken> {
        let opened =
            self.cipher().decrypt_in_place_detached(Nonce::from_slice(nonce), &[], bytes, tag.into());
        opened.map_err(|_| Broken)
    }

    fn cipher(&self) -> XSalsa20Poly1305 {
        XSalsa20Poly1305::new((&self.0).into())
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({:?})", self.id())
    }
}

impl Keys {
    /// One key, and none of earlier times.
    pub fn only(current: DataKey) -> Self {
        Self { current, earlier: Vec::new() }
    }

    /// The key of that name.
    pub fn find(&self, id: KeyId) -> Option<&DataKey> {
        std::iter::once(&self.current).chain(&self.earlier).find(|key| key.id() == id)
    }
}

/// The nonce of a place: a file's random salt, and an offset in it.
pub fn nonce(salt: &[u8; 16], offset: u64) -> [u8; 24] {
    let mut nonce = [0; 24];
    nonce[..16].copy_from_slice(salt);
    nonce[16..].copy_from_slice(&offset.to_le_bytes());
    nonce
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_opens_only_in_its_place() {
        let key = DataKey::new([7; 32]);
        let mut bytes = b"the order of changes".to_vec();
        let tag = key.seal(&nonce(&[1; 16], 64), &mut bytes);
        assert_ne!(bytes, b"the order of changes");
        assert_eq!(key.open(&nonce(&[1; 16], 80), &tag, &mut bytes.clone()), Err(Broken));
        assert_eq!(key.open(&nonce(&[2; 16], 64), &tag, &mut bytes.clone()), Err(Broken));
        assert_eq!(DataKey::new([8; 32]).open(&nonce(&[1; 16], 64), &tag, &mut bytes.clone()), Err(Broken));
        key.open(&nonce(&[1; 16], 64), &tag, &mut bytes).unwrap();
        assert_eq!(bytes, b"the order of changes");
    }

    #[test]
    fn a_key_does_not_tell_itself() {
        assert!(!format!("{:?}", DataKey::new([0xAB; 32])).contains("171"));
    }
}
