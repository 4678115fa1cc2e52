//! What this pod tells the operator about itself (`crds::gateway_report`).
//!
//! Evidence, not an echo: revisions are computed from the bytes that were read. Bounded, no secrets.

use crds::gateway_report::{GatewayReport, MAX_ITEMS, MAX_TEXT_BYTES, REPORT_VERSION, ToolsReport};

use crate::{app::App, mcp::ProtocolVersion};

/// The report of this moment.
pub fn report(app: &App) -> GatewayReport {
    GatewayReport {
        version: REPORT_VERSION,
        config_revision: app.config().revision.clone(),
        policy_revision: app.policy_revision(),
        server_version: env!("CARGO_PKG_VERSION").to_owned(),
        eras: ProtocolVersion::ALL.iter().map(|version| version.as_str().to_owned()).collect(),
        tools: ToolsReport {
            count: u32::try_from(app.catalog().count()).unwrap_or(u32::MAX),
            digest: app.catalog().digest().to_owned(),
        },
        issuers: app.authenticator().map(|authenticator| authenticator.reports()).unwrap_or_default(),
        file_problems: app.file_problems().into_iter().take(MAX_ITEMS).map(bounded).collect(),
        draining: app.draining(),
    }
}

fn bounded(mut text: String) -> String {
    let end = (0..=MAX_TEXT_BYTES.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.truncate(end.unwrap_or(0));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_problem_is_cut_at_a_character() {
        let text = bounded("é".repeat(400));
        assert_eq!(text.len(), MAX_TEXT_BYTES);
        assert!(text.chars().all(|character| character == 'é'));
    }
}
