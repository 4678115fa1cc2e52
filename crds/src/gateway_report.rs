//! What each pod tells the operator about itself, served as `GET /report` on the admin port.
//!
//! This is how status knows what the operator itself may not read. It holds no secret, it is bounded,
//! and the operator treats it as untrusted: [`GatewayReport::parse`] refuses whatever is too long.

use serde::{Deserialize, Serialize};

/// The version written by this build (N). The operator reads N and N−1.
pub const REPORT_VERSION: u32 = 1;

/// Path on the admin port.
pub const REPORT_PATH: &str = "/report";

/// The largest report that is read, in bytes. Chosen: 16 issuers with 64 key ids of 256 bytes do not
/// fit, real ones (a handful of keys of 43 bytes, 16 upstreams with a sentence each) need a quarter.
pub const MAX_REPORT_BYTES: usize = 64 * 1024;

/// The longest string in a report, in bytes.
pub const MAX_TEXT_BYTES: usize = 512;

/// The longest list in a report.
pub const MAX_ITEMS: usize = 64;

/// What one gateway process has in force. Unknown fields are ignored: a newer server may say more.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GatewayReport {
    /// [`REPORT_VERSION`] of the build that wrote it.
    pub version: u32,
    /// Revision (see [`crate::revision`]) of the configuration file that was read at start.
    pub config_revision: String,
    /// Revision of the policy in force. The last good one while a newer file is unreadable.
    pub policy_revision: String,
    /// Version of the server's build, `0.1.0`.
    pub server_version: String,
    /// Protocol versions that are served, newest first.
    pub eras: Vec<String>,
    /// The catalog, before any filtering by caller.
    pub tools: ToolsReport,
    /// One entry for each issuer of the configuration, in its order. Empty without authentication.
    #[serde(default)]
    pub issuers: Vec<IssuerReport>,
    /// One entry for each upstream of the configuration, in its order.
    #[serde(default)]
    pub upstreams: Vec<UpstreamReport>,
    /// The shared store, as this pod sees it; absent without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redis: Option<RedisReport>,
    /// What is wrong with mounted files, one sentence each: names, never content. Empty when all is well.
    #[serde(default)]
    pub file_problems: Vec<String>,
    /// True from SIGTERM on.
    #[serde(default)]
    pub draining: bool,
}

/// The catalog in short.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ToolsReport {
    /// How many tools exist.
    pub count: u32,
    /// Revision of their definitions in list order; equal digests mean equal lists.
    pub digest: String,
}

/// The keys of one issuer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct IssuerReport {
    /// As configured.
    pub issuer: String,
    /// Whether tokens of this issuer can be checked.
    pub state: KeySetState,
    /// Ids of the keys in force, sorted; keys without an id are left out.
    #[serde(default)]
    pub key_ids: Vec<String>,
    /// Why the last fetch failed, one sentence; absent after a success.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// One MCP server behind the gateway, as this pod sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UpstreamReport {
    /// As configured.
    pub name: String,
    /// Whether its tools can be called now.
    pub ready: bool,
    /// Whether it answered a handshake since this pod started; never goes back.
    pub connected_once: bool,
    /// The revision of the protocol that was agreed on last: `2025-11-25`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_version: Option<String>,
    /// `serverInfo.name` of the last handshake. Untrusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_name: Option<String>,
    /// `serverInfo.version` of the last handshake. Untrusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server_version: Option<String>,
    /// How many of its tools are in the catalog.
    #[serde(default)]
    pub tools: u32,
    /// Why it is not ready, one sentence; absent while it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// The shared store, as one pod sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RedisReport {
    /// Whether it can be used now.
    pub state: RedisState,
    /// Whether it was reached since this pod started; never goes back.
    pub connected_once: bool,
    /// Why it cannot be used, or only in part, one sentence without addresses of nodes and secrets; absent while it is [`RedisState::Ready`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// Whether the shared store can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RedisState {
    /// It has not been tried to the end yet.
    Pending,
    /// It answers, and takes what is written.
    Ready,
    /// It answers, and refuses what is new: its memory is full.
    Full,
    /// It cannot be reached, does not answer in time, or refuses what we ask.
    Failing,
    /// It refuses name or password, or what our user may do.
    Refused,
}

/// Whether tokens of an issuer can be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeySetState {
    /// No usable key set: none came yet, or the issuer has withdrawn what it had. Its tokens are answered with 503, which says
    /// that nothing was judged.
    Pending,
    /// The set is as fresh as it should be.
    Ready,
    /// The last good set serves while refreshes fail.
    Stale,
    /// The last good set is too old to be used.
    Expired,
}

