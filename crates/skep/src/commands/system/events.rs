//! `skep system events`, `skep events`: what happens, as it happens.

use anyhow::Result;
use api::event::Event;
use api::template::{Missing, Template};
use clap::Args;
use http_body_util::BodyExt;
use hyper::Method;
use serde_json::Value;

use crate::options::values::filter;
use crate::session::{Session, filters, moment, with_filters};

/// Show what happens, as it happens
#[derive(Debug, Args)]
#[command(
    after_help = "Filters: config, container, daemon, event, image, label, network, node, scope, secret, \
                        service, type, volume\n\n\
                        Examples:\n  skep events --filter type=service\n  \
                        skep events --since 10m --until 0s --format '{{.Type}} {{.Action}} {{.Actor.ID}}'"
)]
pub(crate) struct Events {
    /// Only those that fit, KEY=VALUE; may be given several times
    #[arg(short, long, value_name = "FILTER", value_parser = filter)]
    filter: Vec<String>,
    /// Show each by a template, or as `json`
    #[arg(long, value_name = "TEMPLATE")]
    format: Option<String>,
    /// Also what happened since then: a time, or a span such as `10m`
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only up to then: a time, or a span such as `10m`
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// How one event is shown.
enum Manner {
    Line,
    Json,
    Template(Template),
}

impl Events {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let manner = match self.format.as_deref() {
            None | Some("") => Manner::Line,
            Some("json") => Manner::Json,
            Some(text) => Manner::Template(Template::parse(text, Missing::Refused)?),
        };
        let mut path = "/events?".to_owned();
        for (key, time) in [("since", &self.since), ("until", &self.until)] {
            if let Some(time) = time {
                path.push_str(&format!("{key}={}&", moment(time)));
            }
        }
        let path = with_filters(path.trim_end_matches(['?', '&']), &filters(&self.filter));
        let mut body = session.client.send(Method::GET, &path, Vec::new()).await?.into_body();
        let mut rest = Vec::new();
        while let Some(frame) = body.frame().await {
            let Ok(piece) = frame?.into_data() else { continue };
            rest.extend_from_slice(&piece);
            let mut texts = serde_json::Deserializer::from_slice(&rest).into_iter::<Value>();
            let mut shown = Vec::new();
            while let Some(Ok(value)) = texts.next() {
                shown.push(manner.show(value)?);
            }
            let read = texts.byte_offset();
            rest.drain(..read);
            shown.into_iter().try_for_each(|text| session.line(text))?;
        }
        Ok(())
    }
}

impl Manner {
    fn show(&self, value: Value) -> Result<String> {
        match self {
            Self::Json => Ok(value.to_string()),
            Self::Line => Ok(line(&serde_json::from_value(value)?)),
            Self::Template(template) => Ok(template.fill(&flat(value))?),
        }
    }
}

/// Docker's CLI reads events into a form in which what old clients read has names of its own.
fn flat(mut value: Value) -> Value {
    let old = [
        ("status", "Status"),
        ("id", "ID"),
        ("from", "From"),
        ("scope", "Scope"),
        ("time", "Time"),
        ("timeNano", "TimeNano"),
    ];
    if let Some(event) = value.as_object_mut() {
        for (from, to) in old {
            let found = event.get(from).cloned().unwrap_or_default();
            event.insert(to.to_owned(), found);
        }
    }
    value
}

/// `2026-01-31T10:00:00.000000000Z container start 0123 (image=web, name=web)`
fn line(event: &Event) -> String {
    let nanos = if event.time_nano == 0 { event.time.saturating_mul(1_000_000_000) } else { event.time_nano };
    let at = model::Timestamp::from_nanos(nanos);
    let second = api::Time::from(model::Timestamp::from_parts(at.parts().0, 0)).to_string();
    let (second, decimals) = (second.trim_end_matches('Z'), nanos.rem_euclid(1_000_000_000));
    let mut line = format!("{second}.{decimals:09}Z {} {} {}", event.kind, event.action, event.actor.id);
    if !event.actor.attributes.is_empty() {
        let pairs: Vec<String> =
            event.actor.attributes.iter().map(|(key, value)| format!("{key}={value}")).collect();
        line.push_str(&format!(" ({})", pairs.join(", ")));
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_event_becomes_a_line() {
        let text = r#"{"status":"kill","id":"02ba","from":"busybox:test","Type":"container","Action":"kill",
            "Actor":{"ID":"02ba","Attributes":{"name":"web","signal":"9"}},"scope":"local",
            "time":1795272518,"timeNano":1795272518472899952}"#;
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(
            Manner::Line.show(value.clone()).unwrap(),
            "2026-11-21T14:48:38.472899952Z container kill 02ba (name=web, signal=9)"
        );
        let template = Template::parse("{{.Type}} {{.Status}} {{.ID}}", Missing::Refused).unwrap();
        assert_eq!(Manner::Template(template).show(value).unwrap(), "container kill 02ba");
    }
}
