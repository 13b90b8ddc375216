//! `skep service logs`.

use std::io::{self, Write};

use anyhow::Result;
use clap::Args;
use http_body_util::BodyExt;
use hyper::Method;

use crate::output::streams::{Framing, Streams};
use crate::session::{Session, escaped};

/// Show what the tasks of a service printed
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep service logs --follow --tail 10 web")]
pub(crate) struct Logs {
    /// A service or task, by id or name
    #[arg(value_name = "SERVICE|TASK")]
    service: String,
    /// Go on as more is printed
    #[arg(short, long)]
    follow: bool,
    /// Only from then on: a time, or a span such as `10m`
    #[arg(long, value_name = "TIME", default_value = "")]
    since: String,
    /// Only so many of the last lines of each task
    #[arg(short = 'n', long, value_name = "LINES", default_value = "all")]
    tail: String,
    /// Show when each line was printed
    #[arg(short, long)]
    timestamps: bool,
}

impl Logs {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let Self { service, follow, since, tail, timestamps } = self;
        let is_service =
            match session.client.get::<api::service::Service>(&format!("/services/{service}")).await {
                Ok(_) => true,
                Err(error) if error.is_not_found() => false,
                Err(error) => return Err(error.into()),
            };
        let noun = if is_service { "services" } else { "tasks" };
        let (follow, timestamps) = (u8::from(follow), u8::from(timestamps));
        let path = format!(
            "/{noun}/{service}/logs?stdout=1&stderr=1&follow={follow}&timestamps={timestamps}&tail={}&since={}",
            escaped(&tail),
            escaped(&since)
        );
        let mut body = session.client.send(Method::GET, &path, Vec::new()).await?.into_body();
        let mut streams = Streams::new(Framing::Multiplexed);
        while let Some(frame) = body.frame().await {
            if let Some(piece) = frame?.data_ref() {
                streams.write(piece, &mut session.out, &mut io::stderr())?;
            }
        }
        Ok(session.out.flush()?)
    }
}
