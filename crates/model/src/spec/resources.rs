//! What a task needs and may take, and what a node has.

/// Processor time, memory, and other things that can be counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resources {
    /// In billionths of a processor.
    pub nano_cpus: i64,
    /// In bytes.
    pub memory_bytes: i64,
    /// Things that only the operator knows.
    pub generic: Vec<GenericResource>,
}

/// What a task needs and may take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResourceRequirements {
    /// The most it may take.
    pub limits: Option<Resources>,
    /// What is set aside for it.
    pub reservations: Option<Resources>,
    /// Swap beyond memory, in bytes; −1 means no bound.
    pub swap_bytes: Option<i64>,
    /// 0 to 100; −1 means as the kernel does.
    pub memory_swappiness: Option<i64>,
}

/// A thing that only the operator knows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GenericResource {
    /// One thing with a name of its own.
    Named {
        /// Such as `GPU`.
        kind: String,
        /// Such as `UUID1`.
        value: String,
    },
    /// A number of things that are all alike.
    Discrete {
        /// Such as `SSD`.
        kind: String,
        /// How many.
        value: i64,
    },
}

/// Processor and system.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Platform {
    /// Such as `x86_64`, `amd64`, `aarch64`, `arm64`.
    pub architecture: String,
    /// Such as `linux`.
    pub os: String,
}
