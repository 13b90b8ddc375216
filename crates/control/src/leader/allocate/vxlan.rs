//! Which VXLAN ids networks have.

use std::collections::{BTreeMap, BTreeSet};

use model::{Network, NetworkId};

/// The driver's option that lists a network's VXLAN ids, one for each IPv4 subnet.
pub(super) const OPTION: &str = "com.docker.network.driver.overlay.vxlanid_list";
/// The lowest id that is given.
const FIRST: u32 = 4096;
/// The highest id there is.
const LAST: u32 = (1 << 24) - 1;

/// The VXLAN ids that networks have.
#[derive(Clone, Debug, Default)]
pub(super) struct Vxlan {
    held: BTreeMap<NetworkId, Vec<u32>>,
    used: BTreeSet<u32>,
    /// The last id that was given.
    cursor: Option<u32>,
}

impl PartialEq for Vxlan {
    /// The cursor is patience.
    fn eq(&self, other: &Self) -> bool {
        self.held == other.held
    }
}

impl Vxlan {
    /// Keeps up with a network.
    pub(super) fn note(&mut self, id: NetworkId, network: Option<&Network>) {
        let driver = network.and_then(|network| network.driver_state.as_ref());
        let list =
            driver.and_then(|driver| driver.options.get(OPTION)).map(String::as_str).unwrap_or_default();
        let now: Vec<u32> = list.split(',').filter_map(|number| number.trim().parse().ok()).collect();
        for number in self.held.remove(&id).unwrap_or_default() {
            self.used.remove(&number);
        }
        if !now.is_empty() {
            self.used.extend(&now);
            self.held.insert(id, now);
        }
    }

    /// A free id: the next after the last one given.
    pub(super) fn free(&mut self) -> Option<u32> {
        let last = self.cursor.or_else(|| self.used.last().copied());
        let from = last.map_or(FIRST, |last| (last + 1).max(FIRST));
        let free = |number: &u32| !self.used.contains(number);
        let found = (from..=LAST).find(free).or_else(|| (FIRST..=LAST).find(free))?;
        self.cursor = Some(found);
        Some(found)
    }
}
