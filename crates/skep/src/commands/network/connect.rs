//! `skep network connect` and `disconnect`.

use anyhow::Result;
use api::container::{EndpointIpam, EndpointSettings};
use clap::Args;
use serde_json::json;

use crate::options::values::pairs;
use crate::session::Session;

/// Let a container join a network
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep network connect --alias db back postgres")]
pub(crate) struct Connect {
    /// Which network, by id or name
    network: String,
    /// Which container, by id or name
    container: String,
    /// One more name of it there
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    alias: Vec<String>,
    /// An option of the driver, KEY=VALUE
    #[arg(long, value_name = "OPTION", value_delimiter = ',')]
    driver_opt: Vec<String>,
    /// Its IPv4 address there
    #[arg(long, value_name = "IP")]
    ip: Option<std::net::Ipv4Addr>,
    /// Its IPv6 address there
    #[arg(long, value_name = "IP")]
    ip6: Option<std::net::Ipv6Addr>,
    /// Another container that it knows by name: NAME[:ALIAS]
    #[arg(long, value_name = "CONTAINER")]
    link: Vec<String>,
}

impl Connect {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let ipam = EndpointIpam {
            ipv4_address: self.ip.map(|ip| ip.to_string()).unwrap_or_default(),
            ipv6_address: self.ip6.map(|ip| ip.to_string()).unwrap_or_default(),
        };
        let place = EndpointSettings {
            ipam_config: Some(ipam),
            links: self.link,
            aliases: self.alias,
            driver_opts: pairs(&self.driver_opt),
            ..EndpointSettings::default()
        };
        let wish = json!({"Container": self.container, "EndpointConfig": place});
        Ok(session.client.tell(&format!("/networks/{}/connect", self.network), &wish).await?)
    }
}

/// Let a container leave a network
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  skep network disconnect back postgres")]
pub(crate) struct Disconnect {
    /// Which network, by id or name
    network: String,
    /// Which container, by id or name
    container: String,
    /// Although it is not there any more
    #[arg(short, long)]
    force: bool,
}

impl Disconnect {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let wish = json!({"Container": self.container, "Force": self.force});
        Ok(session.client.tell(&format!("/networks/{}/disconnect", self.network), &wish).await?)
    }
}
