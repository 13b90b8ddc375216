//! Decides what the swarm should look like: orchestrates, allocates, schedules, dispatches.

pub mod allocate;
pub mod dispatch;
pub mod enforce;
#[cfg(test)]
mod fixtures;
mod input;
mod request;
pub mod schedule;

pub use input::{
    Assignment, AssignmentChange, Assignments, Input, Output, Peer, SessionEvent, SessionMessage,
    SignRequest, Tell, Ticket,
};
pub use request::{Answer, Founding, Request, Rollback, Rotation};
