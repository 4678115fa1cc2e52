//! A request of the older era: opened by `initialize`, then part of a session.
//!
//! Nothing of the modern era may appear in its answers.

use super::{
    capabilities::client_capabilities,
    envelope::{Envelope, string},
    error::McpError,
    operation::{self, Operation, check_progress_token},
    params::{Meta, Params},
};
use crate::{
    features::{ClientCapabilities, Listed, Offered},
    protocol::ProtocolVersion,
};

/// What this deployment offers to sessions.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offers {
    pub(super) features: Offered,
    /// Whether sessions have state in this process.
    pub(super) streams: bool,
}

/// Checks a request inside a session. What is wrong inside a well-formed request is answered with 200: see
/// [`McpError::served`].
pub(super) fn check<'a>(
    envelope: &Envelope<'a>,
    params: &Params<'a>,
    meta: &Meta<'a>,
    offers: Offers,
) -> Result<Operation<'a>, McpError> {
    check_progress_token(meta).and_then(|()| operation(envelope, params, offers)).map_err(McpError::served)
}

/// Checks `initialize`. Whatever revision is asked for, one of ours is answered: the client decides whether it can go on.
pub(super) fn initialize(params: &Params<'_>) -> Result<(ProtocolVersion, ClientCapabilities), McpError> {
    let Some(asked) = params.protocol_version.and_then(string) else {
        return Err(McpError::invalid_params("params.protocolVersion must be a string").served());
    };
    let asked = ProtocolVersion::from_wire(&asked).filter(|version| !version.is_modern());
    let version = asked.unwrap_or(ProtocolVersion::LATEST_LEGACY);
    Ok((version, client_capabilities(params.capabilities, version)))
}

fn operation<'a>(
    envelope: &Envelope<'a>,
    params: &Params<'a>,
    Offers { features, streams }: Offers,
) -> Result<Operation<'a>, McpError> {
    match &*envelope.method {
        "ping" => Ok(Operation::Ping),
        "tools/list" => operation::list_tools(params),
        "tools/call" => operation::call_tool(params),
        "resources/list" if features.resources => operation::list(Listed::Resources, params),
        "resources/templates/list" if features.resources => operation::list(Listed::Templates, params),
        "resources/read" if features.resources => operation::read_resource(params),
        "resources/subscribe" if features.resource_updates && streams => operation::subscribe(params),
        "resources/unsubscribe" if features.resource_updates && streams => operation::unsubscribe(params),
        "prompts/list" if features.prompts => operation::list(Listed::Prompts, params),
        "prompts/get" if features.prompts => operation::get_prompt(params),
        "completion/complete" if features.completions => operation::complete(params),
        "logging/setLevel" if features.logging && streams => operation::set_level(params),
        _ => Err(McpError::method_not_found()),
    }
}
