//! Which object a user means: by its whole id, its name, or the first letters of its id.

use std::str::FromStr;
use std::sync::Arc;

use api::ApiError;
use model::{Config, Network, Node, Secret, Service, Task, Volume};
use store::{State, Stored, Table};

/// An object that users name.
pub(crate) trait Named: Stored {
    /// What users call its kind.
    const KIND: &'static str;

    /// Its table.
    fn table(state: &State) -> &Table<Self>
    where
        Self: Sized;
    /// True if this is its name.
    fn is_named(&self, name: &str) -> bool;
}

macro_rules! named {
    ($($kind:ident in $table:ident is $word:literal, $name:expr;)*) => {$(
        impl Named for $kind {
            const KIND: &'static str = $word;

            fn table(state: &State) -> &Table<Self> {
                &state.$table
            }

            fn is_named(&self, name: &str) -> bool {
                let is_named: fn(&Self, &str) -> bool = $name;
                is_named(self, name)
            }
        }
    )*};
}

named! {
    Service in services is "service", |service, name| service.spec.annotations.name == name;
    Network in networks is "network", |network, name| network.spec.annotations.name == name;
    Secret in secrets is "secret", |secret, name| secret.spec.annotations.name == name;
    Config in configs is "config", |config, name| config.spec.annotations.name == name;
    Volume in volumes is "volume", |volume, name| volume.spec.annotations.name == name;
    Node in nodes is "node", |node, name| node.name() == name || hostname(node) == Some(name);
    Task in tasks is "task", |task, name| {
        name.starts_with(task.service_annotations.name.as_str()) && task.name() == name
    };
}

/// The one object that is meant.
///
/// # Errors
/// If there is none, or more than one.
pub(crate) fn find<'a, T: Named>(state: &'a State, text: &str) -> Result<&'a Arc<T>, ApiError>
where
    T::Id: FromStr + ToString,
{
    let table = T::table(state);
    if let Some(found) = text.parse().ok().and_then(|id| table.get(id)) {
        return Ok(found);
    }
    let by_name = only(table.named(text).filter(|object| object.is_named(text)), text)?;
    let by_name = match by_name {
        Some(found) => Some(found),
        None => only(table.iter().filter(|object| object.is_named(text)), text)?,
    };
    let by_prefix = || only(table.iter().filter(|object| object.id().to_string().starts_with(text)), text);
    let found = match by_name {
        Some(found) => Some(found),
        None if text.is_empty() => None,
        None => by_prefix()?,
    };
    found.ok_or_else(|| ApiError::not_found(format!("{} {text} not found", T::KIND)))
}

fn only<'a, T: Named>(
    mut matches: impl Iterator<Item = &'a Arc<T>>,
    text: &str,
) -> Result<Option<&'a Arc<T>>, ApiError> {
    let first = matches.next();
    match matches.count() {
        0 => Ok(first),
        more => {
            let count = more + 1;
            Err(ApiError::invalid(format!("{} {text} is ambiguous ({count} matches found)", T::KIND)))
        }
    }
}

fn hostname(node: &Node) -> Option<&str> {
    node.description.as_ref().map(|description| description.hostname.as_str())
}
