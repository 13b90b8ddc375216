//! One service of a compose file as a spec. Words are read by the same rules as flags.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use api::meta::DriverConfig;
use api::service::{Global, Replicated, ReplicatedJob, ServiceMode, ServiceSpec};
use api::spec::container::{ContainerSpec, DnsConfig, HealthConfig, Ulimit};
use api::spec::endpoint::{EndpointSpec, NetworkAttachmentConfig, PortConfig};
use api::spec::mount::{BindOptions, Mount as MountSpec, TmpfsOptions, VolumeOptions};
use api::spec::placement::{Placement, PlacementPreference, SpreadOver};
use api::spec::reference::FileTarget;
use api::spec::resources::{DiscreteResource, GenericResource, Limit, ResourceRequirements, Resources};
use api::spec::task::RestartPolicy;
use api::spec::update::UpdateConfig;

use super::convert::{Named, Stack, plain, scalars};
use super::shape::{
    Amount, Deploy, FileUse, Healthcheck, LongMount, LongPort, Mount, Pace, Payload, Port, Scalar, Service,
};
use crate::options::host::host;
use crate::options::pairs::lines;
use crate::options::publish::Ports;
use crate::options::reference::Reference;
use crate::options::values;

/// The label that keeps the image as it was written, before its tag became a digest.
const IMAGE: &str = "com.docker.stack.image";

