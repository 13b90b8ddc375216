//! `skep login` and `logout`: credentials for registries.

use std::io::Read;

use anyhow::{Result, bail};
use api::image::RegistryAuth;
use api::system::AuthStatus;
use clap::Args;

use crate::credentials;
use crate::session::Session;
use crate::terminal;

/// Log in to a registry
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep login --username me --password-stdin registry.example.com < secret")]
pub(crate) struct Login {
    /// Which; the public one if none is named
    #[arg(default_value = "", hide_default_value = true, value_name = "SERVER")]
    server: String,
    /// Who; asked for if not given
    #[arg(short, long)]
    username: Option<String>,
    /// The password; better is `--password-stdin`
    #[arg(short, long, conflicts_with = "password_stdin")]
    password: Option<String>,
    /// Read the password from standard input
    #[arg(long)]
    password_stdin: bool,
}

impl Login {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let Self { server, username, password, password_stdin } = self;
        let username = match username {
            Some(name) => name,
            None if password_stdin => bail!("--password-stdin needs --username"),
            None => session.ask("Username: ")?,
        };
        let password = match password {
            Some(password) => password,
            None if password_stdin => {
                let mut text = String::new();
                std::io::stdin().read_to_string(&mut text)?;
                text.trim_end_matches(['\r', '\n']).to_owned()
            }
            None => terminal::ask_in_secret("Password: ")?,
        };
        let mut auth =
            RegistryAuth { username, password, serveraddress: server.clone(), ..RegistryAuth::default() };
        let AuthStatus { status, identity_token } = session.client.post("/auth", &auth).await?;
        auth.identitytoken = identity_token;
        credentials::keep(&server, &auth)?;
        session.line(status)
    }
}

/// Log out of a registry
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep logout registry.example.com")]
pub(crate) struct Logout {
    /// Which; the public one if none is named
    #[arg(default_value = "", hide_default_value = true, value_name = "SERVER")]
    server: String,
}

impl Logout {
    pub(crate) fn run(self, session: &mut Session) -> Result<()> {
        credentials::forget(&self.server)?;
        session.line(format_args!("Removing login credentials for {}", self.server))
    }
}
