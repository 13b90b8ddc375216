//! Swarms of several hosts in a lab: real daemons, real containers, the stock command line and ours.

mod failover;
mod interop;
mod joining;
mod lab;
mod logs;
mod quorum;
mod same_shapes;
mod security;
mod story;
mod swarm;
mod workers;
