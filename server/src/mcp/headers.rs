//! The header rules of MCP: single values, the base64 form of names, media types.
//!
//! Pure; knows nothing of bodies. White space around a value is cut off, names compare without case,
//! values with case.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, header};

/// Names of the headers that MCP defines.
pub(super) mod names {
    use http::HeaderName;

    /// The revision that a request is written in.
    pub(in crate::mcp) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");
    /// Mirrors `method`.
    pub(in crate::mcp) const METHOD: HeaderName = HeaderName::from_static("mcp-method");
    /// Mirrors `params.name`.
    pub(in crate::mcp) const NAME: HeaderName = HeaderName::from_static("mcp-name");
    /// Names a session of the older era.
    pub(in crate::mcp) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
    /// The event after which a stream goes on.
    pub(in crate::mcp) const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
}

/// A header that may stand once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Single<'a> {
    /// It was not sent.
    Absent,
    /// It was sent once, in visible ASCII and inner white space.
    Value(&'a str),
    /// It was sent twice, or with other characters: nobody can say what it means.
    Malformed,
}

/// Reads a header that may stand once.
pub(super) fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Single<'a> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Single::Absent,
        (Some(value), None) => {
            value.to_str().map_or(Single::Malformed, |text| Single::Value(text.trim_matches([' ', '\t'])))
        }
        (Some(_), Some(_)) => Single::Malformed,
    }
}

/// Takes a mirrored value out of its base64 wrapper. Without both markers, which are compared with
/// case, it is literal text. `None`: what is wrapped is not the base64 of UTF-8.
pub(super) fn unwrapped(value: &str) -> Option<Cow<'_, str>> {
    let wrapped = value.strip_prefix("=?base64?").and_then(|rest| rest.strip_suffix("?="));
    let Some(encoded) = wrapped else { return Some(Cow::Borrowed(value)) };
    let decoded = STANDARD.decode(encoded).ok()?;
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

/// True for `application/json`, alone or with `charset=utf-8`.
pub(super) fn is_json(headers: &HeaderMap) -> bool {
    let Single::Value(value) = single(headers, &header::CONTENT_TYPE) else { return false };
    let mut parts = value.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or_default();
    media_type.eq_ignore_ascii_case("application/json") && parts.all(is_utf8)
}

fn is_utf8(parameter: &str) -> bool {
    let Some((name, value)) = parameter.split_once('=') else { return parameter.is_empty() };
    name.eq_ignore_ascii_case("charset") && value.trim_matches('"').eq_ignore_ascii_case("utf-8")
}

/// What the client can read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Accept {
    /// `application/json`.
    pub(super) json: bool,
    /// `text/event-stream`.
    pub(super) event_stream: bool,
}

/// Reads all `Accept` lines. A range such as `*/*` lists what it covers; no line lists nothing.
pub(super) fn accept(headers: &HeaderMap) -> Accept {
    Accept {
        json: accepts(headers, ["*/*", "application/*", "application/json"]),
        event_stream: accepts(headers, ["*/*", "text/*", "text/event-stream"]),
    }
}

/// Whether the client names event streams before JSON: of two that are equally welcome it gets the one that it names
/// first. Weights are left alone here, since both must be acceptable anyway.
pub(super) fn names_stream_first(headers: &HeaderMap) -> bool {
    let names = accept_ranges(headers).map(|range| range.split(';').next().unwrap_or_default().trim());
    let mut wanted = names.filter_map(|name| {
        let is_stream = name.eq_ignore_ascii_case("text/event-stream");
        (is_stream || name.eq_ignore_ascii_case("application/json")).then_some(is_stream)
    });
    wanted.next().unwrap_or(false)
}

/// The ranges of all `Accept` lines, in their order, each with its parameters.
fn accept_ranges(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let lines = headers.get_all(header::ACCEPT).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(','))
}

/// `ranges` cover one media type, the most specific last; that one decides (RFC 9110, 12.5.1).
fn accepts(headers: &HeaderMap, ranges: [&str; 3]) -> bool {
    let mut decided = None;
    for range in accept_ranges(headers) {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        let specificity = ranges.iter().position(|range| name.eq_ignore_ascii_case(range));
        let Some(specificity) = specificity else { continue };
        decided = decided.max(Some((specificity, !parts.any(is_refusal))));
    }
    decided.is_some_and(|(_, accepted)| accepted)
}

/// `q=0` means "not this one" (RFC 9110, 12.4.2).
fn is_refusal(parameter: &str) -> bool {
    let Some((name, weight)) = parameter.split_once('=') else { return false };
    name.trim().eq_ignore_ascii_case("q") && weight.trim().parse() == Ok(0.0_f32)
}

#[cfg(test)]
mod tests;
