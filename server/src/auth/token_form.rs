//! The form of a token, before any key or clock is asked: size, parts, header, and that both are strict JSON.
//!
//! What comes out is **not verified**. The payload is read here because `iss` selects the key set; nothing else in
//! it may be believed before the signature was checked. Headers that carry or point to keys (`jku`, `x5u`, `jwk`,
//! `x5c`) are ignored: nothing here can make a request.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use crds::gateway_config::TokenType;
use serde_json::{Map, Value};

use super::{InvalidToken, key_set::KeyAlgorithm, strict_json};

/// The largest token that is looked at. Source: auth.md section 4, "token-form".
pub(super) const MAX_TOKEN_BYTES: usize = 16 * 1024;

/// A token of the right form. Its text stays private to the signature check.
pub(super) struct TokenForm<'a> {
    /// The whole token.
    pub(super) text: &'a str,
    /// `alg`: one of those that can be enabled.
    pub(super) algorithm: KeyAlgorithm,
    /// Whether `typ` says that it is an access token (RFC 9068).
    is_access_token: bool,
    /// `kid`, an opaque string.
    pub(super) key_id: Option<String>,
    /// The payload; unverified.
    pub(super) payload: Map<String, Value>,
}

impl<'a> TokenForm<'a> {
    /// Reads a token of the compact serialization.
    pub(super) fn parse(text: &'a str) -> Result<Self, InvalidToken> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(InvalidToken::TooLarge);
        }
        let mut parts = text.split('.');
        let (Some(header), Some(payload), Some(signature), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(InvalidToken::Malformed);
        };
        let header = strict_json::object(&decode(header)?)?;
        let algorithm = algorithm(&header)?;
        refuse_header_parameters(&header)?;
        let key_id = key_id(&header)?;
        let is_access_token = read_type(&header)?;
        decode(signature)?;
        let payload = strict_json::object(&decode(payload)?)?;
        Ok(Self { text, algorithm, is_access_token, key_id, payload })
    }

    /// Whether `typ` is what the issuer's tokens must have.
    pub(super) fn check_type(&self, token_type: TokenType) -> Result<(), InvalidToken> {
        match token_type {
            TokenType::AccessToken if !self.is_access_token => Err(InvalidToken::TokenType),
            TokenType::AccessToken | TokenType::Any => Ok(()),
        }
    }

    /// `iss`, unverified: good for choosing a key set and for nothing else.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.payload.get("iss").and_then(Value::as_str)
    }
}

/// base64url without padding; a second spelling of the same bytes is refused too.
fn decode(part: &str) -> Result<Vec<u8>, InvalidToken> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| InvalidToken::Malformed)
}

fn algorithm(header: &Map<String, Value>) -> Result<KeyAlgorithm, InvalidToken> {
    let name = header.get("alg").and_then(Value::as_str);
    name.and_then(KeyAlgorithm::from_name).ok_or(InvalidToken::Algorithm)
}

/// `crit` and `b64: false` would change what is signed; `cty` says that the payload is another token.
fn refuse_header_parameters(header: &Map<String, Value>) -> Result<(), InvalidToken> {
    let unencoded = header.get("b64").is_some_and(|value| *value != Value::Bool(true));
    if header.contains_key("crit") || header.contains_key("cty") || unencoded {
        return Err(InvalidToken::HeaderParameter);
    }
    Ok(())
}

fn key_id(header: &Map<String, Value>) -> Result<Option<String>, InvalidToken> {
    match header.get("kid") {
        None => Ok(None),
        Some(Value::String(key_id)) => Ok(Some(key_id.clone())),
        Some(_) => Err(InvalidToken::Malformed),
    }
}

