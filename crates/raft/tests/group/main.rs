//! Replicas together: alone, in fair weather, in a storm.

mod alone;
mod calm;
mod cluster;
mod garbage;
mod lease;
mod storm;
