//! The three values of `WWW-Authenticate` (RFC 6750, RFC 9728): pure functions of configuration and reason.
//!
//! Nothing of a request or a token can get into them.

use http::HeaderValue;

use super::InvalidToken;

/// 401, nothing was sent: where to learn how to get a token, and no error code (RFC 6750 section 3.1).
pub fn missing_credential(metadata_url: &str, scopes: &[impl AsRef<str>]) -> HeaderValue {
    header_value(None, metadata_url, scopes)
}

/// 401, what was sent is not accepted.
pub fn invalid_token(metadata_url: &str, scopes: &[impl AsRef<str>], reason: InvalidToken) -> HeaderValue {
    header_value(Some(("invalid_token", &reason.to_string())), metadata_url, scopes)
}

/// 403: `required` are **all** scopes that the operation needs, so that one step up is enough.
pub fn insufficient_scope(metadata_url: &str, required: &[impl AsRef<str>]) -> HeaderValue {
    let error = ("insufficient_scope", INSUFFICIENT_SCOPE_DESCRIPTION);
    header_value(Some(error), metadata_url, required)
}

/// The `error_description` of a 403.
pub const INSUFFICIENT_SCOPE_DESCRIPTION: &str = "the access token lacks a scope that this operation needs";

fn header_value(error: Option<(&str, &str)>, metadata_url: &str, scopes: &[impl AsRef<str>]) -> HeaderValue {
    let mut parameters = Vec::new();
    if let Some((code, description)) = error {
        parameters.push(parameter("error", code));
        parameters.push(parameter("error_description", description));
    }
    parameters.push(parameter("resource_metadata", metadata_url));
    if !scopes.is_empty() {
        let scopes: Vec<&str> = scopes.iter().map(AsRef::as_ref).collect();
        parameters.push(parameter("scope", &scopes.join(" ")));
    }
    let text = format!("Bearer {}", parameters.join(", "));
    HeaderValue::try_from(text).expect("every parameter was reduced to visible ASCII and spaces")
}

/// `name="value"`. Quotes, backslashes and whatever a header cannot carry are left out: no URL, scope or
/// phrase of ours has them, and none may end the quoted string.
fn parameter(name: &str, value: &str) -> String {
    let safe = |character: &char| matches!(character, ' '..='~') && !matches!(character, '"' | '\\');
    let value: String = value.chars().filter(safe).collect();
    format!("{name}=\"{value}\"")
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    const METADATA: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";

    #[expect(clippy::needless_pass_by_value, reason = "`expect!` makes values")]
    fn check(value: HeaderValue, expected: Expect) {
        expected.assert_eq(value.to_str().unwrap());
    }

    #[test]
    fn without_a_credential_there_is_no_error_parameter() {
        check(
            missing_credential(METADATA, &["tools:ping", "tools:echo"]),
            expect![[
                r#"Bearer resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", scope="tools:ping tools:echo""#
            ]],
        );
    }

    #[test]
    fn a_bad_credential_is_an_invalid_token_with_the_phrase_of_its_class() {
        check(
            invalid_token(METADATA, &["tools:ping"], InvalidToken::Expired),
            expect![[
                r#"Bearer error="invalid_token", error_description="the access token has expired", resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", scope="tools:ping""#
            ]],
        );
    }

    #[test]
    fn a_small_scope_is_answered_with_all_that_are_needed() {
        check(
            insufficient_scope(METADATA, &["a", "b"]),
            expect![[
                r#"Bearer error="insufficient_scope", error_description="the access token lacks a scope that this operation needs", resource_metadata="https://mcp.example.com/.well-known/oauth-protected-resource/mcp", scope="a b""#
            ]],
        );
    }

    #[test]
    fn without_scopes_the_parameter_is_left_out() {
        check(missing_credential("m", &[""; 0]), expect![[r#"Bearer resource_metadata="m""#]]);
    }

    #[test]
    fn nothing_ends_the_quoted_string_or_the_header() {
        check(
            missing_credential("m\"\r\nset-cookie: x=\\y", &["é"]),
            expect![[r#"Bearer resource_metadata="mset-cookie: x=y", scope="""#]],
        );
    }
}
