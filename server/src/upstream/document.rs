//! A document that came from an upstream, as text.

use super::limits::MAX_DEPTH;

/// One document that came from an upstream, as text that is safe to parse and to pass on.
///
/// Line breaks between tokens become spaces, so that no value ever breaks the frame of an event downstream (inside of
/// strings JSON has none). `None`: no UTF-8, or nested too deep.
pub(super) fn document(bytes: Vec<u8>) -> Option<String> {
    let mut text = String::from_utf8(bytes).ok()?;
    if text.contains(['\r', '\n']) {
        text = text.replace(['\r', '\n'], " ");
    }
    (depth(&text) <= MAX_DEPTH).then_some(text)
}

/// How deep objects and arrays nest.
fn depth(text: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    let (mut in_string, mut escaped) = (false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                open += 1;
                deepest = deepest.max(open);
            }
            b'}' | b']' if !in_string => open = open.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_no_line_breaks_and_a_bounded_depth() {
        let text = document(b"{\r\n \"a\":\"x\\n\"\n}".to_vec()).unwrap();
        assert_eq!(text, "{   \"a\":\"x\\n\" }");
        let nested = |levels: usize| [vec![b'['; levels], vec![b']'; levels]].concat();
        assert!(document(nested(MAX_DEPTH)).is_some());
        assert!(document(nested(MAX_DEPTH + 1)).is_none());
        assert!(document(br#""[[[[\"[[[""#.repeat(50)).is_some());
        assert!(document(vec![b'"', 0xff, b'"']).is_none());
    }
}
