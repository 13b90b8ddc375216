//! `skep swarm init`.

use anyhow::Result;
use api::swarm::{InitRequest, Swarm};
use api::system::Info;
use clap::Args;

use super::token::{JoinRole, show_key};
use super::update::Settings;
use crate::options::availability::Availability;
use crate::session::Session;

/// Found a swarm; this node becomes its first manager
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  skep swarm init\n  skep swarm init --advertise-addr 192.168.0.10 --autolock"
)]
pub(crate) struct Init {
    /// Lock managers: they need a key after a restart
    #[arg(long)]
    autolock: bool,
    /// The UDP port of the data plane, 1024 to 49151; 0 means the usual one
    #[arg(long, value_name = "PORT", default_value_t = 0, hide_default_value = true)]
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
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    settings: Settings,
}

/// Where a node is, for others.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// The address that other nodes are told: IP or interface, with optional port
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    pub(super) advertise_addr: String,
    /// Whether this node runs tasks: active, pause, drain
    #[arg(long, value_name = "WORD", default_value = "active")]
    pub(super) availability: Availability,
    /// The address of the data plane: IP or interface
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    pub(super) data_path_addr: String,
    /// Where to listen for other nodes
    #[arg(long, value_name = "ADDRESS", default_value = "0.0.0.0:2377")]
    pub(super) listen_addr: String,
}

impl Init {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let Place { advertise_addr, availability, data_path_addr, listen_addr } = self.place;
        let mut request = InitRequest {
            listen_addr,
            advertise_addr,
            data_path_addr,
            data_path_port: self.data_path_port,
            force_new_cluster: self.force_new_cluster,
            auto_lock_managers: self.autolock,
            availability: availability.word(),
            default_addr_pool: self.default_addr_pool,
            subnet_size: self.default_addr_pool_mask_length,
            ..InitRequest::default()
        };
        self.settings.put_into(&mut request.spec)?;
        request.spec.encryption_config.auto_lock_managers = self.autolock;
        let node: String = session.client.post("/swarm/init", &request).await?;
        session.line(format_args!("Swarm initialized: current node ({node}) is now a manager.\n"))?;
        let info: Info = session.client.get("/info").await?;
        let swarm: Swarm = session.client.get("/swarm").await?;
        JoinRole::Worker.show(session, &swarm, &info)?;
        session.line(
            "To add a manager to this swarm, run 'skep swarm join-token manager' and follow the instructions.",
        )?;
        if self.autolock {
            session.line("")?;
            show_key(session).await?;
        }
        Ok(())
    }
}
