//! One strict pass over a body: JSON that two parsers could read differently is refused.
//!
//! Serde alone takes the last of two equal members at one place and the first at another; here both
//! are refused, and depth and width are bounded, before anything is read from the body.

use std::{borrow::Cow, cell::Cell, collections::HashSet, fmt, mem};

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};

use super::error::McpError;

/// How deep objects and arrays may nest. Source: acceptance protocol.md, section 2.
pub(super) const MAX_DEPTH: usize = 64;

/// How many members one object may have. Chosen: far above what tools take, far below what costs.
pub(super) const MAX_MEMBERS: usize = 10_000;

/// Up to this many members a scan of the few before is faster than hashing.
const SCAN_UP_TO: usize = 16;

/// Checks the whole document.
pub(super) fn check(text: &str) -> Result<(), McpError> {
    let refused = Cell::new(None);
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let document = Document { depth: 0, refused: &refused };
    let result = document.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match (result, refused.take()) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(message)) => Err(McpError::invalid_request(message)),
        (Err(_), None) => Err(McpError::parse("the body is not one JSON document in UTF-8")),
    }
}

/// Visits a value and keeps nothing of it.
#[derive(Clone, Copy)]
struct Document<'c> {
    /// How many objects and arrays are open around the value.
    depth: usize,
    /// Why valid JSON was refused all the same.
    refused: &'c Cell<Option<&'static str>>,
}

impl Document<'_> {
    fn inner<E: serde::de::Error>(self) -> Result<Self, E> {
        if self.depth == MAX_DEPTH {
            return Err(self.refuse("the body nests deeper than 64 levels"));
        }
        Ok(Self { depth: self.depth + 1, ..self })
    }

    fn refuse<E: serde::de::Error>(self, message: &'static str) -> E {
        self.refused.set(Some(message));
        E::custom(message)
    }
}

impl<'de> DeserializeSeed<'de> for Document<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Document<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let inner = self.inner::<A::Error>()?;
        while items.next_element_seed(inner)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let inner = self.inner::<A::Error>()?;
        let mut seen = Names::default();
        while let Some(name) = members.next_key_seed(NameSeed)? {
            if !seen.insert(name) {
                return Err(self.refuse("two members of one object have the same name"));
            }
            if seen.count > MAX_MEMBERS {
                return Err(self.refuse("an object has more than 10000 members"));
            }
            members.next_value_seed(inner)?;
        }
        Ok(())
    }
}

/// The members of one object so far. The few need no memory of their own.
#[derive(Default)]
struct Names<'de> {
    few: [Cow<'de, str>; SCAN_UP_TO],
    /// All of them, once they are many.
    many: HashSet<Cow<'de, str>>,
    count: usize,
}

impl<'de> Names<'de> {
    /// False if the name is there already.
    fn insert(&mut self, name: Cow<'de, str>) -> bool {
        self.count += 1;
        if self.count <= SCAN_UP_TO {
            let (before, rest) = self.few.split_at_mut(self.count - 1);
            let is_new = !before.contains(&name);
            rest[0] = name;
            return is_new;
        }
        if self.many.is_empty() {
            self.many.extend(self.few.iter_mut().map(mem::take));
        }
        self.many.insert(name)
    }
}

/// Reads a member's name without copying it where its text has no escapes.
struct NameSeed;

impl<'de> DeserializeSeed<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for NameSeed {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a member's name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests;
