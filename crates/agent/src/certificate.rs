//! A node's credentials: how it gets them, keeps them and renews them (`security.md` sections 1, 3 and 5).
//!
//! In: a join token, or the credentials that end soon. Out: new ones, written down before they are used.
//! Whoever speaks for this node watches them, so that a new certificate or root takes effect at once.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use host::files::{self, Access, Durability};
use model::node::{Availability, IssuanceState};
use model::{Chance, Duration, NodeId, Timestamp};
use pki::{Identity, JoinToken, Key, KeyFile, Roots, Unusable};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::transport::Channel;
use tonic::{Code, Status};
use wire::channel::{self, AUTHORITY_NAME, MANAGER_NAME};
use wire::proto::ca_client::CaClient;
use wire::proto::node_ca_client::NodeCaClient;
use wire::{OnWire, proto};

use crate::session::News;

const ROOT_FILE: &str = "swarm-root-ca.crt";
const CERTIFICATE_FILE: &str = "swarm-node.crt";
const NEW_CERTIFICATE_FILE: &str = ".swarm-node.crt";
const KEY_FILE: &str = "swarm-node.key";

/// How long a call to an authority may take. It may hold back its answer that long.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// The pause between two looks whether the certificate is signed grows by this much,
const STATUS_PAUSE: Duration = Duration::from_secs(1);
/// up to this.
const STATUS_PAUSE_MAX: Duration = Duration::from_secs(30);
/// A manager that is told to renew first lets the authority take notice.
const NOTICE_PAUSE: Duration = Duration::from_millis(500);
/// The pause after a renewal that failed grows by this much,
const RENEWAL_PAUSE: Duration = Duration::from_secs(5);
/// up to this.
const RENEWAL_PAUSE_MAX: Duration = Duration::from_secs(3600);

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
}

impl Credentials {
    /// Reads the credentials in a folder; none if there never were any. Expired ones are read too.
    ///
    /// # Errors
    /// If they cannot be read, or do not belong together.
    pub fn load(folder: &Path) -> Result<Option<Self>, CertificateError> {
        let file = |name: &str| files::read_if_there(&folder.join(name));
        let (Some(root), Some(key)) = (file(ROOT_FILE)?, file(KEY_FILE)?) else { return Ok(None) };
        let (roots, key) = (Roots::from_pem(&root)?, KeyFile::parse(&key)?);
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
        Ok(Some(Self::new(folder, identity)))
    }

    /// Writes down the first credentials of a node.
    ///
    /// # Errors
    /// If they cannot be written, or do not belong together at `now`.
    pub fn begin(
        folder: &Path,
        roots: Roots,
        (certificate, key): (&[u8], &KeyFile),
        now: Timestamp,
    ) -> Result<Self, CertificateError> {
        let identity = Identity::load(roots, certificate, key, now)?;
        files::make_folder(folder, Access::Private)?;
        let root = identity.roots().pem().to_vec();
        files::replace(&folder.join(ROOT_FILE), &root, Access::Public, Durability::Synced)?;
        let credentials = Self::new(folder, identity);
        credentials.write(certificate, key)?;
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
        let roots = fetch_roots(addr, &parsed).await?;
        let channel = channel::connect(addr, AUTHORITY_NAME, roots.anonymous_client()).await?;
        let key = Key::generate();
        let request = proto::IssueNodeCertificateRequest {
            csr: key.request(),
            token: token.to_owned(),
            availability: availability.to_wire(),
            ..Default::default()
        };
        let (_, certificate) = obtain(channel, request).await?;
        Self::begin(folder, roots, (&certificate, &key.to_file()), host::clock::now())
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
        Ok(KeyFile::parse(&std::fs::read(self.folder.join(KEY_FILE))?)?)
    }

