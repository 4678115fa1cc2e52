//! Messages that we send besides answers: notifications, and requests to clients of the older era.

use serde::Serialize;
use serde_json::{Number, Value, value::RawValue};

use super::{endpoint::raw, result::to_bytes};
use crate::{
    features::{Change, Note},
    json::Object,
};

#[derive(Serialize)]
struct Notification<P> {
    jsonrpc: &'static str,
    method: &'static str,
    params: P,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the specification's names")]
struct Progress<'a> {
    progress_token: &'a RawValue,
    progress: &'a Number,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<&'a Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

#[derive(Serialize)]
struct Log<'a> {
    level: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    logger: Option<&'a str>,
    data: &'a RawValue,
}

#[derive(Serialize)]
struct Changed<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    uri: Option<&'a str>,
    #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
    meta: Option<SubscriptionMeta<'a>>,
}

#[derive(Serialize)]
struct Acknowledged<'a> {
    #[serde(rename = "_meta")]
    meta: SubscriptionMeta<'a>,
    notifications: &'a Value,
}

/// The id of the listen request, as the client wrote it.
#[derive(Serialize)]
struct SubscriptionMeta<'a> {
    #[serde(rename = "io.modelcontextprotocol/subscriptionId")]
    subscription: &'a RawValue,
}

#[derive(Serialize)]
struct ListenResponse<'a> {
    jsonrpc: &'static str,
    id: &'a RawValue,
    result: ListenResult,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListenResult {
    #[serde(rename = "_meta")]
    meta: Box<RawValue>,
    result_type: &'static str,
}

/// What a note becomes on the stream of its request; `None` for what is no message. `progress` is how far the last
/// progress was, which the next one must exceed.
pub(super) fn note(note: &Note, progress_token: Option<&RawValue>, last_progress: &mut Option<f64>) -> Option<Vec<u8>> {
    match note {
        Note::Progress { progress, total, message } => {
            let token = progress_token?;
            let now = progress.as_f64()?;
            if last_progress.is_some_and(|last| now <= last) {
                return None;
            }
            *last_progress = Some(now);
            let params =
                Progress { progress_token: token, progress, total: total.as_ref(), message: message.as_deref() };
            Some(notification("notifications/progress", params))
        }
        Note::Log { level, logger, data } => {
            let params = Log { level: level.as_str(), logger: logger.as_deref(), data };
            Some(notification("notifications/message", params))
        }
        Note::Ask { message } => Some(message.get().as_bytes().to_vec()),
        Note::Release => None,
    }
}

/// A request of ours to the client. `request` is `{"method", "params"}`.
pub(super) fn request(id: u64, request: &RawValue) -> Option<Box<RawValue>> {
    let around = format!(r#"{{"jsonrpc":"2.0","id":{id}}}"#);
    Some(Object::parse(request.get())?.with(&Object::parse(&around)?))
}

/// Something changed. `subscription` is the id of the listen request, which the modern era repeats.
pub(super) fn change(change: &Change, subscription: Option<&RawValue>) -> Vec<u8> {
    let (method, uri) = match change {
        Change::Tools => ("notifications/tools/list_changed", None),
        Change::Prompts => ("notifications/prompts/list_changed", None),
        Change::Resources => ("notifications/resources/list_changed", None),
        Change::Resource(uri) => ("notifications/resources/updated", Some(&**uri)),
    };
    notification(method, Changed { uri, meta: subscription.map(|subscription| SubscriptionMeta { subscription }) })
}

/// What a listen stream will tell.
pub(super) fn acknowledged(filter: &Value, subscription: &RawValue) -> Vec<u8> {
    let params = Acknowledged { meta: SubscriptionMeta { subscription }, notifications: filter };
    notification("notifications/subscriptions/acknowledged", params)
}

/// The orderly end of a listen stream.
pub(super) fn listen_result(subscription: &RawValue, modern_meta: &RawValue) -> Vec<u8> {
    let own = raw(&SubscriptionMeta { subscription });
    let meta = Object::parse(modern_meta.get()).unwrap_or_default();
    let meta = meta.with(&Object::parse(own.get()).unwrap_or_default());
    to_bytes(&ListenResponse {
        jsonrpc: "2.0",
        id: subscription,
        result: ListenResult { meta, result_type: "complete" },
    })
}

fn notification(method: &'static str, params: impl Serialize) -> Vec<u8> {
    to_bytes(&Notification { jsonrpc: "2.0", method, params })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    fn text(message: Vec<u8>) -> String {
        String::from_utf8(message).unwrap()
    }

    /// What becomes of each of these amounts of progress, in turn.
    fn progress(amounts: &[f64]) -> Vec<bool> {
        let (token, mut last) = (raw("\"t\""), None);
        let of =
            |amount: &f64| Note::Progress { progress: Number::from_f64(*amount).unwrap(), total: None, message: None };
        amounts.iter().map(|amount| note(&of(amount), Some(&token), &mut last).is_some()).collect()
    }

    #[test]
    fn progress_that_does_not_grow_is_not_told() {
        assert_eq!(progress(&[0.0, 1.0, 1.0, 0.5, 2.0]), [true, true, false, false, true]);
    }

    #[test]
    fn progress_goes_to_the_token_as_the_client_wrote_it() {
        let one = Note::Progress { progress: 1.into(), total: Some(2.into()), message: Some("half".to_owned()) };
        assert_eq!(
            text(note(&one, Some(&raw("123456789012345678901234567890")), &mut None).unwrap()),
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":123456789012345678901234567890,"progress":1,"total":2,"message":"half"}}"#
        );
        assert_eq!(note(&one, None, &mut None), None);
    }

    #[test]
    fn a_listen_stream_repeats_its_id_as_the_client_wrote_it() {
        let id = raw("123456789012345678901234567890");
        let change = text(change(&Change::Tools, Some(&id)));
        let acknowledged = text(acknowledged(&json!({}), &id));
        let result = text(listen_result(&id, &raw(r#"{"server":1}"#)));
        for message in [change, acknowledged, result] {
            let repeated = r#""io.modelcontextprotocol/subscriptionId":123456789012345678901234567890"#;
            assert!(message.contains(repeated), "{message}");
        }
    }

    #[test]
    fn a_request_of_ours_has_our_id_and_what_the_provider_asks() {
        let asked = raw(r#"{"method":"roots/list","params":{}}"#);
        let message: Value = serde_json::from_str(request(7, &asked).unwrap().get()).unwrap();
        assert_eq!(message, json!({ "jsonrpc": "2.0", "id": 7, "method": "roots/list", "params": {} }));
    }
}
