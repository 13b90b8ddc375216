//! Reading JSON as clients of this API write it, and small rules of writing it.
//!
//! In: bytes from a client. Out: a value, or a [`Malformed`] that names the field. Clients rely on three habits
//! of Go that serde does not have: names match in any case, `null` is the zero value of whatever is expected,
//! and an object is never given as a list. [`read`] adds them to every type that derives `Deserialize`; keys of
//! maps (labels, options) stay as they are. It does not know what any field means.

use std::borrow::Cow;
use std::fmt;

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde::ser::{Serialize, Serializer};

/// Why a text is not what was expected.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// There is no text.
    #[error("got EOF while reading request body")]
    Empty,
    /// It is not JSON at all.
    #[error("invalid JSON: {0}")]
    Syntax(String),
    /// A field has a wrong type or value.
    #[error("invalid value for {field}: {reason}")]
    Field {
        /// The way to the field: `TaskTemplate.Resources.Limits.NanoCPUs`.
        field: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Reads one value from JSON, with Go's habits.
pub fn read<T: DeserializeOwned>(text: &[u8]) -> Result<T, Malformed> {
    if text.iter().all(u8::is_ascii_whitespace) {
        return Err(Malformed::Empty);
    }
    let mut source = serde_json::Deserializer::from_slice(text);
    let value = serde_path_to_error::deserialize(Habits(&mut source)).map_err(|error| malformed(&error))?;
    source.end().map_err(|error| Malformed::Syntax(error.to_string()))?;
    Ok(value)
}

fn malformed(error: &serde_path_to_error::Error<serde_json::Error>) -> Malformed {
    let inner = error.inner();
    if !inner.is_data() {
        return Malformed::Syntax(inner.to_string());
    }
    let text = inner.to_string();
    let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason).to_owned();
    let path = error.path().to_string();
    Malformed::Field { field: if path == "." { "the body".to_owned() } else { path }, reason }
}

/// A source of values, with Go's habits added.
struct Habits<D>(D);

/// What is expected, so that `null` can become its zero value.
#[derive(Clone, Copy)]
enum Expected {
    Anything,
    Bool,
    Number,
    Text,
    List,
    Map,
    Struct(&'static [&'static str]),
}