impl Stack<'_> {
    /// The spec of a service; a rule that it breaks is told with its name.
    pub(super) fn service(&self, name: &str, service: &Service) -> Result<Named> {
        let spec = self.spec(name, service).with_context(|| format!("service {name}"))?;
        Ok(Named {
            spec,
            secrets: self.files(name, "secret", &self.file.secrets, &service.secrets)?,
            configs: self.files(name, "config", &self.file.configs, &service.configs)?,
        })
    }

    fn spec(&self, name: &str, service: &Service) -> Result<ServiceSpec> {
        if service.image.is_empty() {
            bail!("no image is named");
        }
        let deploy = &service.deploy;
        let mut spec = ServiceSpec { name: format!("{}_{name}", self.name), ..ServiceSpec::default() };
        spec.labels = self.labels(&deploy.labels);
        spec.labels.insert(IMAGE.to_owned(), service.image.clone());
        spec.mode = mode(deploy)?;
        spec.update_config = deploy.update_config.as_ref().map(pace).transpose()?;
        spec.rollback_config = deploy.rollback_config.as_ref().map(pace).transpose()?;
        let ports = ports(&service.ports)?;
        if !ports.is_empty() || !deploy.endpoint_mode.is_empty() {
            spec.endpoint_spec = Some(EndpointSpec { mode: deploy.endpoint_mode.clone(), ports });
        }
        let task = &mut spec.task_template;
        task.networks = self.attachments(name, service)?;
        task.placement = placement(deploy);
        task.resources = resources(deploy)?;
        task.restart_policy = deploy
            .restart_policy
            .as_ref()
            .map(|policy| -> Result<_> {
                Ok(RestartPolicy {
                    condition: policy.condition.clone(),
                    delay: span(policy.delay.as_deref())?,
                    max_attempts: policy.max_attempts,
                    window: span(policy.window.as_deref())?,
                })
            })
            .transpose()?;
        task.log_driver = service
            .logging
            .as_ref()
            .map(|logging| DriverConfig { name: logging.driver.clone(), options: scalars(&logging.options) });
        task.container_spec = Some(self.container(service)?);
        Ok(spec)
    }

    fn container(&self, service: &Service) -> Result<ContainerSpec> {
        let hosts =
            service.extra_hosts.0.iter().map(|word| Ok(host(word).map_err(|rule| anyhow!(rule))?.line()));
        let capability = |word: &String| crate::options::additions::capability(word);
        let ulimit = |(name, limit): (&String, &super::shape::Ulimit)| Ulimit {
            name: name.clone(),
            soft: limit.soft,
            hard: limit.hard,
        };
        let dns = DnsConfig {
            nameservers: service.dns.0.clone(),
            search: service.dns_search.0.clone(),
            ..DnsConfig::default()
        };
        Ok(ContainerSpec {
            image: service.image.clone(),
            labels: self.labels(&service.labels),
            command: service.entrypoint.0.clone(),
            args: service.command.0.clone(),
            hostname: service.hostname.clone(),
            env: self.environment(service)?,
            dir: service.working_dir.clone(),
            user: service.user.0.clone(),
            init: service.init,
            stop_signal: service.stop_signal.clone(),
            tty: service.tty,
            open_stdin: service.stdin_open,
            read_only: service.read_only,
            mounts: self.mounts(service)?,
            stop_grace_period: span(service.stop_grace_period.as_deref())?,
            healthcheck: service.healthcheck.as_ref().map(health).transpose()?,
            hosts: hosts.collect::<Result<_>>()?,
            dns_config: Some(dns).filter(|dns| *dns != DnsConfig::default()),
            isolation: service.isolation.clone(),
            sysctls: plain(&service.sysctls),
            capability_add: service.cap_add.iter().map(capability).collect(),
            capability_drop: service.cap_drop.iter().map(capability).collect(),
            ulimits: service.ulimits.iter().map(ulimit).collect(),
            oom_score_adj: service.oom_score_adj,
            ..ContainerSpec::default()
        })
    }

    /// Variables of files, then those of the service itself, sorted by name.
    fn environment(&self, service: &Service) -> Result<Vec<String>> {
        let mut all = std::collections::BTreeMap::new();
        for file in &service.env_file.0 {
            let path = self.folder.join(file);
            let text = std::fs::read_to_string(&path).with_context(|| format!("open {}", path.display()))?;
            for line in lines(&text).map_err(|rule| anyhow!("{}: {rule}", path.display()))? {
                let (key, value) = values::pair(&line);
                all.insert(key, Some(value));
            }
        }
        all.extend(service.environment.0.clone());
        let word = |(key, value): (String, Option<String>)| match value {
            Some(value) => format!("{key}={value}"),
            None => key,
        };
        Ok(all.into_iter().map(word).collect())
    }

    fn attachments(&self, name: &str, service: &Service) -> Result<Vec<NetworkAttachmentConfig>> {
        let mut wished = service.networks.0.clone();
        if wished.is_empty() {
            wished.insert("default".to_owned(), Vec::new());
        }
        let one = |(network, mut aliases): (String, Vec<String>)| {
            aliases.push(name.to_owned());
            Ok(NetworkAttachmentConfig {
                target: self.network_name(&network)?,
                aliases,
                ..NetworkAttachmentConfig::default()
            })
        };
        wished.into_iter().map(one).collect()
    }

    fn mounts(&self, service: &Service) -> Result<Vec<MountSpec>> {
        let short = |word: &String| match self.short_mount(word) {
            Some(mount) => Ok(mount),
            None => Err(anyhow!("invalid volume specification: {word:?}")),
        };
        let one = |mount: &Mount| match mount {
            Mount::Word(word) => self.mount(short(word)?),
            Mount::Long(long) => self.mount(long.clone()),
        };
        let mut mounts: Vec<MountSpec> = service.volumes.iter().map(one).collect::<Result<_>>()?;
        mounts.extend(service.tmpfs.0.iter().map(|target| MountSpec {
            r#type: "tmpfs".to_owned(),
            target: target.clone(),
            ..MountSpec::default()
        }));
        Ok(mounts)
    }

    /// `[source:]target[:options]`
    fn short_mount(&self, word: &str) -> Option<LongMount> {
        let parts: Vec<&str> = word.split(':').collect();
        let (source, target, options) = match parts.as_slice() {
            [target] => ("", *target, ""),
            [source, target] => (*source, *target, ""),
            [source, target, options] => (*source, *target, *options),
            _ => return None,
        };
        let is_path = source.starts_with(['/', '.', '~']);
        let mut mount = LongMount {
            source: source.to_owned(),
            target: target.to_owned(),
            r#type: if is_path { "bind" } else { "volume" }.to_owned(),
            ..LongMount::default()
        };
        for option in options.split(',').filter(|option| !option.is_empty()) {
            match option {
                "ro" => mount.read_only = true,
                "rw" | "z" | "Z" => {}
                "nocopy" => mount.volume.get_or_insert_default().nocopy = true,
                word => mount.bind.get_or_insert_default().propagation = word.to_owned(),
            }
        }
        (!target.is_empty()).then_some(mount)
    }

    fn mount(&self, long: LongMount) -> Result<MountSpec> {
        let LongMount { bind, consistency, read_only, source, target, tmpfs, r#type, volume } = long;
        let mut mount = MountSpec { r#type, source, target, read_only, consistency, ..MountSpec::default() };
        match mount.r#type.as_str() {
            "bind" => {
                mount.source = self.path(&mount.source).display().to_string();
                mount.bind_options = bind.map(|bind| BindOptions {
                    propagation: bind.propagation,
                    create_mountpoint: bind.create_host_path,
                    ..BindOptions::default()
                });
            }
            "tmpfs" => {
                mount.tmpfs_options = tmpfs
                    .map(|tmpfs| -> Result<_> {
                        Ok(TmpfsOptions {
                            size_bytes: amount(&tmpfs.size, values::bytes)?,
                            ..TmpfsOptions::default()
                        })
                    })
                    .transpose()?;
            }
            "volume" => {
                let wished = volume.unwrap_or_default();
                let mut options = VolumeOptions {
                    no_copy: wished.nocopy,
                    subpath: wished.subpath,
                    ..VolumeOptions::default()
                };
                if !mount.source.is_empty() {
                    mount.source = self.volume(&mount.source, &mut options)?;
                }
                mount.volume_options = Some(options).filter(|options| *options != VolumeOptions::default());
            }
            "npipe" | "cluster" => {}
            other => bail!("unsupported mount type {other:?}"),
        }
        Ok(mount)
    }

    /// The full name of a volume of the file, which also says how it is made.
    fn volume(&self, name: &str, options: &mut VolumeOptions) -> Result<String> {
        let Some(volume) = self.file.volumes.get(name) else { bail!("undefined volume {name:?}") };
        let volume = volume.clone().unwrap_or_default();
        if !volume.external.is_external {
            options.labels = self.labels(&volume.labels);
            let driver = DriverConfig { name: volume.driver, options: scalars(&volume.driver_opts) };
            options.driver_config = Some(driver).filter(|driver| *driver != DriverConfig::default());
        }
        Ok(self.full_name(name, &volume.name, &volume.external))
    }

    /// A path that starts from the file's folder, or from the person's own.
    fn path(&self, path: &str) -> PathBuf {
        let home =
            || std::env::vars().find(|(key, _)| key == "HOME").map(|(_, home)| home).unwrap_or_default();
        match path.strip_prefix("~/") {
            Some(rest) => Path::new(&home()).join(rest),
            None => self.folder.join(path.strip_prefix("./").unwrap_or(path)),
        }
    }

    fn files(
        &self,
        service: &str,
        what: &str,
        all: &std::collections::BTreeMap<String, Payload>,
        uses: &[FileUse],
    ) -> Result<Vec<Reference>> {
        let one = |file: &FileUse| {
            let Some(payload) = all.get(&file.source) else {
                bail!("service {service}: undefined {what} {:?}", file.source);
            };
            let or = |text: &String, otherwise: &str| {
                if text.is_empty() { otherwise.to_owned() } else { text.clone() }
            };
            Ok(Reference {
                source: self.full_name(&file.source, &payload.name, &payload.external),
                file: FileTarget {
                    name: or(
                        &file.target,
                        &if what == "config" { format!("/{}", file.source) } else { file.source.clone() },
                    ),
                    uid: or(&file.uid, "0"),
                    gid: or(&file.gid, "0"),
                    mode: file.mode.unwrap_or(0o444),
                },
            })
        };
        uses.iter().map(one).collect()
    }
}

