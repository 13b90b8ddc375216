//! The person's terminal: handed through letter by letter, and given back as it was on every way out.

use std::io::{self, IsTerminal};
use std::os::fd::AsRawFd;

use nix::sys::termios::{self, LocalFlags, SetArg, Termios};

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

/// Asks for something that nobody shall see: a terminal shows nothing of what is typed. Without a terminal the
/// first line of standard input is the answer.
pub(crate) fn ask_in_secret(question: &str) -> io::Result<String> {
    let input = io::stdin();
    let mut answer = String::new();
    if !input.is_terminal() {
        input.read_line(&mut answer)?;
        return Ok(answer.trim_end_matches(['\r', '\n']).to_owned());
    }
    let before = termios::tcgetattr(&input)?;
    let mut silent = before.clone();
    silent.local_flags.remove(LocalFlags::ECHO);
    termios::tcsetattr(&input, SetArg::TCSANOW, &silent)?;
    // From here on it is given back whatever happens.
    let given_back = RawTerminal(Some(before));
    eprint!("{question}");
    let read = input.read_line(&mut answer);
    drop(given_back);
    eprintln!();
    read?;
    Ok(answer.trim_end_matches(['\r', '\n']).to_owned())
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