macro_rules! expecting {
    ($($method:ident => $expected:ident,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.0.deserialize_any(Guest { visitor, expected: Expected::$expected })
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for Habits<D> {
    type Error = D::Error;

    expecting! {
        deserialize_any => Anything,
        deserialize_bool => Bool,
        deserialize_i8 => Number, deserialize_i16 => Number, deserialize_i32 => Number, deserialize_i64 => Number,
        deserialize_u8 => Number, deserialize_u16 => Number, deserialize_u32 => Number, deserialize_u64 => Number,
        deserialize_f32 => Number, deserialize_f64 => Number,
        deserialize_char => Text, deserialize_str => Text, deserialize_string => Text,
        deserialize_identifier => Text,
        deserialize_bytes => Text, deserialize_byte_buf => Text,
        deserialize_seq => List,
        deserialize_map => Map,
        deserialize_unit => Anything,
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_any(Guest { visitor, expected: Expected::Struct(fields) })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_option(Guest { visitor, expected: Expected::Anything })
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_any(visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.0.deserialize_enum(name, variants, visitor)
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.0.deserialize_ignored_any(visitor)
    }
}

/// A visitor that is handed what it expects although the text says `null` or spells names differently.
struct Guest<V> {
    visitor: V,
    expected: Expected,
}

impl<'de, V: Visitor<'de>> Visitor<'de> for Guest<V> {
    type Value = V::Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.visitor.expecting(f)
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<V::Value, E> {
        match self.expected {
            Expected::Anything => self.visitor.visit_unit(),
            Expected::Bool => self.visitor.visit_bool(false),
            Expected::Number => self.visitor.visit_u64(0),
            Expected::Text => self.visitor.visit_str(""),
            Expected::List => self.visitor.visit_seq(Nothing::default()),
            Expected::Map | Expected::Struct(_) => self.visitor.visit_map(Nothing::default()),
        }
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<V::Value, E> {
        self.visitor.visit_bool(value)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<V::Value, E> {
        self.visitor.visit_i64(value)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<V::Value, E> {
        self.visitor.visit_u64(value)
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<V::Value, E> {
        self.visitor.visit_f64(value)
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<V::Value, E> {
        self.visitor.visit_str(value)
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, value: &'de str) -> Result<V::Value, E> {
        self.visitor.visit_borrowed_str(value)
    }

    fn visit_string<E: serde::de::Error>(self, value: String) -> Result<V::Value, E> {
        self.visitor.visit_string(value)
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<V::Value, E> {
        self.visitor.visit_none()
    }

    fn visit_some<D: Deserializer<'de>>(self, source: D) -> Result<V::Value, D::Error> {
        self.visitor.visit_some(Habits(source))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<V::Value, A::Error> {
        if let Expected::Struct(_) = self.expected {
            return Err(A::Error::invalid_type(Unexpected::Seq, &"an object"));
        }
        self.visitor.visit_seq(Elements(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<V::Value, A::Error> {
        let fields = match self.expected {
            Expected::Struct(fields) => fields,
            _ => &[],
        };
        self.visitor.visit_map(Entries { map, fields })
    }
}

struct Elements<A>(A);

impl<'de, A: SeqAccess<'de>> SeqAccess<'de> for Elements<A> {
    type Error = A::Error;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        self.0.next_element_seed(Seed(seed))
    }

    fn size_hint(&self) -> Option<usize> {
        self.0.size_hint()
    }
}

struct Entries<A> {
    map: A,
    /// The names of a struct; empty for a map, whose keys are its own.
    fields: &'static [&'static str],
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for Entries<A> {
    type Error = A::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, A::Error> {
        if self.fields.is_empty() {
            return self.map.next_key_seed(seed);
        }
        let Some(Key(key)) = self.map.next_key::<Key<'de>>()? else { return Ok(None) };
        match known(self.fields, &key) {
            Some(name) => seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some),
            None => seed.deserialize(StrDeserializer::new(&key)).map(Some),
        }
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, A::Error> {
        self.map.next_value_seed(Seed(seed))
    }
}

/// The name that is meant: exactly so, else in another case.
fn known(fields: &'static [&'static str], key: &str) -> Option<&'static str> {
    let exact = fields.iter().find(|name| **name == key);
    exact.or_else(|| fields.iter().find(|name| name.eq_ignore_ascii_case(key))).copied()
}

/// A key that is borrowed from the text wherever it has no escapes.
struct Key<'de>(Cow<'de, str>);

impl<'de> serde::Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(source: D) -> Result<Self, D::Error> {
        struct Read;
        impl<'de> Visitor<'de> for Read {
            type Value = Key<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E: serde::de::Error>(self, text: &'de str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Key<'de>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        source.deserialize_str(Read)
    }
}

struct Seed<S>(S);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for Seed<S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(Habits(source))
    }
}

/// A list or map without anything in it.
struct Nothing<E>(std::marker::PhantomData<E>);

impl<E> Default for Nothing<E> {
    fn default() -> Self {
        Self(std::marker::PhantomData)
    }
}

impl<'de, E: serde::de::Error> SeqAccess<'de> for Nothing<E> {
    type Error = E;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, _: S) -> Result<Option<S::Value>, E> {
        Ok(None)
    }
}

impl<'de, E: serde::de::Error> MapAccess<'de> for Nothing<E> {
    type Error = E;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, _: S) -> Result<Option<S::Value>, E> {
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, _: S) -> Result<S::Value, E> {
        Err(E::custom("nothing has no values"))
    }
}

/// True for what Go leaves out under `omitempty`.
pub(crate) fn is_zero<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Writes an empty list as `null`, as Go does with a list that was never made.
pub(crate) fn null_if_empty<T, S>(value: &T, to: S) -> Result<S::Ok, S::Error>
where
    T: Serialize + Default + PartialEq,
    S: Serializer,
{
    if is_zero(value) { to.serialize_none() } else { value.serialize(to) }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    #[serde(rename_all = "PascalCase", default)]
    struct Sample {
        name: String,
        count: i64,
        labels: BTreeMap<String, String>,
        words: Vec<String>,
        inner: Option<Box<Sample>>,
    }

    #[test]
    fn names_match_in_any_case_but_keys_of_maps_stay() {
        let sample: Sample = read(br#"{"nAME":"a","INNER":{"count":2},"labels":{"NAME":"b"}}"#).unwrap();
        assert_eq!(sample.name, "a");
        assert_eq!(sample.inner.unwrap().count, 2);
        assert_eq!(sample.labels["NAME"], "b");
    }

    #[test]
    fn null_is_the_zero_value_of_anything() {
        let text = br#"{"Name":null,"Count":null,"Labels":null,"Words":null,"Inner":null}"#;
        assert_eq!(read::<Sample>(text).unwrap(), Sample::default());
        assert_eq!(read::<Sample>(b"null").unwrap(), Sample::default());
    }

    #[test]
    fn unknown_fields_are_tolerated() {
        assert_eq!(read::<Sample>(br#"{"Other":{"a":[1]}}"#).unwrap(), Sample::default());
    }

    #[test]
    fn a_refusal_names_the_field() {
        for (text, message) in [
            (
                r#"{"Inner":{"count":"x"}}"#,
                r#"invalid value for Inner.Count: invalid type: string "x", expected i64"#,
            ),
            (r#"{"Count":1.5}"#, "invalid value for Count: invalid type: floating point `1.5`, expected i64"),
            (
                r#"{"Words":["a",1]}"#,
                "invalid value for Words[1]: invalid type: integer `1`, expected a string",
            ),
            (r#"{"Words":{}}"#, "invalid value for Words: invalid type: map, expected a sequence"),
            ("[]", "invalid value for the body: invalid type: sequence, expected an object"),
            ("", "got EOF while reading request body"),
            ("{x", "invalid JSON: key must be a string at line 1 column 2"),
            ("{} {}", "invalid JSON: trailing characters at line 1 column 4"),
        ] {
            assert_eq!(read::<Sample>(text.as_bytes()).unwrap_err().to_string(), message, "{text}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read::<Sample>(&bytes);
        }
    }
}
