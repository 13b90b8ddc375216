//! `skep swarm init`.

use anyhow::Result;
use api::swarm::{InitRequest, Swarm};
use api::system::Info;
use clap::Args;

use super::update::Settings;
use crate::session::Session;

/// Found a swarm; this node becomes its first manager
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  skep swarm init\n  skep swarm init --advertise-addr 192.168.0.10")]
pub(crate) struct Init {
    /// The address that other nodes are told: IP or interface, with optional port
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    advertise_addr: String,
    /// Lock managers: they need a key after a restart
    #[arg(long)]
    autolock: bool,
    /// Whether this node runs tasks: active, pause, drain
    #[arg(long, value_name = "WORD", default_value = "active")]
    availability: String,
    /// The address of the data plane: IP or interface
    #[arg(long, value_name = "ADDRESS", default_value = "")]
    data_path_addr: String,
    /// The UDP port of the data plane, 1024 to 49151
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    data_path_port: u32,
    /// From where overlay subnets are taken, CIDR; may be given several times
    #[arg(long, value_name = "CIDR", value_delimiter = ',')]
    default_addr_pool: Vec<String>,
    /// How long the masks of those subnets are
    #[arg(long, value_name = "BITS", default_value_t = 24)]
    default_addr_pool_mask_length: u32,
    /// Start anew from the state of this manager, when the others are lost
    #[arg(long)]
    force_new_cluster: bool,
    /// Where to listen for other nodes
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:2377")]
    listen_addr: String,
    #[command(flatten)]
    settings: Settings,
}

impl Init {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let mut request = InitRequest {
            listen_addr: self.listen_addr,
            advertise_addr: self.advertise_addr,
            data_path_addr: self.data_path_addr,
            data_path_port: self.data_path_port,
            force_new_cluster: self.force_new_cluster,
            auto_lock_managers: self.autolock,
            availability: self.availability,
            default_addr_pool: self.default_addr_pool,
            subnet_size: self.default_addr_pool_mask_length,
            ..InitRequest::default()
        };
        self.settings.put_into(&mut request.spec)?;
        request.spec.encryption_config.auto_lock_managers = self.autolock;
        let node: String = session.client.post("/swarm/init", &request).await?;
        let info: Info = session.client.get("/info").await?;
        let swarm: Swarm = session.client.get("/swarm").await?;
        let token = swarm.join_tokens.unwrap_or_default().worker;
        let addr =
            info.swarm.remote_managers.iter().find(|peer| peer.node_id == node).map(|peer| peer.addr.clone());
        session.line(format_args!("Swarm initialized: current node ({node}) is now a manager.\n"))?;
        session.line("To add a worker to this swarm, run the following command:\n")?;
        session.line(format_args!("    skep swarm join --token {token} {}\n", addr.unwrap_or_default()))?;
        session.line(
            "To add a manager to this swarm, run 'skep swarm join-token manager' and follow the instructions.",
        )
    }
}
