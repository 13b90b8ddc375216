//! The stream of events.

use std::sync::Arc;

use api::event::Event;
use api::{ApiError, Filters};
use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use host::clock;
use model::Timestamp;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

use crate::daemon::Daemon;
use crate::http::error::Answer;
use crate::http::request::Query;
use crate::http::routes::Shared;
use crate::http::stream;

pub(super) fn routes() -> Router<Arc<Daemon>> {
    Router::new().route("/events", get(listen))
}

const FILTERS: &[&str] = &[
    "config",
    "container",
    "daemon",
    "event",
    "image",
    "label",
    "network",
    "node",
    "plugin",
    "scope",
    "secret",
    "service",
    "type",
    "volume",
];

async fn listen(State(daemon): Shared, query: Query) -> Answer {
    let filters = query.filters(FILTERS)?;
    let (since, until) = (moment(&query, "since")?, moment(&query, "until")?);
    let (missed, live) = daemon.events.listen(since);
    let (missed, until_past) = match until {
        Some(until) => {
            let in_time = |event: &Arc<Event>| event.time_nano <= until.nanos();
            (missed.into_iter().filter(in_time).collect(), until <= clock::now())
        }
        None => (missed, false),
    };
    let missed: Vec<_> = missed.into_iter().filter(|event| passes(&filters, event)).collect();
    if until_past {
        return Ok(stream::lines(futures_util::stream::iter(missed)));
    }
    Ok(follow(missed, live, filters, until))
}

fn follow(
    missed: Vec<Arc<Event>>,
    live: Receiver<Arc<Event>>,
    filters: Filters,
    until: Option<Timestamp>,
) -> Response {
    let missed = std::collections::VecDeque::from(missed);
    let events = futures_util::stream::unfold(
        (missed, live, filters),
        move |(mut missed, mut live, filters)| async move {
            loop {
                let event = match missed.pop_front() {
                    Some(event) => event,
                    None => next(&mut live, until).await?,
                };
                if passes(&filters, &event) {
                    return Some((event, (missed, live, filters)));
                }
            }
        },
    );
    stream::lines(events)
}

/// The next event, unless time is up or the daemon ends. What a slow listener has lost is passed over.
async fn next(live: &mut Receiver<Arc<Event>>, until: Option<Timestamp>) -> Option<Arc<Event>> {
    loop {
        let heard = tokio::select! {
            heard = live.recv() => heard,
            () = host::pump::sleep_until(until) => return None,
        };
        match heard {
            Ok(event) => return Some(event),
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return None,
        }
    }
}

fn moment(query: &Query, key: &str) -> Result<Option<Timestamp>, ApiError> {
    let text = query.text(key);
    let time = api::time::moment(text, clock::now());
    Ok(time.ok_or_else(|| ApiError::invalid(format!("invalid value for {key}: \"{text}\" is no time")))?.0)
}

fn passes(filters: &Filters, event: &Event) -> bool {
    let actor = &event.actor;
    let name = actor.attributes.get("name").map_or("", String::as_str);
    let about = |kind: &str| {
        let is_it = |value: &str| event.kind == kind && (actor.id.starts_with(value) || name == value);
        filters.any(kind, is_it)
    };
    let image = |value: &str| {
        let named = actor.attributes.get("image").map_or("", String::as_str);
        let untagged =
            |text: &str| text.rsplit_once(':').map_or(text.to_owned(), |(text, _)| text.to_owned());
        [actor.id.as_str(), name, named].iter().any(|text| *text == value || untagged(text) == value)
    };
    let action = |value: &str| event.action == value || event.action.split(':').next() == Some(value);
    filters.exact("type", &event.kind)
        && filters.any("event", action)
        && filters.exact("scope", &event.scope)
        && filters.any("image", image)
        && filters.labels("label", &actor.attributes)
        && ["config", "container", "daemon", "network", "node", "plugin", "secret", "service", "volume"]
            .into_iter()
            .all(about)
}
