//! JSON objects in which no member name occurs twice, at any depth.
//!
//! Two parsers that disagree about which of two `sub` members counts are two different principals; here
//! neither counts. Depth is bounded by the parser's own recursion limit.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use super::InvalidToken;

/// The object in `bytes`.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, InvalidToken> {
    let mut duplicate = false;
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Unique { duplicate: &mut duplicate }.deserialize(&mut deserializer);
    match (value, deserializer.end(), duplicate) {
        (Ok(Value::Object(members)), Ok(()), _) => Ok(members),
        (_, _, true) => Err(InvalidToken::DuplicateMember),
        _ => Err(InvalidToken::Malformed),
    }
}

/// Builds a [`Value`] and stops at the first name that comes twice. `duplicate` tells the caller that this
/// was the reason: the parser's own error has only text.
struct Unique<'a> {
    duplicate: &'a mut bool,
}

impl<'de> DeserializeSeed<'de> for Unique<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unique<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Number::from_f64(value).map(Value::Number).ok_or_else(|| E::custom("not a number"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(element) = elements.next_element_seed(Unique { duplicate: &mut *self.duplicate })? {
            array.push(element);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            if object.contains_key(&name) {
                *self.duplicate = true;
                return Err(A::Error::custom("duplicate member"));
            }
            let value = members.next_value_seed(Unique { duplicate: &mut *self.duplicate })?;
            object.insert(name, value);
        }
        Ok(object.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_name_that_comes_twice_is_refused_at_any_depth_and_in_any_spelling() {
        let documents = [
            r#"{"a":1,"a":1}"#,
            r#"{"a":1,"b":{"c":1,"c":2}}"#,
            r#"{"a":[1,{"c":1,"c":2}]}"#,
            r#"{"sub":"x","\u0073ub":"y"}"#,
        ];
        for document in documents {
            assert_eq!(object(document.as_bytes()), Err(InvalidToken::DuplicateMember), "{document}");
        }
    }

    #[test]
    fn what_is_not_one_object_is_malformed() {
        let nested = format!("{}1{}", r#"{"a":"#.repeat(200), "}".repeat(200));
        for document in ["", "1", "[]", "null", "\"x\"", "{", "{}{}", "{} x", "{\"a\":NaN}", nested.as_str()] {
            assert_eq!(object(document.as_bytes()), Err(InvalidToken::Malformed), "{document}");
        }
        assert_eq!(object(b"{\"a\":\"\xff\"}"), Err(InvalidToken::Malformed));
    }

    #[test]
    fn every_kind_of_value_reads_as_the_ordinary_parser_reads_it() {
        let document = r#"{"a":null,"b":true,"c":-1,"d":18446744073709551615,"e":1.5,"f":"x","g":"\u00e9\n","h":[1,[]],"i":{"j":{}}}"#;
        let expected: Value = serde_json::from_str(document).unwrap();
        assert_eq!(Value::Object(object(document.as_bytes()).unwrap()), expected);
    }

    proptest! {
        #[test]
        fn any_object_reads_as_the_ordinary_parser_reads_it(
            names in prop::collection::btree_set("[a-z\\\\\"é]{0,4}", 0..5),
            number in any::<i64>(),
        ) {
            let document = Value::Object(names.into_iter().map(|name| (name, number.into())).collect());
            let bytes = serde_json::to_vec(&document).unwrap();
            prop_assert_eq!(Value::Object(object(&bytes).unwrap()), document);
        }

        #[test]
        fn bytes_of_any_kind_are_answered_not_panicked_on(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = object(&bytes);
        }
    }
}
