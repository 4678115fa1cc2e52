//! How large the head of a request may be: 8 KiB of target, 64 fields, 32 KiB of fields.
//!
//! Stands before whatever looks at the head. hyper reads a little more than this (see
//! [`crate::listener`]), so that the refusal is ours and carries a correlation id.

use http::{HeaderMap, Uri};

use crate::error::Error;

/// Source: protocol.md, section 2.
const MAX_TARGET_BYTES: usize = 8 * 1024;

/// Source: protocol.md, section 2.
const MAX_FIELDS: usize = 64;

/// Names and values together; room for a token that is too long, so that it gets its 401.
/// Source: protocol.md, section 2.
const MAX_FIELD_BYTES: usize = 32 * 1024;

/// Refuses a head that is too large.
pub fn check(uri: &Uri, headers: &HeaderMap) -> Result<(), Error> {
    if target_bytes(uri) > MAX_TARGET_BYTES {
        return Err(Error::UriTooLong);
    }
    let bytes: usize = headers.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if headers.len() > MAX_FIELDS || bytes > MAX_FIELD_BYTES {
        return Err(Error::HeadersTooLarge);
    }
    Ok(())
}

fn target_bytes(uri: &Uri) -> usize {
    let authority = uri.authority().map_or(0, |authority| authority.as_str().len());
    authority + uri.path_and_query().map_or(0, |path| path.as_str().len())
}

#[cfg(test)]
mod tests {
    use http::{HeaderName, HeaderValue};

    use super::*;

    fn uri(bytes: usize) -> Uri {
        format!("/{}", "x".repeat(bytes - 1)).parse().unwrap()
    }

    fn fields(count: usize, bytes: usize) -> HeaderMap {
        let name = |index: usize| HeaderName::try_from(format!("x-{index:02}")).unwrap();
        let value = HeaderValue::from_str(&"v".repeat(bytes / count - 4)).unwrap();
        (0..count).map(|index| (name(index), value.clone())).collect()
    }

    #[test]
    fn the_target_may_have_8_kib_and_no_byte_more() {
        assert!(check(&uri(8192), &HeaderMap::new()).is_ok());
        assert!(matches!(check(&uri(8193), &HeaderMap::new()), Err(Error::UriTooLong)));
    }

    #[test]
    fn there_may_be_64_fields_and_no_more() {
        assert!(check(&uri(1), &fields(64, 640)).is_ok());
        assert!(matches!(check(&uri(1), &fields(65, 650)), Err(Error::HeadersTooLarge)));
    }

    #[test]
    fn the_fields_may_have_32_kib_together_and_no_more() {
        assert!(check(&uri(1), &fields(2, 32 * 1024)).is_ok());
        assert!(matches!(check(&uri(1), &fields(2, 32 * 1024 + 2)), Err(Error::HeadersTooLarge)));
    }
}