/// Why a report was refused.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum ReportError {
    /// More than [`MAX_REPORT_BYTES`].
    #[error("report has {0} bytes, at most {MAX_REPORT_BYTES} are read")]
    TooLarge(usize),
    /// Not JSON, or not this shape.
    #[error("report cannot be read: {0}")]
    Malformed(String),
    /// A version that this build does not read.
    #[error("report has version {0}, this operator reads up to {REPORT_VERSION}")]
    UnsupportedVersion(u32),
    /// A string or a list is longer than a report may hold.
    #[error("report field `{0}` is too long")]
    OutOfBounds(&'static str),
}

impl GatewayReport {
    /// Reads a report from an untrusted pod.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReportError> {
        if bytes.len() > MAX_REPORT_BYTES {
            return Err(ReportError::TooLarge(bytes.len()));
        }
        let report: Self =
            serde_json::from_slice(bytes).map_err(|problem| ReportError::Malformed(problem.to_string()))?;
        if !(1..=REPORT_VERSION).contains(&report.version) {
            return Err(ReportError::UnsupportedVersion(report.version));
        }
        report.check_bounds()?;
        Ok(report)
    }

    fn check_bounds(&self) -> Result<(), ReportError> {
        let Self {
            version: _,
            config_revision,
            policy_revision,
            server_version,
            eras,
            tools,
            issuers,
            upstreams,
            redis,
            file_problems,
            draining: _,
        } = self;
        text("configRevision", config_revision)?;
        text("policyRevision", policy_revision)?;
        text("serverVersion", server_version)?;
        texts("eras", eras)?;
        text("tools.digest", &tools.digest)?;
        texts("fileProblems", file_problems)?;
        length("issuers", issuers.len())?;
        for issuer in issuers {
            text("issuers[].issuer", &issuer.issuer)?;
            texts("issuers[].keyIds", &issuer.key_ids)?;
            text("issuers[].lastError", issuer.last_error.as_deref().unwrap_or_default())?;
        }
        let redis_error = redis.as_ref().and_then(|redis| redis.last_error.as_deref());
        text("redis.lastError", redis_error.unwrap_or_default())?;
        length("upstreams", upstreams.len())?;
        upstreams.iter().try_for_each(UpstreamReport::check_bounds)
    }
}

impl UpstreamReport {
    fn check_bounds(&self) -> Result<(), ReportError> {
        let Self {
            name,
            ready: _,
            connected_once: _,
            protocol_version,
            server_name,
            server_version,
            tools: _,
            last_error,
        } = self;
        text("upstreams[].name", name)?;
        text("upstreams[].protocolVersion", protocol_version.as_deref().unwrap_or_default())?;
        text("upstreams[].serverName", server_name.as_deref().unwrap_or_default())?;
        text("upstreams[].serverVersion", server_version.as_deref().unwrap_or_default())?;
        text("upstreams[].lastError", last_error.as_deref().unwrap_or_default())
    }
}

fn text(field: &'static str, value: &str) -> Result<(), ReportError> {
    if value.len() > MAX_TEXT_BYTES {
        return Err(ReportError::OutOfBounds(field));
    }
    Ok(())
}

fn length(field: &'static str, items: usize) -> Result<(), ReportError> {
    if items > MAX_ITEMS {
        return Err(ReportError::OutOfBounds(field));
    }
    Ok(())
}

