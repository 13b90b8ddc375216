//! Blocks of PEM: bytes as text between two lines that say what they are.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const WIDTH: usize = 64;

/// A block with headers, if there are any.
pub(crate) fn block(words: &str, headers: &BTreeMap<String, String>, der: &[u8]) -> Vec<u8> {
    let mut text = format!("-----BEGIN {words}-----\n");
    for (name, value) in headers {
        text.push_str(&format!("{name}: {value}\n"));
    }
    if !headers.is_empty() {
        text.push('\n');
    }
    let encoded = STANDARD.encode(der);
    for line in encoded.as_bytes().chunks(WIDTH) {
        text.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
        text.push('\n');
    }
    text.push_str(&format!("-----END {words}-----\n"));
    text.into_bytes()
}

/// What stands between the lines that begin and end the first such block.
pub(crate) fn body_of<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {words}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {words}-----"))?;
    Some(body)
}
