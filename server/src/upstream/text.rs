//! Texts for people of which an upstream is the author.

use super::limits::MAX_TEXT_CHARS;

/// `text` without characters that control or hide, and at most 128 of the others.
pub(super) fn bounded(text: &str) -> String {
    text.chars().filter(|character| !is_hidden(*character)).take(MAX_TEXT_CHARS).collect()
}

/// Control characters; what reorders or hides text (bidi, zero width, tags).
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_short_and_has_no_hidden_characters() {
        assert_eq!(bounded("a\u{1b}[31m\r\nb\u{202e}c\u{e0041}"), "a[31mbc");
        assert_eq!(bounded(&"ä".repeat(500)).chars().count(), 128);
    }
}
