//! `skep service logs`: what tasks printed, wherever they run.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anyhow::{Result, bail};
use api::service::Service;
use api::task::Task;
use clap::Args;
use http_body_util::BodyExt;
use hyper::Method;

use crate::output::streams::{Framing, Streams};
use crate::output::width::Width;
use crate::session::{Named, Session, escaped, moment};

/// Show what the tasks of a service printed
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  skep service logs --follow --tail 10 web\n  skep service logs --raw --since 10m web"
)]
pub(crate) struct Logs {
    /// A service or task, by id or name
    #[arg(value_name = "SERVICE|TASK")]
    service: String,
    /// Go on as more is printed
    #[arg(short, long)]
    follow: bool,
    /// Only from then on: a time, or a span such as `10m`
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only so many of the last lines of each task
    #[arg(short = 'n', long, value_name = "LINES", default_value = "all")]
    tail: String,
    /// Show when each line was printed
    #[arg(short, long)]
    timestamps: bool,
    #[command(flatten)]
    heads: Heads,
}

/// What stands before each line.
#[derive(Debug, Args)]
#[group(skip)]
struct Heads {
    /// Show the options that the log was given
    #[arg(long)]
    details: bool,
    /// Show ids instead of names
    #[arg(long)]
    no_resolve: bool,
    /// Leave the ids of tasks out
    #[arg(long)]
    no_task_ids: bool,
    /// Show whole ids
    #[arg(long)]
    no_trunc: bool,
    /// Show the lines as they were printed, without anything before them
    #[arg(long)]
    raw: bool,
}

/// Whose log it is.
struct Source {
    /// `/services/ID` or `/tasks/ID`.
    place: String,
    has_terminal: bool,
    /// So many letters the longest head may have before its node.
    width: usize,
}

impl Logs {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let source = source(session, &self.service).await?;
        if source.has_terminal && !self.heads.raw {
            bail!("tty service logs only supported with --raw");
        }
        // Who printed a line is among its details.
        let details = u8::from(!self.heads.raw || self.heads.details);
        let (follow, timestamps) = (u8::from(self.follow), u8::from(self.timestamps));
        let mut path = format!(
            "{}/logs?stdout=1&stderr=1&follow={follow}&timestamps={timestamps}&details={details}&tail={}",
            source.place,
            escaped(&self.tail)
        );
        if let Some(since) = &self.since {
            path.push_str(&format!("&since={}", moment(since)));
        }
        let mut body = session.client.send(Method::GET, &path, Vec::new()).await?.into_body();
        let mut streams = Streams::new(Framing::from(source.has_terminal));
        let (mut out, mut errors) = (Vec::new(), Vec::new());
        while let Some(frame) = body.frame().await {
            let Some(piece) = frame?.data_ref().cloned() else { continue };
            streams.write(&piece, &mut out, &mut errors)?;
            let shown = self.headed(session, &source, &mut out).await?;
            session.out.write_all(&shown)?;
            session.out.flush()?;
            let shown = self.headed(session, &source, &mut errors).await?;
            io::stderr().write_all(&shown)?;
        }
        session.out.write_all(&out)?;
        Ok(io::stderr().write_all(&errors)?)
    }

    /// Takes whole lines and puts their heads before them; what is not yet whole stays.
    async fn headed(&self, session: &mut Session, source: &Source, lines: &mut Vec<u8>) -> Result<Vec<u8>> {
        if self.heads.raw {
            return Ok(std::mem::take(lines));
        }
        let Some(end) = lines.iter().rposition(|byte| *byte == b'\n') else { return Ok(Vec::new()) };
        let whole: Vec<u8> = lines.drain(..=end).collect();
        let mut shown = Vec::new();
        for line in whole.split_inclusive(|byte| *byte == b'\n') {
            let Some(Line { time, details, message }) = Line::read(line, self.timestamps) else {
                shown.extend_from_slice(line);
                continue;
            };
            let head = self.heads.of(session, &details, source.width).await?;
            if !time.is_empty() {
                shown.extend_from_slice(time);
                shown.push(b' ');
            }
            shown.extend_from_slice(format!("{head}| ").as_bytes());
            if self.heads.details {
                shown.extend_from_slice(details.rest().as_bytes());
            }
            shown.extend_from_slice(message);
        }
        Ok(shown)
    }
}

