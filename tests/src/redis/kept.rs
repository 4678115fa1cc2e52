//! What a Redis may keep for gateways: keys that end, with a hash for a name, and values that nobody can read without the
//! sealing key. Source: redis-and-degradation.md, `every-ttl`, `hashed-keys`, `sealed-values`.

use std::collections::BTreeSet;

/// The shortest sealed value: the key's id, a nonce and a tag. Source: the server, `seal.rs`.
const SEALED_BYTES: usize = 4 + 12 + 16;

/// The longest mark, which says no more than that it is there.
const MARK_BYTES: usize = 1;

/// So many printable bytes in a row are text. Chosen: among sealed ones, of which each is printable with 95/256, such a run begins at
/// one place of 2 * 10^10.
const TEXT_BYTES: usize = 24;

/// What is wrong with these keys, each with whether it ends; one line for each.
pub fn problems_of_keys<'a>(keys: impl IntoIterator<Item = (&'a str, bool)>) -> Vec<String> {
    let (mut problems, mut prefixes) = (Vec::new(), BTreeSet::new());
    for (name, ends) in keys {
        if !ends {
            problems.push(format!("`{name}` never ends"));
        }
        match name.rsplit_once(":v1:").filter(|(_, hash)| is_hash(hash)) {
            Some((prefix, _)) => drop(prefixes.insert(prefix)),
            None => problems.push(format!("`{name}` is no prefix, version and hash")),
        }
    }
    if prefixes.len() > 1 {
        problems.push(format!("the prefix is not the same for all: {prefixes:?}"));
    }
    problems
}

fn is_hash(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// What can be read in this value without a key; `None` for what is sealed, and for a mark.
pub fn readable(value: &[u8]) -> Option<String> {
    if value.len() <= MARK_BYTES {
        return None;
    }
    if value.len() < SEALED_BYTES {
        return Some(format!("{} bytes are too few to be sealed: `{}`", value.len(), value.escape_ascii()));
    }
    let is_text = |byte: &u8| matches!(byte, b' '..=b'~');
    let run = value.split(|byte| !is_text(byte)).find(|run| run.len() >= TEXT_BYTES);
    if let Some(run) = run {
        return Some(format!("`{}` is text", run.escape_ascii()));
    }
    let is_json = serde_json::from_slice::<serde_json::Value>(value).is_ok();
    is_json.then(|| format!("`{}` is JSON", value.escape_ascii()))
}

#[cfg(test)]
mod tests {
    use sha2::{Digest as _, Sha256};

    use super::*;

    const HASH: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_key_that_ends_under_a_hash_is_right_and_any_other_is_said() {
        let right = format!("mcpf:team-a/tools:v1:{HASH}");
        assert_eq!(problems_of_keys([(&*right, true)]), Vec::<String>::new());
        assert_eq!(problems_of_keys([(&*right, false)]), [format!("`{right}` never ends")]);
        for wrong in [
            "mcpf:team-a/tools:v1:person-1".to_owned(),
            format!("mcpf:team-a/tools:{HASH}"),
            format!("mcpf:team-a/tools:v1:{}", HASH.to_uppercase()),
            format!("mcpf:team-a/tools:v1:{HASH}0"),
        ] {
            assert_eq!(problems_of_keys([(&*wrong, true)]), [format!("`{wrong}` is no prefix, version and hash")]);
        }
    }

    /// A name before the hash is one as well.
    #[test]
    fn a_prefix_that_differs_says_something() {
        let keys = ["mcpf:a/tools:", "mcpf:a/tools:person-1:"].map(|prefix| format!("{prefix}v1:{HASH}"));
        let problems = problems_of_keys(keys.iter().map(|key| (&**key, true)));
        assert_eq!(problems, [r#"the prefix is not the same for all: {"mcpf:a/tools", "mcpf:a/tools:person-1"}"#]);
    }

    #[test]
    fn sealed_values_and_marks_cannot_be_read() {
        let sealed: Vec<u8> = Sha256::digest("a").into_iter().chain(Sha256::digest("b")).collect();
        for value in [&b""[..], b"1", &sealed, &[0; SEALED_BYTES]] {
            assert_eq!(readable(value), None, "{}", value.escape_ascii());
        }
    }

    #[test]
    fn text_json_and_what_is_too_short_can_be_read() {
        let within = [&[0xff; 40][..], b"the name of a person, or a tool", &[0xff; 40]].concat();
        let array = format!("[{}]", "\n1,".repeat(20) + "1");
        for value in
            [&br#"{"level":"alert","subscriptions":["test://listed"]}"#[..], &within, b"alert", array.as_bytes()]
        {
            assert!(readable(value).is_some(), "{}", value.escape_ascii());
        }
    }
}
