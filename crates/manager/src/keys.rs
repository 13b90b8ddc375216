//! The keys of the log, as they stand in the headers of the node's own key file.
//!
//! In: a key file, and the unlock key if managers are locked. Out: the keys, or the file with them in it. SwarmKit's
//! form (`security.md` section 11): `raft-dek` and, while one key follows another, `raft-dek-pending` hold a
//! base64 `MaybeEncryptedRecord`, sealed with the unlock key or plain. Where the file lies is not known here.
//!
//! When managers begin to be locked, whoever has read the file before knows the key of the log. So another follows, in
//! four steps that may be cut off between any two, and go on where they were after a restart: the file is sealed and
//! notes that it is [wanted](wants_new_key); the new key is [noted](begin_rotation) as pending; the log is sealed anew
//! ([`Group::rotate`](crate::manager::Group::rotate)); the new key is [the only one](finish_rotation).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use model::cluster::UNLOCK_SUBSYSTEM;
use model::{Chance, Cluster};
use pki::key_file::SEAL_VERSION;
use pki::unlock::NotAnUnlockKey;
use pki::{KeyFile, SealedKey, UnlockKey};
use prost::Message;
use wire::proto::MaybeEncryptedRecord;
use wire::proto::maybe_encrypted_record::Algorithm;

use crate::log::seal::{DataKey, Keys};

/// The key that is in use.
const CURRENT: &str = "raft-dek";
/// The key that is to follow; everything new is sealed with it.
const PENDING: &str = "raft-dek-pending";

/// Present while another key of the log is wanted.
const NEEDS_ROTATION: &str = "raft-dek-needs-rotation";

/// What the swarm says of how managers seal their keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lock {
    /// The unlock key, if managers are locked.
    pub key: Option<UnlockKey>,
    /// The version of the swarm that says so.
    pub version: u64,
}

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
        for header in [CURRENT, PENDING, NEEDS_ROTATION] {
            file.headers.remove(header);
        }
    }

    /// The keys to open the log with.
    pub fn for_log(&self) -> Keys {
        match self.pending.clone() {
            Some(pending) => Keys { current: pending, earlier: vec![self.current.clone()] },
            None => Keys::only(self.current.clone()),
        }
    }
}

impl Lock {
    /// What this swarm says.
    ///
    /// # Errors
    /// If its unlock key is none.
    pub fn of(cluster: &Cluster) -> Result<Self, NotAnUnlockKey> {
        let key = cluster.unlock_keys.iter().find(|key| key.subsystem == UNLOCK_SUBSYSTEM);
        let key = key.map(|key| UnlockKey::from_bytes(&key.key)).transpose()?;
        Ok(Self { key, version: cluster.meta.version.index })
    }
}

/// Seals the headers of a key file as the swarm says; `held` is what they are sealed with, and will be. The file itself
/// must then be written, sealed with the same key. An older version of the swarm than the one that the file was sealed
/// by says nothing.
///
/// # Errors
/// If the keys in the file cannot be read; nothing has changed then.
pub fn follow(
    lock: &Lock,
    file: &mut KeyFile,
    held: &mut Option<UnlockKey>,
    chance: &mut Chance,
) -> Result<(), KeysError> {
    let since: u64 = file.headers.get(SEAL_VERSION).and_then(|text| text.parse().ok()).unwrap_or(0);
    if lock.key == *held || lock.version <= since {
        return Ok(());
    }
    if let Some(keys) = LogKeys::read(file, held.as_ref())? {
        keys.write(file, lock.key.as_ref(), chance);
    }
    file.headers.insert(SEAL_VERSION.to_owned(), lock.version.to_string());
    if held.is_none() {
        file.headers.insert(NEEDS_ROTATION.to_owned(), "true".to_owned());
    }
    held.clone_from(&lock.key);
    Ok(())
}

/// Whether another key of the log is wanted, or is about to follow.
pub fn wants_new_key(file: &KeyFile) -> bool {
    [NEEDS_ROTATION, PENDING].iter().any(|header| file.headers.contains_key(*header))
}

/// Notes a new key as pending, unless there is one already. The log is then to be sealed with these keys.
///
/// # Errors
/// If the keys in the file cannot be read; nothing has changed then.
pub fn begin_rotation(
    file: &mut KeyFile,
    held: Option<&UnlockKey>,
    chance: &mut Chance,
) -> Result<Option<LogKeys>, KeysError> {
    let Some(mut keys) = LogKeys::read(file, held)? else { return Ok(None) };
    if keys.pending.is_none() {
        keys.pending = Some(DataKey::new(chance.bytes()));
        keys.write(file, held, chance);
    }
    Ok(Some(keys))
}

