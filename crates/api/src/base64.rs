//! Bytes as the API writes them: base64 with padding.

use std::borrow::Cow;

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes that are base64 in JSON.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Base64(pub Vec<u8>);

impl Base64 {
    /// True if there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        let text = Cow::<str>::deserialize(source)?;
        let unwrapped: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
        STANDARD.decode(unwrapped).map(Self).map_err(|_| serde::de::Error::custom("not base64"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_back_and_garbage_is_refused() {
        assert_eq!(serde_json::to_string(&Base64(b"hi\n".to_vec())).unwrap(), "\"aGkK\"");
        assert_eq!(crate::read::<Base64>(b"\"aGkK\"").unwrap(), Base64(b"hi\n".to_vec()));
        assert!(crate::read::<Base64>(b"\"a*\"").is_err());
    }
}
