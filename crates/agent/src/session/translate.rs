//! What managers say, in the model's nouns.

use std::sync::Arc;

use control::leader::Peer;
use control::worker::Input;
use model::{ConfigId, SecretId, SessionId, Task, TaskId};
use wire::proto::{self, assignment::Item, assignment_change::AssignmentAction, assignments_message};
use wire::{Malformed, OnWire};

use super::News;
use crate::dependencies::Dependencies;

/// A session message: the session, and the news in it.
pub(super) fn news(message: proto::SessionMessage) -> Result<(SessionId, News), Malformed> {
    let proto::SessionMessage { session_id, node, managers, network_bootstrap_keys, root_ca } = message;
    let session = session_id.parse().map_err(|_| Malformed::new("session_id", &session_id))?;
    let node = OnWire::from_wire(node.ok_or_else(|| Malformed::absent("node"))?)?;
    let peer = |manager: proto::WeightedPeer| {
        let proto::Peer { node_id, addr } = manager.peer?;
        Some(Peer { node_id: node_id.parse().ok()?, addr }).filter(|peer| !peer.addr.is_empty())
    };
    let network_keys = network_bootstrap_keys.into_iter().map(OnWire::from_wire).collect::<Result<_, _>>()?;
    let managers = managers.into_iter().filter_map(peer).collect();
    Ok((session, News { node, managers, network_keys, root_ca }))
}

/// Takes in one message of assignments: secrets and configs are kept at once, the rest is for the worker.
pub(super) fn assignments(
    message: proto::AssignmentsMessage,
    dependencies: &Dependencies,
) -> Result<Input, Malformed> {
    let is_complete = message.r#type == assignments_message::Type::Complete as i32;
    if is_complete {
        dependencies.clear();
    }
    let (mut updated, mut removed) = (Vec::new(), Vec::new());
    for change in message.changes {
        let is_removal = change.action == AssignmentAction::Remove as i32;
        let item = change.assignment.and_then(|assignment| assignment.item);
        match (item.ok_or_else(|| Malformed::absent("assignment"))?, is_removal) {
            (Item::Task(task), false) => updated.push(Arc::new(Task::from_wire(task)?)),
            (Item::Task(task), true) => removed.push(id::<TaskId>("task.id", &task.id)?),
            (Item::Secret(secret), false) => dependencies.put_secret(OnWire::from_wire(secret)?),
            (Item::Secret(secret), true) => {
                dependencies.remove_secret(id::<SecretId>("secret.id", &secret.id)?)
            }
            (Item::Config(config), false) => dependencies.put_config(OnWire::from_wire(config)?),
            (Item::Config(config), true) => {
                dependencies.remove_config(id::<ConfigId>("config.id", &config.id)?)
            }
            // Cluster volumes need a CSI plugin, which no skep node has; tasks that want one are refused.
            (Item::Volume(_), _) => {}
        }
    }
    Ok(if is_complete { Input::AssignedAll(updated) } else { Input::Assigned { updated, removed } })
}

fn id<T: std::str::FromStr>(field: &str, text: &str) -> Result<T, Malformed> {
    text.parse().map_err(|_| Malformed::new(field, text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};
    use prost::Message;

    fn change(item: Option<Item>, action: AssignmentAction) -> proto::AssignmentChange {
        let assignment = Some(proto::Assignment { item });
        proto::AssignmentChange { assignment, action: action.into() }
    }

    #[test]
    fn what_is_removed_needs_nothing_but_an_id() {
        let id = TaskId::random(&mut model::Chance::from_number(1));
        let task = proto::Task { id: id.to_string(), ..Default::default() };
        let message = proto::AssignmentsMessage {
            r#type: assignments_message::Type::Incremental.into(),
            changes: vec![change(Some(Item::Task(task)), AssignmentAction::Remove)],
            ..Default::default()
        };
        match assignments(message, &Dependencies::default()).unwrap() {
            Input::Assigned { updated, removed } => assert_eq!((updated, removed), (Vec::new(), vec![id])),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_by_name() {
        let task = proto::Task { id: "short".to_owned(), ..Default::default() };
        for item in [None, Some(Item::Task(task)), Some(Item::Secret(proto::Secret::default()))] {
            let changes = vec![change(item, AssignmentAction::Update)];
            let message = proto::AssignmentsMessage { changes, ..Default::default() };
            assert!(assignments(message, &Dependencies::default()).is_err());
        }
        assert!(news(proto::SessionMessage::default()).is_err());
    }

    proptest! {
        #[test]
        fn noise_topples_nothing(bytes in any::<Vec<u8>>()) {
            if let Ok(message) = proto::AssignmentsMessage::decode(bytes.as_slice()) {
                let _ = assignments(message, &Dependencies::default());
            }
            if let Ok(message) = proto::SessionMessage::decode(bytes.as_slice()) {
                let _ = news(message);
            }
        }
    }
}
