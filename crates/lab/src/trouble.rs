//! What goes wrong in a lab: the one error of this crate, for people who read it.

use std::fmt;
use std::io;

/// Something in the lab did not do what it should.
#[derive(thiserror::Error)]
#[error("{doing}: {why}")]
pub struct Trouble {
    doing: String,
    why: String,
}

/// What most things in a lab return.
pub type Result<T, E = Trouble> = std::result::Result<T, E>;

impl Trouble {
    /// That `doing` went wrong, and why.
    pub fn new(doing: impl Into<String>, why: impl fmt::Display) -> Self {
        Self { doing: doing.into(), why: why.to_string() }
    }

    /// The same for an error of the system.
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |error| Self { doing, why: error.to_string() }
    }
}

/// Tests end with this, so it is as good to read as the text itself.
impl fmt::Debug for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