fn mode(deploy: &Deploy) -> Result<ServiceMode> {
    let mut mode = ServiceMode::default();
    match deploy.mode.as_str() {
        "" | "replicated" => mode.replicated = Some(Replicated { replicas: deploy.replicas.or(Some(1)) }),
        "replicated-job" => {
            let job = ReplicatedJob { max_concurrent: deploy.replicas, total_completions: deploy.replicas };
            mode.replicated_job = Some(job);
        }
        word @ ("global" | "global-job") if deploy.replicas.is_some() => {
            bail!("replicas can only be used with replicated or replicated-job mode, not with {word}");
        }
        "global" => mode.global = Some(Global {}),
        "global-job" => mode.global_job = Some(Global {}),
        other => bail!("Unknown mode: {other}"),
    }
    Ok(mode)
}

fn pace(pace: &Pace) -> Result<UpdateConfig> {
    Ok(UpdateConfig {
        parallelism: pace.parallelism.unwrap_or(1),
        delay: span(pace.delay.as_deref())?.unwrap_or_default(),
        failure_action: pace.failure_action.clone(),
        monitor: span(pace.monitor.as_deref())?.unwrap_or_default(),
        max_failure_ratio: pace.max_failure_ratio,
        order: pace.order.clone(),
    })
}

fn placement(deploy: &Deploy) -> Option<Placement> {
    let wished = &deploy.placement;
    let spread = |over: &super::shape::Preference| PlacementPreference {
        spread: Some(SpreadOver { spread_descriptor: over.spread.clone() }),
    };
    let placement = Placement {
        constraints: wished.constraints.clone(),
        preferences: wished.preferences.iter().map(spread).collect(),
        max_replicas: wished.max_replicas_per_node,
        platforms: Vec::new(),
    };
    Some(placement).filter(|placement| *placement != Placement::default())
}

