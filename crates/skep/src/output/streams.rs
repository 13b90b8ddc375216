//! A container's output and errors, which come mixed on one connection with a head before each piece.

use std::io::{self, Write};

/// How pieces come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Output and errors apart, each piece with a head of eight bytes.
    Multiplexed,
    /// As from a terminal.
    Raw,
}

impl From<bool> for Framing {
    /// With a terminal everything is output.
    fn from(has_terminal: bool) -> Self {
        if has_terminal { Self::Raw } else { Self::Multiplexed }
    }
}

/// Parts what comes; keeps a head that is not yet whole.
pub(crate) struct Streams {
    framing: Framing,
    head: Vec<u8>,
    left: usize,
    is_error: bool,
}

impl Streams {
    pub(crate) fn new(framing: Framing) -> Self {
        Self { framing, head: Vec::new(), left: 0, is_error: false }
    }

    /// Writes what came to where it belongs.
    pub(crate) fn write(
        &mut self,
        mut piece: &[u8],
        out: &mut impl Write,
        errors: &mut impl Write,
    ) -> io::Result<()> {
        if self.framing == Framing::Raw {
            return out.write_all(piece);
        }
        while !piece.is_empty() {
            if self.left == 0 {
                let (taken, rest) = piece.split_at(piece.len().min(8 - self.head.len()));
                self.head.extend_from_slice(taken);
                piece = rest;
                if let [source, _, _, _, a, b, c, d] = self.head[..] {
                    self.left = u32::from_be_bytes([a, b, c, d]) as usize;
                    self.is_error = source >= 2;
                    self.head.clear();
                }
                continue;
            }
            let (taken, rest) = piece.split_at(piece.len().min(self.left));
            if self.is_error {
                errors.write_all(taken)?
            } else {
                out.write_all(taken)?
            }
            self.left -= taken.len();
            piece = rest;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn output_and_errors_are_parted_however_they_are_cut() {
        let all = b"\x01\0\0\0\0\0\0\x02hi\x02\0\0\0\0\0\0\x02oh\x01\0\0\0\0\0\0\x01!";
        for cut in 1..all.len() {
            let mut streams = Streams::new(Framing::Multiplexed);
            let (mut out, mut errors) = (Vec::new(), Vec::new());
            for piece in all.chunks(cut) {
                streams.write(piece, &mut out, &mut errors).unwrap();
            }
            assert_eq!((&out[..], &errors[..]), (&b"hi!"[..], &b"oh"[..]), "{cut}");
        }
    }

    proptest! {
        #[test]
        fn garbage_is_borne(pieces: Vec<Vec<u8>>) {
            let mut streams = Streams::new(Framing::Multiplexed);
            for piece in pieces {
                streams.write(&piece, &mut io::sink(), &mut io::sink()).unwrap();
            }
        }
    }
}
