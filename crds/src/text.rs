//! Text that must not grow: the one place that cuts at a character's boundary.

/// The longest start of `text` that has at most `max_bytes` bytes and ends between two characters.
pub fn cut(text: &str, max_bytes: usize) -> &str {
    let mut end = max_bytes.min(text.len());
    // `floor_char_boundary` came with Rust 1.91. 0 is always a boundary.
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_cut_is_between_characters() {
        assert_eq!(cut("aé", 3), "aé");
        assert_eq!(cut("aé", 2), "a");
        assert_eq!(cut("é", 0), "");
        assert_eq!(cut("", 7), "");
    }

    proptest! {
        #[test]
        fn a_cut_is_a_start_within_the_bound_and_no_shorter_than_it_must_be(text in "[a-é€🦀]{0,12}", max in 0_usize..40) {
            let kept = cut(&text, max);
            prop_assert!(text.starts_with(kept) && kept.len() <= max);
            let next = text[kept.len()..].chars().next().map_or(usize::MAX, char::len_utf8);
            prop_assert!(kept.len().saturating_add(next) > max);
        }
    }
}
