//! Meets an upstream: finds out which era it speaks, and opens a session where the older era wants one.
//!
//! A modern request goes first. What refuses it in modern words stays modern; everything else is asked to `initialize`.
//!
//! Source: MCP 2026-07-28, Versioning and Compatibility, "Compatibility Matrix".

use http::{HeaderValue, StatusCode};
use serde_json::{Value, value::RawValue};
use tokio::time::timeout;

use super::{
    failure::Failure,
    headers::SESSION_ID,
    limits::{MAX_LIST_BYTES, MAX_SMALL_BYTES},
    link::{Link, refusal},
    message::RpcError,
    peer::Peer,
    reading::{Budget, Ended, Opened},
    request,
};
use crate::protocol::ProtocolVersion;

/// Where a peer of the modern era says who it is.
const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

/// The longest session id. Chosen: far above what servers use; each request repeats it.
const MAX_SESSION_ID_BYTES: usize = 4096;

/// What `server/discover` has shown.
#[derive(Debug)]
enum Era {
    Modern(Peer),
    /// Modern by its words, yet without `server/discover`.
    ModernPerhaps,
    Legacy,
}

impl Link {
    /// Meets the upstream, within the deadline of an exchange.
    pub(super) async fn meet(&self) -> Result<Peer, Failure> {
        timeout(self.timing.exchange, self.meet_in_time()).await.unwrap_or(Err(Failure::TimedOut))
    }

    async fn meet_in_time(&self) -> Result<Peer, Failure> {
        match self.discover().await? {
            Era::Modern(peer) => Ok(peer),
            Era::Legacy => self.initialize().await,
            Era::ModernPerhaps => {
                let peer = Peer::new(ProtocolVersion::LATEST_MODERN);
                match self.ask(&peer, request::list_tools(&peer, None), MAX_LIST_BYTES, None).await {
                    Ok(_) => Ok(peer),
                    Err(failure) if failure.is_passing() => Err(failure),
                    Err(_) => self.initialize().await,
                }
            }
        }
    }

    async fn discover(&self) -> Result<Era, Failure> {
        let outgoing = request::discover();
        let peer = Peer::new(ProtocolVersion::LATEST_MODERN);
        let response = self.transport.post(outgoing.headers, outgoing.body).await?;
        let mut messages = match Opened::from(response, &self.transport, Budget::new(MAX_SMALL_BYTES)).await {
            Ok(Opened::Messages(messages)) => messages,
            Ok(Opened::Refused(status, error)) => return refused(status, error.as_ref()),
            Err(Failure::Malformed) => return Ok(Era::Legacy),
            Err(failure) => return Err(failure),
        };
        match messages.answer(outgoing.id, &mut self.inbox(&peer, None)).await {
            Ok(Ended::Answered(Ok(result))) => discovered(&result),
            Ok(Ended::Answered(Err(error))) => refused(StatusCode::OK, Some(&error)),
            Ok(Ended::Unanswered(_)) | Err(Failure::Malformed) => Ok(Era::Legacy),
            Err(failure) => Err(failure),
        }
    }

    async fn initialize(&self) -> Result<Peer, Failure> {
        let outgoing = request::initialize();
        // Before it has answered nobody knows more of it.
        let stranger = Peer::new(ProtocolVersion::LATEST_LEGACY);
        let response = self.transport.post(outgoing.headers, outgoing.body).await?;
        let mut messages = self.opened(&stranger, response, Budget::new(MAX_SMALL_BYTES)).await?;
        let session = messages.headers().get(SESSION_ID).map(session).transpose()?;
        let result = match messages.answer(outgoing.id, &mut self.inbox(&stranger, None)).await? {
            Ended::Answered(reply) => reply.map_err(|error| Failure::Rpc(error.code))?,
            Ended::Unanswered(_) => return Err(Failure::Malformed),
        };
        let mut peer = initialized(&result)?;
        peer.session = session;
        let response = self.transport.post(peer.post_headers(), request::initialized()).await?;
        if response.status().is_success() { Ok(peer) } else { Err(refusal(&peer, response.status(), None)) }
    }
}

/// What a refusal of `server/discover` says of the era.
fn refused(status: StatusCode, error: Option<&RpcError>) -> Result<Era, Failure> {
    match (status.as_u16(), error.map(|error| error.code)) {
        (_, Some(code @ -32022)) => {
            let data = error.and_then(|error| serde_json::from_str::<Value>(error.data.as_ref()?.get()).ok());
            match chosen(data.as_ref().and_then(|data| data.get("supported"))) {
                Some(version) if version.is_modern() => Err(Failure::Rpc(code)),
                Some(_) => Ok(Era::Legacy),
                None => Err(Failure::NoCommonVersion),
            }
        }
        (_, Some(code @ (-32020 | -32021))) => Err(Failure::Rpc(code)),
        (404, Some(-32601)) => Ok(Era::ModernPerhaps),
        // Nobody is at home: this says nothing of who lives there.
        (status @ (429 | 502..=504), _) => Err(Failure::Status(status)),
        _ => Ok(Era::Legacy),
    }
}

