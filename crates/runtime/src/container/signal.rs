//! Signals, by name and number.

use std::str::FromStr;

use crate::container::description::Description;
use crate::container::error::ContainerError;

/// A signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal(u8);

impl Signal {
    /// The one that nobody can ignore.
    pub const KILL: Self = Self(libc::SIGKILL as u8);
    /// The one that asks.
    pub const TERM: Self = Self(libc::SIGTERM as u8);

    /// Its number.
    pub fn number(self) -> u8 {
        self.0
    }

    /// The one that asks this container to stop: its own, else its image's, else SIGTERM.
    ///
    /// # Errors
    /// If there is no such signal.
    pub fn of_container(wish: &Description) -> Result<Self, ContainerError> {
        let named =
            [&wish.stop_signal, &wish.image.defaults.stop_signal].into_iter().find(|name| !name.is_empty());
        named.map_or(Ok(Self::TERM), |name| name.parse())
    }
}

impl FromStr for Signal {
    type Err = ContainerError;

    fn from_str(text: &str) -> Result<Self, ContainerError> {
        let upper = text.to_ascii_uppercase();
        let name = upper.strip_prefix("SIG").unwrap_or(&upper);
        let by_name = || NAMES.iter().position(|known| *known == name).map(|at| at + 1);
        let real_time = || {
            let offset = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i32>().ok() };
            let number = match (name.strip_prefix("RTMIN"), name.strip_prefix("RTMAX")) {
                (Some(rest), _) => RT_MIN + offset(rest).filter(|offset| *offset >= 0)?,
                (_, Some(rest)) => RT_MAX + offset(rest).filter(|offset| *offset <= 0)?,
                (None, None) => return None,
            };
            usize::try_from(number).ok()
        };
        let number = text.parse().ok().or_else(by_name).or_else(real_time);
        let number = number.filter(|number| (1..=RT_MAX as usize).contains(number));
        let unknown = || ContainerError::Invalid(format!("Invalid signal: {text}"));
        number.and_then(|number| u8::try_from(number).ok()).map(Self).ok_or_else(unknown)
    }
}

/// The names of the signals 1 to 31.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];
const RT_MIN: i32 = 34;
const RT_MAX: i32 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_known_by_name_and_number() {
        for (text, number) in [
            ("9", 9),
            ("KILL", 9),
            ("SIGTERM", 15),
            ("sigint", 2),
            ("RTMIN+3", 37),
            ("SIGRTMAX-1", 63),
            ("WINCH", 28),
        ] {
            assert_eq!(text.parse::<Signal>().unwrap().number(), number, "{text}");
        }
        for wrong in ["", "0", "65", "-1", "SIGNOPE", "RTMIN+40", "RTMAX+1", "9x"] {
            assert!(wrong.parse::<Signal>().is_err(), "{wrong}");
        }
    }
}