    /// Keeps the node's key with other headers.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn keep_key_file(&self, key: &KeyFile) -> Result<(), CertificateError> {
        let path = self.folder.join(KEY_FILE);
        Ok(files::replace(&path, &key.to_bytes(), Access::Private, Durability::Synced)?)
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
    /// If the manager says no, or does not answer.
    pub async fn renew(&self, channel: Channel) -> Result<(), CertificateError> {
        let key = Key::generate();
        let request = proto::IssueNodeCertificateRequest { csr: key.request(), ..Default::default() };
        let (_, certificate) = obtain(channel, request).await?;
        let key = KeyFile { headers: self.key_file()?.headers, ..key.to_file() };
        let roots = self.identity().roots().clone();
        let identity = Identity::load(roots, &certificate, &key, host::clock::now())?;
        self.write(&certificate, &key)?;
        self.identity.send_replace(Arc::new(identity));
        Ok(())
    }

    fn new(folder: &Path, identity: Identity) -> Self {
        Self { folder: folder.to_owned(), identity: watch::Sender::new(Arc::new(identity)) }
    }

    /// The order matters: whenever the daemon ends, a key and its certificate are there.
    fn write(&self, certificate: &[u8], key: &KeyFile) -> Result<(), CertificateError> {
        let (newer, place) = (self.folder.join(NEW_CERTIFICATE_FILE), self.folder.join(CERTIFICATE_FILE));
        files::replace(&newer, certificate, Access::Public, Durability::Synced)?;
        self.keep_key_file(key)?;
        std::fs::rename(newer, &place)?;
        files::sync_folder_of(&place)?;
        Ok(())
    }
}

/// Fetches the roots from a manager that is not trusted yet: the token says whether they are the right ones.
async fn fetch_roots(addr: &str, token: &JoinToken) -> Result<Roots, CertificateError> {
    let channel = channel::connect(addr, AUTHORITY_NAME, pki::trust::unverified_client()).await?;
    let call =
        async { CaClient::new(channel).get_root_ca_certificate(proto::GetRootCaCertificateRequest {}).await };
    let certificate = in_time(call).await?.into_inner().certificate;
    if !token.names(&certificate) {
        return Err(CertificateError::Fingerprint { expected: token.digest_hex() });
    }
    Ok(Roots::from_pem(&certificate)?)
}

/// Hands in a request and waits until it is signed. Returns the node's id and its certificate.
async fn obtain(
    channel: Channel,
    request: proto::IssueNodeCertificateRequest,
) -> Result<(NodeId, Vec<u8>), CertificateError> {
    let mut authority = NodeCaClient::new(channel);
    let csr = request.csr.clone();
    let issued = in_time(authority.issue_node_certificate(request)).await?.into_inner();
    let node = NodeId::from_wire(issued.node_id).map_err(Status::from)?;

    let mut pause = Duration::ZERO;
    loop {
        let question = proto::NodeCertificateStatusRequest { node_id: node.to_wire() };
        match in_time(authority.node_certificate_status(question)).await {
            Ok(answer) => {
                if let Some(certificate) = signed(answer.into_inner(), &csr) {
                    return Ok((node, certificate));
                }
            }
            Err(status) if status.code() == Code::DeadlineExceeded => {}
            Err(status) => return Err(status.into()),
        }
        pause = (pause + STATUS_PAUSE).min(STATUS_PAUSE_MAX);
        tokio::time::sleep(pause).await;
    }
}

/// The certificate, if it is signed and the one that was asked for.
fn signed(answer: proto::NodeCertificateStatusResponse, csr: &[u8]) -> Option<Vec<u8>> {
    let proto::NodeCertificateStatusResponse { status, certificate } = answer;
    let state = IssuanceState::from_wire(status?.state).ok()?;
    let certificate = certificate.filter(|certificate| certificate.csr == csr)?;
    matches!(state, IssuanceState::Issued | IssuanceState::Rotate).then_some(certificate.certificate)
}

async fn in_time<T>(call: impl Future<Output = Result<T, Status>>) -> Result<T, Status> {
    let late = |_| Status::deadline_exceeded("the manager does not answer");
    tokio::time::timeout(CALL_TIMEOUT, call).await.map_err(late)?
}