/// Whether it is `at+jwt`; another type than that and `JWT` is refused. Media types compare without case (RFC 7515
/// section 4.1.9).
fn read_type(header: &Map<String, Value>) -> Result<bool, InvalidToken> {
    match header.get("typ") {
        None => Ok(false),
        Some(Value::String(typ)) => match typ.to_ascii_lowercase().as_str() {
            "jwt" => Ok(false),
            "at+jwt" | "application/at+jwt" => Ok(true),
            _ => Err(InvalidToken::TokenType),
        },
        Some(_) => Err(InvalidToken::TokenType),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(header: &str, payload: &str) -> String {
        format!("{}.{}.AAAA", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
    }

    fn check(text: &str, expected: Result<(), InvalidToken>) {
        assert_eq!(TokenForm::parse(text).map(|_| ()), expected, "{text}");
    }

    fn check_header(header: &str, expected: Result<(), InvalidToken>) {
        assert_eq!(TokenForm::parse(&token(header, "{}")).map(|_| ()), expected, "{header}");
    }

    #[test]
    fn a_token_has_three_parts_of_canonical_base64url() {
        let good = token(r#"{"alg":"RS256"}"#, "{}");
        check(&good, Ok(()));
        let opaque = "gho_16C7e42F292c6912E7710c838347Ae178B4a";
        let (header, rest) = good.split_once('.').unwrap();
        let json = format!(r#"{{"protected":"{header}"}}"#);
        let five = format!("{good}.AAAA.AAAA");
        let padded = format!("{header}=.{rest}");
        let whitespace = format!(" {good}");
        let trailing_bits = format!("{}B", &good[..good.len() - 2]);
        for text in ["", ".", "..", "...", opaque, &json, &five, &padded, &whitespace, &trailing_bits, header] {
            check(text, Err(InvalidToken::Malformed));
        }
    }

    #[test]
    fn sixteen_kibibytes_are_read_and_not_one_byte_more() {
        let frame = token(r#"{"alg":"ES256"}"#, "{}").len() - "AAAA".len();
        let with_length = |length: usize| {
            let signature = "A".repeat(length - frame);
            format!("{}{signature}", token(r#"{"alg":"ES256"}"#, "{}").strip_suffix("AAAA").unwrap())
        };
        // One or the other of the two largest lengths is not a multiple of base64 groups.
        let largest = if (MAX_TOKEN_BYTES - frame) % 4 == 1 { MAX_TOKEN_BYTES - 1 } else { MAX_TOKEN_BYTES };
        check(&with_length(largest), Ok(()));
        check(&with_length(MAX_TOKEN_BYTES + 1), Err(InvalidToken::TooLarge));
        check(&with_length(20 * 1024), Err(InvalidToken::TooLarge));
    }

    #[test]
    fn only_four_algorithms_exist() {
        for algorithm in ["RS256", "ES256", "PS256", "EdDSA"] {
            check_header(&format!(r#"{{"alg":"{algorithm}"}}"#), Ok(()));
        }
        for algorithm in [
            "none", "None", "nOnE", "NONE", "", "HS256", "HS384", "HS512", "RS384", "PS384", "ES384", "EDDSA",
            "Ed25519", "Ed448", "rs256", "RS256 ", "RSA-OAEP",
        ] {
            check_header(&format!(r#"{{"alg":"{algorithm}"}}"#), Err(InvalidToken::Algorithm));
        }
        for header in ["{}", r#"{"alg":null}"#, r#"{"alg":["RS256"]}"#, r#"{"alg":256}"#] {
            check_header(header, Err(InvalidToken::Algorithm));
        }
    }

    #[test]
    fn parameters_that_change_what_is_signed_are_refused() {
        for parameter in [
            r#""crit":[]"#,
            r#""crit":["exp"]"#,
            r#""crit":null"#,
            r#""b64":false"#,
            r#""b64":"true""#,
            r#""cty":"JWT""#,
            r#""cty":"json""#,
        ] {
            check_header(&format!(r#"{{"alg":"RS256",{parameter}}}"#), Err(InvalidToken::HeaderParameter));
        }
        check_header(r#"{"alg":"RS256","b64":true}"#, Ok(()));
    }

    #[test]
    fn typ_is_absent_or_that_of_an_access_token() {
        for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/at+jwt"] {
            check_header(&format!(r#"{{"alg":"RS256","typ":"{typ}"}}"#), Ok(()));
        }
        for typ in [r#""oauth-id-jag+jwt""#, r#""JOSE""#, r#""dpop+jwt""#, r#""""#, "null", "1"] {
            check_header(&format!(r#"{{"alg":"RS256","typ":{typ}}}"#), Err(InvalidToken::TokenType));
        }
    }

    #[test]
    fn an_issuer_may_ask_for_the_type_of_access_tokens() {
        for (typ, is_access_token) in [
            (r#","typ":"at+jwt""#, true),
            (r#","typ":"application/at+jwt""#, true),
            (r#","typ":"JWT""#, false),
            ("", false),
        ] {
            let text = token(&format!(r#"{{"alg":"RS256"{typ}}}"#), "{}");
            let form = TokenForm::parse(&text).unwrap();
            assert_eq!(form.check_type(TokenType::Any), Ok(()), "{typ}");
            let expected = if is_access_token { Ok(()) } else { Err(InvalidToken::TokenType) };
            assert_eq!(form.check_type(TokenType::AccessToken), expected, "{typ}");
        }
    }

    #[test]
    fn kid_is_a_string_of_any_content() {
        let parse = |header: &str| TokenForm::parse(&token(header, "{}")).map(|form| form.key_id);
        for key_id in ["../../etc/passwd", "' OR 1=1 --", "https://169.254.169.254/", ""] {
            assert_eq!(parse(&format!(r#"{{"alg":"RS256","kid":"{key_id}"}}"#)), Ok(Some(key_id.to_owned())));
        }
        assert_eq!(parse(r#"{"alg":"RS256","kid":1}"#), Err(InvalidToken::Malformed));
        assert_eq!(parse(r#"{"alg":"RS256","kid":null}"#), Err(InvalidToken::Malformed));
    }

    #[test]
    fn member_names_are_unique_in_both_parts() {
        check(&token(r#"{"alg":"RS256","alg":"RS256"}"#, "{}"), Err(InvalidToken::DuplicateMember));
        check(&token(r#"{"alg":"RS256"}"#, r#"{"sub":"a","sub":"b"}"#), Err(InvalidToken::DuplicateMember));
    }

    #[test]
    fn headers_that_carry_keys_change_nothing() {
        check_header(
            r#"{"alg":"RS256","jku":"https://evil.example/","x5u":"https://evil.example/","jwk":{},"x5c":[]}"#,
            Ok(()),
        );
    }
}
