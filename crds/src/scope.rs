//! What an OAuth scope is: one rule for whoever writes, hands on or reads one.

/// Whether `text` is a scope as tokens and challenges carry it: visible ASCII without quote and backslash, not empty.
///
/// Source: RFC 6749, section 3.3.
pub fn is_scope_token(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
    !text.is_empty() && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::is_scope_token;

    #[test]
    fn every_character_of_the_grammar_is_allowed_and_no_other() {
        for byte in 0..=u8::MAX {
            let in_grammar = matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
            assert_eq!(is_scope_token(&char::from(byte).to_string()), in_grammar, "{byte:#x}");
        }
        assert!(!is_scope_token(""));
        assert!(is_scope_token("https://api.example.com/.default") && !is_scope_token("two words"));
    }
}
