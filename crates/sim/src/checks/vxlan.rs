//! No VXLAN id belongs to two networks.

use std::collections::BTreeMap;

use super::View;

pub(super) fn check(view: &View<'_>) -> Result<(), String> {
    let mut owners = BTreeMap::new();
    for network in view.now.networks.iter() {
        let options = network.driver_state.iter().flat_map(|driver| &driver.options);
        let lists = options.filter(|(key, _)| key.ends_with("vxlanid_list")).map(|(_, list)| list);
        for id in lists.flat_map(|list| list.split(',')) {
            if let Some(other) = owners.insert(id, network.id) {
                return Err(format!("VXLAN id {id} belongs to {other} and to {}", network.id));
            }
        }
    }
    Ok(())
}