/// The service of that name, else the task.
async fn source(session: &Session, name: &str) -> Result<Source> {
    match session.client.get::<Service>(&format!("/services/{name}")).await {
        Ok(service) => {
            let has_terminal = service.spec.task_template.container_spec.is_some_and(|spec| spec.tty);
            let mode = &service.spec.mode;
            let most = mode.replicated.and_then(|replicated| replicated.replicas).unwrap_or(1);
            Ok(Source {
                place: format!("/services/{}", service.id),
                has_terminal,
                width: most.to_string().len(),
            })
        }
        Err(error) if error.is_not_found() => {
            let found = session.client.get::<Task>(&format!("/tasks/{name}")).await;
            let task = found.map_err(|error| error.or_missing(format!("no such task or service: {name}")))?;
            let has_terminal = task.spec.container_spec.is_some_and(|spec| spec.tty);
            Ok(Source {
                place: format!("/tasks/{}", task.id),
                has_terminal,
                width: task.slot.to_string().len(),
            })
        }
        Err(error) => Err(error.into()),
    }
}

/// One line, taken apart.
struct Line<'a> {
    time: &'a [u8],
    details: Details,
    message: &'a [u8],
}

/// `key=value,key=value` before a line.
struct Details(BTreeMap<String, String>);

/// Who printed a line.
const OF_SWARM: [&str; 3] =
    ["com.docker.swarm.node.id", "com.docker.swarm.service.id", "com.docker.swarm.task.id"];

impl<'a> Line<'a> {
    fn read(line: &'a [u8], has_time: bool) -> Option<Self> {
        let part = |line: &'a [u8]| {
            let at = line.iter().position(|byte| *byte == b' ')?;
            Some((&line[..at], &line[at + 1..]))
        };
        let (time, line) = if has_time { part(line)? } else { (&line[..0], line) };
        let (details, message) = part(line)?;
        let details = std::str::from_utf8(details).ok()?;
        let pairs = details.split(',').map(|pair| pair.split_once('='));
        let pairs: Option<BTreeMap<String, String>> =
            pairs.map(|pair| pair.map(|(key, value)| (key.to_owned(), value.to_owned()))).collect();
        let details = Details(pairs?);
        OF_SWARM.iter().all(|key| details.0.contains_key(*key)).then_some(Self { time, details, message })
    }
}

impl Details {
    /// What is not about the swarm, with a blank behind it.
    fn rest(&self) -> String {
        let own = self.0.iter().filter(|(key, _)| !OF_SWARM.contains(&key.as_str()));
        let pairs: Vec<String> = own.map(|(key, value)| format!("{key}={value}")).collect();
        format!("{} ", pairs.join(","))
    }
}

impl Heads {
    /// `web.1.abc@node    `: the same width for every task of a service.
    async fn of(&self, session: &mut Session, details: &Details, width: usize) -> Result<String> {
        let [node, service, task] = OF_SWARM.map(|key| details.0[key].clone());
        let (service_name, node_name) = match self.no_resolve {
            true => (service, node.clone()),
            false => {
                (session.name_of(Named::Service, &service).await?, session.name_of(Named::Node, &node).await?)
            }
        };
        let slot = session.slot_of(&task).await?;
        let mut name = match slot {
            0 => format!("{service_name}.{node}"),
            slot => format!("{service_name}.{slot}"),
        };
        if !self.no_task_ids {
            name.push_str(&format!(".{}", Width::from(self.no_trunc).id(&task)));
        }
        let gap = if slot == 0 { 0 } else { width.saturating_sub(slot.to_string().len()) };
        Ok(format!("{name}@{node_name}{}    ", " ".repeat(gap)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_who_printed_it() {
        let text = b"2026-01-01T00:00:00Z com.docker.swarm.node.id=n,com.docker.swarm.service.id=s,com.docker.swarm.task.id=t,tag=x hello you\n";
        let line = Line::read(text, true).unwrap();
        assert_eq!(line.time, b"2026-01-01T00:00:00Z");
        assert_eq!(line.message, b"hello you\n");
        assert_eq!((line.details.0[OF_SWARM[2]].as_str(), line.details.rest().as_str()), ("t", "tag=x "));
        assert!(Line::read(b"no details here\n", false).is_none());
    }
}
