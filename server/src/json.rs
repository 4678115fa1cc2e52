//! JSON of which parts pass through as they are: an object's members as raw text, in their order.
//!
//! Below everything that reads or writes MCP.

use std::{borrow::Cow, collections::HashSet, fmt, ops::Range};

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeOwned, Error as _, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// An object. Two members of one name make it unreadable: two readers could take it for two things.
#[derive(Debug, Default)]
pub(crate) struct Object<'a> {
    members: Vec<Member<'a>>,
}

/// One member.
#[derive(Debug)]
pub(crate) struct Member<'a> {
    /// The name as it is written, with its quotes.
    key: &'a RawValue,
    pub(crate) name: Cow<'a, str>,
    pub(crate) value: &'a RawValue,
}

impl<'a> Object<'a> {
    /// `text` as an object; `None` if it is anything else.
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The value of a member.
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.members.iter().find(|member| member.name == name).map(|member| member.value)
    }

    /// All members, in their order.
    pub(crate) fn members(&self) -> &[Member<'a>] {
        &self.members
    }

    /// The object without some of its members; the others are the same, byte for byte.
    pub(crate) fn without(&self, dropped: impl Fn(&str) -> bool) -> Box<RawValue> {
        written(self.members.iter().filter(|member| !dropped(&member.name)))
    }

    /// The object with all members of `other`, in place of its own of these names; byte for byte.
    pub(crate) fn with(&self, other: &Object<'_>) -> Box<RawValue> {
        let kept = self.members.iter().filter(|member| other.get(&member.name).is_none());
        written(kept.chain(&other.members))
    }
}

/// A document of named members; `None` if it is anything else. A struct alone would also be read from an array of its
/// members in their order, which says nothing of what they are.
pub(crate) fn read_object<T: DeserializeOwned>(bytes: &[u8]) -> Option<T> {
    let is_object = bytes.trim_ascii_start().first() == Some(&b'{');
    if is_object { serde_json::from_slice(bytes).ok() } else { None }
}

fn written<'m>(members: impl Iterator<Item = &'m Member<'m>>) -> Box<RawValue> {
    let members: Vec<_> = members.map(|member| format!("{}:{}", member.key.get(), member.value.get())).collect();
    let text = format!("{{{}}}", members.join(","));
    RawValue::from_string(text).expect("members of an object make an object")
}

impl<'de: 'a, 'a> Deserialize<'de> for Object<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ObjectVisitor).map(|object: Object<'de>| object)
    }
}

struct ObjectVisitor;

impl<'de> Visitor<'de> for ObjectVisitor {
    type Value = Object<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
        let mut members = Vec::new();
        let mut seen = HashSet::new();
        while let Some((key, value)) = map.next_entry::<&RawValue, &RawValue>()? {
            let name = string(key).ok_or_else(|| A::Error::custom("a name is no text"))?;
            if !seen.insert(name.clone()) {
                return Err(A::Error::custom("two members have the same name"));
            }
            members.push(Member { key, name, value });
        }
        Ok(Object { members })
    }
}

/// The text of a JSON string; `None` for anything else.
pub(crate) fn string(value: &RawValue) -> Option<Cow<'_, str>> {
    #[derive(Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    let inner = value.get().strip_prefix('"')?.strip_suffix('"')?;
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    let text: Text<'_> = serde_json::from_str(value.get()).ok()?;
    Some(text.0)
}

/// True for a JSON object. Raw values begin with their first character, never with white space.
pub(crate) fn is_object(value: &RawValue) -> bool {
    value.get().starts_with('{')
}

/// Where `part`, a value that was read from `whole`, stands in it.
pub(crate) fn range_of(part: &RawValue, whole: &str) -> Range<usize> {
    let start = part.get().as_ptr() as usize - whole.as_ptr() as usize;
    start..start + part.get().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_keep_their_order_and_their_bytes() {
        let object = Object::parse(r#" {"b" : 1.0e2,"\u0061":{"x": [1 ,2]} , "c":"\/"} "#).unwrap();
        let members: Vec<_> = object.members().iter().map(|member| (&*member.name, member.value.get())).collect();
        assert_eq!(members, [("b", "1.0e2"), ("a", r#"{"x": [1 ,2]}"#), ("c", r#""\/""#)]);
        assert_eq!(object.without(|name| name == "b").get(), r#"{"\u0061":{"x": [1 ,2]},"c":"\/"}"#);
    }

    #[test]
    fn a_member_of_the_other_object_takes_the_place_of_its_namesake() {
        let [one, other] = [r#"{"a":1,"\u0062":1.0e2}"#, r#"{"c":3,"b":2}"#].map(|text| Object::parse(text).unwrap());
        assert_eq!(one.with(&other).get(), r#"{"a":1,"c":3,"b":2}"#);
        assert_eq!(other.with(&one).get(), r#"{"c":3,"a":1,"\u0062":1.0e2}"#);
    }

    #[test]
    fn two_members_of_one_name_are_refused_however_they_are_written() {
        assert!(Object::parse(r#"{"a":1,"\u0061":2}"#).is_none());
        assert!(Object::parse("[]").is_none());
        assert!(Object::parse("null").is_none());
    }

    #[test]
    fn a_document_names_its_members() {
        #[derive(Debug, PartialEq, Deserialize)]
        struct Document {
            x: u8,
        }

        for (text, expected) in [
            (r#"{"x":1}"#, Some(Document { x: 1 })),
            (" \n{\"x\":1} ", Some(Document { x: 1 })),
            // Without the name, serde would take it.
            ("[1]", None),
            (r#"{"x":1,"x":1}"#, None),
            (r#"{"x":1}{}"#, None),
            ("", None),
        ] {
            assert_eq!(read_object(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn a_value_is_found_in_the_text_that_it_came_from() {
        let text = r#"{ "x": 1, "name" : "a" }"#;
        let value = Object::parse(text).unwrap().get("name").unwrap();
        assert_eq!(&text[range_of(value, text)], r#""a""#);
    }
}
