//! `skep container attach` and `start`: to speak with a container that is there already.

use std::io::IsTerminal;

use anyhow::{Result, anyhow, bail};
use api::container::{ContainerConfig, ContainerInspect, WaitResponse};
use clap::Args;
use http_body_util::BodyExt;
use hyper::Method;

use super::converse::{Left, Manner, Parting, converse};
use crate::ended::Ended;
use crate::options::keys::DetachKeys;
use crate::session::Session;

/// Speak with a container that runs
#[derive(Debug, Args)]
#[command(
    after_help = "Ctrl-P, then Ctrl-Q leaves a container with a terminal alone.\n\nExample:\n  skep attach web"
)]
pub(crate) struct Attach {
    /// Which, by id or name
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// Hand nothing over to it
    #[arg(long)]
    no_stdin: bool,
    #[command(flatten)]
    ways: Ways,
}

/// How one leaves, and what becomes of signals.
#[derive(Debug, Args)]
struct Ways {
    /// Which keys leave it alone: letters, or ctrl- and a letter
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<DetachKeys>,
    /// Hand signals on to it, if it has no terminal
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true,
          default_value = "true", default_missing_value = "true", action = clap::ArgAction::Set)]
    sig_proxy: bool,
}

impl Attach {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let Self { container, no_stdin, ways } = self;
        let found: ContainerInspect = session.client.get(&format!("/containers/{container}/json")).await?;
        let state = &found.state;
        match (state.running, state.paused, state.restarting) {
            (false, ..) => bail!("You cannot attach to a stopped container, start it first"),
            (_, true, _) => bail!("You cannot attach to a paused container, unpause it first"),
            (.., true) => bail!("You cannot attach to a restarting container, wait until it is running"),
            _ => {}
        }
        let input = wants_input(&found.config, found.config.open_stdin && !no_stdin)?;
        speak(session, &found, input, &ways, Begin::Running).await
    }
}

/// Start containers
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  skep start web db\n  skep start --attach --interactive shell")]
pub(crate) struct Start {
    /// Which, by id or name
    #[arg(required = true, value_name = "CONTAINER")]
    containers: Vec<String>,
    /// Show what it prints, and hand signals on
    #[arg(short, long)]
    attach: bool,
    /// Hand standard input over
    #[arg(short, long)]
    interactive: bool,
    /// Which keys leave it alone: letters, or ctrl- and a letter
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<DetachKeys>,
}

impl Start {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let Self { containers, attach, interactive, detach_keys } = self;
        if !attach && !interactive {
            let started = super::life::order_each(session, &containers, "start").await;
            return started.map_err(|error| {
                anyhow!("{error:#}\nError: failed to start containers: {}", containers.join(", "))
            });
        }
        let [container] = containers.as_slice() else {
            bail!("you cannot start and attach multiple containers at once");
        };
        let found: ContainerInspect = session.client.get(&format!("/containers/{container}/json")).await?;
        let input = wants_input(&found.config, interactive && found.config.open_stdin)?;
        speak(session, &found, input, &Ways { detach_keys, sig_proxy: true }, Begin::Start).await
    }
}

/// Whether the process runs already.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Begin {
    /// It does.
    Running,
    /// It is started once somebody listens.
    Start,
}

async fn speak(
    session: &mut Session,
    container: &ContainerInspect,
    input: bool,
    ways: &Ways,
    begin: Begin,
) -> Result<()> {
    let place = format!("/containers/{}", container.id);
    let path = format!("{place}/attach?stream=1&stdout=1&stderr=1&stdin={}", u8::from(input));
    let connection = session.client.hijack(&path, &()).await?;
    // Who begins to wait before the start misses no end, however soon it comes.
    let condition = match (begin, container.host_config.auto_remove) {
        (_, true) => "removed",
        (Begin::Running, false) => "not-running",
        (Begin::Start, false) => "next-exit",
    };
    let waiting =
        session.client.send(Method::POST, &format!("{place}/wait?condition={condition}"), Vec::new()).await?;
    if begin == Begin::Start {
        session.client.order(&format!("{place}/start")).await?;
    }
    let manner = Manner {
        input,
        terminal: container.config.tty,
        place,
        keys: ways.detach_keys.clone().unwrap_or_default(),
        hands_signals_on: ways.sig_proxy,
    };
    if converse(session, connection, manner).await? == Parting::Left {
        return if begin == Begin::Start { Ok(()) } else { Err(Left.into()) };
    }
    let ended: WaitResponse = api::read(&waiting.into_body().collect().await?.to_bytes())?;
    Ok(Ended::like(ended.status_code)?)
}

/// Whether keys go in: a terminal there wants one here.
pub(super) fn wants_input(config: &ContainerConfig, is_wished: bool) -> Result<bool> {
    if is_wished && config.tty && !std::io::stdin().is_terminal() {
        bail!("the input device is not a TTY");
    }
    Ok(is_wished)
}
