//! `skep service create`.

use std::net::IpAddr;

use anyhow::Result;
use api::service::{ServiceCreated, ServiceSpec};
use api::spec::container::Ulimit;
use api::spec::resources::GenericResource;
use clap::Args;

use super::sending::{Named, find_networks, send, set_image, warn};
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
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
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
    /// The same as merging takes it.
    fn apply(self, spec: &mut ServiceSpec) -> Named {
        let additions = Additions {
            cap_add: self.cap_add,
            cap_drop: self.cap_drop,
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
            sysctls: self.sysctl,
            ulimits: self.ulimit,
        };
        additions.apply(spec);
        Named { secrets: self.secret, configs: self.config }
    }
}

impl Create {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let (image, as_it_is) = (self.image.clone(), self.no_resolve_image);
        let (sends_auth, Draft { mut spec, named, waiting }) = (self.with_registry_auth, self.draft()?);
        set_image(session, &mut spec, &image, as_it_is).await?;
        named.find(session, &mut spec).await?;
        find_networks(session, &mut spec).await?;
        let auth = image_for_auth(&spec, sends_auth);
        let created: ServiceCreated = send(session, "/services/create", &spec, auth).await?;
        warn(&created.warnings);
        session.line(&created.id)?;
        waiting.wait(session, &created.id, &created.id).await
    }

    /// What the words alone say; nobody is asked.
    fn draft(self) -> Result<Draft> {
        let mut spec = ServiceSpec { name: self.name, ..ServiceSpec::default() };
        spec.mode = self.replicas.mode(&self.mode)?;
        self.replicas.limit(&mut spec);
        let container = spec.task_template.container_spec.get_or_insert_default();
        container.args = self.command;
        self.health.apply(&mut container.healthcheck)?;
        self.container.apply(&mut spec);
        self.resources.apply(&mut spec.task_template);
        self.restart.apply(&mut spec.task_template);
        self.update.apply(&mut spec);
        self.rollback.apply(&mut spec);
        let named = self.more.apply(&mut spec);
        Ok(Draft { spec, named, waiting: self.waiting })
    }
}

