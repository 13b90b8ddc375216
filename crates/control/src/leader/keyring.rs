//! The keys of the data plane, and their rotation.
//!
//! In: time and chance. Out: drafted keys: three for each subsystem, of which nodes send with the middle one,
//! so that a fresh key is known everywhere before it is used. When the next rotation is due is patience, not
//! knowledge: each leader waits the whole period.

use model::cluster::EncryptionKey;
use model::{Cluster, Cx, Duration, Timestamp};
use store::{Draft, State};

/// How long a set of keys is used.
const PERIOD: Duration = Duration::from_secs(12 * 3600);
/// So many keys are known at a time.
const KEYS: usize = 3;
/// Who has keys of its own, in the order in which they are counted.
const SUBSYSTEMS: [&str; 2] = ["networking:gossip", "networking:ipsec"];

/// When the keys are changed.
#[derive(Debug)]
pub(super) struct Keyring {
    due: Timestamp,
}

impl Keyring {
    /// A whole period from now.
    pub(super) fn of(now: Timestamp) -> Self {
        Self { due: now + PERIOD }
    }

    pub(super) fn wake_at(&self) -> Option<Timestamp> {
        Some(self.due)
    }

    pub(super) fn wants_draft(&self, state: &State, now: Timestamp) -> bool {
        state.cluster().is_some_and(|cluster| cluster.network_bootstrap_keys.is_empty()) || self.due <= now
    }

    /// Makes the first keys, or the next ones if it is time.
    pub(super) fn draft(&mut self, draft: &mut Draft, cx: &mut Cx<'_>) {
        if !self.wants_draft(draft, cx.now) {
            return;
        }
        self.due = cx.now + PERIOD;
        let Some(cluster) = draft.cluster().cloned() else { return };
        draft.edit(&cluster, |cluster| match cluster.network_bootstrap_keys[..] {
            [] => begin(cluster, cx),
            _ => rotate(cluster, cx),
        });
    }
}

/// All keys, counted from somewhere.
fn begin(cluster: &mut Cluster, cx: &mut Cx<'_>) {
    cluster.encryption_key_lamport_clock = cx.chance.below(1 << 16);
    for subsystem in SUBSYSTEMS {
        for _ in 0..KEYS {
            add(cluster, subsystem, cx);
        }
    }
}

/// For each subsystem the oldest key goes and a new one comes.
fn rotate(cluster: &mut Cluster, cx: &mut Cx<'_>) {
    for subsystem in SUBSYSTEMS {
        let keys = &mut cluster.network_bootstrap_keys;
        let of = |key: &&EncryptionKey| key.subsystem == subsystem;
        let oldest = keys.iter().filter(of).map(|key| key.lamport_time).min();
        let count = keys.iter().filter(of).count();
        keys.retain(|key| count < KEYS || key.subsystem != subsystem || Some(key.lamport_time) != oldest);
        add(cluster, subsystem, cx);
    }
}

fn add(cluster: &mut Cluster, subsystem: &str, cx: &mut Cx<'_>) {
    cluster.encryption_key_lamport_clock += 1;
    cluster.network_bootstrap_keys.push(EncryptionKey {
        subsystem: subsystem.to_owned(),
        key: cx.chance.bytes::<16>().to_vec(),
        lamport_time: cluster.encryption_key_lamport_clock,
    });
}
