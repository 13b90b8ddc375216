//! What the log carries, and what a reader hears of it.

use crate::object::Object;

/// One change of one object, as the log carries it.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// The object is new.
    Create(Object),
    /// The object takes the place of its older self.
    Update(Object),
    /// The object goes; only its id matters.
    Remove(Object),
}

impl Change {
    /// The object that the change is about.
    pub fn object(&self) -> &Object {
        match self {
            Self::Create(object) | Self::Update(object) | Self::Remove(object) => object,
        }
    }
}

/// What a change did.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// There is a new object.
    Created(Object),
    /// An object changed.
    Updated {
        /// As it was.
        old: Object,
        /// As it is.
        new: Object,
    },
    /// An object is gone; this is how it was.
    Removed(Object),
}