fn resources(deploy: &Deploy) -> Result<Option<ResourceRequirements>> {
    let limits = |wish: &Amount| -> Result<Limit> {
        Ok(Limit {
            nano_cpus: amount(&wish.cpus, values::cpus)?,
            memory_bytes: amount(&wish.memory, values::bytes)?,
            pids: wish.pids,
        })
    };
    let reserved = |wish: &Amount| -> Result<Resources> {
        let generic = wish.generic_resources.iter().map(|one| GenericResource {
            named_resource_spec: None,
            discrete_resource_spec: Some(DiscreteResource {
                kind: one.discrete_resource_spec.kind.clone(),
                value: one.discrete_resource_spec.value,
            }),
        });
        Ok(Resources {
            nano_cpus: amount(&wish.cpus, values::cpus)?,
            memory_bytes: amount(&wish.memory, values::bytes)?,
            generic_resources: generic.collect(),
        })
    };
    let requirements = ResourceRequirements {
        limits: deploy.resources.limits.as_ref().map(limits).transpose()?,
        reservations: deploy.resources.reservations.as_ref().map(reserved).transpose()?,
        ..ResourceRequirements::default()
    };
    Ok(Some(requirements).filter(|requirements| *requirements != ResourceRequirements::default()))
}

fn health(check: &Healthcheck) -> Result<HealthConfig> {
    if check.disable {
        if !check.test.0.is_empty() {
            bail!("test and disable can't be set at the same time");
        }
        return Ok(HealthConfig { test: vec!["NONE".to_owned()], ..HealthConfig::default() });
    }
    let time = |text: &Option<String>| Ok::<_, anyhow::Error>(span(text.as_deref())?.unwrap_or_default());
    Ok(HealthConfig {
        test: check.test.0.clone(),
        interval: time(&check.interval)?,
        timeout: time(&check.timeout)?,
        start_period: time(&check.start_period)?,
        start_interval: time(&check.start_interval)?,
        retries: check.retries,
    })
}

fn ports(all: &[Port]) -> Result<Vec<PortConfig>> {
    let mut read = Vec::new();
    for port in all {
        match port {
            Port::Number(number) => {
                read.extend(number.to_string().parse::<Ports>().map_err(|rule| anyhow!(rule))?.0)
            }
            Port::Word(word) => read.extend(word.parse::<Ports>().map_err(|rule| anyhow!(rule))?.0),
            Port::Long(LongPort { mode, protocol, published, target }) => {
                let or = |text: &String, usual: &str| {
                    if text.is_empty() { usual.to_owned() } else { text.clone() }
                };
                let mut word =
                    format!("target={target},mode={},protocol={}", or(mode, "ingress"), or(protocol, "tcp"));
                if !published.0.is_empty() {
                    word.push_str(&format!(",published={}", published.0));
                }
                read.extend(word.parse::<Ports>().map_err(|rule| anyhow!(rule))?.0);
            }
        }
    }
    Ok(read)
}

/// A time in nanoseconds.
fn span(text: Option<&str>) -> Result<Option<i64>> {
    text.map(values::duration).transpose().map_err(|rule| anyhow!(rule))
}

/// An amount, 0 if none is written.
fn amount(Scalar(text): &Scalar, read: fn(&str) -> Result<i64, String>) -> Result<i64> {
    if text.is_empty() { Ok(0) } else { read(text).map_err(|rule| anyhow!(rule)) }
}

#[cfg(test)]
mod tests {
    use super::super::Project;
    use super::super::shape::File;
    use super::*;

    fn file(services: serde_json::Value) -> File {
        let tree = serde_json::json!({
            "services": services, "networks": {"back": {}, "out": {"external": true}},
            "volumes": {"data": null, "old": {"external": {"name": "kept"}}},
            "secrets": {"key": {"external": true}}, "configs": {"site": {"file": "./site", "name": "site-2"}},
        });
        Project { tree, folder: "/".into() }.read().unwrap().0
    }

    fn named(service: serde_json::Value) -> Result<Named> {
        let file = file(serde_json::json!({"web": service}));
        let stack = Stack { name: "st", file: &file, folder: Path::new("/home/me") };
        Ok(stack.services()?.remove(0))
    }

