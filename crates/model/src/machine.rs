//! The one shape that everything which decides has.
//!
//! A machine sees nothing but what is handed to it, and does nothing but return wishes. A pump (tokio's in
//! the daemon, the simulator's in a test) feeds it and carries out what it wishes.

use crate::time::Timestamp;

/// A decider without clock, chance or IO.
pub trait Machine {
    /// What it may hear.
    type Input;
    /// What it may wish for.
    type Output;

    /// Takes in one thing that happened, and returns all that should be done about it, in order.
    fn handle(&mut self, now: Timestamp, input: Self::Input) -> Vec<Self::Output>;

    /// When it wants to be woken although nothing happens. The pump then hands it its `Wake` input.
    fn wake_at(&self) -> Option<Timestamp>;
}