/// Makes the pending key the only one, now that nothing is sealed with the earlier one any more.
///
/// # Errors
/// If the keys in the file cannot be read; nothing has changed then.
pub fn finish_rotation(
    file: &mut KeyFile,
    held: Option<&UnlockKey>,
    chance: &mut Chance,
) -> Result<(), KeysError> {
    if let Some(LogKeys { current: _, pending: Some(pending) }) = LogKeys::read(file, held)? {
        LogKeys { current: pending, pending: None }.write(file, held, chance);
    }
    file.headers.remove(NEEDS_ROTATION);
    Ok(())
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
    use raft::{Entry, HardState, Payload, Persist, Stored};

    use super::*;
    use crate::log::Log;

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

    /// A manager's key file and its log, as they are on disk.
    struct Disk {
        file: KeyFile,
        held: Option<UnlockKey>,
        folder: tempfile::TempDir,
    }

    impl Disk {
        /// An unlocked manager that has written an entry.
        fn new(chance: &mut Chance) -> Self {
            let mut file = KeyFile { headers: BTreeMap::new(), key: Vec::new() };
            let keys = LogKeys::random(chance);
            keys.write(&mut file, None, chance);
            let folder = tempfile::tempdir().unwrap();
            let (mut log, _) = Log::open(folder.path(), keys.for_log()).unwrap();
            let hard_state = HardState { term: 2, vote: 7, commit: 0 };
            let entries = vec![Entry { term: 2, index: 1, payload: Payload::Nothing }];
            log.persist(&Persist { number: 1, hard_state, snapshot: None, entries }).unwrap();
            Self { file, held: None, folder }
        }

        fn follow(&mut self, key: Option<&UnlockKey>, version: u64, chance: &mut Chance) {
            let lock = Lock { key: key.cloned(), version };
            follow(&lock, &mut self.file, &mut self.held, chance).unwrap();
        }

        /// Everything from where it was cut off; all of it, or only so many steps.
        fn go_on(&mut self, steps: usize, chance: &mut Chance) {
            if steps == 0 || !wants_new_key(&self.file) {
                return;
            }
            let keys = begin_rotation(&mut self.file, self.held.as_ref(), chance).unwrap().unwrap();
            if steps == 1 {
                return;
            }
            let (mut log, _) = self.open();
            log.rotate(keys.for_log()).unwrap();
            if steps > 2 {
                finish_rotation(&mut self.file, self.held.as_ref(), chance).unwrap();
            }
        }

        fn open(&self) -> (Log, Stored) {
            let keys = LogKeys::read(&self.file, self.held.as_ref()).unwrap().unwrap();
            Log::open(self.folder.path(), keys.for_log()).unwrap()
        }
    }

    #[test]
    fn a_crash_after_any_step_of_locking_loses_nothing() {
        for steps in 0..=3 {
            let chance = &mut Chance::from_number(4);
            let unlock = UnlockKey::random(chance);
            let mut disk = Disk::new(chance);
            let first = LogKeys::read(&disk.file, None).unwrap().unwrap().current;
            disk.follow(Some(&unlock), 9, chance);
            assert_eq!(LogKeys::read(&disk.file, None), Err(KeysError::Locked));
            disk.go_on(steps, chance);
            assert_eq!(disk.open().1.entries.len(), 1, "after {steps} steps");
            assert_eq!(wants_new_key(&disk.file), steps < 3);
            disk.go_on(3, chance);
            assert!(!wants_new_key(&disk.file));
            assert_eq!(disk.open().1.entries.len(), 1, "after {steps} steps, gone on");
            let old = Log::open(disk.folder.path(), Keys::only(first));
            assert!(old.is_err(), "what was known before opens nothing any more");
        }
    }

    #[test]
    fn only_what_the_swarm_says_later_counts() {
        let chance = &mut Chance::from_number(5);
        let (first, second) = (UnlockKey::random(chance), UnlockKey::random(chance));
        let mut disk = Disk::new(chance);
        disk.follow(Some(&first), 9, chance);
        disk.go_on(3, chance);
        for (key, version) in [(Some(&first), 12), (Some(&second), 9), (None, 8)] {
            disk.follow(key, version, chance);
            assert_eq!(disk.held.as_ref(), Some(&first));
            assert_eq!(disk.file.headers[SEAL_VERSION], "9");
        }
        disk.follow(Some(&second), 13, chance);
        assert_eq!((disk.held.as_ref(), wants_new_key(&disk.file)), (Some(&second), false));
        assert_eq!(disk.open().1.entries.len(), 1);
        disk.follow(None, 14, chance);
        assert_eq!((disk.held.as_ref(), wants_new_key(&disk.file)), (None, false));
        assert_eq!(disk.open().1.entries.len(), 1);
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
