//! The result of `tools/call` of an upstream as the gateway's own kind of result. Parts pass through byte for byte.

use serde_json::value::RawValue;

use super::failure::Failure;
use crate::{
    features::ToolOutcome,
    json::{Object, is_object, string},
    protocol::ProtocolVersion,
};

/// Belongs to the exchange with the upstream, not to the result: the gateway says its own.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// What `result` says.
pub(super) fn outcome(result: &RawValue, version: ProtocolVersion) -> Result<ToolOutcome, Failure> {
    let result = Object::parse(result.get()).ok_or(Failure::Malformed)?;
    if version.is_modern() {
        check_type(result.get("resultType"))?;
    }
    let content = match result.get("content") {
        Some(content) if is_list_of_objects(content) => content.to_owned(),
        Some(_) => return Err(Failure::Malformed),
        None => RawValue::from_string("[]".to_owned()).map_err(|_| Failure::Malformed)?,
    };
    let is_error = match result.get("isError").map(RawValue::get) {
        Some("true") => true,
        Some("false") | None => false,
        Some(_) => return Err(Failure::Malformed),
    };
    let structured = result.get("structuredContent").map(ToOwned::to_owned);
    let meta = result.get("_meta").map(meta).transpose()?.flatten();
    Ok(ToolOutcome::blocks(content, structured, is_error, meta))
}

/// An upstream before 2026-07-28 has no such member, which stands for `complete`.
fn check_type(result_type: Option<&RawValue>) -> Result<(), Failure> {
    let Some(result_type) = result_type else { return Ok(()) };
    match string(result_type).as_deref() {
        Some("complete") => Ok(()),
        Some("input_required") => Err(Failure::AsksForInput),
        _ => Err(Failure::Malformed),
    }
}

fn is_list_of_objects(content: &RawValue) -> bool {
    let blocks: Result<Vec<&RawValue>, _> = serde_json::from_str(content.get());
    blocks.is_ok_and(|blocks| blocks.into_iter().all(is_object))
}

/// `None` where nothing is left.
fn meta(meta: &RawValue) -> Result<Option<Box<RawValue>>, Failure> {
    let members = Object::parse(meta.get()).ok_or(Failure::Malformed)?;
    let has_other = members.members().iter().any(|member| member.name != SERVER_INFO);
    Ok(match members.get(SERVER_INFO) {
        None => Some(meta.to_owned()),
        Some(_) => has_other.then(|| members.without(|name| name == SERVER_INFO)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let raw = RawValue::from_string(text.to_owned()).unwrap();
        let part = |part: Option<&RawValue>| part.map_or("-", RawValue::get).to_owned();
        let found = match outcome(&raw, ProtocolVersion::LATEST_MODERN) {
            Ok(outcome) => format!(
                "{} | {} | {} | {}",
                part(outcome.block_content()),
                part(outcome.structured_content()),
                part(outcome.meta()),
                outcome.is_error()
            ),
            Err(failure) => failure.to_string(),
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn the_parts_of_a_result_keep_their_bytes() {
        check(
            r#"{"resultType":"complete","content":[ {"type":"text", "text":"\u00e4","x":1e1} ],"structuredContent":[1.0],"isError":true,"_meta":{"a":{ }}}"#,
            r#"[ {"type":"text", "text":"\u00e4","x":1e1} ] | [1.0] | {"a":{ }} | true"#,
        );
        check(r#"{"structuredContent":null}"#, "[] | null | - | false");
    }

    #[test]
    fn the_envelope_of_the_upstream_does_not_pass() {
        let info = r#""io.modelcontextprotocol/serverInfo":{"name":"x"}"#;
        check(&format!(r#"{{"content":[],"_meta":{{{info}}}}}"#), "[] | - | - | false");
        check(&format!(r#"{{"content":[],"_meta":{{"a": 1, {info}}}}}"#), r#"[] | - | {"a":1} | false"#);
    }

    #[test]
    fn what_is_no_result_is_malformed_and_a_wish_for_input_is_said_to_be_one() {
        let malformed = "gave an answer that is malformed";
        for text in [
            "[]",
            r#"{"content":{}}"#,
            r#"{"content":["x"]}"#,
            r#"{"content":[],"isError":"no"}"#,
            r#"{"content":[],"_meta":[]}"#,
            r#"{"resultType":"task","taskId":"1"}"#,
        ] {
            check(text, malformed);
        }
        check(
            r#"{"resultType":"input_required","inputRequests":{}}"#,
            "asks for input, which is not supported for upstream tools",
        );
    }
}