fn texts(field: &'static str, values: &[String]) -> Result<(), ReportError> {
    length(field, values.len())?;
    values.iter().try_for_each(|value| text(field, value))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_report_survives_the_round_trip(report in any_report()) {
            let bytes = serde_json::to_vec(&report).unwrap();
            prop_assert_eq!(GatewayReport::parse(&bytes).unwrap(), report);
        }

        #[test]
        fn bytes_of_any_kind_are_answered_not_panicked_on(bytes in prop::collection::vec(any::<u8>(), 0..256)) {
            prop_assert!(GatewayReport::parse(&bytes).is_err());
        }
    }

    #[test]
    fn the_first_version_still_parses() {
        let frozen = include_bytes!("../fixtures/gateway-report-v1.json");
        assert_eq!(GatewayReport::parse(frozen).unwrap().version, 1);
    }

    #[test]
    fn a_field_that_a_newer_server_adds_is_ignored() {
        let mut report = serde_json::to_value(small()).unwrap();
        report["invented"] = serde_json::json!(1);
        let bytes = serde_json::to_vec(&report).unwrap();
        assert_eq!(GatewayReport::parse(&bytes).unwrap(), small());
    }

    #[test]
    fn a_long_string_and_a_long_list_are_refused_by_name() {
        let long = GatewayReport { policy_revision: "x".repeat(MAX_TEXT_BYTES + 1), ..small() };
        let many = GatewayReport { eras: vec![String::new(); MAX_ITEMS + 1], ..small() };
        let huge = || Some("x".repeat(MAX_TEXT_BYTES + 1));
        let upstream = |upstream| GatewayReport { upstreams: vec![upstream], ..small() };
        for (report, field) in [
            (long, "policyRevision"),
            (many, "eras"),
            (GatewayReport { upstreams: vec![UpstreamReport::default(); MAX_ITEMS + 1], ..small() }, "upstreams"),
            (upstream(UpstreamReport { name: huge().unwrap(), ..UpstreamReport::default() }), "upstreams[].name"),
            (
                upstream(UpstreamReport { protocol_version: huge(), ..UpstreamReport::default() }),
                "upstreams[].protocolVersion",
            ),
            (upstream(UpstreamReport { server_name: huge(), ..UpstreamReport::default() }), "upstreams[].serverName"),
            (
                upstream(UpstreamReport { server_version: huge(), ..UpstreamReport::default() }),
                "upstreams[].serverVersion",
            ),
            (upstream(UpstreamReport { last_error: huge(), ..UpstreamReport::default() }), "upstreams[].lastError"),
        ] {
            let bytes = serde_json::to_vec(&report).unwrap();
            assert_eq!(GatewayReport::parse(&bytes), Err(ReportError::OutOfBounds(field)));
        }
    }

    #[test]
    fn a_newer_version_is_refused() {
        let bytes = serde_json::to_vec(&GatewayReport { version: 2, ..small() }).unwrap();
        assert_eq!(GatewayReport::parse(&bytes), Err(ReportError::UnsupportedVersion(2)));
    }

    fn small() -> GatewayReport {
        GatewayReport {
            version: REPORT_VERSION,
            config_revision: "0123456789".to_owned(),
            policy_revision: "0123456789".to_owned(),
            server_version: "0.1.0".to_owned(),
            eras: vec!["2026-07-28".to_owned()],
            tools: ToolsReport { count: 3, digest: "0123456789".to_owned() },
            issuers: Vec::new(),
            upstreams: Vec::new(),
            redis: None,
            file_problems: Vec::new(),
            draining: false,
        }
    }

    prop_compose! {
        fn any_issuer()(
            issuer in "[ -~é]{0,12}",
            state in prop::sample::select(vec![
                KeySetState::Pending, KeySetState::Ready, KeySetState::Stale, KeySetState::Expired,
            ]),
            key_ids in prop::collection::vec("[ -~]{0,8}", 0..4),
            last_error in prop::option::of("[ -~]{0,8}"),
        ) -> IssuerReport {
            IssuerReport { issuer, state, key_ids, last_error }
        }
    }

    prop_compose! {
        fn any_upstream()(
            name in "[a-z]{1,20}",
            (ready, connected_once, tools) in any::<(bool, bool, u32)>(),
            (protocol_version, server_name, server_version, last_error) in (
                prop::option::of("[ -~]{0,8}"),
                prop::option::of("[ -~é]{0,8}"),
                prop::option::of("[ -~]{0,8}"),
                prop::option::of("[ -~]{0,8}"),
            ),
        ) -> UpstreamReport {
            UpstreamReport {
                name, ready, connected_once, protocol_version, server_name, server_version, tools, last_error,
            }
        }
    }

    prop_compose! {
        fn any_redis()(
            state in prop::sample::select(vec![
                RedisState::Pending, RedisState::Ready, RedisState::Full, RedisState::Failing, RedisState::Refused,
            ]),
            connected_once in any::<bool>(),
            last_error in prop::option::of("[ -~]{0,8}"),
        ) -> RedisReport {
            RedisReport { state, connected_once, last_error }
        }
    }

    prop_compose! {
        fn any_report()(
            config_revision in "[0-9a-f]{10}",
            policy_revision in "[0-9a-f]{10}",
            eras in prop::collection::vec("[0-9-]{10}", 0..4),
            count in any::<u32>(),
            issuers in prop::collection::vec(any_issuer(), 0..3),
            upstreams in prop::collection::vec(any_upstream(), 0..3),
            redis in prop::option::of(any_redis()),
            file_problems in prop::collection::vec("[ -~é]{0,20}", 0..3),
            draining in any::<bool>(),
        ) -> GatewayReport {
            GatewayReport {
                config_revision, policy_revision, eras, issuers, upstreams, redis, file_problems, draining,
                tools: ToolsReport { count, digest: "d".to_owned() },
                ..small()
            }
        }
    }
}
