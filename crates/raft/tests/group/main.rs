//! Replicas together: alone, in fair weather, in a storm.

mod alone;
mod calm;
mod cluster;
mod garbage;
mod storm;
