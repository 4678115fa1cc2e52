use crds::gateway_config::{
    AuthorizationDefault, AuthorizationPolicy, AuthorizationRule, Builtins, GatewayPolicy, PrincipalKind, PrincipalRef,
    ScopeImplication, Visibility,
};
use proptest::prelude::*;

use super::*;
use crate::auth::ScopeSet;

/// Few and alike, so that globs hit and miss often.
const TOOLS: [&str; 8] = ["ping", "echo", "health_check", "a", "ab", "a__b", "b.a", "aa"];
const SCOPES: [&str; 4] = ["s", "t", "tools:ping", "tools:echo"];
const SUBJECTS: [&str; 2] = ["someone", "another"];
const GROUPS: [&str; 2] = ["ops", "dev"];
const TENANTS: [&str; 2] = ["acme", "umbrella"];

fn policy() -> impl Strategy<Value = GatewayPolicy> {
    let glob = prop_oneof!["[ab_.*]{1,4}", prop::sample::select(TOOLS.as_slice()).prop_map(str::to_owned),];
    let scopes = || prop::collection::vec(scope(), 0..3);
    let subjects = prop::collection::vec(prop::sample::select(SUBJECTS.as_slice()), 0..2);
    let who = (prop::collection::vec(kind(), 0..2), subjects, few(&GROUPS), few(&TENANTS), any::<bool>());
    let rule = (prop::collection::vec(glob, 1..3), scopes(), who).prop_map(|(tools, scopes, who)| {
        let (principal_kinds, subjects, groups, tenants, hide) = who;
        let principal =
            |subject: &str| PrincipalRef { issuer: "https://issuer.example".to_owned(), subject: subject.to_owned() };
        AuthorizationRule {
            principal_kinds,
            principals: subjects.into_iter().map(principal).collect(),
            groups,
            tenants,
            visibility: if hide { Visibility::Hide } else { Visibility::Show },
            ..AuthorizationRule::scopes(tools, scopes)
        }
    });
    let implication = (scope(), scopes()).prop_map(|(scope, implies)| ScopeImplication { scope, implies });
    let implications = prop::collection::vec(implication, 0..3);
    let default = prop_oneof![Just(AuthorizationDefault::Deny), Just(AuthorizationDefault::Authenticated),];
    (default, prop::collection::vec(rule, 0..4), implications).prop_map(|(default, rules, scope_implications)| {
        GatewayPolicy::of(AuthorizationPolicy { default, rules, scope_implications })
    })
}

fn kind() -> impl Strategy<Value = PrincipalKind> {
    prop_oneof![Just(PrincipalKind::Human), Just(PrincipalKind::Workload)]
}

/// None or one of these.
fn few(texts: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(prop::sample::select(texts).prop_map(str::to_owned), 0..2)
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
    let subject = prop::sample::select(SUBJECTS.as_slice());
    let known = (prop::collection::vec(scope(), 0..4), subject, kind(), few(&GROUPS), few(&TENANTS)).prop_map(
        |(scopes, subject, kind, groups, tenants)| {
            let scopes: ScopeSet = scopes.iter().map(String::as_str).collect();
            Principal::new("https://issuer.example", subject)
                .granted(scopes)
                .of_kind(kind)
                .in_groups(groups.iter().map(String::as_str))
                .in_tenant(tenants.first().map(String::as_str))
        },
    );
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
    let own = |scopes: &[&str]| AuthorizationRule::scopes([tool], scopes.iter().copied());
    let rule = match (rules.iter().find(hits), tool) {
        (Some(rule), _) => rule.clone(),
        (None, "ping") if builtins.ping => own(&["tools:ping"]),
        (None, "echo") if builtins.echo => own(&["tools:echo"]),
        (None, "health_check") if builtins.health_check => own(&[]),
        (None, _) if policy.authorization.default == AuthorizationDefault::Authenticated => own(&[]),
        (None, _) => return Decision::Hidden,
    };
    if caller.is_anonymous() && mode == AuthMode::OAuth {
        return Decision::Hidden;
    }
    let hidden_or = |decision| if rule.visibility == Visibility::Hide { Decision::Hidden } else { decision };
    if !is_for(&rule, caller) {
        return hidden_or(Decision::NotForCaller);
    }
    if mode == AuthMode::None || rule.scopes.iter().all(|scope| has(&policy.authorization, caller, scope, 8)) {
        return Decision::Allow;
    }
    hidden_or(Decision::MissingScopes(rule.scopes))
}

fn is_for(rule: &AuthorizationRule, caller: &Principal) -> bool {
    let is_named = |one: &PrincipalRef| one.issuer == caller.issuer() && one.subject == caller.subject();
    let asked = [
        (rule.principal_kinds.is_empty(), rule.principal_kinds.contains(&caller.kind())),
        (rule.principals.is_empty(), rule.principals.iter().any(is_named)),
        (rule.groups.is_empty(), rule.groups.iter().any(|group| caller.is_in_group(group))),
        (rule.tenants.is_empty(), rule.tenants.iter().any(|tenant| caller.tenant() == Some(tenant))),
    ];
    asked.iter().all(|(is_open, holds)| *is_open || (*holds && !caller.is_anonymous()))
}

/// Whether the caller has `scope`, or one that implies it over at most `steps` steps.
fn has(policy: &AuthorizationPolicy, caller: &Principal, scope: &str, steps: usize) -> bool {
    let mut broader = policy.scope_implications.iter().filter(|one| one.implies.iter().any(|implied| implied == scope));
    caller.has_scope(scope) || (steps > 0 && broader.any(|one| has(policy, caller, &one.scope, steps - 1)))
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
    let caller = Principal::new("https://issuer.example", "x").granted(["s"].into_iter().collect());
    let needed = vec!["s".to_owned(), "t".to_owned()];
    assert_eq!(decide(&policy, &caller, Target::Tool("a")), Decision::MissingScopes(needed));
}

#[test]
fn what_is_no_tool_follows_the_default_alone() {
    let rules = vec![AuthorizationRule::scopes(["*"], [""; 0])];
    let caller = Principal::new("https://issuer.example", "x");
    let decision = |default| {
        let document = GatewayPolicy::of(AuthorizationPolicy::new(default, rules.clone()));
        let builtins = Builtins { ping: true, echo: true, health_check: true };
        let policy = Policy::compile(&document, &builtins, AuthMode::OAuth).unwrap();
        decide(&policy, &caller, Target::Other)
    };
    assert_eq!(decision(AuthorizationDefault::Deny), Decision::Hidden);
    assert_eq!(decision(AuthorizationDefault::Authenticated), Decision::Allow);
}
