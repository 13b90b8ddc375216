//! Join tokens: what a new node must know (`security.md` section 4).
//!
//! A token names the root that the node shall trust, by digest, and holds a secret that the managers know.
//! Managers compare whole tokens as texts, in a time that tells nothing.

use std::fmt;
use std::str::FromStr;

use model::Chance;
use sha2::{Digest, Sha256};

/// A word with which a node joins.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// The digest of the root's PEM bundle.
    digest: [u8; 32],
    /// What only the managers and their users know.
    secret: [u8; 16],
    /// Whether only nodes in FIPS mode may join; tokens of version 1 do not say.
    fips: Option<bool>,
}

/// A text that is no join token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("invalid join token")]
pub struct NotAToken;

const DIGEST_DIGITS: usize = 50;
const SECRET_DIGITS: usize = 25;
const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

impl JoinToken {
    /// A new word for the swarm with this root.
    pub fn random(root_pem: &[u8], chance: &mut Chance) -> Self {
        Self { digest: root_digest(root_pem), secret: chance.bytes(), fips: None }
    }

    /// True if these bytes are the root that the token names.
    pub fn names(&self, root_pem: &[u8]) -> bool {
        self.digest == root_digest(root_pem)
    }

    /// The digest of the root that the token names, in hexadecimal.
    pub fn digest_hex(&self) -> String {
        hex(&self.digest)
    }

    /// True if only nodes in FIPS mode may join with it.
    pub fn wants_fips(&self) -> bool {
        self.fips == Some(true)
    }
}

impl fmt::Display for JoinToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.fips {
            None => f.write_str("SWMTKN-1-")?,
            Some(fips) => write!(f, "SWMTKN-2-{}-", u8::from(fips))?,
        }
        write!(f, "{}-{}", digits(self.digest, DIGEST_DIGITS), digits(self.secret, SECRET_DIGITS))
    }
}

impl fmt::Debug for JoinToken {
    /// Leaves out the secret: it must never reach a log.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JoinToken")
    }
}

impl FromStr for JoinToken {
    type Err = NotAToken;

    fn from_str(text: &str) -> Result<Self, NotAToken> {
        let parts: Vec<&str> = text.split('-').collect();
        let (fips, digest, secret) = match parts[..] {
            ["SWMTKN", "1", digest, secret] => (None, digest, secret),
            ["SWMTKN", "2", fips @ ("0" | "1"), digest, secret] => (Some(fips == "1"), digest, secret),
            _ => return Err(NotAToken),
        };
        if digest.len() != DIGEST_DIGITS || secret.len() != SECRET_DIGITS {
            return Err(NotAToken);
        }
        Ok(Self { digest: number(digest)?, secret: number(secret)?, fips })
    }
}

/// The digest by which a root is known: of the bytes of its PEM bundle, as they are served.
pub fn root_digest(root_pem: &[u8]) -> [u8; 32] {
    Sha256::digest(root_pem).into()
}

/// The digest as the cluster object writes it.
pub fn root_hash(root_pem: &[u8]) -> String {
    format!("sha256:{}", hex(&root_digest(root_pem)))
}

/// Compares two words in a time that depends on their lengths only.
pub fn equal(one: &str, other: &str) -> bool {
    let differences = one.bytes().zip(other.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    one.len() == other.len() && differences == 0
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The big-endian number in base 36, filled up with zeros from the left.
fn digits<const N: usize>(mut number: [u8; N], count: usize) -> String {
    let mut digits = vec![b'0'; count];
    for digit in digits.iter_mut().rev() {
        let rest = number.iter_mut().fold(0_u16, |rest, byte| {
            let value = rest << 8 | u16::from(*byte);
            *byte = (value / 36) as u8;
            value % 36
        });
        *digit = DIGITS[usize::from(rest)];
    }
    digits.into_iter().map(char::from).collect()
}

/// The number that these digits of base 36 write, if it fits.
fn number<const N: usize>(digits: &str) -> Result<[u8; N], NotAToken> {
    let mut number = [0_u8; N];
    for digit in digits.bytes() {
        let value = DIGITS.iter().position(|known| *known == digit).ok_or(NotAToken)?;
        let carry = number.iter_mut().rev().fold(value as u16, |carry, byte| {
            let value = u16::from(*byte) * 36 + carry;
            *byte = value as u8;
            value >> 8
        });
        if carry != 0 {
            return Err(NotAToken);
        }
    }
    Ok(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};

    const GOLDEN: &str =
        "SWMTKN-1-5xh1m17kacrnqn5xqmukd109r5awcspkvhhyjomgfv40f9qg23-000avh9he7dy896m08s18udxr";

    #[test]
    fn the_golden_token_is_made_and_read() {
        let secret = std::array::from_fn(|place| place as u8);
        let token = JoinToken { digest: root_digest(b"abc\n"), secret, fips: None };
        assert_eq!(token.to_string(), GOLDEN);
        assert_eq!(GOLDEN.parse(), Ok(token.clone()));
        assert!(token.names(b"abc\n"));
        assert!(!token.names(b"abc"));
    }

    #[test]
    fn a_token_of_version_two_says_whether_fips_is_wanted() {
        let text = GOLDEN.replace("SWMTKN-1-", "SWMTKN-2-1-");
        let token: JoinToken = text.parse().unwrap();
        assert!(token.wants_fips());
        assert_eq!(token.to_string(), text);
    }

    #[test]
    fn other_texts_are_refused() {
        let (digest, secret) = ("z".repeat(50), "0".repeat(25));
        for text in [
            String::new(),
            "SWMTKN".to_owned(),
            format!("SWMTKN-1-{digest}-{secret}"),
            GOLDEN.replace("-1-", "-3-"),
            GOLDEN.to_uppercase(),
            format!("{GOLDEN}-"),
            GOLDEN.replace("-1-", "-2-2-"),
        ] {
            assert_eq!(text.parse::<JoinToken>(), Err(NotAToken), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_token_or_none(text in "SWMTKN-[12]-[0-9a-z-]{70,80}|.*") {
            if let Ok(token) = text.parse::<JoinToken>() {
                assert_eq!(token.to_string(), text);
            }
        }

        #[test]
        fn a_token_reads_back(seed in any::<u64>()) {
            let token = JoinToken::random(b"root", &mut Chance::from_number(seed));
            assert_eq!(token.to_string().parse(), Ok(token));
        }
    }
}
