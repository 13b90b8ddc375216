//! `skep service create`.

use std::net::IpAddr;

use anyhow::Result;
use api::service::{ServiceCreated, ServiceSpec};
use api::spec::container::Ulimit;
use api::spec::resources::GenericResource;
use clap::Args;

use super::sending::{configs, find_networks, secrets, send, set_image, warn};
use super::update::{Waiting, image_for_auth};
use crate::options::additions::Additions;
use crate::options::container::Container;
use crate::options::health::Health;
use crate::options::host::{HostEntry, host};
use crate::options::mount::MountWord;
use crate::options::network::Network;
use crate::options::pairs::Variables;
use crate::options::placement::Preference;
use crate::options::publish::Ports;
use crate::options::reference::Reference;
use crate::options::replicas::Replicas;
use crate::options::resources::{Resources, generic};
use crate::options::restart::Restart;
use crate::options::ulimit::ulimit;
use crate::options::update::{Rollback, Update};
use crate::session::Session;

/// Create a service
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  skep service create --name web --replicas 3 --publish 8080:80 nginx\n  \
                        skep service create --name once --mode replicated-job --replicas 5 alpine true"
)]
pub(crate) struct Create {
    /// The image
    image: String,
    /// The command, instead of the image's
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    command: Vec<String>,
    /// Its name; chosen if not given
    #[arg(long, value_name = "NAME", default_value = "")]
    name: String,
    /// How many, and where: replicated, global, replicated-job, global-job
    #[arg(long, value_name = "WORD", default_value = "replicated")]
    mode: String,
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
    update: Update,
    #[command(flatten)]
    rollback: Rollback,
}

/// What may be given several times.
#[derive(Debug, Args)]
pub(super) struct More {
    /// A capability beyond the usual
    #[arg(long, value_name = "NAME")]
    cap_add: Vec<String>,
    /// A capability less than the usual
    #[arg(long, value_name = "NAME")]
    cap_drop: Vec<String>,
    /// A config to show: NAME, or source=,target=,uid=,gid=,mode=
    #[arg(long, value_name = "CONFIG")]
    config: Vec<Reference>,
    /// Where tasks may run, such as node.role==worker
    #[arg(long, value_name = "CONSTRAINT")]
    constraint: Vec<String>,
    /// A label of the containers, KEY=VALUE
    #[arg(long, value_name = "LABEL")]
    container_label: Vec<String>,
    /// A name server
    #[arg(long, value_name = "IP")]
    dns: Vec<IpAddr>,
    /// An option for names
    #[arg(long, value_name = "OPTION")]
    dns_option: Vec<String>,
    /// What to append to names
    #[arg(long, value_name = "DOMAIN")]
    dns_search: Vec<String>,
    #[command(flatten)]
    variables: Variables,
    /// What only the operator knows, KIND=NUMBER
    #[arg(long, value_name = "RESOURCE", value_parser = generic)]
    generic_resource: Vec<GenericResource>,
    /// One more group of the user
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// A line of the hosts file, NAME:IP
    #[arg(long = "host", value_name = "ENTRY", value_parser = host)]
    hosts: Vec<HostEntry>,
    /// A label of the service, KEY=VALUE
    #[arg(short, long, value_name = "LABEL")]
    label: Vec<String>,
    /// Something of the host, or a volume: type=,source=,target=,…
    #[arg(long, value_name = "MOUNT")]
    mount: Vec<MountWord>,
    /// A network to join
    #[arg(long, value_name = "NETWORK")]
    network: Vec<Network>,
    /// Where tasks run rather, such as spread=node.labels.zone
    #[arg(long, value_name = "PREFERENCE")]
    placement_pref: Vec<Preference>,
    /// A port to publish: PUBLISHED:TARGET[/PROTOCOL], or published=,target=,protocol=,mode=
    #[arg(short, long, value_name = "PORT")]
    publish: Vec<Ports>,
    /// A secret to show: NAME, or source=,target=,uid=,gid=,mode=
    #[arg(long, value_name = "SECRET")]
    secret: Vec<Reference>,
    /// A kernel parameter, NAME=VALUE
    #[arg(long, value_name = "PARAMETER")]
    sysctl: Vec<String>,
    /// A bound of processes, NAME=SOFT or NAME=SOFT:HARD
    #[arg(long, value_name = "BOUND", value_parser = ulimit)]
    ulimit: Vec<Ulimit>,
}

impl More {
    /// The same as merging takes it, with secrets and configs found by name.
    async fn found(self, session: &Session) -> Result<Additions> {
        Ok(Additions {
            cap_add: self.cap_add,
            cap_drop: self.cap_drop,
            configs: configs(session, self.config).await?,
            constraints: self.constraint,
            container_labels: self.container_label,
            dns: self.dns,
            dns_options: self.dns_option,
            dns_search: self.dns_search,
            env: self.variables.all(),
            generic_resources: self.generic_resource,
            groups: self.group,
            hosts: self.hosts,
            labels: self.label,
            mounts: self.mount,
            networks: self.network.into_iter().map(Network::attachment).collect(),
            preferences: self.placement_pref,
            ports: self.publish,
            secrets: secrets(session, self.secret).await?,
            sysctls: self.sysctl,
            ulimits: self.ulimit,
        })
    }
}

impl Create {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut spec = ServiceSpec { name: self.name, ..ServiceSpec::default() };
        spec.mode = self.replicas.mode(&self.mode)?;
        self.replicas.limit(&mut spec);
        set_image(session, &mut spec, &self.image, self.no_resolve_image).await?;
        let container = spec.task_template.container_spec.get_or_insert_default();
        container.args = self.command;
        self.health.apply(&mut container.healthcheck)?;
        self.container.apply(&mut spec);
        self.resources.apply(&mut spec.task_template);
        self.restart.apply(&mut spec.task_template);
        self.update.apply(&mut spec);
        self.rollback.apply(&mut spec);
        self.more.found(session).await?.apply(&mut spec);
        find_networks(session, &mut spec).await?;
        let auth = image_for_auth(&spec, self.with_registry_auth);
        let created: ServiceCreated = send(session, "/services/create", &spec, auth).await?;
        warn(&created.warnings);
        session.line(&created.id)?;
        self.waiting.wait(session, &created.id, &created.id).await
    }
}
