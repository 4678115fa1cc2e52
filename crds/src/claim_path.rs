//! Where a claim stands in a token's payload, as users write it: `realm_access.roles`, `tenants.{dct}.permissions`.
//!
//! Member names separated by dots. A dot inside a name is written `\.`, a backslash `\\`: `kubernetes\.io.namespace`.
//! `{name}` stands for the value (a string) of the top-level claim `name`. There are no wildcards and no indices.

use serde_json::{Map, Value};

/// The longest path, in bytes. Chosen: the longest in use, a URL as a name, has a quarter of it.
pub const MAX_PATH_BYTES: usize = 256;

/// The deepest path. Chosen: the deepest in use has three members.
pub const MAX_MEMBERS: usize = 8;

/// A path that was checked. Equal text means equal path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClaimPath(Vec<Member>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Member {
    Named(String),
    /// Named by the value of this top-level claim.
    ValueOf(String),
}

/// Why a text is no path: a clause that goes on after the field's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimPathError {
    /// Nothing, or nothing between two dots.
    #[error("has an empty member; write names separated by single dots, such as realm_access.roles")]
    Empty,
    /// More than [`MAX_PATH_BYTES`] or [`MAX_MEMBERS`].
    #[error("is too long; use at most {MAX_MEMBERS} members and {MAX_PATH_BYTES} bytes")]
    TooLong,
    /// A backslash before something else than a dot or a backslash.
    #[error("has a stray backslash; write \\. for a dot inside a name and \\\\ for a backslash")]
    Escape,
    /// A brace that is no `{name}` of its own.
    #[error("has a stray brace; {{name}} stands alone between dots, for the value of the claim `name`")]
    Brace,
}

impl ClaimPath {
    /// Reads a path.
    pub fn parse(text: &str) -> Result<Self, ClaimPathError> {
        if text.len() > MAX_PATH_BYTES {
            return Err(ClaimPathError::TooLong);
        }
        let members = split(text)?.into_iter().map(member).collect::<Result<Vec<_>, _>>()?;
        if members.len() > MAX_MEMBERS { Err(ClaimPathError::TooLong) } else { Ok(Self(members)) }
    }

    /// What stands there in `payload`. `None` when a member is missing, or is asked of something that has no members.
    pub fn find<'a>(&self, payload: &'a Map<String, Value>) -> Option<&'a Value> {
        let (last, parents) = self.0.split_last()?;
        let mut object = payload;
        for parent in parents {
            object = object.get(parent.name(payload)?)?.as_object()?;
        }
        object.get(last.name(payload)?)
    }
}

impl Member {
    fn name<'a>(&'a self, payload: &'a Map<String, Value>) -> Option<&'a str> {
        match self {
            Self::Named(name) => Some(name),
            Self::ValueOf(claim) => payload.get(claim)?.as_str(),
        }
    }
}

/// The text between dots that are no part of a name, with the escapes resolved.
fn split(text: &str) -> Result<Vec<String>, ClaimPathError> {
    let mut members = vec![String::new()];
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let current = members.last_mut().expect("there is always a member that is being read");
        match character {
            '.' => members.push(String::new()),
            '\\' => match characters.next() {
                Some(escaped @ ('.' | '\\')) => current.push(escaped),
                _ => return Err(ClaimPathError::Escape),
            },
            other => current.push(other),
        }
    }
    Ok(members)
}

fn member(text: String) -> Result<Member, ClaimPathError> {
    if text.is_empty() {
        return Err(ClaimPathError::Empty);
    }
    let inner = text.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    let name = inner.unwrap_or(&text);
    if name.contains(['{', '}']) {
        return Err(ClaimPathError::Brace);
    }
    match inner {
        Some("") => Err(ClaimPathError::Brace),
        Some(claim) => Ok(Member::ValueOf(claim.to_owned())),
        None => Ok(Member::Named(text)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_path_leads_through_objects_to_a_value() {
        let payload = json!({
            "scope": "a",
            "dct": "t1",
            "tenants": { "t1": { "permissions": ["p"] }, "{dct}": 1 },
            "kubernetes.io": { "namespace": "team-a" },
            "https://example.com/roles": ["r"],
            "back\\slash": true,
        });
        let payload = payload.as_object().unwrap();
        for (path, expected) in [
            ("scope", Some(json!("a"))),
            ("tenants.{dct}.permissions", Some(json!(["p"]))),
            ("kubernetes\\.io.namespace", Some(json!("team-a"))),
            ("https://example\\.com/roles", Some(json!(["r"]))),
            ("back\\\\slash", Some(json!(true))),
            ("scope.a", None),
            ("kubernetes.io.namespace", None),
            ("tenants.{scope}.permissions", None),
            ("tenants.{tenants}.permissions", None),
            ("{dct}", None),
            ("missing", None),
        ] {
            assert_eq!(ClaimPath::parse(path).unwrap().find(payload).cloned(), expected, "{path}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused_by_its_fault() {
        let long = "a".repeat(MAX_PATH_BYTES + 1);
        for (text, expected) in [
            ("", ClaimPathError::Empty),
            ("a..b", ClaimPathError::Empty),
            (".a", ClaimPathError::Empty),
            ("a.", ClaimPathError::Empty),
            ("a\\b", ClaimPathError::Escape),
            ("a\\", ClaimPathError::Escape),
            ("{}", ClaimPathError::Brace),
            ("{a", ClaimPathError::Brace),
            ("a{b}", ClaimPathError::Brace),
            ("{{a}}", ClaimPathError::Brace),
            ("a.b.c.d.e.f.g.h.i", ClaimPathError::TooLong),
            (&long, ClaimPathError::TooLong),
        ] {
            assert_eq!(ClaimPath::parse(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn the_longest_path_is_a_path() {
        assert!(ClaimPath::parse("a.b.c.d.e.f.g.h").is_ok());
        assert!(ClaimPath::parse(&"a".repeat(MAX_PATH_BYTES)).is_ok());
    }
}
