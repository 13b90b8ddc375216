//! Lines that have names: on a terminal each changes where it stands, elsewhere a line is added for each change.

use std::io::{self, IsTerminal, Write};

use super::bar::bar;
use crate::terminal;

/// Terminals of at most so many columns are shown no bars: a line that goes on in the next one could not be changed
/// in place.
const NARROW: u32 = 110;

/// The lines so far.
#[derive(Debug, Default)]
pub(crate) struct Board {
    is_terminal: bool,
    /// Names and what they say, from top to bottom.
    lines: Vec<(String, String)>,
}

impl Board {
    /// An empty board for this output.
    pub(crate) fn new(out: &impl IsTerminal) -> Self {
        Self { is_terminal: out.is_terminal(), lines: Vec::new() }
    }

    /// Whether lines change in place.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// How far something is, as a bar with a blank behind it; nothing where a line would not hold it.
    pub(crate) fn bar(&self, current: u64, total: u64) -> String {
        match terminal::size() {
            // Who does not know how wide it is says 0.
            Some([_, 1..=NARROW]) => String::new(),
            _ => bar(current, total),
        }
    }

    /// Lets the line of this name say something; one that says it already is left alone.
    pub(crate) fn put(&mut self, out: &mut impl Write, name: &str, text: &str) -> io::Result<()> {
        let count = self.lines.len();
        match self.lines.iter().position(|(known, _)| known == name) {
            Some(at) if self.lines[at].1 == text => return Ok(()),
            Some(at) if self.is_terminal => {
                let up = count - at;
                write!(out, "\x1b[{up}A\x1b[2K\r{text}\r\x1b[{up}B")?;
                text.clone_into(&mut self.lines[at].1);
            }
            Some(at) => {
                writeln!(out, "{text}")?;
                text.clone_into(&mut self.lines[at].1);
            }
            None => {
                writeln!(out, "{text}")?;
                self.lines.push((name.to_owned(), text.to_owned()));
            }
        }
        out.flush()
    }

    /// What stands there stays: whatever comes begins below.
    pub(crate) fn forget(&mut self) {
        self.lines.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(is_terminal: bool) -> String {
        let mut board = Board { is_terminal, lines: Vec::new() };
        let mut out = Vec::new();
        for (name, text) in [("a", "1"), ("b", "1"), ("a", "1"), ("a", "2"), ("b", "2")] {
            board.put(&mut out, name, text).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_terminal_changes_lines_in_place() {
        assert_eq!(shown(true), "1\n1\n\x1b[2A\x1b[2K\r2\r\x1b[2B\x1b[1A\x1b[2K\r2\r\x1b[1B");
    }

    #[test]
    fn a_pipe_gets_a_line_for_each_change() {
        assert_eq!(shown(false), "1\n1\n2\n2\n");
    }
}
