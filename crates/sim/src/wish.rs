//! What a user wishes of a service, in words: `replicas=3 image=nginx port=80`.
//!
//! In: words. Out: a spec, changed by them. The words are those of scripts, not those of the command line.

use model::spec::container::SecretReference;
use model::spec::endpoint::{EndpointSpec, NetworkAttachmentConfig, PortConfig, PublishMode, ResolutionMode};
use model::spec::placement::{Placement, Preference};
use model::spec::resources::Resources;
use model::spec::restart::{RestartCondition, RestartPolicy};
use model::spec::update::{FailureAction, UpdateConfig, UpdateOrder};
use model::{ContainerSpec, Duration, Runtime, SecretId, ServiceMode, ServiceSpec};
use store::State;

/// A word that means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is no wish")]
pub struct NoWish(pub String);

/// Changes a spec by words; each is `key=value`, or `global`.
pub fn change(spec: &mut ServiceSpec, words: &[&str], book: &State) -> Result<(), NoWish> {
    words.iter().try_for_each(|word| change_one(spec, word, book).ok_or_else(|| NoWish((*word).to_owned())))
}

/// Reads `500ms`, `3s`, `2m`, `24h`.
pub fn duration(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    match &text[digits..] {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => Some(Duration::from_secs(number * 60)),
        "h" => Some(Duration::from_secs(number * 3600)),
        _ => None,
    }
}

fn change_one(spec: &mut ServiceSpec, word: &str, book: &State) -> Option<()> {
    let (key, value) = word.split_once('=').unwrap_or((word, ""));
    let number = || value.parse::<u64>().ok();
    match key {
        "replicas" => spec.mode = ServiceMode::Replicated { replicas: number()? },
        "global" => spec.mode = ServiceMode::Global,
        "global-job" => spec.mode = ServiceMode::GlobalJob,
        "job" => {
            let (at_once, in_all) = value.split_once('/')?;
            spec.mode = ServiceMode::ReplicatedJob {
                max_concurrent: at_once.parse().ok()?,
                total_completions: in_all.parse().ok()?,
            };
        }
        "force" => spec.task.force_update += 1,
        "port" | "host-port" => add_port(spec, key, number()? as u32),
        "network" => spec.task.networks.push(network(book, value)?),
        "image" | "secret" | "grace" => change_container(spec, key, value, book)?,
        "constraint" | "spread" | "max-per-node" => change_placement(spec, key, value)?,
        "cpus" | "memory" => change_reservations(spec, key, number()? as i64),
        _ => match key.split_once('-')? {
            ("restart", rest) => change_restart(spec.task.restart.get_or_insert_default(), rest, value)?,
            ("update", rest) => change_update(spec.update.get_or_insert_default(), rest, value)?,
            ("rollback", rest) => change_update(spec.rollback.get_or_insert_default(), rest, value)?,
            _ => return None,
        },
    }
    Some(())
}

fn add_port(spec: &mut ServiceSpec, key: &str, published_port: u32) {
    let publish_mode = if key == "port" { PublishMode::Ingress } else { PublishMode::Host };
    let endpoint = spec.endpoint.get_or_insert(EndpointSpec { mode: ResolutionMode::Vip, ports: Vec::new() });
    endpoint.ports.push(PortConfig {
        target_port: 80,
        published_port,
        publish_mode,
        ..PortConfig::default()
    });
}

fn network(book: &State, name: &str) -> Option<NetworkAttachmentConfig> {
    let id = book.networks.named(name).next()?.id;
    Some(NetworkAttachmentConfig { target: id.to_string(), ..NetworkAttachmentConfig::default() })
}

fn change_container(spec: &mut ServiceSpec, key: &str, value: &str, book: &State) -> Option<()> {
    let Runtime::Container(container) = &mut spec.task.runtime else { return None };
    match key {
        "image" => value.clone_into(&mut container.image),
        "grace" => container.stop_grace_period = Some(duration(value)?),
        _ => {
            let secret_id: SecretId = book.secrets.named(value).next()?.id;
            let file =
                Some(model::spec::container::FileTarget { name: value.to_owned(), ..Default::default() });
            container.secrets.push(SecretReference { secret_id, secret_name: value.to_owned(), file });
        }
    }
    Some(())
}

fn change_placement(spec: &mut ServiceSpec, key: &str, value: &str) -> Option<()> {
    let placement: &mut Placement = spec.task.placement.get_or_insert_default();
    match key {
        "constraint" => placement.constraints.push(value.to_owned()),
        "spread" => placement.preferences.push(Preference::Spread(value.to_owned())),
        _ => placement.max_replicas = value.parse().ok()?,
    }
    Some(())
}

/// Processors are counted whole, memory in GiB.
fn change_reservations(spec: &mut ServiceSpec, key: &str, number: i64) {
    let resources = spec.task.resources.get_or_insert_default();
    let reserved: &mut Resources = resources.reservations.get_or_insert_default();
    match key {
        "cpus" => reserved.nano_cpus = number * 1_000_000_000,
        _ => reserved.memory_bytes = number << 30,
    }
}

fn change_restart(policy: &mut RestartPolicy, key: &str, value: &str) -> Option<()> {
    match key {
        "condition" => {
            policy.condition = match value {
                "none" => RestartCondition::None,
                "on-failure" => RestartCondition::OnFailure,
                "any" => RestartCondition::Any,
                _ => return None,
            };
        }
        "delay" => policy.delay = Some(duration(value)?),
        "attempts" => policy.max_attempts = value.parse().ok()?,
        "window" => policy.window = Some(duration(value)?),
        _ => return None,
    }
    Some(())
}

fn change_update(config: &mut UpdateConfig, key: &str, value: &str) -> Option<()> {
    match key {
        "parallelism" => config.parallelism = value.parse().ok()?,
        "delay" => config.delay = duration(value)?,
        "monitor" => config.monitor = Some(duration(value)?),
        "ratio" => config.max_failure_ratio = value.parse().ok()?,
        "order" => {
            config.order = match value {
                "stop-first" => UpdateOrder::StopFirst,
                "start-first" => UpdateOrder::StartFirst,
                _ => return None,
            };
        }
        "failure" => {
            config.failure_action = match value {
                "pause" => FailureAction::Pause,
                "continue" => FailureAction::Continue,
                "rollback" => FailureAction::Rollback,
                _ => return None,
            };
        }
        _ => return None,
    }
    Some(())
}

/// A service of this name, with one replica of an image that runs.
pub fn plain(name: &str) -> ServiceSpec {
    let mut spec = ServiceSpec::default();
    name.clone_into(&mut spec.annotations.name);
    let container = ContainerSpec { image: "runs".to_owned(), ..ContainerSpec::default() };
    spec.task.runtime = Runtime::Container(Box::new(container));
    spec
}
