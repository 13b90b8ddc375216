//! The manager's unlock key, and what it seals (`security.md` section 11).
//!
//! A manager keeps the key that encrypts its log in the headers of its own private key: in the open, or sealed
//! with the unlock key, so that after a restart somebody must come with it.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use crypto_secretbox::aead::Aead;
use crypto_secretbox::{KeyInit, XSalsa20Poly1305};
use model::Chance;

const PREFIX: &str = "SWMKEY-1-";

/// The key that unlocks managers.
#[derive(Clone, PartialEq, Eq)]
pub struct UnlockKey([u8; 32]);

/// A text that is no unlock key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid key provided")]
pub struct NotAnUnlockKey;

/// A short secret, sealed: NaCl's secretbox and its nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedKey {
    /// The sealed bytes.
    pub data: Vec<u8>,
    /// What made this seal different from all others.
    pub nonce: [u8; 24],
}

impl UnlockKey {
    /// A new key.
    pub fn random(chance: &mut Chance) -> Self {
        Self(chance.bytes())
    }

    /// The key that the cluster object holds.
    ///
    /// # Errors
    /// If it has not 32 bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotAnUnlockKey> {
        bytes.try_into().map(Self).map_err(|_| NotAnUnlockKey)
    }

    /// The bytes, as the cluster object holds them.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals a secret, with a nonce never used before.
    pub fn seal(&self, secret: &[u8], chance: &mut Chance) -> SealedKey {
        let nonce = chance.bytes();
        let data = self.cipher().encrypt((&nonce).into(), secret).expect("a short secret can be sealed");
        SealedKey { data, nonce }
    }

    /// Opens what this key sealed.
    ///
    /// # Errors
    /// If another key sealed it, or it was changed.
    pub fn open(&self, sealed: &SealedKey) -> Result<Vec<u8>, NotAnUnlockKey> {
        let SealedKey { data, nonce } = sealed;
        self.cipher().decrypt(nonce.into(), data.as_slice()).map_err(|_| NotAnUnlockKey)
    }

    fn cipher(&self) -> XSalsa20Poly1305 {
        XSalsa20Poly1305::new((&self.0).into())
    }
}

impl fmt::Display for UnlockKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PREFIX}{}", STANDARD_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for UnlockKey {
    /// Leaves out the bytes: they must never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UnlockKey")
    }
}

impl FromStr for UnlockKey {
    type Err = NotAnUnlockKey;

    fn from_str(text: &str) -> Result<Self, NotAnUnlockKey> {
        let encoded = text.strip_prefix(PREFIX).ok_or(NotAnUnlockKey)?;
        Self::from_bytes(&STANDARD_NO_PAD.decode(encoded).map_err(|_| NotAnUnlockKey)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    #[test]
    fn the_golden_key_is_made_and_read() {
        let golden = "SWMKEY-1-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
        let key = UnlockKey(std::array::from_fn(|place| place as u8));
        assert_eq!(key.to_string(), golden);
        assert_eq!(golden.parse(), Ok(key));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "SWMKEY-1-", "SWMKEY-2-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8", "SWMKEY-1-AAEC"]
        {
            assert_eq!(text.parse::<UnlockKey>(), Err(NotAnUnlockKey), "{text}");
        }
    }

    #[test]
    fn only_the_key_that_sealed_opens() {
        let chance = &mut Chance::from_number(1);
        let (key, other) = (UnlockKey::random(chance), UnlockKey::random(chance));
        let sealed = key.seal(b"the log's key", chance);
        assert_eq!(key.open(&sealed).unwrap(), b"the log's key");
        assert_eq!(other.open(&sealed), Err(NotAnUnlockKey));
    }

    proptest! {
        #[test]
        fn garbage_does_not_open(text in any::<String>(), data in any::<Vec<u8>>(), nonce in any::<[u8; 24]>()) {
            let _ = text.parse::<UnlockKey>();
            assert_eq!(UnlockKey([7; 32]).open(&SealedKey { data, nonce }), Err(NotAnUnlockKey));
        }
    }
}
