//! The person's terminal: handed through letter by letter, and given back as it was on every way out.

use std::io::{self, IsTerminal};
use std::os::fd::AsRawFd;

use nix::sys::termios::{self, SetArg, Termios};

/// While this lives the terminal passes every key on and draws nothing by itself.
pub(crate) struct RawTerminal(Option<Termios>);

impl RawTerminal {
    /// Takes standard input over, if it is a terminal.
    pub(crate) fn take() -> io::Result<Self> {
        let input = io::stdin();
        if !input.is_terminal() {
            return Ok(Self(None));
        }
        let before = termios::tcgetattr(&input)?;
        let mut raw = before.clone();
        termios::cfmakeraw(&mut raw);
        termios::tcsetattr(&input, SetArg::TCSANOW, &raw)?;
        Ok(Self(Some(before)))
    }
}

impl Drop for RawTerminal {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            // A terminal that is gone needs nothing back.
            let _ = termios::tcsetattr(io::stdin(), SetArg::TCSANOW, before);
        }
    }
}

nix::ioctl_read_bad!(ask_size, nix::libc::TIOCGWINSZ, nix::libc::winsize);

/// Rows and columns, if standard output is a terminal.
pub(crate) fn size() -> Option<[u32; 2]> {
    let mut size = nix::libc::winsize { ws_row: 0, ws_col: 0, ws_xpixel: 0, ws_ypixel: 0 };
    #[expect(unsafe_code, reason = "no safe call asks for a terminal's size")]
    // SAFETY: the kernel fills the structure, which lives on this stack, and nothing else.
    unsafe { ask_size(io::stdout().as_raw_fd(), &raw mut size) }.ok()?;
    Some([size.ws_row.into(), size.ws_col.into()])
}
