//! `skep service update` and `rollback`.

use std::net::IpAddr;

use anyhow::Result;
use api::network::Network as NetworkShape;
use api::service::{Service, ServiceSpec, ServiceUpdated};
use api::spec::container::Ulimit;
use api::spec::resources::GenericResource;
use clap::Args;

use super::sending::{configs, find_networks, secrets, send, set_image, warn};
use crate::options::additions::Additions;
use crate::options::container::{Container, Words, command};
use crate::options::health::Health;
use crate::options::host::{HostEntry, host};
use crate::options::mount::MountWord;
use crate::options::network::Network;
use crate::options::pairs::variable;
use crate::options::placement::Preference;
use crate::options::publish::Ports;
use crate::options::reference::Reference;
use crate::options::removals::{PortName, Removals};
use crate::options::replicas::Replicas;
use crate::options::resources::{Resources, generic};
use crate::options::restart::Restart;
use crate::options::ulimit::ulimit;
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
    /// Do not ask the registry what the image's tag means
    #[arg(long)]
    no_resolve_image: bool,
    /// Send this user's credentials for the registry along
    #[arg(long)]
    with_registry_auth: bool,
    #[command(flatten)]
    waiting: Waiting,
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

/// Whether one waits until all runs.
#[derive(Debug, Args)]
#[group(skip)]
pub(super) struct Waiting {
    /// End at once instead of waiting until all runs
    #[arg(short, long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "false", default_missing_value = "true", action = clap::ArgAction::Set)]
    detach: bool,
    /// Show no progress
    #[arg(short, long)]
    quiet: bool,
}

