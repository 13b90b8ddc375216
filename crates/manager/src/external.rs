//! Signers outside the swarm, which speak cfssl's protocol (`security.md` section 10).
//!
//! In: where they are, and what is to be signed. Out: certificates, judged before they are believed. One signer after
//! the other is asked, in the order of the settings. Calls are made with this manager's own certificate; the signer's
//! must lead to a root of the swarm.

use std::sync::Arc;

use host::clock;
use model::Duration;
use model::cluster::{CaConfig, RootCa};
use pki::{Authority, Issue, Roots, Subject, Unusable};
use rustls::ClientConfig;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::watch;

/// How long a signer may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// What a signer may answer at most.
const ANSWER_BYTES_MAX: usize = 256 << 10;
/// The signer's profile for roots.
const ROOT_PROFILE: &str = "CA";
/// The extension "basic constraints" that says "an authority", as cfssl wants it.
const IS_AUTHORITY: (&str, &str) = ("2.5.29.19", "30030101FF");

/// Why a signer outside has signed nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ExternalError {
    /// None could be spoken with; later perhaps.
    #[error("no external CA can be reached: {0}")]
    Unreachable(String),
    /// It says no, or signed what must not be used.
    #[error("the external CA does not sign: {0}")]
    Refused(String),
}

impl From<Unusable> for ExternalError {
    fn from(unusable: Unusable) -> Self {
        Self::Refused(unusable.to_string())
    }
}

/// How signers outside are called.
#[derive(Clone, Debug)]
pub(crate) struct Externals {
    tls: watch::Receiver<Arc<ClientConfig>>,
}

/// The signers for one root.
#[derive(Clone, Debug)]
pub(crate) struct Signers {
    /// Where they are.
    pub(crate) urls: Vec<String>,
    /// To which roots their own certificates may lead.
    pub(crate) trusted: Roots,
}

impl Signers {
    /// Those that the settings name for this root, PEM. Those that name no root are for the present one.
    ///
    /// # Errors
    /// If the root cannot be read.
    pub(crate) fn of(settings: &CaConfig, present: &RootCa, root: &[u8]) -> Result<Self, Unusable> {
        let (wanted, now) = (Roots::from_pem(root)?, Roots::from_pem(&present.ca_cert)?);
        let is_for = |named: &[u8]| match named {
            [] => now.is(&wanted),
            named => Roots::from_pem(named).is_ok_and(|named| named.is(&wanted)),
        };
        let urls = settings.external_cas.iter().filter(|external| is_for(&external.ca_cert));
        let urls = urls.map(|external| external.url.clone()).collect();
        Ok(Self { urls, trusted: now.and(root)? })
    }
}

impl Externals {
    /// Signers are called with these settings of the moment.
    pub(crate) fn new(tls: watch::Receiver<Arc<ClientConfig>>) -> Self {
        Self { tls }
    }

    /// Whether any of them answers at all.
    pub(crate) async fn reach(&self, signers: &Signers) -> bool {
        let Ok(client) = self.client(signers) else { return false };
        for url in &signers.urls {
            // Whatever it says of a question like this: it is there.
            if client.head(url).send().await.is_ok() {
                return true;
            }
        }
        false
    }

    /// Has a node's request signed; `behind` goes behind the certificate, and `roots` judge it. The chain is PEM.
    pub(crate) async fn sign(
        &self,
        signers: &Signers,
        (request, issue): (&[u8], Issue),
        (behind, roots): (&[u8], &Roots),
    ) -> Result<Vec<u8>, ExternalError> {
        let Issue { node, cluster, role, expiry: _ } = issue;
        let unit = pki::subject::unit_of(role);
        let question = json!({
            "hosts": issue.names(),
            "certificate_request": String::from_utf8_lossy(request),
            "subject": {
                "CN": node.as_str(),
                "names": [{ "O": cluster.as_str(), "OU": unit }],
            },
        });
        let signed = self.ask(signers, &question).await?;
        let chain = [&signed, behind].concat();
        let subject = roots.check_pem(&chain, clock::now())?;
        let expected = Subject {
            common_name: node.to_string(),
            organization: cluster.to_string(),
            units: vec![unit.to_owned()],
        };
        if subject != expected {
            return Err(ExternalError::Refused(
                "its certificate names another node, role or swarm".to_owned(),
            ));
        }
        Ok(chain)
    }

    /// Has a root signed by the root for which these signers are; PEM.
    pub(crate) async fn cross_sign(
        &self,
        signers: &Signers,
        root: &Authority,
        present: &Roots,
    ) -> Result<Vec<u8>, ExternalError> {
        let (id, value) = IS_AUTHORITY;
        let question = json!({
            "certificate_request": String::from_utf8_lossy(&root.request()?),
            "profile": ROOT_PROFILE,
            "extensions": [{ "id": id, "critical": true, "value": value }],
        });
        let crossed = self.ask(signers, &question).await?;
        present.check_crossed(&crossed, &Roots::from_pem(root.certificate_pem())?)?;
        Ok(crossed)
    }

    /// Puts a question to one after the other, until one can be spoken with.
    async fn ask(&self, signers: &Signers, question: &Value) -> Result<Vec<u8>, ExternalError> {
        let client = self.client(signers)?;
        let mut failure = ExternalError::Unreachable("the settings name none".to_owned());
        for url in &signers.urls {
            match put(&client, url, question).await {
                Err(unreachable @ ExternalError::Unreachable(_)) => failure = unreachable,
                answered => return answered,
            }
        }
        Err(failure)
    }

    fn client(&self, signers: &Signers) -> Result<reqwest::Client, ExternalError> {
        let tls = pki::trust::web_client(&self.tls.borrow(), &signers.trusted)?;
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .https_only(true)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(CALL_TIMEOUT);
        client.build().map_err(|error| ExternalError::Unreachable(told(&error)))
    }
}

/// What a signer answers.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    success: bool,
    result: Option<Signed>,
    errors: Vec<Said>,
}

/// What it signed.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Signed {
    certificate: String,
}

/// What it says is wrong.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Said {
    message: String,
}

async fn put(client: &reqwest::Client, url: &str, question: &Value) -> Result<Vec<u8>, ExternalError> {
    let unreachable = |error: &reqwest::Error| ExternalError::Unreachable(format!("{url}: {}", told(error)));
    let mut response = client.post(url).json(question).send().await.map_err(|error| unreachable(&error))?;
    let status = response.status();
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(&error))? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > ANSWER_BYTES_MAX {
            return Err(ExternalError::Refused(format!(
                "{url} answers with more than {ANSWER_BYTES_MAX} bytes"
            )));
        }
    }
    let refused = |why: String| ExternalError::Refused(format!("{url}: {why}"));
    let answer: Answer =
        serde_json::from_slice(&bytes).map_err(|_| refused(format!("{status}, and no answer of cfssl's")))?;
    match answer {
        Answer { success: true, result: Some(Signed { certificate }), .. } if !certificate.is_empty() => {
            Ok(certificate.into_bytes())
        }
        Answer { errors, .. } => {
            let said: Vec<String> = errors.into_iter().map(|said| said.message).collect();
            Err(refused(if said.is_empty() { status.to_string() } else { said.join("; ") }))
        }
    }
}

/// An error and what led to it.
fn told(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(&format!(": {error}"));
        source = error.source();
    }
    text
}
