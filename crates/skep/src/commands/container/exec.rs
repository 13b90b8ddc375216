//! `skep container exec`.

use anyhow::{Result, bail};
use api::exec::{ExecCreate, ExecCreated, ExecInspect, ExecStart};
use clap::Args;

use super::converse::{Left, Manner, Parting, converse};
use crate::ended::Ended;
use crate::options::keys::DetachKeys;
use crate::options::pairs::Variables;
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
    /// Which keys leave it alone: letters, or ctrl- and a letter
    #[arg(long, value_name = "KEYS")]
    detach_keys: Option<DetachKeys>,
    #[command(flatten)]
    variables: Variables,
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
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let Self {
            container,
            command,
            detach,
            detach_keys,
            variables,
            interactive,
            privileged,
            tty,
            user,
            workdir,
        } = self;
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
            env: variables.all(),
            working_dir: workdir,
            cmd: command,
        };
        let made: ExecCreated = session.client.post(&format!("/containers/{container}/exec"), &wish).await?;
        let start = ExecStart { detach, tty, console_size };
        let place = format!("/exec/{}", made.id);
        if detach {
            session.client.tell(&format!("{place}/start"), &start).await?;
            return Ok(());
        }
        let connection = session.client.hijack(&format!("{place}/start"), &start).await;
        let connection = connection.map_err(|error| Ended::told(&error.into(), 1))?;
        let keys = detach_keys.unwrap_or_default();
        let manner =
            Manner { input: interactive, terminal: tty, place: place.clone(), keys, hands_signals_on: false };
        if converse(session, connection, manner).await? == Parting::Left {
            return Err(Left.into());
        }
        let ended: ExecInspect = session.client.get(&format!("{place}/json")).await?;
        Ok(Ended::like(ended.exit_code.unwrap_or_default().into())?)
    }
}