/// What a result of `server/discover` says.
fn discovered(result: &RawValue) -> Result<Era, Failure> {
    let result: Value = serde_json::from_str(result.get()).map_err(|_| Failure::Malformed)?;
    let Some(supported) = result.get("supportedVersions").filter(|supported| supported.is_array()) else {
        return Ok(Era::Legacy);
    };
    match chosen(Some(supported)) {
        Some(version) if version.is_modern() => {
            let server = result.pointer("/_meta").and_then(|meta| meta.get(SERVER_INFO));
            Ok(Era::Modern(Peer::new(version).described(server, announces_changes(&result))))
        }
        Some(_) => Ok(Era::Legacy),
        None => Err(Failure::NoCommonVersion),
    }
}

/// What a result of `initialize` says.
fn initialized(result: &RawValue) -> Result<Peer, Failure> {
    let result: Value = serde_json::from_str(result.get()).map_err(|_| Failure::Malformed)?;
    let version = result.get("protocolVersion").and_then(Value::as_str).ok_or(Failure::Malformed)?;
    let version = ProtocolVersion::from_wire(version).filter(|version| !version.is_modern());
    let version = version.ok_or(Failure::NoCommonVersion)?;
    Ok(Peer::new(version).described(result.get("serverInfo"), announces_changes(&result)))
}

fn announces_changes(result: &Value) -> bool {
    result.pointer("/capabilities/tools/listChanged").and_then(Value::as_bool) == Some(true)
}

/// The newest revision in a list that we speak too.
fn chosen(supported: Option<&Value>) -> Option<ProtocolVersion> {
    let supported = supported?.as_array()?;
    let spoken = supported.iter().filter_map(|version| ProtocolVersion::from_wire(version.as_str()?));
    spoken.max_by_key(|version| version.as_str())
}

/// A session id that may be sent back: visible ASCII. It opens the session, so `Debug` does not show it.
fn session(value: &HeaderValue) -> Result<HeaderValue, Failure> {
    let is_visible = value.as_bytes().iter().all(|byte| matches!(byte, 0x21..=0x7e));
    let is_sound = is_visible && (1..=MAX_SESSION_ID_BYTES).contains(&value.len());
    let mut session = value.clone();
    session.set_sensitive(true);
    is_sound.then_some(session).ok_or(Failure::Malformed)
}

#[cfg(test)]
mod tests {
    use serde_json::{json, value::to_raw_value};

    use super::*;

    fn check(status: u16, error: Option<(i64, Value)>, expected: &str) {
        let error = error.map(|(code, data)| RpcError { code, data: Some(to_raw_value(&data).unwrap()) });
        let found = match refused(StatusCode::from_u16(status).unwrap(), error.as_ref()) {
            Ok(Era::Modern(_)) => "modern".to_owned(),
            Ok(Era::ModernPerhaps) => "modern, perhaps".to_owned(),
            Ok(Era::Legacy) => "legacy".to_owned(),
            Err(failure) => failure.to_string(),
        };
        assert_eq!(found, expected, "{status} {error:?}");
    }

    #[test]
    fn what_refuses_in_modern_words_stays_modern_and_all_else_is_asked_to_initialize() {
        check(400, Some((-32020, Value::Null)), "answered with JSON-RPC error -32020");
        check(400, Some((-32021, Value::Null)), "answered with JSON-RPC error -32021");
        check(400, Some((-32022, json!({ "supported": ["2026-07-28"] }))), "answered with JSON-RPC error -32022");
        check(400, Some((-32022, json!({ "supported": ["2024-11-05", "2025-06-18"] }))), "legacy");
        let nothing = "supports no protocol version that is supported here";
        check(400, Some((-32022, json!({ "supported": ["2099-01-01"] }))), nothing);
        check(400, Some((-32022, Value::Null)), nothing);
        check(404, Some((-32601, Value::Null)), "modern, perhaps");
        for status in [200, 400, 401, 404, 405, 406, 422, 500] {
            check(status, None, "legacy");
            check(status, Some((-32000, Value::Null)), "legacy");
        }
        check(200, Some((-32601, Value::Null)), "legacy");
        check(503, None, "answered with HTTP status 503");
    }

    #[test]
    fn the_newest_version_that_both_speak_is_taken() {
        let supported = json!(["2025-03-26", "2025-11-25", "2025-06-18", "1999-01-01", 7]);
        assert_eq!(chosen(Some(&supported)), Some(ProtocolVersion::V2025_11_25));
        assert_eq!(chosen(Some(&json!([]))), None);
        assert_eq!(chosen(None), None);
    }

    #[test]
    fn a_session_id_is_visible_ascii() {
        for (value, is_sound) in [("a-1", true), ("a b", false), ("", false)] {
            assert_eq!(session(&HeaderValue::from_static(value)).is_ok(), is_sound, "{value:?}");
        }
    }
}
