//! TLS towards a daemon on TCP: whom we trust, and who we are.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use clap::Args;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{AlertDescription, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// Whether TLS is spoken with a daemon on TCP, and with which certificates.
#[derive(Debug, Default, Args)]
pub(crate) struct TlsFlags {
    /// Speak TLS on TCP, whoever the daemon proves to be (also: DOCKER_TLS)
    #[arg(long)]
    tls: bool,
    /// Speak TLS on TCP, with a daemon that the authority knows (also: DOCKER_TLS_VERIFY)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    tlsverify: Option<bool>,
    /// The authority; ca.pem in DOCKER_CERT_PATH or ~/.docker if not named
    #[arg(long, value_name = "FILE")]
    tlscacert: Option<PathBuf>,
    /// Our certificate; cert.pem in that folder if not named
    #[arg(long, value_name = "FILE")]
    tlscert: Option<PathBuf>,
    /// The key to it; key.pem in that folder if not named
    #[arg(long, value_name = "FILE")]
    tlskey: Option<PathBuf>,
}

/// How TLS is spoken.
#[derive(Clone)]
pub(crate) struct Tls(TlsConnector);

impl TlsFlags {
    /// How TLS is spoken, if it is.
    ///
    /// # Errors
    /// If a file cannot be read or does not hold what it should.
    pub(crate) fn chosen(&self) -> Result<Option<Tls>> {
        let verified = self.tlsverify.unwrap_or_else(|| variable("DOCKER_TLS_VERIFY").is_some());
        let wished = self.tls || variable("DOCKER_TLS").is_some() || self.tlsverify.is_some() || verified;
        if !wished {
            return Ok(None);
        }
        let folder = variable("DOCKER_CERT_PATH").map_or_else(crate::credentials::folder, PathBuf::from);
        let file = |named: &Option<PathBuf>, usual: &str| named.clone().unwrap_or_else(|| folder.join(usual));
        let own =
            OwnFiles { certificate: file(&self.tlscert, "cert.pem"), key: file(&self.tlskey, "key.pem") };
        // Who names none may have none: the daemon decides whether it hears such clients.
        let is_named = self.tlscert.is_some() || self.tlskey.is_some();
        let own = Some(own).filter(|own| is_named || own.certificate.exists() || own.key.exists());
        Tls::new(&file(&self.tlscacert, "ca.pem"), own.as_ref(), verified).map(Some)
    }
}

/// One of docker's variables. One that is set to nothing is not set; any other text means yes, even `0`.
#[expect(clippy::disallowed_methods, reason = "where no flag is, docker's variables speak")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// What proves who we are.
struct OwnFiles {
    certificate: PathBuf,
    key: PathBuf,
}

impl Tls {
    fn new(authority: &Path, own: Option<&OwnFiles>, verified: bool) -> Result<Self> {
        let provider = Arc::new(ring::default_provider());
        let mut roots = RootCertStore::empty();
        for root in certificates(authority)? {
            roots.add(root).with_context(|| format!("trusting {}", authority.display()))?;
        }
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .context("choosing versions of TLS")?;
        let builder = if verified {
            builder.with_root_certificates(roots)
        } else {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Anyone(provider)))
        };
        let config = match own {
            None => builder.with_no_client_auth(),
            Some(OwnFiles { certificate, key }) => {
                let named = |path: &Path| format!("reading {}", path.display());
                let chain = certificates(certificate)?;
                let key = PrivateKeyDer::from_pem_file(key).with_context(|| named(key))?;
                builder
                    .with_client_auth_cert(chain, key)
                    .with_context(|| format!("using {}", certificate.display()))?
            }
        };
        Ok(Self(TlsConnector::from(Arc::new(config))))
    }

    /// Speaks TLS over a fresh connection to a daemon of this name or address.
    pub(crate) async fn over(&self, stream: TcpStream, name: &str) -> io::Result<TlsStream<TcpStream>> {
        let name = ServerName::try_from(name.to_owned()).map_err(io::Error::other)?;
        self.0.connect(name, stream).await
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tls")
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let read: Vec<_> = CertificateDer::pem_file_iter(path)
        .and_then(Iterator::collect)
        .with_context(|| format!("reading {}", path.display()))?;
    anyhow::ensure!(!read.is_empty(), "{} holds no certificate in PEM", path.display());
    Ok(read)
}

/// Whether the daemon hung up because its client showed no certificate.
pub(super) fn asks_for_certificate(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    let alert = cause.and_then(io::Error::get_ref).and_then(|inner| inner.downcast_ref::<rustls::Error>());
    matches!(alert, Some(rustls::Error::AlertReceived(AlertDescription::CertificateRequired)))
}

/// Takes everyone for the daemon who holds the key to the certificate that is shown: what `--tls` alone asks for.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
