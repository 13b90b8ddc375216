//! `--availability`: whether a node runs tasks.

use clap::ValueEnum;

/// Whether a node runs tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Availability {
    /// Old and new ones
    Active,
    /// Those it has, but no new ones
    Pause,
    /// None: they are moved elsewhere
    Drain,
}

impl Availability {
    /// As the API has it.
    pub(crate) fn word(self) -> String {
        super::values::word(self)
    }
}