impl Waiting {
    /// Waits, if that is wished; `name` is how the person calls the service.
    pub(super) async fn wait(&self, session: &Session, service: &str, name: &str) -> Result<()> {
        if self.detach { Ok(()) } else { progress::converge(session, service, name, self.quiet.into()).await }
    }
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
    /// A name server
    #[arg(long, value_name = "IP")]
    dns_add: Vec<IpAddr>,
    /// An option for names
    #[arg(long, value_name = "OPTION")]
    dns_option_add: Vec<String>,
    /// What to append to names
    #[arg(long, value_name = "DOMAIN")]
    dns_search_add: Vec<String>,
    /// A variable of the environment, NAME=VALUE
    #[arg(long, value_name = "VARIABLE", value_parser = variable)]
    env_add: Vec<String>,
    /// What only the operator knows, KIND=NUMBER
    #[arg(long, value_name = "RESOURCE", value_parser = generic)]
    generic_resource_add: Vec<GenericResource>,
    /// One more group of the user
    #[arg(long, value_name = "GROUP")]
    group_add: Vec<String>,
    /// A line of the hosts file, NAME:IP
    #[arg(long, value_name = "ENTRY", value_parser = host)]
    host_add: Vec<HostEntry>,
    /// A label of the service, KEY=VALUE
    #[arg(long, value_name = "LABEL")]
    label_add: Vec<String>,
    /// A mount
    #[arg(long, value_name = "MOUNT")]
    mount_add: Vec<MountWord>,
    /// A network to join
    #[arg(long, value_name = "NETWORK")]
    network_add: Vec<Network>,
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

impl More {
    async fn found(self, session: &Session) -> Result<Additions> {
        Ok(Additions {
            cap_add: self.cap_add,
            cap_drop: self.cap_drop,
            configs: configs(session, self.config_add).await?,
            constraints: self.constraint_add,
            container_labels: self.container_label_add,
            dns: self.dns_add,
            dns_options: self.dns_option_add,
            dns_search: self.dns_search_add,
            env: self.env_add,
            generic_resources: self.generic_resource_add,
            groups: self.group_add,
            hosts: self.host_add,
            labels: self.label_add,
            mounts: self.mount_add,
            networks: self.network_add.into_iter().map(Network::attachment).collect(),
            preferences: self.placement_pref_add,
            ports: self.publish_add,
            secrets: secrets(session, self.secret_add).await?,
            sysctls: self.sysctl_add,
            ulimits: self.ulimit_add,
        })
    }
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
    /// A name server
    #[arg(long, value_name = "IP")]
    dns_rm: Vec<IpAddr>,
    /// An option for names
    #[arg(long, value_name = "OPTION")]
    dns_option_rm: Vec<String>,
    /// What is appended to names
    #[arg(long, value_name = "DOMAIN")]
    dns_search_rm: Vec<String>,
    /// A variable by name
    #[arg(long, value_name = "NAME")]
    env_rm: Vec<String>,
    /// What only the operator knows, by kind
    #[arg(long, value_name = "KIND")]
    generic_resource_rm: Vec<String>,
    /// A group of the user
    #[arg(long, value_name = "GROUP")]
    group_rm: Vec<String>,
    /// A name of the hosts file: NAME or NAME:IP
    #[arg(long, value_name = "NAME")]
    host_rm: Vec<String>,
    /// A label by key
    #[arg(long, value_name = "KEY")]
    label_rm: Vec<String>,
    /// A mount by target
    #[arg(long, value_name = "PATH")]
    mount_rm: Vec<String>,
    /// A network by name
    #[arg(long, value_name = "NETWORK")]
    network_rm: Vec<String>,
    /// Where tasks run rather
    #[arg(long, value_name = "PREFERENCE")]
    placement_pref_rm: Vec<Preference>,
    /// A port by its number in the containers: PORT[/PROTOCOL]
    #[arg(long, value_name = "PORT")]
    publish_rm: Vec<PortName>,
    /// A secret by name
    #[arg(long, value_name = "NAME")]
    secret_rm: Vec<String>,
    /// A kernel parameter by name
    #[arg(long, value_name = "NAME")]
    sysctl_rm: Vec<String>,
    /// A bound of processes by name
    #[arg(long, value_name = "NAME")]
    ulimit_rm: Vec<String>,
}

impl Less {
    async fn found(self, session: &Session) -> Result<Removals> {
        let mut networks = Vec::new();
        for name in self.network_rm {
            let found: NetworkShape = session.client.get(&format!("/networks/{name}?scope=swarm")).await?;
            networks.extend([found.id, name]);
        }
        Ok(Removals {
            configs: self.config_rm,
            constraints: self.constraint_rm,
            container_labels: self.container_label_rm,
            dns: self.dns_rm.iter().map(IpAddr::to_string).collect(),
            dns_options: self.dns_option_rm,
            dns_search: self.dns_search_rm,
            env: self.env_rm,
            generic_resources: self.generic_resource_rm,
            groups: self.group_rm,
            hosts: self.host_rm,
            labels: self.label_rm,
            mounts: self.mount_rm,
            networks,
            preferences: self.placement_pref_rm,
            ports: self.publish_rm,
            secrets: self.secret_rm,
            sysctls: self.sysctl_rm,
            ulimits: self.ulimit_rm,
        })
    }
}

impl Update {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let service: Service = session.client.get(&format!("/services/{}", self.service)).await?;
        if self.rollback {
            return back(session, &service, &self.service, &self.waiting).await;
        }
        let (name, waiting, sends_auth) = (self.service.clone(), self.waiting, self.with_registry_auth);
        let mut spec = service.spec;
        if let Some(image) = &self.image {
            set_image(session, &mut spec, image, self.no_resolve_image).await?;
        }
        let container = spec.task_template.container_spec.get_or_insert_default();
        if let Some(Words(words)) = self.args {
            container.args = words;
        }
        self.health.apply(&mut container.healthcheck)?;
        self.less.found(session).await?.apply(&mut spec);
        self.replicas.apply(&mut spec)?;
        self.container.apply(&mut spec);
        self.resources.apply(&mut spec.task_template);
        self.restart.apply(&mut spec.task_template);
        self.update.apply(&mut spec);
        self.back.apply(&mut spec);
        self.more.found(session).await?.apply(&mut spec);
        find_networks(session, &mut spec).await?;
        spec.task_template.force_update += u64::from(self.force);
        let path = format!(
            "/services/{}/update?version={}&registryAuthFrom=spec",
            service.id, service.version.index
        );
        let updated: ServiceUpdated = send(session, &path, &spec, image_for_auth(&spec, sends_auth)).await?;
        warn(&updated.warnings);
        session.line(&name)?;
        waiting.wait(session, &service.id, &name).await
    }
}

/// The image whose registry's credentials go along, if they shall.
pub(super) fn image_for_auth(spec: &ServiceSpec, is_wished: bool) -> Option<&str> {
    spec.task_template.container_spec.as_ref().map(|container| container.image.as_str()).filter(|_| is_wished)
}

/// Go back to what a service was before its last update
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep service rollback web")]
pub(crate) struct Rollback {
    /// Which, by id or name
    service: String,
    #[command(flatten)]
    waiting: Waiting,
}

impl Rollback {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let service: Service = session.client.get(&format!("/services/{}", self.service)).await?;
        back(session, &service, &self.service, &self.waiting).await
    }
}

async fn back(session: &mut Session, service: &Service, name: &str, waiting: &Waiting) -> Result<()> {
    let path = format!("/services/{}/update?rollback=previous&version={}", service.id, service.version.index);
    let updated: ServiceUpdated = send(session, &path, &service.spec, None).await?;
    warn(&updated.warnings);
    session.line(name)?;
    waiting.wait(session, &service.id, name).await
}
