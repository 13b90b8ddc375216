//! The law of the house: which crate may use which (ARCHITECTURE.md, section 2).

/// One crate and its allowances.
pub(crate) struct Room {
    /// The crate's folder.
    pub(crate) name: &'static str,
    /// Those of our crates that it may use.
    pub(crate) may_use: &'static [&'static str],
    /// Whether it may use only what is named in `PURE_GUESTS` from outside.
    pub(crate) pure: bool,
}

/// What the pure crates may use from outside: values and arithmetic, no world.
pub(crate) const PURE_GUESTS: [&str; 3] = ["imbl", "rand_chacha", "thiserror"];

/// Every room. A crate that is not listed here has no place in the house.
pub(crate) const ALLOWED: [Room; 17] = [
    pure("model", &[]),
    pure("store", &["model"]),
    pure("raft", &["model"]),
    pure("control", &["model", "store"]),
    room("pki", &["model"]),
    room("wire", &["model", "store", "raft"]),
    room("api", &["model"]),
    room("host", &["model"]),
    room("runtime", &["model", "host"]),
    room("network", &["model", "wire", "host"]),
    room("manager", &["model", "store", "control", "raft", "pki", "wire", "host"]),
    room("agent", &["model", "control", "pki", "wire", "host"]),
    room(
        "skepd",
        &[
            "model", "store", "control", "raft", "pki", "wire", "api", "host", "runtime", "network",
            "manager", "agent",
        ],
    ),
    room("skep", &["model", "api"]),
    room("sim", &["model", "store", "control", "raft"]),
    room("lab", &["host"]),
    room("supervise", &[]),
];

const fn pure(name: &'static str, may_use: &'static [&'static str]) -> Room {
    Room { name, may_use, pure: true }
}

const fn room(name: &'static str, may_use: &'static [&'static str]) -> Room {
    Room { name, may_use, pure: false }
}
