//! What is done to containers: stopped, killed, frozen, waited for, renamed.

use anyhow::{Result, anyhow};
use api::container::WaitResponse;
use clap::Args;

use crate::client::Client;
use crate::session::{Session, escaped};

/// Ask containers to end, and end them if they do not
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep stop --timeout 30 web")]
pub(crate) struct Stop {
    /// Which, by id or name
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
    #[command(flatten)]
    way: Way,
}

impl Stop {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        order_each(session, &self.containers, &self.way.verb("stop")).await
    }
}

/// Stop containers and start them again
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep restart web")]
pub(crate) struct Restart {
    /// Which, by id or name
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
    #[command(flatten)]
    way: Way,
}

impl Restart {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        order_each(session, &self.containers, &self.way.verb("restart")).await
    }
}

/// How a container is asked to end.
#[derive(Debug, Args)]
struct Way {
    /// Which signal asks it
    #[arg(short, long, value_name = "SIGNAL")]
    signal: Option<String>,
    /// After how many seconds it is killed; -1 means never
    #[arg(short, long, visible_alias = "time", value_name = "SECONDS", allow_hyphen_values = true)]
    timeout: Option<i64>,
}

impl Way {
    fn verb(&self, verb: &str) -> String {
        let signal = self.signal.iter().map(|signal| format!("signal={}", escaped(signal)));
        let timeout = self.timeout.iter().map(|seconds| format!("t={seconds}"));
        let query: Vec<String> = signal.chain(timeout).collect();
        if query.is_empty() { verb.to_owned() } else { format!("{verb}?{}", query.join("&")) }
    }
}

/// Send containers a signal
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep kill --signal HUP web")]
pub(crate) struct Kill {
    /// Which, by id or name
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
    /// Which signal
    #[arg(short, long, value_name = "SIGNAL", default_value = "KILL")]
    signal: String,
}

impl Kill {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        order_each(session, &self.containers, &format!("kill?signal={}", escaped(&self.signal))).await
    }
}

/// Freeze containers
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep pause web")]
pub(crate) struct Pause {
    /// Which, by id or name
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Pause {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        order_each(session, &self.containers, "pause").await
    }
}

/// Let frozen containers go on
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep unpause web")]
pub(crate) struct Unpause {
    /// Which, by id or name
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Unpause {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        order_each(session, &self.containers, "unpause").await
    }
}

/// Orders the same of each, and says which it was done to.
pub(super) async fn order_each(session: &mut Session, containers: &[String], verb: &str) -> Result<()> {
    let order = async |client: &Client, container: &str| {
        Ok(client.order(&format!("/containers/{container}/{verb}")).await?)
    };
    session.each(containers, order).await
}

/// Wait until containers end, and print how
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep wait job")]
pub(crate) struct Wait {
    /// Which, by id or name
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
}

impl Wait {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        for container in &self.containers {
            let ended: WaitResponse =
                session.client.post(&format!("/containers/{container}/wait"), &()).await?;
            session.line(ended.status_code)?;
        }
        Ok(())
    }
}

/// Give a container another name
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep rename web old-web")]
pub(crate) struct Rename {
    /// Which, by id or name
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// The other name
    #[arg(value_name = "NEW_NAME")]
    name: String,
}

impl Rename {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let path = format!("/containers/{}/rename?name={}", self.container, escaped(&self.name));
        let renamed = session.client.order(&path).await;
        renamed
            .map_err(|error| anyhow!("{error}\nError: failed to rename container named {}", self.container))
    }
}
