//! `skep container top` and `port`.

use anyhow::{Result, bail};
use api::container::ContainerInspect;
use api::stats::Top as Processes;
use clap::Args;

use crate::output::table;
use crate::session::{Session, escaped};

/// Show the processes of a container
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep top web -o pid,args")]
pub(crate) struct Top {
    /// Which, by id or name
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// Options of `ps`
    #[arg(value_name = "PS OPTIONS", trailing_var_arg = true, allow_hyphen_values = true)]
    options: Vec<String>,
}

/// Columns of processes stand further apart than those of other tables.
const PROCESS_WIDTH: usize = 20;

impl Top {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut path = format!("/containers/{}/top", self.container);
        if !self.options.is_empty() {
            path.push_str(&format!("?ps_args={}", escaped(&self.options.join(" "))));
        }
        let Processes { processes, titles } = session.client.get(&path).await?;
        let mut rows = vec![titles];
        rows.extend(processes);
        Ok(table::write(&mut session.out, &rows, PROCESS_WIDTH)?)
    }
}

/// Show the ports of a container
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  skep port web\n  skep port web 80/tcp")]
pub(crate) struct Port {
    /// Which, by id or name
    #[arg(value_name = "CONTAINER")]
    container: String,
    /// Only this port of the container
    #[arg(value_name = "PORT[/PROTOCOL]")]
    port: Option<String>,
}

impl Port {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let path = format!("/containers/{}/json", self.container);
        let container: ContainerInspect = session.client.get(&path).await?;
        let full = |port: &String| if port.contains('/') { port.clone() } else { format!("{port}/tcp") };
        let wished = self.port.as_ref().map(full);
        let mut is_found = false;
        for (port, bindings) in &container.network_settings.ports {
            if wished.as_ref().is_some_and(|wished| wished != port) {
                continue;
            }
            for binding in bindings.iter().flatten() {
                is_found = true;
                let ip = &binding.host_ip;
                let host = if ip.contains(':') { format!("[{ip}]") } else { ip.clone() };
                match wished {
                    Some(_) => session.line(format_args!("{host}:{}", binding.host_port))?,
                    None => session.line(format_args!("{port} -> {host}:{}", binding.host_port))?,
                }
            }
        }
        match wished {
            Some(_) if !is_found => {
                let port = self.port.unwrap_or_default();
                bail!("Error: No public port '{port}' published for {}", self.container)
            }
            _ => Ok(()),
        }
    }
}
