//! What should happen: the swarm's deciders.
//!
//! Two machines live here: [`leader::Leader`] decides what the swarm should look like, [`worker::Worker`]
//! decides what one node does next for each of its tasks. Both are pure: time and chance are arguments.

pub mod leader;
pub mod worker;
