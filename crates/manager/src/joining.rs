//! Asks a group of managers to take this one in (`raft.md` section 2).

use std::sync::Arc;

use model::Duration;
use rustls::ClientConfig;
use tokio::time::timeout;
use tonic::Status;
use wire::OnWire;
use wire::channel::{MANAGER_NAME, connect};
use wire::proto::JoinRequest;
use wire::proto::raft_membership_client::RaftMembershipClient;

use crate::registrar::Admission;

/// How long a group may take to take a manager in: it calls back first, and then agrees.
const JOIN_TIMEOUT: Duration = Duration::from_secs(15);

/// Asks the manager at `via` to have the one at `addr` taken in. That one must already answer there
/// ([`crate::Door`]). May be repeated: a node is taken in only once.
///
/// # Errors
/// What the managers say, or that nobody answers.
pub async fn join(via: &str, addr: &str, tls: Arc<ClientConfig>) -> Result<Admission, Status> {
    let asked = async {
        let channel =
            connect(via, MANAGER_NAME, tls).await.map_err(|error| Status::from_error(error.into()))?;
        let request = JoinRequest { addr: addr.to_owned() };
        Ok::<_, Status>(RaftMembershipClient::new(channel).join(request).await?.into_inner())
    };
    let late = |_| Status::deadline_exceeded("the managers did not answer in time");
    let answer = timeout(JOIN_TIMEOUT, asked).await.map_err(late)??;
    let members = OnWire::from_wire(answer.members)?;
    Ok(Admission { raft_id: answer.raft_id, members })
}
