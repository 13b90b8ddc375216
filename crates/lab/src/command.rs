//! Runs programs to their end, and says what they said if they fail.

use std::io::Write;
use std::process::{Command, Output, Stdio};

use crate::trouble::{Result, Trouble};

/// What a program that succeeds writes to its standard output.
///
/// # Errors
/// If it cannot be started or fails; the error holds all that it wrote.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(Trouble::io(format!("starting {command:?}")))?;
    success(command, output)
}

/// Like [`output`], for a program that reads this text.
///
/// # Errors
/// As there.
pub(crate) fn output_for(command: &mut Command, text: &str) -> Result<String> {
    let starting = || Trouble::io(format!("starting {command:?}"));
    let starting = starting();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(starting)?;
    let mut input = child.stdin.take().expect("standard input is piped");
    // A program that fails before it has read all says itself why.
    let _ = input.write_all(text.as_bytes());
    drop(input);
    let output = child.wait_with_output().map_err(Trouble::io(format!("waiting for {command:?}")))?;
    success(command, output)
}

fn success(command: &Command, output: Output) -> Result<String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(text(&output.stdout));
    }
    let said = format!("{}{}", text(&output.stdout), text(&output.stderr));
    Err(Trouble::new(shown(command), format!("{}; it said: {}", output.status, said.trim())))
}

/// A command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}
