//! Puts a whole table of packet rules in the place of the one that is there, in one step.
//!
//! In: a ruleset. Out: done, or what `nft` says about it. It reads no rules back: a table of ours is only ever replaced.

use std::io::{self, Write};
use std::process::{Command, Stdio};

use crate::plan::Ruleset;

/// Replaces the table. Packets see the old rules or the new ones, never none.
pub(crate) fn load(ruleset: &Ruleset) -> io::Result<()> {
    let table = &ruleset.table;
    // Adding it first makes the removal valid although it may not be there.
    run(&format!("add table ip {table}\ndelete table ip {table}\n{ruleset}"))
}

/// Removes a table. It need not be there.
pub(crate) fn remove(table: &str) -> io::Result<()> {
    run(&format!("add table ip {table}\ndelete table ip {table}\n"))
}

fn run(commands: &str) -> io::Result<()> {
    let mut nft =
        Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let written = nft.stdin.take().expect("stdin is a pipe").write_all(commands.as_bytes());
    let output = nft.wait_with_output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    written
}
