//! The order of changes: a pure Raft replica.
