//! `skep service update` and `rollback`.

use std::net::IpAddr;

use anyhow::Result;
use api::network::Network as NetworkShape;
use api::service::{Service, ServiceSpec, ServiceUpdated};
use api::spec::container::Ulimit;
use api::spec::resources::GenericResource;
use clap::Args;

use super::sending::{Named, find_networks, send, set_image, warn};
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
    fn apply(self, spec: &mut ServiceSpec) -> Named {
        let additions = Additions {
            cap_add: self.cap_add,
            cap_drop: self.cap_drop,
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
            sysctls: self.sysctl_add,
            ulimits: self.ulimit_add,
        };
        additions.apply(spec);
        Named { secrets: self.secret_add, configs: self.config_add }
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
    /// Takes all off the spec, which names networks by the ids that are handed in.
    fn apply(self, networks: Vec<String>, spec: &mut ServiceSpec) {
        let removals = Removals {
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
        };
        removals.apply(spec);
    }
}

impl Update {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let service: Service = session.client.get(&format!("/services/{}", self.service)).await?;
        if self.rollback {
            return back(session, &service, &self.service, &self.waiting).await;
        }
        let mut networks = Vec::new();
        for name in &self.less.network_rm {
            let found: NetworkShape = session.client.get(&format!("/networks/{name}?scope=swarm")).await?;
            networks.push(found.id);
        }
        let (name, image, as_it_is) = (self.service.clone(), self.image.clone(), self.no_resolve_image);
        let sends_auth = self.with_registry_auth;
        let mut spec = service.spec;
        let (named, waiting) = self.apply(networks, &mut spec)?;
        if let Some(image) = image {
            set_image(session, &mut spec, &image, as_it_is).await?;
        }
        named.find(session, &mut spec).await?;
        find_networks(session, &mut spec).await?;
        let path = format!(
            "/services/{}/update?version={}&registryAuthFrom=spec",
            service.id, service.version.index
        );
        let updated: ServiceUpdated = send(session, &path, &spec, image_for_auth(&spec, sends_auth)).await?;
        warn(&updated.warnings);
        session.line(&name)?;
        waiting.wait(session, &service.id, &name).await
    }

    /// Writes what the words alone say into the spec; nobody is asked.
    fn apply(self, networks: Vec<String>, spec: &mut ServiceSpec) -> Result<(Named, Waiting)> {
        let container = spec.task_template.container_spec.get_or_insert_default();
        if let Some(Words(words)) = self.args {
            container.args = words;
        }
        self.health.apply(&mut container.healthcheck)?;
        self.less.apply(networks, spec);
        self.replicas.apply(spec)?;
        self.container.apply(spec);
        self.resources.apply(&mut spec.task_template);
        self.restart.apply(&mut spec.task_template);
        self.update.apply(spec);
        self.back.apply(spec);
        spec.task_template.force_update += u64::from(self.force);
        Ok((self.more.apply(spec), self.waiting))
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

#[cfg(test)]
mod tests {
    use clap::Parser;
    use serde_json::{Value, json};

    use super::*;

    #[derive(Debug, Parser)]
    struct Typed {
        #[command(flatten)]
        update: Update,
    }

    const BEFORE: &str = r#"{"Labels":{"a":"1"},"Mode":{"Replicated":{"Replicas":1}},
        "EndpointSpec":{"Ports":[{"Protocol":"tcp","TargetPort":80,"PublishedPort":8080}]},
        "TaskTemplate":{"Networks":[{"Target":"n1"}],"Placement":{"Constraints":["x==1"]},
        "ContainerSpec":{"Image":"web","Env":["A=1"],"Hosts":["1.2.3.4 a"],"Groups":["g"],
        "Mounts":[{"Type":"tmpfs","Target":"/t"}],"Secrets":[{"SecretName":"key"}]}}}"#;

    /// Each flag, and what of the spec is different then; `null` means that it is gone.
    #[test]
    fn every_flag_is_heard() {
        let container = "/TaskTemplate/ContainerSpec";
        let table: &[(&str, &str, Value)] = &[
            ("--args a@b", "C/Args", json!(["a", "b"])),
            ("--env-add B=2", "C/Env", json!(["A=1", "B=2"])),
            ("--env-add A=2", "C/Env", json!(["A=2"])),
            ("--env-rm A", "C/Env", Value::Null),
            ("--label-add b=2", "/Labels", json!({"a": "1", "b": "2"})),
            ("--label-rm a", "/Labels", json!({})),
            ("--container-label-add b=2", "C/Labels", json!({"b": "2"})),
            ("--publish-add 81:81", "/EndpointSpec/Ports/1/TargetPort", json!(81)),
            ("--publish-rm 80", "/EndpointSpec/Ports", Value::Null),
            ("--network-add n2", "/TaskTemplate/Networks/1/Target", json!("n2")),
            ("--constraint-add y==1", "/TaskTemplate/Placement/Constraints", json!(["x==1", "y==1"])),
            ("--constraint-rm x==1", "/TaskTemplate/Placement/Constraints", Value::Null),
            (
                "--placement-pref-add spread=node.labels.z",
                "/TaskTemplate/Placement/Preferences/0/Spread/SpreadDescriptor",
                json!("node.labels.z"),
            ),
            ("--host-add b:1.2.3.4", "C/Hosts", json!(["1.2.3.4 a", "1.2.3.4 b"])),
            ("--host-rm a", "C/Hosts", Value::Null),
            ("--dns-add 1.1.1.1", "C/DNSConfig/Nameservers", json!(["1.1.1.1"])),
            ("--dns-option-add x", "C/DNSConfig/Options", json!(["x"])),
            ("--dns-search-add x", "C/DNSConfig/Search", json!(["x"])),
            (
                "--generic-resource-add gpu=1",
                "/TaskTemplate/Resources/Reservations/GenericResources/0/DiscreteResourceSpec/Kind",
                json!("gpu"),
            ),
            ("--group-add h", "C/Groups", json!(["g", "h"])),
            ("--group-rm g", "C/Groups", Value::Null),
            ("--mount-add type=tmpfs,dst=/u", "C/Mounts/1/Target", json!("/u")),
            ("--mount-rm /t", "C/Mounts", Value::Null),
            ("--secret-rm key", "C/Secrets", Value::Null),
            ("--sysctl-add a=b", "C/Sysctls", json!({"a": "b"})),
            ("--ulimit-add core=1", "C/Ulimits/0/Soft", json!(1)),
            ("--cap-add x", "C/CapabilityAdd", json!(["CAP_X"])),
            ("--cap-drop x", "C/CapabilityDrop", json!(["CAP_X"])),
            ("--replicas 3", "/Mode/Replicated/Replicas", json!(3)),
            ("--replicas-max-per-node 3", "/TaskTemplate/Placement/MaxReplicas", json!(3)),
            ("--force", "/TaskTemplate/ForceUpdate", json!(1)),
            ("--limit-memory 1m", "/TaskTemplate/Resources/Limits/MemoryBytes", json!(1_048_576)),
            ("--update-parallelism 4", "/UpdateConfig/Parallelism", json!(4)),
            ("--rollback-parallelism 4", "/RollbackConfig/Parallelism", json!(4)),
            ("--restart-condition none", "/TaskTemplate/RestartPolicy/Condition", json!("none")),
            ("--health-cmd x", "C/Healthcheck/Test", json!(["CMD-SHELL", "x"])),
            ("--tty=true", "C/TTY", json!(true)),
            ("--hostname h", "C/Hostname", json!("h")),
        ];
        for (line, pointer, expected) in table {
            let words = line.split(' ').map(|word| word.replace('@', " "));
            let words = ["update".to_owned()].into_iter().chain(words).chain(["web".to_owned()]);
            let mut spec: ServiceSpec = api::read(BEFORE.as_bytes()).unwrap();
            Typed::try_parse_from(words).unwrap().update.apply(Vec::new(), &mut spec).unwrap();
            let spec = serde_json::to_value(spec).unwrap();
            let pointer = match pointer.strip_prefix('C') {
                Some(rest) => format!("{container}{rest}"),
                None => (*pointer).to_owned(),
            };
            assert_eq!(spec.pointer(&pointer).unwrap_or(&Value::Null), expected, "{line}");
        }
    }

    #[test]
    fn what_no_spec_knows_is_heard_too() {
        let words = "x --image web:2 --rollback --no-resolve-image --with-registry-auth -d -q --network-rm n1 \
                     --secret-add key --config-add site --config-rm old web";
        let update = Typed::try_parse_from(words.split_whitespace()).unwrap().update;
        assert_eq!((update.image.as_deref(), update.rollback), (Some("web:2"), true));
        let mut spec: ServiceSpec = api::read(BEFORE.as_bytes()).unwrap();
        let (named, _) = update.apply(vec!["n1".to_owned()], &mut spec).unwrap();
        assert_eq!((named.secrets.len(), named.configs.len()), (1, 1));
        assert!(spec.task_template.networks.is_empty());
    }
}
