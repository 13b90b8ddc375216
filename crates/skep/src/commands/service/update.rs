//! `skep service update` and `rollback`, and what `create` shares with them.

use anyhow::{Context, Result, bail};
use api::service::{Service, ServiceSpec, ServiceUpdated};
use api::spec::container::Ulimit;
use api::spec::reference::{ConfigReference, SecretReference};
use bytes::Bytes;
use clap::Args;
use http_body_util::{BodyExt, Full};
use hyper::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::options::additions::{Additions, ulimit, without};
use crate::options::container::{Container, Words, command};
use crate::options::health::Health;
use crate::options::mount::MountWord;
use crate::options::placement::Preference;
use crate::options::publish::Ports;
use crate::options::reference::Reference;
use crate::options::replicas::Replicas;
use crate::options::resources::Resources;
use crate::options::restart::Restart;
use crate::options::update as policy;
use crate::output::progress;
use crate::session::Session;

/// Change a service
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  skep service update --image nginx:1.27 web\n  skep service update --env-add LEVEL=debug --force web"
)]
pub(crate) struct Update {
    /// Which, by id or name
    service: String,
    /// Another image
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// Another command
    #[arg(long, value_name = "COMMAND", value_parser = command)]
    args: Option<Words>,
    /// Renew all tasks even if nothing changed
    #[arg(long)]
    force: bool,
    /// Go back to what the service was before
    #[arg(long)]
    rollback: bool,
    /// End at once instead of waiting until all runs
    #[arg(short, long)]
    detach: bool,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
    /// Do not ask the registry what the image's tag means
    #[arg(long)]
    no_resolve_image: bool,
    #[command(flatten)]
    more: More,
    #[command(flatten)]
    less: Less,
    #[command(flatten)]
    replicas: Replicas,
    #[command(flatten)]
    container: Container,
    #[command(flatten)]
    health: Health,
    #[command(flatten)]
    resources: Resources,
    #[command(flatten)]
    restart: Restart,
    #[command(flatten)]
    update: policy::Update,
    #[command(flatten)]
    back: policy::Rollback,
}

/// What is added; each may be given several times.
#[derive(Debug, Args)]
struct More {
    /// A capability beyond the usual
    #[arg(long, value_name = "NAME")]
    cap_add: Vec<String>,
    /// A capability less than the usual
    #[arg(long, value_name = "NAME")]
    cap_drop: Vec<String>,
    /// A config to show
    #[arg(long, value_name = "CONFIG")]
    config_add: Vec<Reference>,
    /// Where tasks may run
    #[arg(long, value_name = "CONSTRAINT")]
    constraint_add: Vec<String>,
    /// A label of the containers, KEY=VALUE
    #[arg(long, value_name = "LABEL")]
    container_label_add: Vec<String>,
    /// A variable of the environment, NAME=VALUE
    #[arg(long, value_name = "VARIABLE", value_parser = crate::options::additions::variable)]
    env_add: Vec<String>,
    /// A label of the service, KEY=VALUE
    #[arg(long, value_name = "LABEL")]
    label_add: Vec<String>,
    /// A mount
    #[arg(long, value_name = "MOUNT")]
    mount_add: Vec<MountWord>,
    /// Where tasks run rather
    #[arg(long, value_name = "PREFERENCE")]
    placement_pref_add: Vec<Preference>,
    /// A port to publish
    #[arg(long, value_name = "PORT")]
    publish_add: Vec<Ports>,
    /// A secret to show
    #[arg(long, value_name = "SECRET")]
    secret_add: Vec<Reference>,
    /// A kernel parameter
    #[arg(long, value_name = "PARAMETER")]
    sysctl_add: Vec<String>,
    /// A bound of processes
    #[arg(long, value_name = "BOUND", value_parser = ulimit)]
    ulimit_add: Vec<Ulimit>,
}

/// What is taken away; each may be given several times.
#[derive(Debug, Args)]
struct Less {
    /// A config by name
    #[arg(long, value_name = "NAME")]
    config_rm: Vec<String>,
    /// A constraint
    #[arg(long, value_name = "CONSTRAINT")]
    constraint_rm: Vec<String>,
    /// A label of the containers by key
    #[arg(long, value_name = "KEY")]
    container_label_rm: Vec<String>,
    /// A variable by name
    #[arg(long, value_name = "NAME")]
    env_rm: Vec<String>,
    /// A label by key
    #[arg(long, value_name = "KEY")]
    label_rm: Vec<String>,
    /// A mount by target
    #[arg(long, value_name = "PATH")]
    mount_rm: Vec<String>,
    /// A port by its number in the containers
    #[arg(long, value_name = "PORT")]
    publish_rm: Vec<u32>,
    /// A secret by name
    #[arg(long, value_name = "NAME")]
    secret_rm: Vec<String>,
}

impl Less {
    fn apply(self, spec: &mut ServiceSpec) {
        without(&mut spec.labels, &self.label_rm);
        if let Some(endpoint) = &mut spec.endpoint_spec {
            endpoint.ports.retain(|port| !self.publish_rm.contains(&port.target_port));
        }
        if let Some(placement) = &mut spec.task_template.placement {
            placement.constraints.retain(|constraint| !self.constraint_rm.contains(constraint));
        }
        let container = spec.task_template.container_spec.get_or_insert_default();
        without(&mut container.labels, &self.container_label_rm);
        let name = |word: &String| word.split('=').next().unwrap_or_default().to_owned();
        container.env.retain(|word| !self.env_rm.contains(&name(word)));
        container.mounts.retain(|mount| !self.mount_rm.contains(&mount.target));
        container.secrets.retain(|secret| !self.secret_rm.contains(&secret.secret_name));
        container.configs.retain(|config| !self.config_rm.contains(&config.config_name));
    }
}

