use std::sync::Arc;

use crds::gateway_config::{AuthorizationDefault, AuthorizationPolicy, AuthorizationRule, Builtins, GatewayPolicy};
use proptest::prelude::*;

use super::*;
use crate::auth::ScopeSet;

/// Few and alike, so that globs hit and miss often.
const TOOLS: [&str; 8] = ["ping", "echo", "health_check", "a", "ab", "a__b", "b.a", "aa"];
const SCOPES: [&str; 4] = ["s", "t", "tools:ping", "tools:echo"];

fn policy() -> impl Strategy<Value = GatewayPolicy> {
    let glob = prop_oneof!["[ab_.*]{1,4}", prop::sample::select(TOOLS.as_slice()).prop_map(str::to_owned),];
    let rule = (prop::collection::vec(glob, 1..3), prop::collection::vec(scope(), 0..3))
        .prop_map(|(tools, scopes)| AuthorizationRule::scopes(tools, scopes));
    let default = prop_oneof![Just(AuthorizationDefault::Deny), Just(AuthorizationDefault::Authenticated),];
    (default, prop::collection::vec(rule, 0..4))
        .prop_map(|(default, rules)| GatewayPolicy::of(AuthorizationPolicy::new(default, rules)))
}

fn scope() -> impl Strategy<Value = String> {
    prop::sample::select(SCOPES.as_slice()).prop_map(str::to_owned)
}

fn builtins() -> impl Strategy<Value = Builtins> {
    any::<[bool; 3]>().prop_map(|[ping, echo, health_check]| Builtins { ping, echo, health_check })
}

fn mode() -> impl Strategy<Value = AuthMode> {
    prop_oneof![Just(AuthMode::OAuth), Just(AuthMode::None)]
}

fn principal() -> impl Strategy<Value = Principal> {
    let known = prop::collection::vec(scope(), 0..4).prop_map(|scopes| {
        let scopes: ScopeSet = scopes.iter().map(String::as_str).collect();
        Principal::new("https://issuer.example", "someone", None::<Arc<str>>, scopes)
    });
    prop_oneof![4 => known, 1 => Just(Principal::anonymous())]
}

/// A slow, plain reading of the rules, to hold the compiled one against.
fn matches(glob: &[u8], name: &[u8]) -> bool {
    match (glob.first(), name.first()) {
        (None, None) => true,
        (Some(b'*'), _) => matches(&glob[1..], name) || (!name.is_empty() && matches(glob, &name[1..])),
        (Some(expected), Some(found)) if expected == found => matches(&glob[1..], &name[1..]),
        _ => false,
    }
}

fn expected(policy: &GatewayPolicy, builtins: Builtins, mode: AuthMode, caller: &Principal, tool: &str) -> Decision {
    let rules = &policy.authorization.rules;
    let hits = |rule: &&AuthorizationRule| rule.tools.iter().any(|glob| matches(glob.as_bytes(), tool.as_bytes()));
    let scopes = match (rules.iter().find(hits), tool) {
        (Some(rule), _) => rule.scopes.clone(),
        (None, "ping") if builtins.ping => vec!["tools:ping".to_owned()],
        (None, "echo") if builtins.echo => vec!["tools:echo".to_owned()],
        (None, "health_check") if builtins.health_check => Vec::new(),
        (None, _) if policy.authorization.default == AuthorizationDefault::Authenticated => Vec::new(),
        (None, _) => return Decision::Hidden,
    };
    if mode == AuthMode::None {
        return Decision::Allow;
    }
    if caller.is_anonymous() {
        return Decision::Hidden;
    }
    if scopes.iter().all(|scope| caller.has_scope(scope)) {
        return Decision::Allow;
    }
    Decision::MissingScopes(scopes)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_decision_is_what_the_rules_say(
        document in policy(), builtins in builtins(), mode in mode(), caller in principal(),
    ) {
        let policy = Policy::compile(&document, &builtins, mode).unwrap();
        for tool in TOOLS {
            let expected = expected(&document, builtins, mode, &caller, tool);
            prop_assert_eq!(decide(&policy, &caller, Target::Tool(tool)), expected, "{}", tool);
        }
    }
}

#[test]
fn missing_scopes_are_named_all_of_them() {
    let rules = vec![AuthorizationRule::scopes(["a"], ["s", "t"])];
    let authorization = AuthorizationPolicy::new(AuthorizationDefault::Deny, rules);
    let builtins = Builtins { ping: true, echo: true, health_check: true };
    let document = GatewayPolicy::of(authorization);
    let policy = Policy::compile(&document, &builtins, AuthMode::OAuth).unwrap();
    let caller = Principal::new("https://issuer.example", "x", None, ["s"].into_iter().collect());
    let needed = vec!["s".to_owned(), "t".to_owned()];
    assert_eq!(decide(&policy, &caller, Target::Tool("a")), Decision::MissingScopes(needed));
}

#[test]
fn what_is_no_tool_follows_the_default_alone() {
    let rules = vec![AuthorizationRule::scopes(["*"], [""; 0])];
    let caller = Principal::new("https://issuer.example", "x", None, ScopeSet::default());
    let decision = |default| {
        let document = GatewayPolicy::of(AuthorizationPolicy::new(default, rules.clone()));
        let builtins = Builtins { ping: true, echo: true, health_check: true };
        let policy = Policy::compile(&document, &builtins, AuthMode::OAuth).unwrap();
        decide(&policy, &caller, Target::Other)
    };
    assert_eq!(decision(AuthorizationDefault::Deny), Decision::Hidden);
    assert_eq!(decision(AuthorizationDefault::Authenticated), Decision::Allow);
}
