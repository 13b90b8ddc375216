//! Containers as `ps` lists them.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::container::{ContainerSummary, Port, SummaryHostConfig, SummaryNetworkSettings};
use api::{ApiError, Filters, time};
use axum::extract::State;
use model::Timestamp;
use network::Sandbox;
use runtime::container::health::HealthStatus;
use runtime::container::{Containers, Phase, Record};

use super::{show, size};
use crate::connect::Wiring;
use crate::daemon::Daemon;
use crate::http::error::{Answer, Failure};
use crate::http::request::{Query, Spoken};
use crate::http::routes::Shared;
use crate::http::{older, respond};

const FILTERS: &[&str] = &[
    "ancestor",
    "before",
    "expose",
    "exited",
    "health",
    "id",
    "is-task",
    "isolation",
    "label",
    "name",
    "network",
    "publish",
    "since",
    "status",
    "volume",
];

pub(super) async fn list(State(daemon): Shared, Spoken(version): Spoken, query: Query) -> Answer {
    let filters = query.filters(FILTERS)?;
    let limit = query
        .number::<i64>("limit")?
        .and_then(|limit| usize::try_from(limit).ok())
        .filter(|limit| *limit > 0);
    // Whoever asks for a status, or for the last few, wants the ended ones too.
    let all = query.truth("all") || limit.is_some() || filters.has("status") || filters.has("exited");
    let chosen = Chosen::new(&filters, &daemon)?;
    let mut records = daemon.containers.list();
    records.sort_by(|a, b| b.created.cmp(&a.created).then(a.id.cmp(&b.id)));
    let is_up = |record: &Record| record.running().is_some() || record.restarts.due.is_some();
    records.retain(|record| (all || is_up(record)) && chosen.has(record));
    let measured = if query.truth("size") { Measured::Yes } else { Measured::No };
    let shown = summaries(&daemon, &records, measured).await;
    let shown = shown.into_iter().filter(|shown| by_ports(&filters, shown));
    let shown: Vec<_> = shown.take(limit.unwrap_or(usize::MAX)).collect();
    Ok(respond::json(&older::containers(&shown, version)))
}

/// Whether a list says how many bytes each container takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::http::routes) enum Measured {
    /// It does.
    Yes,
    /// It does not, and is much quicker.
    No,
}

/// These containers as lists show them.
pub(in crate::http::routes) async fn summaries(
    daemon: &Daemon,
    records: &[Arc<Record>],
    measured: Measured,
) -> Vec<ContainerSummary> {
    let sizes = match measured {
        Measured::Yes => size::sizes(daemon, records).await,
        Measured::No => BTreeMap::new(),
    };
    let sandboxes = daemon.network.sandboxes().await;
    let sandboxes: BTreeMap<_, _> = sandboxes.iter().map(|place| (place.container.as_str(), place)).collect();
    let now = host::clock::now();
    let shown = |record: &Arc<Record>| {
        let sandbox = sandboxes.get(record.id.to_string().as_str()).copied();
        let size = sizes.get(&record.id);
        ContainerSummary {
            // Of those that have written nothing lists say nothing.
            size_rw: size.map(|size| size.written).filter(|written| *written != 0),
            size_root_fs: size.map(|size| size.whole),
            ..summary(record, sandbox, &daemon.id, now)
        }
    };
    records.iter().map(shown).collect()
}

/// Which containers are asked for, with names already looked up.
struct Chosen<'a> {
    filters: &'a Filters,
    images: Vec<String>,
    before: Option<Timestamp>,
    since: Option<Timestamp>,
    exited: Vec<i32>,
    is_task: Option<bool>,
}

impl<'a> Chosen<'a> {
    fn new(filters: &'a Filters, daemon: &Daemon) -> Result<Self, Failure> {
        check(filters)?;
        let exited = |text: &str| {
            text.parse().map_err(|_| ApiError::invalid(format!("invalid filter 'exited={text}'")))
        };
        Ok(Self {
            images: filters
                .values("ancestor")
                .filter_map(|image| daemon.images.resolve(image).ok())
                .map(|id| id.to_string())
                .collect(),
            before: made(&daemon.containers, filters.one("before")?)?,
            since: made(&daemon.containers, filters.one("since")?)?,
            exited: filters.values("exited").map(exited).collect::<Result<_, _>>()?,
            is_task: filters.truth("is-task")?,
            filters,
        })
    }

    fn has(&self, record: &Record) -> bool {
        let wish = &record.description;
        let health = record.health.as_ref().map_or("none", |health| health.status.word());
        let mounted =
            |value: &str| record.mounts.iter().any(|mount| mount.volume == value || mount.target == value);
        let wiring = Wiring::of(wish);
        let on = |network: &str| {
            wiring.network_name() == network
                || wiring.sandbox.networks.iter().any(|membership| membership.network == network)
        };
        self.filters.prefix("id", &record.id.to_string())
            && self.filters.any("name", |name| record.name.contains(name.trim_matches(['/', '^', '$'])))
            && self.filters.labels("label", &wish.labels)
            && self.filters.exact("status", record.word())
            && self.filters.exact("health", health)
            && self.filters.any("volume", mounted)
            && self.filters.any("network", on)
            && (!self.filters.has("ancestor") || self.images.contains(&wish.image.id))
            && self.before.is_none_or(|limit| record.created < limit)
            && self.since.is_none_or(|limit| record.created > limit)
            && (self.exited.is_empty() || record.exit().is_some_and(|exit| self.exited.contains(&exit.code)))
            && self.is_task.is_none_or(|wished| wish.labels.contains_key("com.docker.swarm.task") == wished)
    }
}

