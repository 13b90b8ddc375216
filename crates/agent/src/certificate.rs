//! A node's credentials: how it gets them, keeps them and renews them (`security.md` sections 1, 3, 5 and 11).
//!
//! In: a join token, or the credentials that end soon. Out: new ones, written down before they are used. Whoever speaks
//! for this node watches them, so that a new certificate or root takes effect at once. The key's file may be sealed
//! with the managers' unlock key; all that write it take turns, so that nobody undoes what another wrote.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use host::files::{self, Access, Durability};
use model::Timestamp;
use model::node::{Availability, NodeRole};
use pki::key_file::SEAL_VERSION;
use pki::{Identity, JoinToken, Key, KeyFile, Roots, UnlockKey, Unusable};
use tokio::sync::{Notify, watch};
use tonic::Status;
use wire::channel::{self, AUTHORITY_NAME, MANAGER_NAME};
use wire::{OnWire, proto};

use crate::authority;

const ROOT_FILE: &str = "swarm-root-ca.crt";
const CERTIFICATE_FILE: &str = "swarm-node.crt";
const NEW_CERTIFICATE_FILE: &str = ".swarm-node.crt";
const KEY_FILE: &str = "swarm-node.key";

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// The files cannot be read or written.
    #[error("keeping the node's credentials")]
    Files(#[from] std::io::Error),
    /// What was read or received is of no use.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// Nobody answers.
    #[error("connecting to the manager")]
    Connect(#[from] tonic::transport::Error),
    /// The manager says no.
    #[error("{}", .0.message())]
    Refused(#[from] Status),
    /// The token names another swarm's root.
    #[error("remote CA does not match fingerprint. Expected: {expected}")]
    Fingerprint {
        /// The digest that the token names.
        expected: String,
    },
}

/// The credentials of this node: on disk, and for all who speak for it.
#[derive(Debug)]
pub struct Credentials {
    folder: PathBuf,
    identity: watch::Sender<Arc<Identity>>,
    /// What the key's file is sealed with; held by whoever changes the file.
    unlock: Mutex<Option<UnlockKey>>,
    renewal: Notify,
}

impl Credentials {
    /// Reads the credentials in a folder; none if there never were any. Expired ones are read too. `unlock` is needed
    /// if the key is sealed.
    ///
    /// # Errors
    /// If they cannot be read, do not belong together, or are sealed with another key ([`Unusable::Locked`]).
    pub fn load(folder: &Path, unlock: Option<UnlockKey>) -> Result<Option<Self>, CertificateError> {
        let file = |name: &str| files::read_if_there(&folder.join(name));
        let (Some(root), Some(key)) = (file(ROOT_FILE)?, file(KEY_FILE)?) else { return Ok(None) };
        let (roots, key) = (Roots::from_pem(&root)?, KeyFile::open(&key, unlock.as_ref())?);
        let Some(certificate) = file(CERTIFICATE_FILE)?.or(file(NEW_CERTIFICATE_FILE)?) else {
            return Ok(None);
        };
        let identity = Identity::load_expired(roots.clone(), &certificate, &key);
        let identity = match (identity, file(NEW_CERTIFICATE_FILE)?) {
            (Ok(identity), _) => identity,
            // The daemon ended between writing the key and moving the certificate to its place.
            (Err(_), Some(newer)) => {
                let identity = Identity::load_expired(roots, &newer, &key)?;
                std::fs::rename(folder.join(NEW_CERTIFICATE_FILE), folder.join(CERTIFICATE_FILE))?;
                identity
            }
            (Err(unusable), None) => return Err(unusable.into()),
        };
        Ok(Some(Self::new(folder, identity, unlock)))
    }

    /// Writes down the first credentials of a node. The key is sealed if there is an unlock key.
    ///
    /// # Errors
    /// If they cannot be written, or do not belong together at `now`.
    pub fn begin(
        folder: &Path,
        roots: Roots,
        (certificate, key): (&[u8], &KeyFile),
        unlock: Option<UnlockKey>,
        now: Timestamp,
    ) -> Result<Self, CertificateError> {
        let identity = Identity::load(roots, certificate, key, now)?;
        files::make_folder(folder, Access::Private)?;
        let root = identity.roots().pem().to_vec();
        files::replace(&folder.join(ROOT_FILE), &root, Access::Public, Durability::Synced)?;
        let credentials = Self::new(folder, identity, unlock);
        credentials.write(certificate, key, credentials.turn().as_ref())?;
        Ok(credentials)
    }

    /// Joins a swarm: asks a manager for a certificate, with a token.
    ///
    /// # Errors
    /// If the manager is not of the token's swarm, says no, or does not answer.
    pub async fn join(
        folder: &Path,
        addr: &str,
        token: &str,
        availability: Availability,
    ) -> Result<Self, CertificateError> {
        let parsed: JoinToken = token
            .parse()
            .map_err(|error: pki::token::NotAToken| Status::invalid_argument(error.to_string()))?;
        let roots = authority::fetch_roots(addr, &parsed).await?;
        let channel = channel::connect(addr, AUTHORITY_NAME, roots.anonymous_client()).await?;
        let key = Key::generate();
        let request = proto::IssueNodeCertificateRequest {
            csr: key.request(),
            token: token.to_owned(),
            availability: availability.to_wire(),
            ..Default::default()
        };
        let (_, certificate) = authority::obtain(channel, request).await?;
        let mut key = key.to_file();
        let identity = Identity::load(roots.clone(), &certificate, &key, host::clock::now())?;
        let unlock = seal_of(&identity, addr, &mut key).await?;
        Self::begin(folder, roots, (&certificate, &key), unlock, host::clock::now())
    }

    /// Who this node is now.
    pub fn identity(&self) -> Arc<Identity> {
        self.identity.borrow().clone()
    }

    /// Who this node is, whenever it changes.
    pub fn subscribe(&self) -> watch::Receiver<Arc<Identity>> {
        self.identity.subscribe()
    }

    /// The node's key as it is kept, with its headers.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn key_file(&self) -> Result<KeyFile, CertificateError> {
        self.read_key(self.turn().as_ref())
    }

    /// What the key's file is sealed with, if it is.
    pub fn unlock_key(&self) -> Option<UnlockKey> {
        self.turn().clone()
    }

    /// Changes the key's file, and what it is sealed with, in one step.
    ///
    /// # Errors
    /// If it cannot be read or written; nothing has changed then.
    pub fn edit_key_file<R>(
        &self,
        edit: impl FnOnce(&mut KeyFile, &mut Option<UnlockKey>) -> R,
    ) -> Result<R, CertificateError> {
        let mut held = self.turn();
        let before = self.read_key(held.as_ref())?;
        let (mut file, mut unlock) = (before.clone(), held.clone());
        let result = edit(&mut file, &mut unlock);
        if file != before || unlock != *held {
            self.write_key(&file, unlock.as_ref())?;
            *held = unlock;
        }
        Ok(result)
    }

    /// Trusts these roots from now on, if this node's own certificate leads to one of them.
    ///
    /// # Errors
    /// If it does not, or they cannot be written.
    pub fn trust(&self, root_pem: &[u8]) -> Result<(), CertificateError> {
        let identity = self.identity();
        if identity.roots().pem() == root_pem {
            return Ok(());
        }
        let trusting = identity.trusting(Roots::from_pem(root_pem)?, host::clock::now())?;
        files::replace(&self.folder.join(ROOT_FILE), root_pem, Access::Public, Durability::Synced)?;
        self.identity.send_replace(Arc::new(trusting));
        Ok(())
    }

    /// Asks a manager for a new certificate, as the node that this is.
    ///
    /// # Errors
    /// If the manager says no, or does not answer, or the certificate is of a root that this node does not trust.
    pub async fn renew(&self, addr: &str) -> Result<(), CertificateError> {
        let channel = channel::connect(addr, MANAGER_NAME, self.identity().client_tls()?).await?;
        let key = Key::generate();
        let request = proto::IssueNodeCertificateRequest { csr: key.request(), ..Default::default() };
        let (_, certificate) = authority::obtain(channel.clone(), request).await?;
        let mut key = key.to_file();
        let load = || {
            let roots = self.identity().roots().clone();
            Identity::load(roots, &certificate, &key, host::clock::now())
        };
        let identity = match load() {
            // The swarm may have a new root that nobody told of yet.
            Err(Unusable::Untrusted { .. }) => {
                self.trust(&authority::root_of(channel).await?)?;
                load()?
            }
            loaded => loaded?,
        };
        let was_manager = self.identity().subject.has(NodeRole::Manager);
        let unlock = match identity.subject.has(NodeRole::Manager) {
            true if was_manager => None,
            true => Some(seal_of(&identity, addr, &mut key).await?),
            false => Some(None),
        };
        self.replace(identity, &certificate, key, unlock)
    }

    /// Wishes a new certificate soon, whatever the age of this one. Whoever keeps the credentials fresh sees to it.
    pub fn wish_renewal(&self) {
        self.renewal.notify_one();
    }

    /// Ends when somebody wishes a new certificate.
    pub(crate) async fn renewal_wished(&self) {
        self.renewal.notified().await;
    }

    fn new(folder: &Path, identity: Identity, unlock: Option<UnlockKey>) -> Self {
        let identity = watch::Sender::new(Arc::new(identity));
        Self { folder: folder.to_owned(), identity, unlock: Mutex::new(unlock), renewal: Notify::new() }
    }

    /// Takes a new certificate and key in, with the headers of the old key; and seals it otherwise, if said so.
    fn replace(
        &self,
        identity: Identity,
        certificate: &[u8],
        mut key: KeyFile,
        unlock: Option<Option<UnlockKey>>,
    ) -> Result<(), CertificateError> {
        let mut held = self.turn();
        let mut headers = self.read_key(held.as_ref())?.headers;
        headers.append(&mut key.headers);
        let unlock = unlock.unwrap_or_else(|| held.clone());
        if unlock.is_none() {
            headers.remove(SEAL_VERSION);
        }
        self.write(certificate, &KeyFile { headers, ..key }, unlock.as_ref())?;
        *held = unlock;
        self.identity.send_replace(Arc::new(identity));
        Ok(())
    }

    /// The turn to read or change the key's file.
    fn turn(&self) -> MutexGuard<'_, Option<UnlockKey>> {
        // Whoever panicked had either written the file or not: both are right.
        self.unlock.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read_key(&self, unlock: Option<&UnlockKey>) -> Result<KeyFile, CertificateError> {
        Ok(KeyFile::open(&std::fs::read(self.folder.join(KEY_FILE))?, unlock)?)
    }

    fn write_key(&self, key: &KeyFile, unlock: Option<&UnlockKey>) -> Result<(), CertificateError> {
        let bytes = match unlock {
            Some(unlock) => key.to_sealed_bytes(unlock, &mut host::chance::chance()?),
            None => key.to_bytes(),
        };
        Ok(files::replace(&self.folder.join(KEY_FILE), &bytes, Access::Private, Durability::Synced)?)
    }

    /// The order matters: whenever the daemon ends, a key and its certificate are there.
    fn write(
        &self,
        certificate: &[u8],
        key: &KeyFile,
        unlock: Option<&UnlockKey>,
    ) -> Result<(), CertificateError> {
        let (newer, place) = (self.folder.join(NEW_CERTIFICATE_FILE), self.folder.join(CERTIFICATE_FILE));
        files::replace(&newer, certificate, Access::Public, Durability::Synced)?;
        self.write_key(key, unlock)?;
        std::fs::rename(newer, &place)?;
        files::sync_folder_of(&place)?;
        Ok(())
    }
}

/// What a new manager seals its key with before it first writes it; a worker seals nothing.
async fn seal_of(
    identity: &Identity,
    addr: &str,
    key: &mut KeyFile,
) -> Result<Option<UnlockKey>, CertificateError> {
    if !identity.subject.has(NodeRole::Manager) {
        return Ok(None);
    }
    let (unlock, version) = authority::unlock_key(addr, identity).await?;
    if unlock.is_some() {
        key.headers.insert(SEAL_VERSION.to_owned(), version.to_string());
    }
    Ok(unlock)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::{Chance, ClusterId, Duration, NodeId};
    use pki::{Authority, Issue};

    const LIFE: Duration = Duration::from_secs(90 * 24 * 3600);

    /// An authority, and a node that it knows.
    struct Swarm {
        authority: Authority,
        chance: Chance,
        issue: Issue,
    }

    impl Swarm {
        fn new() -> Self {
            let mut chance = Chance::from_number(1);
            let authority = Authority::found(host::clock::now(), &mut chance);
            let (node, cluster) = (NodeId::random(&mut chance), ClusterId::random(&mut chance));
            let issue = Issue { node, cluster, role: NodeRole::Worker, expiry: LIFE };
            Self { authority, chance, issue }
        }

        fn sign(&mut self, key: &Key) -> Vec<u8> {
            let now = host::clock::now();
            self.authority.sign(&key.request(), self.issue, now, &mut self.chance).unwrap()
        }

        fn begin(&mut self, folder: &Path) -> Credentials {
            let key = Key::generate();
            let certificate = self.sign(&key);
            let roots = Roots::from_pem(self.authority.certificate_pem()).unwrap();
            let (key, now) = (key.to_file(), host::clock::now());
            Credentials::begin(folder, roots, (&certificate, &key), None, now).unwrap()
        }
    }

    fn load(folder: &Path) -> Result<Option<Credentials>, CertificateError> {
        Credentials::load(folder, None)
    }

    #[test]
    fn credentials_come_back_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        assert!(load(folder.path()).unwrap().is_none());
        let begun = Swarm::new().begin(folder.path());
        let loaded = load(folder.path()).unwrap().unwrap();
        assert_eq!(loaded.identity().certificate(), begun.identity().certificate());
    }

    #[test]
    fn a_renewal_cut_off_anywhere_leaves_good_credentials() {
        let mut swarm = Swarm::new();
        let key = Key::generate();
        let certificate = swarm.sign(&key);
        for steps in 0..3 {
            let folder = tempfile::tempdir().unwrap();
            let begun = swarm.begin(folder.path());
            let before = begun.identity().certificate().clone();
            if steps > 0 {
                std::fs::write(folder.path().join(NEW_CERTIFICATE_FILE), &certificate).unwrap();
            }
            if steps > 1 {
                begun.write_key(&key.to_file(), None).unwrap();
            }
            let loaded = load(folder.path()).unwrap().unwrap();
            assert_eq!(*loaded.identity().certificate() == before, steps < 2, "after {steps} steps");
            let again = load(folder.path()).unwrap().unwrap();
            assert_eq!(again.identity().certificate(), loaded.identity().certificate());
        }
    }

    #[test]
    fn damaged_files_are_refused() {
        for name in [ROOT_FILE, CERTIFICATE_FILE, KEY_FILE] {
            let folder = tempfile::tempdir().unwrap();
            Swarm::new().begin(folder.path());
            std::fs::write(folder.path().join(name), "garbage").unwrap();
            assert!(load(folder.path()).is_err(), "{name}");
        }
    }

    #[test]
    fn roots_that_do_not_know_the_node_are_not_trusted() {
        let folder = tempfile::tempdir().unwrap();
        let credentials = Swarm::new().begin(folder.path());
        let before = credentials.identity().roots().pem().to_vec();
        let other = Authority::found(host::clock::now(), &mut Chance::from_number(2));
        assert!(credentials.trust(other.certificate_pem()).is_err());
        assert!(credentials.trust(b"garbage").is_err());
        assert_eq!(credentials.identity().roots().pem(), before);

        let both = [before, other.certificate_pem().to_vec()].concat();
        credentials.trust(&both).unwrap();
        assert_eq!(load(folder.path()).unwrap().unwrap().identity().roots().pem(), both);
    }

    #[test]
    fn a_sealed_key_comes_back_only_with_its_unlock_key() {
        let folder = tempfile::tempdir().unwrap();
        let mut swarm = Swarm::new();
        let credentials = swarm.begin(folder.path());
        let unlock = UnlockKey::random(&mut swarm.chance);
        credentials
            .edit_key_file(|file, held| {
                file.headers.insert("raft-dek".to_owned(), "sealed".to_owned());
                *held = Some(unlock.clone());
            })
            .unwrap();
        assert_eq!(credentials.key_file().unwrap().headers["raft-dek"], "sealed");
        let text = std::fs::read_to_string(folder.path().join(KEY_FILE)).unwrap();
        assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{text}");

        let is_locked =
            |loaded: Result<_, _>| matches!(loaded, Err(CertificateError::Unusable(Unusable::Locked)));
        assert!(is_locked(load(folder.path())));
        let other = UnlockKey::random(&mut swarm.chance);
        assert!(is_locked(Credentials::load(folder.path(), Some(other))));
        let again = Credentials::load(folder.path(), Some(unlock)).unwrap().unwrap();
        assert_eq!(again.identity().certificate(), credentials.identity().certificate());

        again.edit_key_file(|_, held| *held = None).unwrap();
        assert_eq!(load(folder.path()).unwrap().unwrap().key_file().unwrap().headers["raft-dek"], "sealed");
    }

    #[test]
    fn a_renewal_of_a_sealed_key_cut_off_anywhere_leaves_good_credentials() {
        let mut swarm = Swarm::new();
        let (key, unlock) = (Key::generate(), UnlockKey::random(&mut Chance::from_number(3)));
        let certificate = swarm.sign(&key);
        for steps in 0..3 {
            let folder = tempfile::tempdir().unwrap();
            let begun = swarm.begin(folder.path());
            begun.edit_key_file(|_, held| *held = Some(unlock.clone())).unwrap();
            if steps > 0 {
                std::fs::write(folder.path().join(NEW_CERTIFICATE_FILE), &certificate).unwrap();
            }
            if steps > 1 {
                begun.write_key(&key.to_file(), Some(&unlock)).unwrap();
            }
            let before = begun.identity().certificate().clone();
            let loaded = Credentials::load(folder.path(), Some(unlock.clone())).unwrap().unwrap();
            assert_eq!(*loaded.identity().certificate() == before, steps < 2, "after {steps} steps");
        }
    }

    #[test]
    fn a_new_certificate_keeps_headers_and_seal() {
        let folder = tempfile::tempdir().unwrap();
        let mut swarm = Swarm::new();
        let credentials = swarm.begin(folder.path());
        let unlock = UnlockKey::random(&mut swarm.chance);
        let seal = |file: &mut KeyFile, held: &mut Option<UnlockKey>| {
            file.headers.insert(SEAL_VERSION.to_owned(), "7".to_owned());
            *held = Some(unlock.clone());
        };
        credentials.edit_key_file(seal).unwrap();
        let mut renew = |unlock| {
            let key = Key::generate();
            let certificate = swarm.sign(&key);
            let roots = credentials.identity().roots().clone();
            let identity = Identity::load(roots, &certificate, &key.to_file(), host::clock::now()).unwrap();
            credentials.replace(identity, &certificate, key.to_file(), unlock).unwrap();
        };
        renew(None);
        assert_eq!(credentials.unlock_key(), Some(unlock.clone()));
        assert_eq!(credentials.key_file().unwrap().headers[SEAL_VERSION], "7");
        renew(Some(None));
        assert_eq!(credentials.unlock_key(), None, "a worker's key is not sealed");
        assert!(load(folder.path()).unwrap().unwrap().key_file().unwrap().headers.is_empty());
    }
}
