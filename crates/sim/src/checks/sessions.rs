//! No session is given to two nodes.

use std::collections::BTreeMap;

use control::leader::{Answer, Ticket};
use model::SessionId;

use crate::mail::Reply;

/// Every session that was ever given, and to which machine. The upper half of a ticket names the machine.
#[derive(Debug, Default)]
pub struct Sessions {
    given: BTreeMap<SessionId, u64>,
}

impl Sessions {
    /// Takes in what a leader answers.
    pub fn note(&mut self, reply: &Reply) -> Result<(), String> {
        let Reply::Answered(Ticket(ticket), Ok(Answer::Session(session))) = reply else { return Ok(()) };
        let machine = ticket >> 32;
        let first = *self.given.entry(*session).or_insert(machine);
        if first == machine { Ok(()) } else { Err(format!("{session} belongs to {first} and to {machine}")) }
    }
}