impl Credentials {
    /// Renews the certificate before it ends and whenever the managers wish it, and takes over new roots; until
    /// `stop` is cancelled.
    pub async fn keep_fresh(
        &self,
        mut news: watch::Receiver<Option<Arc<News>>>,
        mut chance: Chance,
        stop: CancellationToken,
    ) {
        let mut failures = 0;
        let mut due = self.identity().renew_at(&mut chance);
        loop {
            tokio::select! {
                () = host::pump::sleep_until(Some(due)) => {}
                Ok(()) = news.changed() => {}
                () = stop.cancelled() => return,
            }
            let told = news.borrow_and_update().clone();
            let renewed = tokio::select! {
                renewed = self.freshen(told.as_deref(), due, &mut chance) => renewed,
                () = stop.cancelled() => return,
            };
            match renewed {
                Ok(Freshness::AsBefore) => {}
                Ok(Freshness::Renewed) => {
                    failures = 0;
                    due = self.identity().renew_at(&mut chance);
                }
                Err(error) => {
                    tracing::warn!(%error, "the certificate could not be renewed");
                    failures += 1;
                    due = host::clock::now() + (RENEWAL_PAUSE * failures).min(RENEWAL_PAUSE_MAX);
                }
            }
        }
    }

    /// Takes over what the managers say, and renews if it is time or wished.
    async fn freshen(
        &self,
        told: Option<&News>,
        due: Timestamp,
        chance: &mut Chance,
    ) -> Result<Freshness, CertificateError> {
        if let Some(told) = told {
            self.trust(&told.root_ca)?;
        }
        let wished = told.is_some_and(|told| is_renewal_wished(told, &self.identity()));
        if !wished && host::clock::now() < due {
            return Ok(Freshness::AsBefore);
        }
        if wished {
            tokio::time::sleep(NOTICE_PAUSE).await;
        }
        let managers = told.map(|told| told.managers.as_slice()).unwrap_or_default();
        let addr = managers.get(chance.below(managers.len() as u64) as usize);
        let addr = addr.ok_or_else(|| Status::unavailable("no manager is known"))?;
        let tls = self.identity().client_tls()?;
        self.renew(channel::connect(addr, MANAGER_NAME, tls).await?).await?;
        match told.filter(|told| !has_wished_role(told, &self.identity())) {
            Some(_) => Err(Status::aborted("the authority issued a certificate for another role").into()),
            None => Ok(Freshness::Renewed),
        }
    }
}

/// Whether there is a new certificate.
enum Freshness {
    AsBefore,
    Renewed,
}

/// The managers wish another role, or a certificate of their new root.
fn is_renewal_wished(told: &News, identity: &Identity) -> bool {
    told.node.certificate.status.state == IssuanceState::Rotate || !has_wished_role(told, identity)
}

fn has_wished_role(told: &News, identity: &Identity) -> bool {
    identity.subject.role() == Some(told.node.spec.desired_role)
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::ClusterId;
    use model::node::NodeRole;
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
            Credentials::begin(folder, roots, (&certificate, &key.to_file()), host::clock::now()).unwrap()
        }
    }

    #[test]
    fn credentials_come_back_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Credentials::load(folder.path()).unwrap().is_none());
        let begun = Swarm::new().begin(folder.path());
        let loaded = Credentials::load(folder.path()).unwrap().unwrap();
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
                begun.keep_key_file(&key.to_file()).unwrap();
            }
            let loaded = Credentials::load(folder.path()).unwrap().unwrap();
            assert_eq!(*loaded.identity().certificate() == before, steps < 2, "after {steps} steps");
            let again = Credentials::load(folder.path()).unwrap().unwrap();
            assert_eq!(again.identity().certificate(), loaded.identity().certificate());
        }
    }

    #[test]
    fn damaged_files_are_refused() {
        for name in [ROOT_FILE, CERTIFICATE_FILE, KEY_FILE] {
            let folder = tempfile::tempdir().unwrap();
            Swarm::new().begin(folder.path());
            std::fs::write(folder.path().join(name), "garbage").unwrap();
            assert!(Credentials::load(folder.path()).is_err(), "{name}");
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
        assert_eq!(Credentials::load(folder.path()).unwrap().unwrap().identity().roots().pem(), both);
    }
}