/// A service in the making.
struct Draft {
    spec: ServiceSpec,
    named: Named,
    waiting: Waiting,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Debug, Parser)]
    struct Words {
        #[command(flatten)]
        create: Create,
    }

    fn draft(line: &str) -> Result<Draft> {
        let words = std::iter::once("create").chain(line.split(' ')).chain(["web"]);
        Words::try_parse_from(words)?.create.draft()
    }

    /// Each flag, and where in the spec it shows; a pointer that begins with `C` goes on within the container.
    const FLAGS: &[(&str, &str, &str)] = &[
        ("--cap-add net_admin", "C/CapabilityAdd", r#"["CAP_NET_ADMIN"]"#),
        ("--cap-drop ALL", "C/CapabilityDrop", r#"["ALL"]"#),
        (
            "--constraint node.role==manager",
            "/TaskTemplate/Placement/Constraints",
            r#"["node.role==manager"]"#,
        ),
        ("--container-label a=b", "C/Labels", r#"{"a": "b"}"#),
        ("--credential-spec file://x", "C/Privileges/CredentialSpec/File", r#""x""#),
        ("--dns 1.1.1.1", "C/DNSConfig/Nameservers", r#"["1.1.1.1"]"#),
        ("--dns-option x", "C/DNSConfig/Options", r#"["x"]"#),
        ("--dns-search x", "C/DNSConfig/Search", r#"["x"]"#),
        ("--endpoint-mode dnsrr", "/EndpointSpec/Mode", r#""dnsrr""#),
        ("--entrypoint sh", "C/Command", r#"["sh"]"#),
        ("-e A=1", "C/Env", r#"["A=1"]"#),
        (
            "--generic-resource gpu=2",
            "/TaskTemplate/Resources/Reservations/GenericResources/0/DiscreteResourceSpec/Value",
            r#"2"#,
        ),
        ("--group g", "C/Groups", r#"["g"]"#),
        ("--health-cmd x", "C/Healthcheck/Test", r#"["CMD-SHELL", "x"]"#),
        ("--health-interval 1s", "C/Healthcheck/Interval", r#"1000000000"#),
        ("--health-retries 3", "C/Healthcheck/Retries", r#"3"#),
        ("--health-start-interval 1s", "C/Healthcheck/StartInterval", r#"1000000000"#),
        ("--health-start-period 1s", "C/Healthcheck/StartPeriod", r#"1000000000"#),
        ("--health-timeout 1s", "C/Healthcheck/Timeout", r#"1000000000"#),
        ("--no-healthcheck", "C/Healthcheck/Test", r#"["NONE"]"#),
        ("--host a:1.2.3.4", "C/Hosts", r#"["1.2.3.4 a"]"#),
        ("--hostname h", "C/Hostname", r#""h""#),
        ("--init", "C/Init", r#"true"#),
        ("--isolation process", "C/Isolation", r#""process""#),
        ("-l a=b", "/Labels", r#"{"a": "b"}"#),
        ("--limit-cpu .5", "/TaskTemplate/Resources/Limits/NanoCPUs", r#"500000000"#),
        ("--limit-memory 1m", "/TaskTemplate/Resources/Limits/MemoryBytes", r#"1048576"#),
        ("--limit-pids 5", "/TaskTemplate/Resources/Limits/Pids", r#"5"#),
        (
            "--log-driver local --log-opt a=b",
            "/TaskTemplate/LogDriver",
            r#"{"Name": "local", "Options": {"a": "b"}}"#,
        ),
        ("--mode replicated-job --max-concurrent 2", "/Mode/ReplicatedJob/MaxConcurrent", r#"2"#),
        ("--memory-swap -1", "/TaskTemplate/Resources/SwapBytes", r#"-1"#),
        ("--memory-swappiness 5", "/TaskTemplate/Resources/MemorySwappiness", r#"5"#),
        ("--mode global", "/Mode/Global", r#"{}"#),
        ("--mount type=tmpfs,dst=/t", "C/Mounts/0/Target", r#""/t""#),
        ("--name n", "/Name", r#""n""#),
        ("--network name=n,alias=a", "/TaskTemplate/Networks/0/Aliases", r#"["a"]"#),
        ("--oom-score-adj -5", "C/OomScoreAdj", r#"-5"#),
        (
            "--placement-pref spread=node.labels.z",
            "/TaskTemplate/Placement/Preferences/0/Spread/SpreadDescriptor",
            r#""node.labels.z""#,
        ),
        ("-p 8080:80", "/EndpointSpec/Ports/0/PublishedPort", r#"8080"#),
        ("--read-only", "C/ReadOnly", r#"true"#),
        ("--replicas 3", "/Mode/Replicated/Replicas", r#"3"#),
        ("--replicas-max-per-node 2", "/TaskTemplate/Placement/MaxReplicas", r#"2"#),
        ("--reserve-cpu 1", "/TaskTemplate/Resources/Reservations/NanoCPUs", r#"1000000000"#),
        ("--reserve-memory 1k", "/TaskTemplate/Resources/Reservations/MemoryBytes", r#"1024"#),
        ("--restart-condition none", "/TaskTemplate/RestartPolicy/Condition", r#""none""#),
        ("--restart-delay 1s", "/TaskTemplate/RestartPolicy/Delay", r#"1000000000"#),
        ("--restart-max-attempts 3", "/TaskTemplate/RestartPolicy/MaxAttempts", r#"3"#),
        ("--restart-window 1s", "/TaskTemplate/RestartPolicy/Window", r#"1000000000"#),
        ("--rollback-delay 1s", "/RollbackConfig/Delay", r#"1000000000"#),
        ("--rollback-failure-action continue", "/RollbackConfig/FailureAction", r#""continue""#),
        ("--rollback-max-failure-ratio .5", "/RollbackConfig/MaxFailureRatio", r#"0.5"#),
        ("--rollback-monitor 1s", "/RollbackConfig/Monitor", r#"1000000000"#),
        ("--rollback-order start-first", "/RollbackConfig/Order", r#""start-first""#),
        ("--rollback-parallelism 0", "/RollbackConfig/Parallelism", r#"0"#),
        ("--stop-grace-period 1s", "C/StopGracePeriod", r#"1000000000"#),
        ("--stop-signal INT", "C/StopSignal", r#""INT""#),
        ("--sysctl a=b", "C/Sysctls", r#"{"a": "b"}"#),
        ("-t", "C/TTY", r#"true"#),
        ("--ulimit nofile=1:2", "C/Ulimits/0/Hard", r#"2"#),
        ("--update-delay 1s", "/UpdateConfig/Delay", r#"1000000000"#),
        ("--update-failure-action rollback", "/UpdateConfig/FailureAction", r#""rollback""#),
        ("--update-max-failure-ratio .5", "/UpdateConfig/MaxFailureRatio", r#"0.5"#),
        ("--update-monitor 1s", "/UpdateConfig/Monitor", r#"1000000000"#),
        ("--update-order start-first", "/UpdateConfig/Order", r#""start-first""#),
        ("--update-parallelism 2", "/UpdateConfig/Parallelism", r#"2"#),
        ("-u me", "C/User", r#""me""#),
        ("-w /x", "C/Dir", r#""/x""#),
    ];

    #[test]
    fn every_flag_is_heard() {
        for (line, pointer, expected) in FLAGS {
            let spec = serde_json::to_value(draft(line).unwrap().spec).unwrap();
            let pointer =
                pointer.replacen('C', "/TaskTemplate/ContainerSpec", usize::from(pointer.starts_with('C')));
            assert_eq!(spec.pointer(&pointer), Some(&serde_json::from_str(expected).unwrap()), "{line}");
        }
        let Draft { named, .. } = draft("--secret key --config source=site,target=/s").unwrap();
        assert_eq!((named.secrets[0].source.as_str(), named.configs[0].file.name.as_str()), ("key", "/s"));
        let words = Words::try_parse_from([
            "x",
            "-d",
            "-q",
            "--no-resolve-image",
            "--with-registry-auth",
            "web",
            "sh",
            "-c",
        ]);
        assert_eq!(words.unwrap().create.command, ["sh", "-c"]);
    }

    #[test]
    fn bad_words_name_the_flag_or_the_rule() {
        for (line, rule) in [
            ("--mode x", "Unknown mode: x"),
            (
                "--mode global --replicas 2",
                "replicas can only be used with replicated or replicated-job mode",
            ),
            ("--replicas x", "'--replicas <COUNT>'"),
            ("--limit-cpu x", "'--limit-cpu <CPUS>': failed to parse x as a rational number"),
            ("--limit-memory x", "'--limit-memory <BYTES>': invalid size: 'x'"),
            ("--restart-delay 5", "'--restart-delay <DURATION>': time: missing unit"),
            ("--publish x", "'--publish <PORT>': invalid containerPort: x"),
            ("--mount x", "'--mount <MOUNT>'"),
            ("--secret a,b", "'--secret <SECRET>': invalid field 'a'"),
            ("--config foo=a", "'--config <CONFIG>': invalid field"),
            ("--network foo=a", "'--network <NETWORK>': invalid field key foo"),
            ("--placement-pref x", "'--placement-pref <PREFERENCE>'"),
            ("--generic-resource x", "'--generic-resource <RESOURCE>'"),
            ("--credential-spec x", "'--credential-spec <SPEC>'"),
            ("--ulimit x=1", "'--ulimit <BOUND>': invalid ulimit type: x"),
            ("--host x", "'--host <ENTRY>': bad format for add-host"),
            ("--dns x", "'--dns <IP>'"),
            ("--env =x", "'--env <VARIABLE>': invalid environment variable: =x"),
            ("--entrypoint 'x", "'--entrypoint <COMMAND>'"),
            ("--update-max-failure-ratio x", "'--update-max-failure-ratio <RATIO>'"),
            ("--no-healthcheck --health-cmd x", "--no-healthcheck conflicts with --health-* options"),
        ] {
            let refusal = draft(line).err().map(|error| error.to_string()).unwrap_or_default();
            assert!(refusal.contains(rule), "{line}: {refusal}");
        }
    }
}
