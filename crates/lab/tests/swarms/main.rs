//! Swarms of several hosts in a lab: real daemons, real containers, the stock command line and ours.

mod interop;
mod lab;
mod swarm;
