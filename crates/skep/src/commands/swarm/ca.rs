//! `skep swarm ca`: the authority that signs the nodes' certificates.

use std::io;

use anyhow::{Context, Result, bail};
use api::node::Node;
use api::swarm::Swarm;
use clap::Args;
use model::Duration;

use super::update::{ExternalCaWord, duration, nanos};
use crate::output::board::Board;
use crate::output::progress::LOOK_PERIOD;
use crate::session::Session;

/// Show the authority that signs the nodes' certificates, or replace it
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  skep swarm ca\n  skep swarm ca --rotate\n  \
                        skep swarm ca --rotate --ca-cert ca.pem --ca-key ca-key.pem")]
pub(crate) struct Ca {
    /// The new root, a PEM file
    #[arg(long, value_name = "FILE")]
    ca_cert: Option<String>,
    /// Its key, a PEM file
    #[arg(long, value_name = "FILE")]
    ca_key: Option<String>,
    /// How long nodes' certificates are valid, such as 2160h
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    cert_expiry: Option<Duration>,
    /// Who else signs: protocol=cfssl,url=…,cacert=FILE
    #[arg(long, value_name = "SIGNER")]
    external_ca: Vec<ExternalCaWord>,
    /// End at once instead of waiting until all nodes have new certificates
    #[arg(short, long)]
    detach: bool,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
    /// Replace the root; it is made if none is given
    #[arg(long)]
    rotate: bool,
}

impl Ca {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut swarm: Swarm = session.client.get("/swarm").await?;
        if !self.rotate {
            self.refuse_settings()?;
            return show(session, &swarm);
        }
        let config = &mut swarm.spec.ca_config;
        if let Some(expiry) = self.cert_expiry {
            config.node_cert_expiry = nanos(expiry)?;
        }
        if !self.external_ca.is_empty() {
            config.external_cas = self.external_ca.into_iter().map(|ExternalCaWord(ca)| ca).collect();
        }
        config.signing_ca_cert = read(self.ca_cert.as_deref())?;
        config.signing_ca_key = read(self.ca_key.as_deref())?;
        if config.signing_ca_cert.is_empty() && !config.signing_ca_key.is_empty() {
            bail!("the --ca-key flag requires the --ca-cert flag to be specified");
        }
        // Only a number that changes tells the swarm that the same settings shall have a new root.
        config.force_rotate += 1;
        let path = format!("/swarm/update?version={}", swarm.version.index);
        session.client.tell(&path, &swarm.spec).await?;
        if self.detach {
            return Ok(());
        }
        wait(session, self.quiet).await?;
        show(session, &session.client.get::<Swarm>("/swarm").await?)
    }

    /// Without a new root there is nothing to set.
    fn refuse_settings(&self) -> Result<()> {
        let settings = [
            ("ca-cert", self.ca_cert.is_some()),
            ("ca-key", self.ca_key.is_some()),
            ("cert-expiry", self.cert_expiry.is_some()),
            ("external-ca", !self.external_ca.is_empty()),
        ];
        match settings.iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => bail!("`--{flag}` flag requires the `--rotate` flag to update the CA"),
            None => Ok(()),
        }
    }
}

fn read(file: Option<&str>) -> Result<String> {
    let text =
        file.map(|file| std::fs::read_to_string(file).with_context(|| format!("unable to read {file}")));
    Ok(text.transpose()?.unwrap_or_default())
}

fn show(session: &mut Session, swarm: &Swarm) -> Result<()> {
    if swarm.tls_info.trust_root.is_empty() {
        bail!("No CA information available");
    }
    session.line(swarm.tls_info.trust_root.trim_end())
}

/// Waits until every node trusts the new root and has a certificate of it.
async fn wait(session: &Session, is_quiet: bool) -> Result<()> {
    let mut board = Board::new(&io::stdout());
    loop {
        let swarm: Swarm = session.client.get("/swarm").await?;
        let nodes: Vec<Node> = session.client.get("/nodes").await?;
        let Rotation { total, certificates, roots } = Rotation::of(&swarm, &nodes);
        for (name, text, how_far) in [
            ("desired root", digest(&swarm.tls_info.trust_root), None),
            ("  rotated TLS certificates", format!("{certificates}/{total} nodes"), Some(certificates)),
            ("  rotated CA certificates", format!("{roots}/{total} nodes"), Some(roots)),
        ] {
            let line = match how_far {
                None => format!("{name} digest: {text}"),
                Some(done) if board.is_terminal() => format!("{name}: {}{text}", board.bar(done, total)),
                Some(_) => continue,
            };
            if !is_quiet {
                board.put(&mut io::stdout(), name, &line)?;
            }
        }
        if !swarm.root_rotation_in_progress {
            return Ok(());
        }
        tokio::time::sleep(LOOK_PERIOD).await;
    }
}

/// How far the new root has come.
#[derive(Debug, PartialEq, Eq)]
struct Rotation {
    total: u64,
    certificates: u64,
    roots: u64,
}

impl Rotation {
    fn of(swarm: &Swarm, nodes: &[Node]) -> Self {
        let wished = &swarm.tls_info;
        let count = |test: &dyn Fn(&Node) -> bool| nodes.iter().filter(|node| test(node)).count() as u64;
        Self {
            total: nodes.len() as u64,
            certificates: count(&|node| {
                let own = &node.description.tls_info;
                own.cert_issuer_public_key == wished.cert_issuer_public_key
                    && own.cert_issuer_subject == wished.cert_issuer_subject
            }),
            roots: count(&|node| node.description.tls_info.trust_root == wished.trust_root),
        }
    }
}

/// The digest of a root, as join tokens have it too.
fn digest(root: &str) -> String {
    use sha2::Digest;
    let bytes = sha2::Sha256::digest(root.as_bytes());
    format!("sha256:{}", bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_with_the_new_root_are_counted() {
        let mut swarm = Swarm::default();
        swarm.tls_info.trust_root = "new".to_owned();
        swarm.tls_info.cert_issuer_public_key.0 = vec![1];
        let mut done = Node::default();
        done.description.tls_info = swarm.tls_info.clone();
        let mut half = Node::default();
        half.description.tls_info.trust_root = "new".to_owned();
        let expected = Rotation { total: 3, certificates: 1, roots: 2 };
        assert_eq!(Rotation::of(&swarm, &[done, half, Node::default()]), expected);
        assert!(digest("").starts_with("sha256:e3b0c442"));
    }
}