fn check(filters: &Filters) -> Result<(), ApiError> {
    let known = |key: &str, words: &[&str]| match filters.values(key).find(|value| !words.contains(value)) {
        Some(value) => Err(ApiError::invalid(format!("invalid filter '{key}={value}'"))),
        None => Ok(()),
    };
    known("status", &["created", "running", "paused", "restarting", "removing", "exited", "dead"])?;
    known("health", &["none", "starting", "healthy", "unhealthy"])
}

fn made(containers: &Containers, name: Option<&str>) -> Result<Option<Timestamp>, Failure> {
    let Some(name) = name else { return Ok(None) };
    Ok(Some(containers.inspect(containers.resolve(name)?)?.created))
}

fn by_ports(filters: &Filters, shown: &ContainerSummary) -> bool {
    let is = |number: u16, port: &Port, value: &str| {
        let (wished, protocol) = value.split_once('/').unwrap_or((value, "tcp"));
        let in_range = match wished.split_once('-') {
            Some((low, high)) => {
                low.parse().is_ok_and(|low| number >= low) && high.parse().is_ok_and(|high| number <= high)
            }
            None => wished.parse() == Ok(number),
        };
        in_range && port.r#type == protocol
    };
    filters.any("publish", |value| shown.ports.iter().any(|port| is(port.public_port, port, value)))
        && filters.any("expose", |value| shown.ports.iter().any(|port| is(port.private_port, port, value)))
}

fn summary(record: &Record, sandbox: Option<&Sandbox>, machine: &str, now: Timestamp) -> ContainerSummary {
    let wish = &record.description;
    let wiring = Wiring::of(wish);
    let network = wiring.network_name();
    let mut labels = wish.image.defaults.labels.clone();
    labels.extend(wish.labels.clone());
    ContainerSummary {
        id: record.id.to_string(),
        names: vec![format!("/{}", record.name)],
        image: wish.image.reference.clone(),
        image_id: wish.image.id.clone(),
        command: in_one_line(&show::command_line(wish)),
        created: record.created.parts().0,
        ports: ports(record, sandbox),
        size_rw: None,
        size_root_fs: None,
        labels,
        state: record.word().to_owned(),
        status: status(record, now),
        host_config: SummaryHostConfig { network_mode: network.to_owned() },
        network_settings: SummaryNetworkSettings {
            networks: show::networks(&wiring, show::place(record, &wiring, sandbox, machine)),
        },
        mounts: record.mounts.iter().map(show::mount).collect(),
    }
}

/// A command line as `ps` shows it: what has spaces in it stands in quotes.
fn in_one_line(words: &[String]) -> String {
    let quoted = |word: &String| if word.contains(' ') { format!("'{word}'") } else { word.clone() };
    let Some((program, rest)) = words.split_first() else { return String::new() };
    std::iter::once(program.clone()).chain(rest.iter().map(quoted)).collect::<Vec<_>>().join(" ")
}

/// The ports on the host, then those that are only exposed.
fn ports(record: &Record, sandbox: Option<&Sandbox>) -> Vec<Port> {
    let mut ports: Vec<Port> = Vec::new();
    for port in sandbox.iter().flat_map(|sandbox| &sandbox.ports) {
        ports.push(Port {
            ip: port.host_ip.to_string(),
            private_port: port.container_port,
            public_port: port.host_port,
            r#type: show::protocol_word(port.protocol).to_owned(),
        });
    }
    // On the host's network nothing is exposed: it is open.
    let exposed = record.running().and(sandbox).map(|_| show::exposed(record));
    for text in exposed.iter().flatten() {
        let (number, protocol) = text.split_once('/').unwrap_or((text, "tcp"));
        let Ok(private_port) = number.parse() else { continue };
        let known = |port: &Port| port.private_port == private_port && port.r#type == protocol;
        if !ports.iter().any(known) {
            ports.push(Port { private_port, r#type: protocol.to_owned(), ..Port::default() });
        }
    }
    ports.sort();
    ports
}

/// How a container is, in the words of `ps`.
fn status(record: &Record, now: Timestamp) -> String {
    let since = |from: Timestamp| time::phrase(now.since(from));
    match record.phase {
        Phase::Created => "Created".to_owned(),
        Phase::Removing => "Removal In Progress".to_owned(),
        Phase::Paused(running) => format!("Up {} (Paused)", since(running.started)),
        Phase::Exited(exit) if record.restarts.due.is_some() => {
            format!("Restarting ({}) {} ago", exit.code, since(exit.finished))
        }
        Phase::Exited(exit) => format!("Exited ({}) {} ago", exit.code, since(exit.finished)),
        Phase::Running(running) => {
            let health = match record.health.as_ref().map(|health| health.status) {
                None => "",
                Some(HealthStatus::Starting) => " (health: starting)",
                Some(HealthStatus::Healthy) => " (healthy)",
                Some(HealthStatus::Unhealthy) => " (unhealthy)",
            };
            format!("Up {}{health}", since(running.started))
        }
    }
}
