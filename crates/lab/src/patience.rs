//! Waits until something holds, as long as a person would.

use std::time::Duration;

use crate::trouble::{Result, Trouble};

/// How long anything may take before it is called broken.
pub const PATIENCE: Duration = Duration::from_secs(90);
/// How often is looked.
const PERIOD: Duration = Duration::from_millis(10);

/// Asks again until there is an answer.
///
/// # Errors
/// If there is none when patience ends: that `what` was waited for in vain.
pub fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> Result<T> {
    let begin = host::clock::now();
    loop {
        if let Some(answer) = ask() {
            return Ok(answer);
        }
        if host::clock::since(begin) > PATIENCE {
            return Err(Trouble::new(format!("waiting until {what}"), format!("not within {PATIENCE:?}")));
        }
        std::thread::park_timeout(PERIOD);
    }
}
