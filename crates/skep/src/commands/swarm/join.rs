//! `skep swarm join`.

use anyhow::Result;
use api::swarm::JoinRequest;
use api::system::Info;
use clap::Args;

use super::init::Place;
use crate::session::Session;

/// Join a swarm as a worker or a manager: the token decides
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  skep swarm join --token SWMTKN-1-… --advertise-addr eth0 192.168.0.10:2377"
)]
pub(crate) struct Join {
    /// A manager of the swarm
    #[arg(value_name = "HOST:PORT")]
    manager: String,
    /// What lets it in
    #[arg(long, value_name = "TOKEN", default_value = "", hide_default_value = true)]
    token: String,
    #[command(flatten)]
    place: Place,
}

impl Join {
    pub(crate) async fn run(self, session: &mut Session) -> Result<()> {
        let Place { advertise_addr, availability, data_path_addr, listen_addr } = self.place;
        let request = JoinRequest {
            listen_addr,
            advertise_addr,
            data_path_addr,
            remote_addrs: vec![self.manager],
            join_token: self.token,
            availability: availability.word(),
        };
        session.client.tell("/swarm/join", &request).await?;
        let info: Info = session.client.get("/info").await?;
        let role = if info.swarm.control_available { "manager" } else { "worker" };
        session.line(format_args!("This node joined a swarm as a {role}."))
    }
}