    #[test]
    fn a_service_becomes_a_spec() {
        let service = serde_json::json!({
            "image": "busybox:test", "command": "sleep 99", "environment": {"A": "1", "B": null},
            "ports": ["18120:80", {"target": 81, "published": 18121, "mode": "host"}],
            "volumes": ["data:/data", "./t:/t:ro", {"type": "tmpfs", "target": "/x", "tmpfs": {"size": "1m"}}, "old:/old"],
            "networks": {"back": {"aliases": ["pg"]}}, "secrets": ["key"], "configs": [{"source": "site", "target": "/s"}],
            "healthcheck": {"test": "true", "interval": "5s"}, "labels": ["c=d"], "extra_hosts": ["a:1.2.3.4"],
            "deploy": {"replicas": 2, "labels": {"z": "n"}, "resources": {"limits": {"cpus": "0.5", "memory": "50M"}},
                "update_config": {"delay": "1s"}, "placement": {"constraints": ["node.role==manager"]}},
        });
        let Named { spec, secrets, configs } = named(service).unwrap();
        let expected = r#"{"Name":"st_web",
            "Labels":{"com.docker.stack.image":"busybox:test","com.docker.stack.namespace":"st","z":"n"},
            "TaskTemplate":{"ContainerSpec":{"Image":"busybox:test","Labels":{"c":"d","com.docker.stack.namespace":"st"},
            "Args":["sleep","99"],"Env":["A=1","B"],"Mounts":[
            {"Type":"volume","Source":"st_data","Target":"/data","VolumeOptions":{"Labels":{"com.docker.stack.namespace":"st"}}},
            {"Type":"bind","Source":"/home/me/t","Target":"/t","ReadOnly":true},
            {"Type":"tmpfs","Target":"/x","TmpfsOptions":{"SizeBytes":1048576}},
            {"Type":"volume","Source":"kept","Target":"/old"}],
            "Healthcheck":{"Test":["CMD-SHELL","true"],"Interval":5000000000},"Hosts":["1.2.3.4 a"]},
            "Resources":{"Limits":{"NanoCPUs":500000000,"MemoryBytes":52428800}},
            "Placement":{"Constraints":["node.role==manager"]},"Networks":[{"Target":"st_back","Aliases":["pg","web"]}]},
            "Mode":{"Replicated":{"Replicas":2}},"UpdateConfig":{"Parallelism":1,"Delay":1000000000},
            "EndpointSpec":{"Ports":[{"Protocol":"tcp","TargetPort":80,"PublishedPort":18120,"PublishMode":"ingress"},
            {"Protocol":"tcp","TargetPort":81,"PublishedPort":18121,"PublishMode":"host"}]}}"#;
        assert_eq!(spec, api::read(expected.as_bytes()).unwrap());
        assert_eq!((secrets[0].source.as_str(), configs[0].source.as_str()), ("key", "site-2"));
    }

    #[test]
    fn bad_services_name_the_rule() {
        for (service, rule) in [
            (serde_json::json!({}), "service web: no image is named"),
            (serde_json::json!({"image": "x", "networks": ["n"]}), "undefined network \"n\""),
            (serde_json::json!({"image": "x", "secrets": ["n"]}), "undefined secret \"n\""),
            (serde_json::json!({"image": "x", "volumes": ["n:/n"]}), "undefined volume \"n\""),
            (serde_json::json!({"image": "x", "ports": ["n"]}), "invalid containerPort: n"),
            (serde_json::json!({"image": "x", "deploy": {"mode": "n"}}), "Unknown mode: n"),
            (
                serde_json::json!({"image": "x", "deploy": {"mode": "global", "replicas": 2}}),
                "replicas can only be used",
            ),
            (serde_json::json!({"image": "x", "stop_grace_period": "5"}), "time: missing unit"),
            (
                serde_json::json!({"image": "x", "deploy": {"resources": {"limits": {"memory": "x"}}}}),
                "invalid size: 'x'",
            ),
            (serde_json::json!({"image": "x", "env_file": "none"}), "open /home/me/none"),
        ] {
            let refusal = format!("{:#}", named(service.clone()).unwrap_err());
            assert!(refusal.contains(rule), "{service}: {refusal}");
        }
    }

    #[test]
    fn only_networks_in_use_are_made() {
        let file =
            file(serde_json::json!({"web": {"image": "x"}, "db": {"image": "x", "networks": ["out"]}}));
        let stack = Stack { name: "st", file: &file, folder: Path::new("/") };
        let made: Vec<String> = stack.networks().into_iter().map(|network| network.name).collect();
        assert_eq!(
            (made, stack.external_networks()),
            (vec!["st_default".to_owned()], vec!["out".to_owned()])
        );
    }
}
