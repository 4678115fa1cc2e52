//! Pages of lists. A cursor is sealed: it names the last entry of a page, and is bound to the caller and the list.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::{error::McpError, session::binding};
use crate::{
    auth::Principal,
    seal::{KeyRing, Purpose},
};

/// Entries of one page. Chosen: what most gateways offer fits on one.
const PAGE: usize = 500;

/// A page of a list.
pub(super) struct Page<'a> {
    pub(super) entries: Vec<&'a RawValue>,
    pub(super) next_cursor: Option<String>,
}

/// The page of `entries` (name and definition, in list order, filtered for the caller) that `cursor` asks for.
/// A list that changed in between goes on after the entry that the cursor names; if that one is gone, the cursor is
/// unknown.
pub(super) fn page<'a>(
    keys: &KeyRing,
    principal: &Principal,
    method: &str,
    entries: impl Iterator<Item = (&'a str, &'a RawValue)>,
    cursor: Option<Cow<'_, str>>,
) -> Result<Page<'a>, McpError> {
    let bound_to = || [binding(principal).as_slice(), method.as_bytes()].concat();
    let mut entries = entries;
    if let Some(cursor) = cursor {
        let last = keys.open(Purpose::Cursor, &bound_to(), &cursor).ok_or_else(McpError::unknown_cursor)?;
        if !entries.any(|(name, _)| name.as_bytes() == last) {
            return Err(McpError::unknown_cursor());
        }
    }
    let mut entries = entries.peekable();
    let mut page = Page { entries: Vec::new(), next_cursor: None };
    let mut last = "";
    while page.entries.len() < PAGE {
        let Some((name, definition)) = entries.next() else { return Ok(page) };
        page.entries.push(definition);
        last = name;
    }
    page.next_cursor = entries.peek().map(|_| keys.seal(Purpose::Cursor, &bound_to(), last.as_bytes()));
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(subject: &str) -> Principal {
        Principal::new("https://issuer.example", subject)
    }

    #[test]
    fn pages_go_on_where_the_last_one_ended_for_the_same_caller_and_list() {
        let keys = KeyRing::of_process();
        let names: Vec<String> = (0..=PAGE).map(|number| number.to_string()).collect();
        let definition = RawValue::from_string("{}".to_owned()).unwrap();
        let ask = |subject: &str, method: &str, cursor: Option<&str>| {
            let entries = names.iter().map(|name| (name.as_str(), &*definition));
            let page = page(&keys, &principal(subject), method, entries, cursor.map(Cow::Borrowed)).ok()?;
            Some((page.entries.len(), page.next_cursor))
        };
        let (count, cursor) = ask("me", "tools/list", None).unwrap();
        let cursor = cursor.unwrap();
        assert_eq!(count, PAGE);
        assert_eq!(ask("me", "tools/list", Some(&cursor)), Some((1, None)));
        assert_eq!(ask("you", "tools/list", Some(&cursor)), None);
        assert_eq!(ask("me", "prompts/list", Some(&cursor)), None);
        for wrong in ["", "1", &cursor[1..]] {
            assert_eq!(ask("me", "tools/list", Some(wrong)), None);
        }
    }
}
