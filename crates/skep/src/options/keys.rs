//! `--detach-keys`: what a person types to leave a container alone.

use std::str::FromStr;

/// The bytes that the keys send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DetachKeys(Vec<u8>);

impl Default for DetachKeys {
    /// Ctrl-P, then Ctrl-Q.
    fn default() -> Self {
        Self(vec![0x10, 0x11])
    }
}

impl FromStr for DetachKeys {
    type Err = String;

    /// Reads `ctrl-p,ctrl-q` or `x,y`.
    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(key).collect::<Result<_, _>>().map(Self)
    }
}

fn key(word: &str) -> Result<u8, String> {
    let refuse = || format!("invalid detach keys: unknown character: '{word}'");
    match word.as_bytes() {
        [letter] if letter.is_ascii() => Ok(*letter),
        [b'c', b't', b'r', b'l', b'-', letter] => match letter.to_ascii_lowercase() {
            letter @ b'a'..=b'z' => Ok(letter - b'a' + 1),
            b'@' => Ok(0),
            b'[' => Ok(27),
            b'\\' => Ok(28),
            b']' => Ok(29),
            b'^' => Ok(30),
            b'_' => Ok(31),
            _ => Err(refuse()),
        },
        b"DEL" => Ok(127),
        _ => Err(refuse()),
    }
}

/// What was typed, watched for the keys that leave.
#[derive(Debug)]
pub(crate) struct Watch {
    keys: Vec<u8>,
    matched: usize,
}

impl Watch {
    /// Nothing typed yet.
    pub(crate) fn new(DetachKeys(keys): DetachKeys) -> Self {
        Self { keys, matched: 0 }
    }

    /// What of the typed bytes goes to the process, and whether the person leaves. The beginning of the keys is
    /// kept back until it is known to be something else.
    pub(crate) fn typed(&mut self, bytes: &[u8]) -> (Vec<u8>, bool) {
        let mut passed = Vec::with_capacity(bytes.len());
        for byte in bytes {
            if self.keys.get(self.matched) != Some(byte) {
                passed.extend_from_slice(&self.keys[..self.matched]);
                self.matched = 0;
            }
            if self.keys.get(self.matched) == Some(byte) {
                self.matched += 1;
            } else {
                passed.push(*byte);
            }
            if self.matched == self.keys.len() {
                return (passed, true);
            }
        }
        (passed, false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_letters_or_with_ctrl() {
        assert_eq!("ctrl-p,ctrl-q".parse(), Ok(DetachKeys::default()));
        assert_eq!("a,ctrl-@,ctrl-_".parse(), Ok(DetachKeys(vec![b'a', 0, 31])));
        for text in ["", "ctrl-", "ctrl-1", "abc", "ä"] {
            let refusal = text.parse::<DetachKeys>().unwrap_err();
            assert!(refusal.starts_with("invalid detach keys: unknown character: '"), "{text}");
        }
    }

    #[test]
    fn only_the_whole_keys_leave() {
        let mut watch = Watch::new(DetachKeys::default());
        assert_eq!(watch.typed(b"ab\x10"), (b"ab".to_vec(), false));
        assert_eq!(watch.typed(b"c"), (b"\x10c".to_vec(), false));
        assert_eq!(watch.typed(b"\x10\x10\x11rest"), (b"\x10".to_vec(), true));
    }
}
