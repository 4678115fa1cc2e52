//! Whether a refusal leads a client to the metadata: the `WWW-Authenticate` header of a 401.
//!
//! Source: RFC 6750 section 3, RFC 9728 section 5.1; auth.md, `challenge-none`.

/// Whether `header` is a `Bearer` challenge that names `metadata_url`, and no error: none was made.
pub(super) fn leads_to(header: &str, metadata_url: &str) -> bool {
    let Some((scheme, parameters)) = header.split_once(' ') else { return false };
    let parameters = split_parameters(parameters);
    let value = |name: &str| parameters.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value);
    scheme.eq_ignore_ascii_case("Bearer")
        && value("resource_metadata").is_some_and(|url| url == metadata_url)
        && value("error").is_none()
}

/// `name="value", ...`: commas inside of quotes do not separate. Escapes are not undone: URLs need none.
fn split_parameters(text: &str) -> Vec<(String, String)> {
    let mut quoted = false;
    let pieces = text.split(|c| {
        quoted ^= c == '"';
        c == ',' && !quoted
    });
    let pairs = pieces.filter_map(|piece| piece.split_once('='));
    pairs.map(|(name, value)| (name.trim().to_owned(), value.trim().trim_matches('"').to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::leads_to;

    const URL: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";

    #[test]
    fn the_right_challenge_is_taken_in_any_order_and_case() {
        for header in [
            format!("Bearer resource_metadata=\"{URL}\""),
            format!("bearer scope=\"a, b\", Resource_Metadata=\"{URL}\""),
        ] {
            assert!(leads_to(&header, URL), "{header}");
        }
    }

    #[test]
    fn everything_else_is_a_wrong_challenge() {
        for header in [
            String::new(),
            "Bearer".to_owned(),
            "Bearer scope=\"a\"".to_owned(),
            format!("Basic resource_metadata=\"{URL}\""),
            format!("Bearer resource_metadata=\"{URL}/\""),
            format!("Bearer scope=\"x, resource_metadata={URL}\""),
            format!("Bearer error=\"invalid_token\", resource_metadata=\"{URL}\""),
        ] {
            assert!(!leads_to(&header, URL), "{header}");
        }
    }
}
