//! The keys of the log, as they stand in the headers of the node's own key file.
//!
//! In: a key file, and the unlock key if managers are locked. Out: the keys, or the file with them in it. SwarmKit's
//! form (`security.md` section 11): `raft-dek` and, while one key follows another, `raft-dek-pending` hold a
//! base64 `MaybeEncryptedRecord`, sealed with the unlock key or plain. Where the file lies is not known here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::Chance;
use pki::{KeyFile, SealedKey, UnlockKey};
use prost::Message;
use wire::proto::MaybeEncryptedRecord;
use wire::proto::maybe_encrypted_record::Algorithm;

use crate::log::seal::{DataKey, Keys};

/// The key that is in use.
const CURRENT: &str = "raft-dek";
/// The key that is to follow; everything new is sealed with it.
const PENDING: &str = "raft-dek-pending";

/// The keys of a log, in their order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogKeys {
    /// The key that is in use.
    pub current: DataKey,
    /// The key that is to follow.
    pub pending: Option<DataKey>,
}

/// Why the keys cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// They are sealed, and there is no key to unlock them with, or it is the wrong one.
    #[error("the manager is locked; unlock it with its unlock key")]
    Locked,
    /// They are not keys.
    #[error(
        "the header {header} of the node's key file is damaged; restore the file from a backup, or join the swarm anew"
    )]
    Damaged {
        /// Which header.
        header: &'static str,
    },
    /// They are sealed in a way that is not known here.
    #[error("the header {header} of the node's key file is sealed in FIPS mode, which is not supported")]
    Unsupported {
        /// Which header.
        header: &'static str,
    },
}

impl LogKeys {
    /// A new key, for a log that is yet to be written.
    pub fn random(chance: &mut Chance) -> Self {
        Self { current: DataKey::new(chance.bytes()), pending: None }
    }

    /// The keys in a key file; `None` if there are none.
    ///
    /// # Errors
    /// If they are locked or damaged.
    pub fn read(file: &KeyFile, unlock: Option<&UnlockKey>) -> Result<Option<Self>, KeysError> {
        let Some(current) = read_header(file, CURRENT, unlock)? else { return Ok(None) };
        Ok(Some(Self { current, pending: read_header(file, PENDING, unlock)? }))
    }

    /// Puts the keys into a key file, sealed if there is an unlock key. The file must be written in private, before
    /// anything is sealed with a key that is new in it.
    pub fn write(&self, file: &mut KeyFile, unlock: Option<&UnlockKey>, chance: &mut Chance) {
        let Self { current, pending } = self;
        file.headers.insert(CURRENT.to_owned(), seal(current, unlock, chance));
        match pending {
            Some(pending) => file.headers.insert(PENDING.to_owned(), seal(pending, unlock, chance)),
            None => file.headers.remove(PENDING),
        };
    }

    /// Takes the keys out of a key file, when its node leaves the managers.
    pub fn remove(file: &mut KeyFile) {
        file.headers.remove(CURRENT);
        file.headers.remove(PENDING);
    }

    /// The keys to open the log with.
    pub fn for_log(&self) -> Keys {
        match self.pending.clone() {
            Some(pending) => Keys { current: pending, earlier: vec![self.current.clone()] },
            None => Keys::only(self.current.clone()),
        }
    }
}

fn read_header(
    file: &KeyFile,
    header: &'static str,
    unlock: Option<&UnlockKey>,
) -> Result<Option<DataKey>, KeysError> {
    let damaged = || KeysError::Damaged { header };
    let Some(text) = file.headers.get(header) else { return Ok(None) };
    let bytes = STANDARD.decode(text).map_err(|_| damaged())?;
    let record = MaybeEncryptedRecord::decode(bytes.as_slice()).map_err(|_| damaged())?;
    let MaybeEncryptedRecord { algorithm, data, nonce } = record;
    let plain = match Algorithm::try_from(algorithm) {
        Ok(Algorithm::None) => data,
        Ok(Algorithm::SecretboxSalsa20Poly1305) => {
            let nonce = nonce.try_into().map_err(|_| damaged())?;
            let unlock = unlock.ok_or(KeysError::Locked)?;
            unlock.open(&SealedKey { data, nonce }).map_err(|_| KeysError::Locked)?
        }
        Ok(Algorithm::FernetAes128Cbc) => return Err(KeysError::Unsupported { header }),
        Err(_) => return Err(damaged()),
    };
    plain.try_into().map(|bytes| Some(DataKey::new(bytes))).map_err(|_| damaged())
}

fn seal(key: &DataKey, unlock: Option<&UnlockKey>, chance: &mut Chance) -> String {
    let record = match unlock {
        None => MaybeEncryptedRecord {
            algorithm: Algorithm::None.into(),
            data: key.bytes().to_vec(),
            nonce: Vec::new(),
        },
        Some(unlock) => {
            let SealedKey { data, nonce } = unlock.seal(key.bytes(), chance);
            let algorithm = Algorithm::SecretboxSalsa20Poly1305.into();
            MaybeEncryptedRecord { algorithm, data, nonce: nonce.to_vec() }
        }
    };
    STANDARD.encode(record.encode_to_vec())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::{any, proptest};

    use super::*;

    fn file() -> KeyFile {
        KeyFile { headers: BTreeMap::from([("kek-version".to_owned(), "7".to_owned())]), key: Vec::new() }
    }

    #[test]
    fn keys_are_read_as_they_were_written() {
        let chance = &mut Chance::from_number(1);
        let unlock = UnlockKey::random(chance);
        let pending = Some(DataKey::new([9; 32]));
        for keys in [LogKeys::random(chance), LogKeys { pending, ..LogKeys::random(chance) }] {
            for unlock in [None, Some(&unlock)] {
                let mut file = file();
                keys.write(&mut file, unlock, chance);
                assert_eq!(LogKeys::read(&file, unlock), Ok(Some(keys.clone())));
                LogKeys::remove(&mut file);
                assert_eq!(file, self::file());
            }
        }
    }

    #[test]
    fn a_plain_key_stands_there_as_stock_managers_write_it() {
        let mut file = file();
        let keys = LogKeys { current: DataKey::new([0; 32]), pending: None };
        keys.write(&mut file, None, &mut Chance::from_number(1));
        assert!(file.headers[CURRENT].starts_with("EiA"), "{}", file.headers[CURRENT]);
    }

    #[test]
    fn only_the_unlock_key_opens_sealed_keys() {
        let chance = &mut Chance::from_number(2);
        let (unlock, other) = (UnlockKey::random(chance), UnlockKey::random(chance));
        let mut file = file();
        LogKeys::random(chance).write(&mut file, Some(&unlock), chance);
        assert_eq!(LogKeys::read(&file, None), Err(KeysError::Locked));
        assert_eq!(LogKeys::read(&file, Some(&other)), Err(KeysError::Locked));
    }

    #[test]
    fn what_follows_is_written_with_and_what_was_is_still_read() {
        let (old, new) = (DataKey::new([1; 32]), DataKey::new([2; 32]));
        let keys = LogKeys { current: old.clone(), pending: Some(new.clone()) }.for_log();
        assert_eq!((keys.current, keys.earlier), (new, vec![old]));
    }

    proptest! {
        #[test]
        fn garbage_is_refused(bytes in any::<Vec<u8>>(), text in any::<String>()) {
            for text in [STANDARD.encode(bytes), text] {
                let mut file = file();
                file.headers.insert(CURRENT.to_owned(), text);
                let _ = LogKeys::read(&file, Some(&UnlockKey::random(&mut Chance::from_number(3))));
            }
        }
    }
}
