//! What this pod tells the operator about itself (`crds::gateway_report`).
//!
//! Evidence, not an echo: revisions are computed from the bytes that were read. Bounded, no secrets.

use crds::gateway_report::{
    GatewayReport, MAX_ITEMS, MAX_TEXT_BYTES, REPORT_VERSION, RedisReport, ToolsReport, UpstreamReport,
};

use crate::{app::App, protocol::ProtocolVersion, store::Standing, upstream::UpstreamStatus};

/// The report of this moment.
pub fn report(app: &App) -> GatewayReport {
    let catalog = app.catalog();
    GatewayReport {
        version: REPORT_VERSION,
        config_revision: app.config().revision.clone(),
        policy_revision: app.policy_revision(),
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
        eras: [ProtocolVersion::LATEST_MODERN, ProtocolVersion::LATEST_LEGACY]
            .map(|version| version.as_str().to_owned())
            .into(),
        tools: ToolsReport {
            count: u32::try_from(catalog.count()).unwrap_or(u32::MAX),
            digest: catalog.digest().to_owned(),
        },
        upstreams: app.upstreams().iter().map(|upstream| upstream_report(&upstream.report())).collect(),
        issuers: app.authenticator().map(|authenticator| authenticator.reports()).unwrap_or_default(),
        redis: redis_report(app.store().standing()),
        file_problems: app.file_problems().into_iter().take(MAX_ITEMS).map(|problem| bounded(&problem)).collect(),
        draining: app.draining(),
    }
}

fn upstream_report(status: &UpstreamStatus) -> UpstreamReport {
    UpstreamReport {
        name: status.name.clone(),
        ready: status.ready,
        connected_once: status.connected_once,
        protocol_version: status.era.map(str::to_owned),
        server_name: status.server_name.clone(),
        server_version: status.server_version.clone(),
        tools: u32::try_from(status.tools).unwrap_or(u32::MAX),
        last_error: status.last_error.as_deref().map(bounded),
    }
}

fn redis_report(standing: Standing) -> Option<RedisReport> {
    match standing {
        Standing::Own => None,
        Standing::Shared { state, connected_once, last_error } => {
            Some(RedisReport { state, connected_once, last_error: last_error.as_deref().map(bounded) })
        }
    }
}

fn bounded(text: &str) -> String {
    crds::text::cut(text, MAX_TEXT_BYTES).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_problem_is_cut_at_a_character() {
        let text = bounded(&"é".repeat(400));
        assert_eq!(text.len(), MAX_TEXT_BYTES);
        assert!(text.chars().all(|character| character == 'é'));
    }
}
