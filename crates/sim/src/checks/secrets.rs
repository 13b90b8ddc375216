//! Secrets are only on nodes whose tasks need them.

use std::collections::BTreeSet;

use crate::swarm::Machine;
use model::SecretId;

/// To be asked when everything has been told.
pub fn secrets(machines: &[Machine]) -> Result<(), String> {
    for node in machines.iter().map(|machine| &machine.node).filter(|node| node.is_up) {
        let tasks = node.tasks().filter(|task| !task.status.state.is_final());
        let containers = tasks.filter_map(|task| task.spec.container());
        let needed: BTreeSet<SecretId> =
            containers.flat_map(|container| container.secrets.iter().map(|it| it.secret_id)).collect();
        if let Some(secret) = node.secrets().find(|secret| !needed.contains(secret)) {
            return Err(format!(
                "{} holds secret {secret}, which none of its tasks needs",
                node.description.hostname
            ));
        }
    }
    Ok(())
}
