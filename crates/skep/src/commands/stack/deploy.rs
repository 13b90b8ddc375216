//! `skep stack deploy`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use api::meta::Created;
use api::network::{Network, NetworkCreated};
use api::secret::{Secret, SecretSpec};
use api::service::{Service, ServiceCreated, ServiceSpec, ServiceUpdated};
use clap::{Args, ValueEnum};

use super::{Files, of};
use crate::commands::service::sending::{self, find_networks, send, set_image, warn};
use crate::compose::{Filling, Named, Stack, load};
use crate::output::progress;
use crate::session::Session;

/// Make a stack out of compose files, or change it to what they say now
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  skep stack deploy --compose-file compose.yml shop\n  \
                        skep stack deploy -c compose.yml --prune --detach=false shop")]
pub(crate) struct Deploy {
    /// Its name
    stack: String,
    #[command(flatten)]
    files: Files,
    /// End at once instead of waiting until all runs
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", action = clap::ArgAction::Set)]
    detach: bool,
    /// Remove services that the files no longer name
    #[arg(long)]
    prune: bool,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
    /// When to ask registries what tags mean: always, changed, never
    #[arg(long, value_name = "WORD", default_value = "always")]
    resolve_image: Resolve,
    /// Send this user's credentials for registries along
    #[arg(long)]
    with_registry_auth: bool,
}

/// When registries are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Resolve {
    Always,
    Changed,
    Never,
}

impl Deploy {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        if self.stack.trim().is_empty() || self.stack.contains(char::is_whitespace) {
            bail!("invalid stack name: {:?}", self.stack);
        }
        let project = load(&self.files.compose_file, Filling::Wished)?;
        let (file, ignored) = project.read()?;
        if !ignored.is_empty() {
            eprintln!("Ignoring unsupported options: {}\n", ignored.join(", "));
        }
        let stack = Stack { name: &self.stack, file: &file, folder: &project.folder };
        // All is read before anything is changed.
        let (secrets, configs, services) = (stack.secrets()?, stack.configs()?, stack.services()?);
        let before: Vec<Service> = of(session, "/services", &self.stack).await?;
        if self.prune {
            prune(session, &before, &services).await?;
        }
        networks(session, &stack).await?;
        for (what, specs) in [("secret", secrets), ("config", configs)] {
            payloads(session, what, specs).await?;
        }
        let mut deployed = Vec::new();
        for service in services {
            let name = service.spec.name.clone();
            let old = before.iter().find(|old| old.spec.name == name);
            let id = self.service(session, service, old).await.with_context(|| format!("service {name}"))?;
            deployed.push((id, name));
        }
        if self.detach {
            return Ok(());
        }
        for (id, name) in deployed {
            progress::converge(session, &id, &name, self.quiet.into()).await?;
        }
        Ok(())
    }

    /// Makes one service, or changes it; returns its id.
    async fn service(&self, session: &mut Session, named: Named, old: Option<&Service>) -> Result<String> {
        let Named { mut spec, secrets, configs } = named;
        let image = image_of(&spec).to_owned();
        let is_new_image = old.is_none_or(|old| old.spec.labels.get(IMAGE) != spec.labels.get(IMAGE));
        let asks = match self.resolve_image {
            Resolve::Always => true,
            Resolve::Changed => is_new_image,
            Resolve::Never => false,
        };
        match old.filter(|_| !asks && !is_new_image) {
            // What was pinned stays pinned.
            Some(old) => set_image(session, &mut spec, image_of(&old.spec), true).await?,
            None => set_image(session, &mut spec, &image, !asks).await?,
        }
        sending::Named { secrets, configs }.find(session, &mut spec).await?;
        find_networks(session, &mut spec).await?;
        let auth = self.with_registry_auth.then_some(image.as_str());
        let Some(old) = old else {
            session.line(format_args!("Creating service {}", spec.name))?;
            let made: ServiceCreated = send(session, "/services/create", &spec, auth).await?;
            warn(&made.warnings);
            return Ok(made.id);
        };
        session.line(format_args!("Updating service {} (id: {})", spec.name, old.id))?;
        spec.task_template.force_update = old.spec.task_template.force_update;
        let path = format!("/services/{}/update?version={}&registryAuthFrom=spec", old.id, old.version.index);
        let updated: ServiceUpdated = send(session, &path, &spec, auth).await?;
        warn(&updated.warnings);
        Ok(old.id.clone())
    }
}

/// The label that keeps the image as it was written.
const IMAGE: &str = "com.docker.stack.image";

fn image_of(spec: &ServiceSpec) -> &str {
    spec.task_template.container_spec.as_ref().map(|container| container.image.as_str()).unwrap_or_default()
}

async fn prune(session: &mut Session, before: &[Service], wished: &[Named]) -> Result<()> {
    for service in before {
        if wished.iter().all(|wish| wish.spec.name != service.spec.name) {
            session.line(format_args!("Removing service {}", service.spec.name))?;
            session.client.delete(&format!("/services/{}", service.id)).await?;
        }
    }
    Ok(())
}

async fn networks(session: &mut Session, stack: &Stack<'_>) -> Result<()> {
    for name in stack.external_networks() {
        let found = session.client.get::<Network>(&format!("/networks/{name}")).await;
        let network = found.map_err(|error| {
            error.or_missing(format!(
                "network \"{name}\" is declared as external, but could not be found. You need to create a \
                 swarm-scoped network before the stack is deployed"
            ))
        })?;
        if network.scope != "swarm" && !matches!(name.as_str(), "host" | "none" | "bridge") {
            bail!(
                "network \"{name}\" is declared as external, but it is not in the right scope: \"{}\" instead of \"swarm\"",
                network.scope
            );
        }
    }
    let known: Vec<Network> = of(session, "/networks", stack.name).await?;
    for network in stack.networks() {
        if known.iter().any(|old| old.name == network.name) {
            continue;
        }
        session.line(format_args!("Creating network {}", network.name))?;
        let made = session.client.post::<NetworkCreated>("/networks/create", &network).await;
        made.with_context(|| format!("failed to create network {}", network.name))?;
    }
    Ok(())
}

/// Makes secrets or configs; of those that are there only the labels may change, and the daemon says so.
async fn payloads(session: &mut Session, what: &str, specs: Vec<SecretSpec>) -> Result<()> {
    if specs.is_empty() {
        return Ok(());
    }
    let known: Vec<Secret> = session.client.get(&format!("/{what}s")).await?;
    let known: BTreeMap<&str, &Secret> = known.iter().map(|one| (one.spec.name.as_str(), one)).collect();
    for spec in specs {
        let name = spec.name.clone();
        let sent = match known.get(name.as_str()) {
            Some(old) => {
                let path = format!("/{what}s/{}/update?version={}", old.id, old.version.index);
                session.client.tell(&path, &spec).await
            }
            None => {
                session.line(format_args!("Creating {what} {name}"))?;
                session.client.post::<Created>(&format!("/{what}s/create"), &spec).await.map(drop)
            }
        };
        sent.with_context(|| format!("failed to deploy {what} {name}"))?;
    }
    Ok(())
}
