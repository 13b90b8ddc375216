//! One id type per kind of thing, so that a task can never be handed a node's id.
//!
//! An id is 25 characters of `[0-9a-z]` (`security.md` section 3): 17 random bytes with the top bit set,
//! written in base 36, the first of the 27 digits dropped and the next 25 taken.

use std::fmt;
use std::str::FromStr;

use crate::chance::Chance;

/// Why a text is no id.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an id has 25 characters of 0-9 and a-z, not \"{0}\"")]
pub struct NotAnId(pub String);

/// The characters of an id, of whatever kind.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Letters([u8; 25]);

impl Letters {
    fn from_entropy(mut bytes: [u8; 17]) -> Self {
        bytes[0] |= 0x80;
        let mut letters = [0; 25];
        let mut digits = 0;
        // The number has 27 digits; the two lowest fall off at the end, the highest at the start.
        for place in (0..27).rev() {
            let digit = divide_by_36(&mut bytes);
            if (1..26).contains(&place) {
                letters[place - 1] = b"0123456789abcdefghijklmnopqrstuvwxyz"[usize::from(digit)];
                digits += 1;
            }
        }
        debug_assert_eq!(digits, 25);
        Self(letters)
    }

    fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("an id holds only ASCII")
    }
}

impl FromStr for Letters {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let letters: [u8; 25] = text.as_bytes().try_into().map_err(|_| NotAnId(text.to_owned()))?;
        let allowed = |byte: &u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
        if letters.iter().all(allowed) { Ok(Self(letters)) } else { Err(NotAnId(text.to_owned())) }
    }
}

/// Divides the big-endian number in place and returns the remainder.
fn divide_by_36(number: &mut [u8]) -> u8 {
    number.iter_mut().fold(0, |rest, byte| {
        let value = u16::from(rest) << 8 | u16::from(*byte);
        *byte = (value / 36) as u8;
        (value % 36) as u8
    })
}

macro_rules! ids {
    ($($(#[$meta:meta])* $name:ident;)*) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Letters);

        impl $name {
            /// Sorts before every other id: the start of a range.
            pub const LOWEST: Self = Self(Letters([b'0'; 25]));

            /// Draws a new id.
            pub fn random(chance: &mut Chance) -> Self {
                Self(Letters::from_entropy(chance.bytes()))
            }

            /// The 25 characters.
            pub fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.parse().map(Self)
            }
        }
    )*};
}

ids! {
    /// The swarm itself.
    ClusterId;
    /// One machine of the swarm.
    NodeId;
    /// One service.
    ServiceId;
    /// One attempt to run one slot of a service.
    TaskId;
    /// One network that spans the swarm.
    NetworkId;
    /// One secret.
    SecretId;
    /// One config.
    ConfigId;
    /// One cluster volume, managed by a CSI plugin.
    VolumeId;
    /// One kind of foreign object that extends the store.
    ExtensionId;
    /// One foreign object of an extension's kind.
    ResourceId;
    /// One conversation between an agent and a dispatcher.
    SessionId;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_bytes_give_the_golden_id() {
        assert_eq!(NodeId(Letters::from_entropy([0; 17])).as_str(), "hvy0lj3x0b883f8e30fyp2172");
    }

    #[test]
    fn an_id_reads_back() {
        let id = TaskId::random(&mut Chance::from_number(7));
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "abc", "HVY0LJ3X0B883F8E30FYP2172", "hvy0lj3x0b883f8e30fyp217é"] {
            assert!(text.parse::<NodeId>().is_err(), "{text}");
        }
    }
}
