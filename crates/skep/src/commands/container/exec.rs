//! `skep container exec`.

use std::process::ExitCode;

use anyhow::{Result, bail};
use api::exec::{ExecCreate, ExecCreated, ExecInspect, ExecStart};
use clap::Args;

use super::converse::{Manner, converse};
use crate::session::Session;
use crate::terminal;

/// Run one more program in a container
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep exec -it web sh")]
pub(crate) struct Exec {
    /// Which, by id or name
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true, value_name = "COMMAND")]
    command: Vec<String>,
    /// Do not wait for it
    #[arg(short, long)]
    detach: bool,
    /// One more variable
    #[arg(short, long, value_name = "NAME=VALUE")]
    env: Vec<String>,
    /// Hand standard input over
    #[arg(short, long)]
    interactive: bool,
    /// With all rights
    #[arg(long)]
    privileged: bool,
    /// With a terminal
    #[arg(short, long)]
    tty: bool,
    /// As whom: name or number, perhaps with :group
    #[arg(short, long, default_value = "", hide_default_value = true, value_name = "USER")]
    user: String,
    /// In which folder
    #[arg(short, long, default_value = "", hide_default_value = true, value_name = "FOLDER")]
    workdir: String,
}

impl Exec {
    pub(crate) async fn run(self, session: &mut Session) -> Result<ExitCode> {
        let Self { container, command, detach, env, interactive, privileged, tty, user, workdir } = self;
        if tty && interactive && !std::io::IsTerminal::is_terminal(&std::io::stdin()) {
            bail!("the input device is not a TTY");
        }
        let console_size = if tty { terminal::size() } else { None };
        let wish = ExecCreate {
            user,
            privileged,
            tty,
            console_size,
            attach_stdin: interactive && !detach,
            attach_stderr: !detach,
            attach_stdout: !detach,
            detach,
            detach_keys: String::new(),
            env,
            working_dir: workdir,
            cmd: command,
        };
        let made: ExecCreated = session.client.post(&format!("/containers/{container}/exec"), &wish).await?;
        let start = ExecStart { detach, tty, console_size };
        let place = format!("/exec/{}", made.id);
        if detach {
            session.client.tell(&format!("{place}/start"), &start).await?;
            return Ok(ExitCode::SUCCESS);
        }
        let connection = session.client.hijack(&format!("{place}/start"), &start).await?;
        let manner = Manner { input: interactive, terminal: tty, place: place.clone() };
        converse(session, connection, manner).await?;
        let ended: ExecInspect = session.client.get(&format!("{place}/json")).await?;
        Ok(code(ended.exit_code.unwrap_or_default().into()))
    }
}

/// How a process ended, as this program ends.
pub(crate) fn code(code: i64) -> ExitCode {
    ExitCode::from(u8::try_from(code & 0xff).expect("eight bits are left"))
}