impl More {
    async fn found(self, session: &Session) -> Result<Additions> {
        Ok(Additions {
            cap_add: self.cap_add,
            cap_drop: self.cap_drop,
            configs: configs(session, self.config_add).await?,
            constraints: self.constraint_add,
            container_labels: self.container_label_add,
            env: self.env_add,
            labels: self.label_add,
            mounts: self.mount_add,
            preferences: self.placement_pref_add,
            ports: self.publish_add,
            secrets: secrets(session, self.secret_add).await?,
            sysctls: self.sysctl_add,
            ulimits: self.ulimit_add,
            ..Additions::default()
        })
    }
}

impl Update {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let service: Service = session.client.get(&format!("/services/{}", self.service)).await?;
        let path = format!("/services/{}/update?version={}", service.id, service.version.index);
        if self.rollback {
            return back(session, &service, &self.service, self.detach, self.quiet).await;
        }
        let mut spec = service.spec;
        let container = spec.task_template.container_spec.get_or_insert_default();
        if let Some(image) = &self.image {
            container.image = resolved(session, image, self.no_resolve_image).await?;
        }
        if let Some(Words(words)) = self.args {
            container.args = words;
        }
        self.health.apply(container)?;
        self.less.apply(&mut spec);
        self.replicas.apply(&mut spec)?;
        self.container.apply(&mut spec);
        self.resources.apply(&mut spec.task_template);
        self.restart.apply(&mut spec.task_template);
        self.update.apply(&mut spec);
        self.back.apply(&mut spec);
        self.more.found(session).await?.apply(&mut spec);
        spec.task_template.force_update += u64::from(self.force);
        let updated: ServiceUpdated =
            send(session, &format!("{path}&registryAuthFrom=spec"), &spec, "").await?;
        for warning in updated.warnings {
            session.line(format_args!("WARNING: {warning}"))?;
        }
        session.line(&self.service)?;
        if self.detach { Ok(()) } else { progress::converge(session, &service.id, self.quiet).await }
    }
}

/// Go back to what a service was before its last update
#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// Which, by id or name
    service: String,
    /// End at once instead of waiting until all runs
    #[arg(short, long)]
    detach: bool,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

impl Rollback {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let service: Service = session.client.get(&format!("/services/{}", self.service)).await?;
        back(session, &service, &self.service, self.detach, self.quiet).await
    }
}

async fn back(session: &mut Session, service: &Service, name: &str, detach: bool, quiet: bool) -> Result<()> {
    let path = format!("/services/{}/update?rollback=previous&version={}", service.id, service.version.index);
    let _: ServiceUpdated = send(session, &path, &service.spec, "").await?;
    session.line(name)?;
    if detach { Ok(()) } else { progress::converge(session, &service.id, quiet).await }
}

/// Sends a spec, with credentials for a registry if there are any.
pub(super) async fn send<T: DeserializeOwned>(
    session: &Session,
    path: &str,
    spec: &impl Serialize,
    auth: &str,
) -> Result<T> {
    let request = session.client.request(Method::POST, path).header("x-registry-auth", auth);
    let request = request.body(Full::new(Bytes::from(serde_json::to_vec(spec)?)))?;
    let body = session.client.exchange(request).await?.into_body().collect().await?.to_bytes();
    Ok(api::read(&body)?)
}

/// The image with the digest that its tag means now, as far as its registry says.
pub(super) async fn resolved(session: &mut Session, image: &str, as_it_is: bool) -> Result<String> {
    if as_it_is || image.contains('@') {
        return Ok(image.to_owned());
    }
    let asked =
        session.client.get::<api::image::DistributionInspect>(&format!("/distribution/{image}/json")).await;
    let Ok(found) = asked else {
        session.line(format_args!(
            "image {image} could not be accessed on a registry to record\nits digest. Each node will access \
             {image} independently,\npossibly leading to different nodes running different\nversions of the image.\n"
        ))?;
        return Ok(image.to_owned());
    };
    let reference =
        model::image::ImageRef::parse(image).map_err(|refusal| anyhow::anyhow!(refusal.message))?;
    Ok(format!("{}@{}", reference.familiar(), found.descriptor.digest))
}

/// Secrets by name.
pub(super) async fn secrets(session: &Session, wished: Vec<Reference>) -> Result<Vec<SecretReference>> {
    if wished.is_empty() {
        return Ok(Vec::new());
    }
    let all: Vec<api::secret::Secret> = session.client.get("/secrets").await?;
    let find = |wish: Reference| {
        let secret = all.iter().find(|secret| secret.spec.name == wish.source);
        let secret = secret.with_context(|| format!("secret not found: {}", wish.source))?;
        Ok(SecretReference { file: Some(wish.file), secret_id: secret.id.clone(), secret_name: wish.source })
    };
    wished.into_iter().map(find).collect()
}

/// Configs by name.
pub(super) async fn configs(session: &Session, wished: Vec<Reference>) -> Result<Vec<ConfigReference>> {
    if wished.is_empty() {
        return Ok(Vec::new());
    }
    let all: Vec<api::config::Config> = session.client.get("/configs").await?;
    let mut found = Vec::new();
    for wish in wished {
        let Some(config) = all.iter().find(|config| config.spec.name == wish.source) else {
            bail!("config not found: {}", wish.source);
        };
        found.push(ConfigReference {
            file: Some(wish.file),
            runtime: None,
            config_id: config.id.clone(),
            config_name: wish.source,
        });
    }
    Ok(found)
}
