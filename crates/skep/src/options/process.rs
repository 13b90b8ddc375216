//! What a container's process is: its program, variables, user, terminal.

use api::container::{ContainerConfig, ContainerCreate};
use clap::Args;

use super::pairs::{LabelWords, Variables};

/// What a container's process is.
#[derive(Debug, Args)]
#[group(skip)]
pub(crate) struct Process {
    /// Its domain
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    domainname: String,
    /// Run this instead of what the image says
    #[arg(long, value_name = "PROGRAM")]
    entrypoint: Option<String>,
    /// Its host name
    #[arg(short = 'h', long, value_name = "NAME", default_value = "", hide_default_value = true)]
    hostname: String,
    /// With a small init as its first process
    #[arg(long)]
    init: bool,
    /// Hand standard input over
    #[arg(short, long)]
    pub(crate) interactive: bool,
    /// Which signal asks it to stop
    #[arg(long, value_name = "SIGNAL", default_value = "", hide_default_value = true)]
    stop_signal: String,
    /// How many seconds it may take to stop
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    stop_timeout: Option<i64>,
    /// With a terminal
    #[arg(short, long)]
    pub(crate) tty: bool,
    /// As whom: name or number, perhaps with :group
    #[arg(short, long, value_name = "USER", default_value = "", hide_default_value = true)]
    user: String,
    /// In which folder
    #[arg(short, long, value_name = "FOLDER", default_value = "", hide_default_value = true)]
    workdir: String,
    #[command(flatten)]
    variables: Variables,
    #[command(flatten)]
    labels: LabelWords,
}

impl Process {
    /// Writes what is given into the request.
    pub(crate) fn apply(self, create: &mut ContainerCreate) {
        create.host_config.init = self.init.then_some(true);
        create.config = ContainerConfig {
            hostname: self.hostname,
            domainname: self.domainname,
            user: self.user,
            tty: self.tty,
            open_stdin: self.interactive,
            env: self.variables.all(),
            working_dir: self.workdir,
            entrypoint: self.entrypoint.map(|word| vec![word]),
            labels: self.labels.all(),
            stop_signal: self.stop_signal,
            stop_timeout: self.stop_timeout,
            ..std::mem::take(&mut create.config)
        };
    }
}
