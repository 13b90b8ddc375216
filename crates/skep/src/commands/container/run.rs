//! `skep container run` and `create`.

use std::process::ExitCode;

use anyhow::Result;
use api::container::{ContainerConfig, ContainerCreate, ContainerCreated, WaitResponse};
use api::host_config::HostConfig;
use clap::Args;
use http_body_util::BodyExt;
use hyper::Method;

use super::converse::{Manner, converse};
use super::exec::code;
use crate::commands::image::registry::{Show, fetch};
use crate::session::{Session, escaped};

/// What a new container is like.
#[derive(Debug, Args)]
pub(crate) struct Wish {
    /// The image
    #[arg(value_name = "IMAGE")]
    image: String,
    /// The command, or the arguments of the entrypoint
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<String>,
    /// Its name
    #[arg(long, default_value = "", hide_default_value = true)]
    name: String,
    /// One variable
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Show it a path or volume of the host
    #[arg(short, long, value_name = "SOURCE:TARGET[:OPTIONS]")]
    volume: Vec<String>,
    /// One label
    #[arg(short, long, value_name = "NAME=VALUE")]
    label: Vec<String>,
    /// Its host name
    #[arg(long, default_value = "", hide_default_value = true)]
    hostname: String,
    /// As whom: name or number, perhaps with :group
    #[arg(short, long, default_value = "", hide_default_value = true)]
    user: String,
    /// In which folder
    #[arg(short, long, default_value = "", hide_default_value = true, value_name = "FOLDER")]
    workdir: String,
    /// Another entrypoint than the image's
    #[arg(long)]
    entrypoint: Option<String>,
    /// Which network: bridge, host, none
    #[arg(long, default_value = "default", value_name = "NETWORK")]
    network: String,
    /// One more capability
    #[arg(long, value_name = "CAPABILITY")]
    cap_add: Vec<String>,
    /// One capability less
    #[arg(long, value_name = "CAPABILITY")]
    cap_drop: Vec<String>,
    /// Confine it in another way
    #[arg(long, value_name = "OPTION")]
    security_opt: Vec<String>,
    /// The most processes
    #[arg(long, value_name = "COUNT")]
    pids_limit: Option<i64>,
    /// Its root file system cannot be written
    #[arg(long)]
    read_only: bool,
    /// With all rights
    #[arg(long)]
    privileged: bool,
    /// With a small init as its first process
    #[arg(long)]
    init: bool,
    /// Remove it when it ends
    #[arg(long)]
    rm: bool,
    /// Hand standard input over
    #[arg(short, long)]
    interactive: bool,
    /// With a terminal
    #[arg(short, long)]
    tty: bool,
    /// Which signal asks it to stop
    #[arg(long, default_value = "", hide_default_value = true, value_name = "SIGNAL")]
    stop_signal: String,
    /// How many seconds it may take to stop
    #[arg(long, value_name = "SECONDS")]
    stop_timeout: Option<i64>,
}

impl Wish {
    fn request(&self, is_attached: bool) -> ContainerCreate {
        let pair = |word: &String| {
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            (key.to_owned(), value.to_owned())
        };
        let config = ContainerConfig {
            hostname: self.hostname.clone(),
            user: self.user.clone(),
            attach_stdin: is_attached && self.interactive,
            attach_stdout: is_attached,
            attach_stderr: is_attached,
            tty: self.tty,
            open_stdin: self.interactive,
            stdin_once: is_attached && self.interactive,
            env: self.env.clone(),
            cmd: Some(self.command.clone()).filter(|words| !words.is_empty()),
            image: self.image.clone(),
            working_dir: self.workdir.clone(),
            entrypoint: self.entrypoint.clone().map(|word| vec![word]),
            labels: self.label.iter().map(pair).collect(),
            stop_signal: self.stop_signal.clone(),
            stop_timeout: self.stop_timeout,
            ..ContainerConfig::default()
        };
        let host_config = HostConfig {
            binds: self.volume.clone(),
            network_mode: self.network.clone(),
            auto_remove: self.rm,
            cap_add: self.cap_add.clone(),
            cap_drop: self.cap_drop.clone(),
            security_opt: self.security_opt.clone(),
            pids_limit: self.pids_limit,
            readonly_rootfs: self.read_only,
            privileged: self.privileged,
            init: self.init.then_some(true),
            ..HostConfig::default()
        };
        ContainerCreate { config, host_config, ..ContainerCreate::default() }
    }

    /// Makes the container, and fetches the image first if it is not there.
    async fn create(&self, session: &mut Session, request: &ContainerCreate) -> Result<String> {
        let path = format!("/containers/create?name={}", escaped(&self.name));
        let made: ContainerCreated = match session.client.post(&path, request).await {
            Err(error) if error.is_not_found() => {
                fetch(session, &self.image, None, Show::Nothing).await?;
                session.client.post(&path, request).await?
            }
            answer => answer?,
        };
        Ok(made.id)
    }
}

/// Make a container, but do not start it
#[derive(Debug, Args)]
pub(crate) struct Create {
    #[command(flatten)]
    wish: Wish,
}

impl Create {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let request = self.wish.request(false);
        let id = self.wish.create(session, &request).await?;
        session.line(id)
    }
}

/// Make a container and start it
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep run --rm -it busybox sh")]
pub(crate) struct Run {
    /// Do not wait for it: print its id
    #[arg(short, long)]
    detach: bool,
    #[command(flatten)]
    wish: Wish,
}

impl Run {
    pub(crate) async fn run(self, session: &mut Session) -> Result<ExitCode> {
        let Self { detach, wish } = self;
        let request = wish.request(!detach);
        let id = wish.create(session, &request).await?;
        let place = format!("/containers/{id}");
        if detach {
            session.client.order(&format!("{place}/start")).await?;
            session.line(id)?;
            return Ok(ExitCode::SUCCESS);
        }
        let input = u8::from(wish.interactive);
        let path = format!("{place}/attach?stream=1&stdout=1&stderr=1&stdin={input}");
        let connection = session.client.hijack(&path, &()).await?;
        // Who begins to wait before the start misses no end, however soon it comes.
        let condition = if wish.rm { "removed" } else { "next-exit" };
        let path = format!("{place}/wait?condition={condition}");
        let waiting = session.client.send(Method::POST, &path, Vec::new()).await?;
        session.client.order(&format!("{place}/start")).await?;
        converse(session, connection, Manner { input: wish.interactive, terminal: wish.tty, place }).await?;
        let ended: WaitResponse = api::read(&waiting.into_body().collect().await?.to_bytes())?;
        Ok(code(ended.status_code))
    }
}
