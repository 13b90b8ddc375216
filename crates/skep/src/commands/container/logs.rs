//! `skep container logs`.

use std::io::Write;

use anyhow::Result;
use api::container::ContainerInspect;
use clap::Args;
use http_body_util::BodyExt;
use hyper::Method;

use crate::output::streams::Streams;
use crate::session::{Session, escaped, moment};

/// Show what a container printed
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep logs --follow --tail 10 web")]
pub(crate) struct Logs {
    /// Which, by id or name
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// Go on as more is printed
    #[arg(short, long)]
    follow: bool,
    /// Only from then on: a time, or a span such as `10m`
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only up to then: a time, or a span such as `10m`
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only so many of the last lines
    #[arg(short = 'n', long, value_name = "LINES", default_value = "all")]
    tail: String,
    /// Show when each line was printed
    #[arg(short, long)]
    timestamps: bool,
    /// Show the options that the log was given
    #[arg(long)]
    details: bool,
}

impl Logs {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let Self { container, follow, since, until, tail, timestamps, details } = self;
        let found: ContainerInspect = session.client.get(&format!("/containers/{container}/json")).await?;
        let (follow, timestamps, details) = (u8::from(follow), u8::from(timestamps), u8::from(details));
        let mut path = format!("/containers/{}/logs?stdout=1&stderr=1&follow={follow}", found.id);
        path.push_str(&format!("&timestamps={timestamps}&details={details}&tail={}", escaped(&tail)));
        for (key, time) in [("since", since), ("until", until)] {
            if let Some(time) = time {
                path.push_str(&format!("&{key}={}", moment(&time)));
            }
        }
        let mut body = session.client.send(Method::GET, &path, Vec::new()).await?.into_body();
        let mut streams = Streams::new(found.config.tty.into());
        while let Some(frame) = body.frame().await {
            if let Ok(piece) = frame?.into_data() {
                streams.write(&piece, &mut session.out, &mut std::io::stderr())?;
                session.out.flush()?;
            }
        }
        Ok(())
    }
}
