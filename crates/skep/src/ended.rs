//! An end that has a number of its own: what a process ended with, or what docker's CLI says by 125, 126 and 127.

/// A command ends with this code; the message is for the person and may be empty.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Ended {
    /// The code, as a shell sees it.
    pub(crate) code: u8,
    /// What to say on the way out.
    pub(crate) message: String,
}

/// The container could not be made or started, or the words of the command make no sense.
pub(crate) const REFUSED: u8 = 125;
/// The program cannot be run.
const NOT_EXECUTABLE: u8 = 126;
/// There is no such program.
const NOT_FOUND: u8 = 127;

impl Ended {
    /// Ends as a process did; success is no end of its own.
    pub(crate) fn like(code: i64) -> Result<(), Self> {
        match u8::try_from(code & 0xff).expect("eight bits are left") {
            0 => Ok(()),
            code => Err(Self { code, message: String::new() }),
        }
    }

    /// Why a container could not start; the daemon's words tell which of the three it is.
    pub(crate) fn refused(error: &anyhow::Error) -> Self {
        let Self { code, message } = Self::told(error, REFUSED);
        Self { code, message: format!("skep: {message}\n\nRun 'skep run --help' for more information") }
    }

    /// The same for a program in a container that runs; `otherwise` is the code if it is neither missing nor
    /// forbidden.
    pub(crate) fn told(error: &anyhow::Error, otherwise: u8) -> Self {
        let words = format!("{error:#}");
        let lower = words.to_lowercase();
        let says = |parts: &[&str]| parts.iter().any(|part| lower.contains(part));
        // Runtimes differ in their words: the first of each are runc's, the last crun's.
        let code = if says(&["executable file not found", "no such file or directory", "not found in $path"])
        {
            NOT_FOUND
        } else if says(&["permission denied", "is a directory", "operation not permitted"]) {
            NOT_EXECUTABLE
        } else {
            otherwise
        };
        Self { code, message: words }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_daemons_words_decide_the_code() {
        for (words, code) in [
            ("exec: \"nope\": executable file not found in $PATH", 127),
            ("exec: \"/nope\": stat /nope: no such file or directory", 127),
            ("executable file `nope` not found in $PATH", 127),
            ("open executable: Operation not permitted", 126),
            ("exec: \"/tmp\": permission denied", 126),
            ("exec: \"/tmp\": is a directory", 126),
            ("Minimum memory limit allowed is 6MB", 125),
        ] {
            assert_eq!(Ended::refused(&anyhow::anyhow!(words)).code, code, "{words}");
        }
    }

    #[test]
    fn a_process_decides_the_code_with_eight_bits() {
        assert!(Ended::like(0).is_ok());
        assert_eq!(Ended::like(137).unwrap_err().code, 137);
        assert_eq!(Ended::like(-1).unwrap_err().code, 255);
    }
}
