//! What every command needs: a daemon to speak with, and somewhere to write.

use std::collections::BTreeMap;
use std::io::{self, Stdout, Write};

use anyhow::Result;
use api::filter::Filters;
use model::Timestamp;

use crate::client::Client;
use crate::options::values::pair;

/// One command's conversation with the daemon and the person.
pub(crate) struct Session {
    /// The daemon.
    pub(crate) client: Client,
    /// Where answers go.
    pub(crate) out: Stdout,
    names: BTreeMap<String, String>,
    slots: BTreeMap<String, u64>,
}

impl Session {
    /// A conversation with this daemon.
    pub(crate) fn new(client: Client) -> Self {
        Self { client, out: io::stdout(), names: BTreeMap::new(), slots: BTreeMap::new() }
    }

    /// Writes a line.
    pub(crate) fn line(&mut self, text: impl std::fmt::Display) -> Result<()> {
        Ok(writeln!(self.out, "{text}")?)
    }

    /// Asks for a line.
    pub(crate) fn ask(&mut self, question: &str) -> Result<String> {
        write!(self.out, "{question}")?;
        self.out.flush()?;
        let mut answer = String::new();
        io::stdin().read_line(&mut answer)?;
        Ok(answer.trim().to_owned())
    }

    /// Asks before something is lost; no is the answer unless the person says yes.
    pub(crate) fn confirm(&mut self, question: &str) -> Result<bool> {
        let answer = self.ask(&format!("{question}\nAre you sure you want to continue? [y/N] "))?;
        Ok(matches!(answer.as_str(), "y" | "Y"))
    }

    /// Does the same to each of several things: goes on after one fails, and fails at the end if one did.
    pub(crate) async fn each<F>(&mut self, things: &[String], act: F) -> Result<()>
    where
        F: AsyncFn(&Client, &str) -> Result<()>,
    {
        let mut failures = Vec::new();
        for thing in things {
            match act(&self.client, thing).await {
                Ok(()) => self.line(thing)?,
                Err(error) => failures.push(format!("{error:#}")),
            }
        }
        if failures.is_empty() { Ok(()) } else { anyhow::bail!("{}", failures.join("\n")) }
    }

    /// The name of a node or service that a task names by id, asked for once; the id if nobody knows it any more.
    pub(crate) async fn name_of(&mut self, kind: Named, id: &str) -> Result<String> {
        if id.is_empty() {
            return Ok(String::new());
        }
        if let Some(name) = self.names.get(id) {
            return Ok(name.clone());
        }
        let name = kind.ask(&self.client, id).await?;
        self.names.insert(id.to_owned(), name.clone());
        Ok(name)
    }

    /// The slot of a task, asked for once; 0 if it has none or nobody knows it any more.
    pub(crate) async fn slot_of(&mut self, task: &str) -> Result<u64> {
        if let Some(slot) = self.slots.get(task) {
            return Ok(*slot);
        }
        let slot = match self.client.get::<api::task::Task>(&format!("/tasks/{task}")).await {
            Ok(task) => task.slot,
            Err(error) if error.is_not_found() => 0,
            Err(error) => return Err(error.into()),
        };
        self.slots.insert(task.to_owned(), slot);
        Ok(slot)
    }
}

/// The kinds of things that tasks name by id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// A node.
    Node,
    /// A service.
    Service,
}

impl Named {
    async fn ask(self, client: &Client, id: &str) -> Result<String> {
        let asked = match self {
            Self::Node => client.get::<api::node::Node>(&format!("/nodes/{id}")).await.map(|node| {
                if node.spec.name.is_empty() { node.description.hostname } else { node.spec.name }
            }),
            Self::Service => client
                .get::<api::service::Service>(&format!("/services/{id}"))
                .await
                .map(|service| service.spec.name),
        };
        match asked {
            Ok(name) => Ok(name),
            Err(error) if error.is_not_found() => Ok(id.to_owned()),
            Err(error) => Err(error.into()),
        }
    }
}

/// `key=value` words as filters.
pub(crate) fn filters(words: &[String]) -> Filters {
    let mut filters = Filters::default();
    for (key, value) in words.iter().map(|word| pair(word)) {
        filters.add(key.trim().to_lowercase(), value.trim());
    }
    filters
}

/// A path with filters, if there are any.
pub(crate) fn with_filters(path: &str, filters: &Filters) -> String {
    if filters.is_empty() {
        return path.to_owned();
    }
    let sign = if path.contains('?') { '&' } else { '?' };
    format!("{path}{sign}filters={}", escaped(&filters.to_query()))
}

/// A text as part of a query.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A point in time as a query has it: `10m` before now, RFC 3339, or seconds; what is none is left to the daemon.
pub(crate) fn moment(text: &str) -> String {
    let at = api::time::moment(text, now()).and_then(|time| time.0);
    let text = at.map_or_else(
        || text.to_owned(),
        |at| {
            let (seconds, nanos) = at.parts();
            format!("{seconds}.{nanos:09}")
        },
    );
    escaped(&text)
}

/// Now, by the wall clock of the person who asks.
#[expect(clippy::disallowed_methods, reason = "a person reads times by the clock on the wall")]
pub(crate) fn now() -> Timestamp {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

/// The first letters of an id, as tables show it.
pub(crate) fn short(id: &str) -> String {
    id.strip_prefix("sha256:").unwrap_or(id).chars().take(12).collect()
}
