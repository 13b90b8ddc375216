//! Messages of the wire become nouns of the model, and back: one file per noun.
//!
//! Most conversions are tables (`twins!`, `words!`) that name every field of both sides, so that a new field
//! breaks the build where it is forgotten. What a table cannot say is written out. In: what was decoded, or a
//! noun. Out: the noun, or [`Malformed`] with the path of the field. Rules of the swarm are not judged here.

mod cluster;
mod config;
mod container;
mod endpoint;
mod extension;
mod meta;
mod mount;
mod network;
mod node;
mod privileges;
mod refusal;
mod resources;
mod scalars;
mod secret;
mod service;
mod task;
#[cfg(test)]
mod tests;
mod volume;

pub use refusal::{refusal_of, status_of};

/// A noun of the model that has the form `W` on the wire.
pub trait OnWire<W>: Sized {
    /// Puts it in words of the wire.
    fn to_wire(&self) -> W;

    /// Takes it from the wire, or says what cannot be read.
    fn from_wire(wire: W) -> Result<Self, Malformed>;
}

/// What came over the wire and means nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} cannot be {value:?}")]
pub struct Malformed {
    /// The path of the field, such as `spec.task.restart.condition`.
    pub field: String,
    /// What it held.
    pub value: String,
}

impl Malformed {
    /// A value that means nothing where it stands.
    pub fn new(field: &str, value: impl ToString) -> Self {
        Self { field: field.to_owned(), value: value.to_string() }
    }

    /// A message without something it must have.
    pub fn absent(field: &str) -> Self {
        Self::new(field, "absent")
    }

    /// The same, seen from the message that holds the field.
    #[must_use]
    pub fn within(mut self, outer: &str) -> Self {
        let outer = outer.trim_start_matches("r#");
        self.field = if self.field.is_empty() { outer.to_owned() } else { format!("{outer}.{}", self.field) };
        self
    }
}

/// Takes one field of a message from the wire.
pub(crate) fn field<W, T: OnWire<W>>(name: &str, wire: W) -> Result<T, Malformed> {
    T::from_wire(wire).map_err(|malformed| malformed.within(name))
}

/// A struct of the model and a message with the same fields.
///
/// `field` is called alike on both sides, `field = name` differs, and `!` marks a message within the message
/// that is always written and whose absence means that all its fields are zero.
macro_rules! twins {
    ($model:ty, $wire:path { $($fields:tt)* }) => {
        $crate::convert::twins!(@ $model, $wire, [] $($fields)*);
    };
    (@ $model:ty, $wire:path, [$($done:tt)*] $field:ident = $name:ident ! $(, $($rest:tt)*)?) => {
        $crate::convert::twins!(@ $model, $wire, [$($done)* ($field $name always)] $($($rest)*)?);
    };
    (@ $model:ty, $wire:path, [$($done:tt)*] $field:ident = $name:ident $(, $($rest:tt)*)?) => {
        $crate::convert::twins!(@ $model, $wire, [$($done)* ($field $name plain)] $($($rest)*)?);
    };
    (@ $model:ty, $wire:path, [$($done:tt)*] $field:ident ! $(, $($rest:tt)*)?) => {
        $crate::convert::twins!(@ $model, $wire, [$($done)* ($field $field always)] $($($rest)*)?);
    };
    (@ $model:ty, $wire:path, [$($done:tt)*] $field:ident $(, $($rest:tt)*)?) => {
        $crate::convert::twins!(@ $model, $wire, [$($done)* ($field $field plain)] $($($rest)*)?);
    };
    (@ $model:ty, $wire:path, [$(($field:ident $name:ident $how:ident))*]) => {
        impl $crate::convert::OnWire<$wire> for $model {
            fn to_wire(&self) -> $wire {
                let Self { $($field),* } = self;
                $wire { $($name: $crate::convert::twins!(to $how $field)),* }
            }

            fn from_wire(wire: $wire) -> Result<Self, $crate::convert::Malformed> {
                let $wire { $($name),* } = wire;
                Ok(Self {
                    $($field: $crate::convert::twins!(from $how $name)?),*
                })
            }
        }

        #[cfg(test)]
        impl $crate::convert::tests::Any for $model {
            fn any(chance: &mut model::Chance) -> Self {
                Self { $($field: $crate::convert::tests::Any::any(chance)),* }
            }
        }
    };
    (to plain $value:ident) => { $crate::convert::OnWire::to_wire($value) };
    (to always $value:ident) => { Some($crate::convert::OnWire::to_wire($value)) };
    (from plain $value:ident) => { $crate::convert::field(stringify!($value), $value) };
    (from always $value:ident) => { $crate::convert::field(stringify!($value), $value.unwrap_or_default()) };
}
use twins;

/// An enum of the model, and the numbers of its words.
macro_rules! words {
    ($model:ty { $($word:ident = $number:literal),* $(,)? }) => {
        impl $crate::convert::OnWire<i32> for $model {
            fn to_wire(&self) -> i32 {
                match self {
                    $(Self::$word => $number),*
                }
            }

            fn from_wire(wire: i32) -> Result<Self, $crate::convert::Malformed> {
                match wire {
                    $($number => Ok(Self::$word),)*
                    other => Err($crate::convert::Malformed::new("", other)),
                }
            }
        }

        #[cfg(test)]
        impl $crate::convert::tests::Any for $model {
            fn any(chance: &mut model::Chance) -> Self {
                let words = [$(Self::$word),*];
                words[chance.below(words.len() as u64) as usize]
            }
        }
    };
}
use words;
