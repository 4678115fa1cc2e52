//! The gateway's own tools by name, and the rules that hold for them when no rule of the policy does.
//!
//! Names stand here, below the tools themselves, because policy decides by name alone.

use crds::gateway_config::Builtins;

/// Name of the tool that shows that endpoint and token work.
pub const PING: &str = "ping";

/// Name of the tool that answers its argument.
pub const ECHO: &str = "echo";

/// Name of the tool that tells how the gateway is.
pub const HEALTH_CHECK: &str = "health_check";

/// What each enabled built-in needs: its name and its scopes; no scopes means any valid token.
/// Source: features.md, section 3.
pub(super) fn default_rules(builtins: Builtins) -> Vec<(&'static str, Vec<String>)> {
    let rules = [
        (builtins.ping, PING, Some("tools:ping")),
        (builtins.echo, ECHO, Some("tools:echo")),
        (builtins.health_check, HEALTH_CHECK, None),
    ];
    rules
        .into_iter()
        .filter(|(enabled, ..)| *enabled)
        .map(|(_, name, scope)| (name, scope.map(str::to_owned).into_iter().collect()))
        .collect()
}
