//! `--no-trunc`: whether tables show long words whole.

use super::units;
use crate::session::short;

/// How much of long words is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Width {
    /// All of it.
    Whole,
    /// So much that a line of a terminal holds it.
    Short,
}

impl From<bool> for Width {
    fn from(is_whole: bool) -> Self {
        if is_whole { Self::Whole } else { Self::Short }
    }
}

impl Width {
    /// An id.
    pub(crate) fn id(self, id: &str) -> String {
        if self == Self::Whole { id.to_owned() } else { short(id) }
    }

    /// A text of at most so many letters.
    pub(crate) fn cut(self, text: &str, letters: usize) -> String {
        if self == Self::Whole { text.to_owned() } else { units::ellipsis(text, letters) }
    }
}
