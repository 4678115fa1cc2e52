//! What an upstream says: JSON-RPC messages, alone or (2025-03-26) in an array.

use crate::json::{Object, is_object, string};
use serde_json::value::RawValue;

/// One message.
#[derive(Clone, Debug)]
pub(super) enum Message {
    /// An answer. `id` is absent or `null` where the upstream could not read ours.
    Answer { id: Option<Box<RawValue>>, reply: Reply },
    /// A request of the upstream to its client.
    Request { id: Box<RawValue>, method: String },
    /// A notification.
    Notification { method: String, params: Option<Box<RawValue>> },
}

/// How a request was answered.
pub(super) type Reply = Result<Box<RawValue>, RpcError>;

/// A JSON-RPC error. Its message is for nobody: it may hold anything.
#[derive(Clone, Debug)]
pub(super) struct RpcError {
    pub(super) code: i64,
    pub(super) data: Option<Box<RawValue>>,
}

/// Not JSON-RPC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NotAMessage;

/// The messages in one document.
pub(super) fn messages(text: &str) -> Result<Vec<Message>, NotAMessage> {
    if text.trim_start().starts_with('[') {
        let batch: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| NotAMessage)?;
        return batch.into_iter().map(|message| one(message.get())).collect();
    }
    one(text).map(|message| vec![message])
}

fn one(text: &str) -> Result<Message, NotAMessage> {
    let object = Object::parse(text).ok_or(NotAMessage)?;
    let id = object.get("id").filter(|id| id.get() != "null").map(ToOwned::to_owned);
    let method = object.get("method").map(|method| string(method).ok_or(NotAMessage)).transpose()?;
    match (method, object.get("result"), object.get("error")) {
        (None, Some(result), None) => Ok(Message::Answer { id, reply: Ok(result.to_owned()) }),
        (None, None, Some(error)) => Ok(Message::Answer { id, reply: Err(rpc_error(error)?) }),
        (Some(method), None, None) => {
            let method = method.into_owned();
            if let Some(id) = id {
                return Ok(Message::Request { id, method });
            }
            let params = object.get("params").filter(|params| is_object(params)).map(ToOwned::to_owned);
            Ok(Message::Notification { method, params })
        }
        _ => Err(NotAMessage),
    }
}

fn rpc_error(error: &RawValue) -> Result<RpcError, NotAMessage> {
    let error = Object::parse(error.get()).ok_or(NotAMessage)?;
    let code = error.get("code").and_then(|code| code.get().parse().ok()).ok_or(NotAMessage)?;
    Ok(RpcError { code, data: error.get("data").map(ToOwned::to_owned) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = messages(text).map(|all| all.iter().map(|message| format!("{message:?}")).collect::<Vec<_>>());
        let found = found.map_or_else(|problem| format!("{problem:?}"), |all| all.join("; "));
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn a_message_is_exactly_one_of_the_four_kinds() {
        check(
            r#"{"jsonrpc":"2.0","id":7,"result":{"a": 1}}"#,
            r#"Answer { id: Some(RawValue(7)), reply: Ok(RawValue({"a": 1})) }"#,
        );
        check(
            r#"{"id":null,"error":{"code":-32700,"message":"secret"}}"#,
            "Answer { id: None, reply: Err(RpcError { code: -32700, data: None }) }",
        );
        check(r#"{"id":"p","method":"ping"}"#, r#"Request { id: RawValue("p"), method: "ping" }"#);
        check(r#"{"method":"m","params":[1]}"#, r#"Notification { method: "m", params: None }"#);
        check(
            r#"[{"method":"m"},{"id":1,"result":2}]"#,
            r#"Notification { method: "m", params: None }; Answer { id: Some(RawValue(1)), reply: Ok(RawValue(2)) }"#,
        );
        let bad = [
            "{}",
            "null",
            "x",
            r#"{"id":1}"#,
            r#"{"id":1,"result":1,"error":{"code":1}}"#,
            r#"{"id":1,"id":2,"result":1}"#,
            r#"{"id":1,"method":"m","result":1}"#,
            r#"{"id":1,"error":{"code":"x"}}"#,
            r#"{"method":1}"#,
            "[[]]",
        ];
        for text in bad {
            check(text, "NotAMessage");
        }
    }
}
