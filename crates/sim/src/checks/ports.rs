//! No port of the routing mesh belongs to two services.

use std::collections::BTreeMap;

use model::spec::endpoint::PublishMode;

use super::View;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    let mut owners = BTreeMap::new();
    for service in view.now.services.iter() {
        let ports = service.endpoint.iter().flat_map(|endpoint| &endpoint.ports);
        for port in ports.filter(|port| port.publish_mode == PublishMode::Ingress) {
            if let Some(other) = owners.insert((port.protocol, port.published_port), service.id) {
                return Err(format!("port {} belongs to {other} and to {}", port.published_port, service.id));
            }
        }
    }
    Ok(())
}
