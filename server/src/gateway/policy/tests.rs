use crds::gateway_config::AuthorizationPolicy;

use super::*;

const ALL: Builtins = Builtins { ping: true, echo: true, health_check: true };

fn compile(default: AuthorizationDefault, rules: &[(&[&str], &[&str])]) -> Result<Policy, PolicyError> {
    let rules = rules
        .iter()
        .map(|(tools, scopes)| AuthorizationRule::scopes(tools.iter().copied(), scopes.iter().copied()))
        .collect();
    let policy = GatewayPolicy::of(AuthorizationPolicy::new(default, rules));
    Policy::compile(&policy, &ALL, AuthMode::OAuth)
}

/// `hidden`, or the scopes that a tool needs.
fn needs(rules: &[(&[&str], &[&str])], tool: &str) -> String {
    match compile(AuthorizationDefault::Deny, rules).unwrap().requirement(Target::Tool(tool)) {
        Requirement::Hidden => "hidden".to_owned(),
        Requirement::Needs(needs) => format!("[{}]", needs.scopes.join(" ")),
    }
}

#[test]
fn the_first_rule_that_matches_decides_alone() {
    let rules: &[(&[&str], &[&str])] = &[(&["search__read"], &["a"]), (&["search__*"], &["b", "c"]), (&["*"], &[])];
    assert_eq!(needs(rules, "search__read"), "[a]");
    assert_eq!(needs(rules, "search__write"), "[b c]");
    assert_eq!(needs(rules, "wiki__read"), "[]");
}

#[test]
fn any_glob_of_a_rule_is_enough() {
    let rules: &[(&[&str], &[&str])] = &[(&["one", "*two*"], &["a"])];
    assert_eq!(needs(rules, "one"), "[a]");
    assert_eq!(needs(rules, "a_two_b"), "[a]");
    assert_eq!(needs(rules, "three"), "hidden");
}

#[test]
fn built_ins_have_rules_of_their_own_which_a_rule_of_the_policy_replaces() {
    assert_eq!(needs(&[], "ping"), "[tools:ping]");
    assert_eq!(needs(&[], "echo"), "[tools:echo]");
    assert_eq!(needs(&[], "health_check"), "[]");
    assert_eq!(needs(&[(&["p*"], &["other"])], "ping"), "[other]");
}

#[test]
fn the_default_decides_what_nothing_names() {
    assert_eq!(needs(&[], "other"), "hidden");
    let open = compile(AuthorizationDefault::Authenticated, &[]).unwrap();
    assert_eq!(open.requirement(Target::Tool("other")), &Requirement::Needs(Needs::default()));
}

#[test]
fn a_disabled_built_in_has_no_rule() {
    let authorization = AuthorizationPolicy::new(AuthorizationDefault::Deny, Vec::new());
    let policy = GatewayPolicy::of(authorization);
    let none = Builtins { ping: false, echo: false, health_check: false };
    let policy = Policy::compile(&policy, &none, AuthMode::OAuth).unwrap();
    assert_eq!(policy.requirement(Target::Tool("health_check")), &Requirement::Hidden);
}

#[test]
fn names_compare_with_case_and_whole() {
    let rules: &[(&[&str], &[&str])] = &[(&["Tool"], &[]), (&["a.b"], &[])];
    for other in ["tool", "Tool2", "xTool", "aXb", "a.b/c", "a.b\n"] {
        assert_eq!(needs(rules, other), "hidden", "{other:?}");
    }
}

#[test]
fn a_star_stands_for_any_run_of_characters() {
    let rules: &[(&[&str], &[&str])] = &[(&["a*z"], &[])];
    for tool in ["az", "abz", "a.z", "a__z", "a-1_z"] {
        assert_eq!(needs(rules, tool), "[]", "{tool}");
    }
    assert_eq!(needs(&[(&["**"], &[])], "x"), "[]");
    assert_eq!(needs(&[(&["a**b"], &[])], "axxb"), "[]");
}

#[test]
fn nothing_but_a_star_is_special() {
    for pattern in ["a?", "[ab]", "{a,b}", "\\*", "!a", "a/b", "", "é", "a b"] {
        let rules: &[(&[&str], &[&str])] = &[(&["fine"], &[]), (&["fine", pattern], &[])];
        let problem = compile(AuthorizationDefault::Deny, rules).unwrap_err();
        assert_eq!(problem, PolicyError::Glob { rule: 1, index: 1 }, "{pattern:?}");
    }
    let problem = compile(AuthorizationDefault::Deny, &[(&["a?"], &[])]).unwrap_err();
    assert_eq!(
        problem.to_string(),
        "field `authorization.rules[0].tools[0]`: use letters, digits, `_`, `.`, `-`, and `*` for any run of characters"
    );
}

#[test]
fn a_scope_is_what_a_token_can_carry() {
    for scope in ["tools:ping", "https://api.example.com/.default", "!#$~"] {
        assert!(compile(AuthorizationDefault::Deny, &[(&["a"], &[scope])]).is_ok(), "{scope}");
    }
    for scope in ["", "two words", "\"", "a\\b", "é", "a\n"] {
        let problem = compile(AuthorizationDefault::Deny, &[(&["a"], &["fine", scope])]).unwrap_err();
        assert_eq!(
            problem.to_string(),
            "field `authorization.rules[0].scopes[1]`: use a scope as tokens carry it: visible ASCII without space, `\"` and `\\`",
            "{scope:?}"
        );
    }
}

#[test]
fn an_implication_of_what_is_no_scope_is_refused() {
    use crds::gateway_config::ScopeImplication;
    let implication =
        |scope: &str, implies: &str| ScopeImplication { scope: scope.to_owned(), implies: vec![implies.to_owned()] };
    for (wrong, index) in [(implication("two words", "a"), 0), (implication("a", ""), 0)] {
        let authorization = AuthorizationPolicy {
            scope_implications: vec![wrong],
            ..AuthorizationPolicy::new(AuthorizationDefault::Deny, Vec::new())
        };
        let problem = Policy::compile(&GatewayPolicy::of(authorization), &ALL, AuthMode::OAuth).unwrap_err();
        assert_eq!(problem, PolicyError::Implication { index });
    }
}

#[test]
fn a_rule_without_a_tool_is_refused() {
    let problem = compile(AuthorizationDefault::Deny, &[(&[], &["a"])]).unwrap_err();
    assert_eq!(problem, PolicyError::NoTools { rule: 0 });
}

#[test]
fn the_supported_scopes_are_those_that_visible_tools_need() {
    let policy = compile(AuthorizationDefault::Deny, &[(&["echo"], &["b", "a"]), (&["no_tool"], &["x"])]);
    assert_eq!(policy.unwrap().scopes_supported(["ping", "echo", "secret"].into_iter()), ["a", "b", "tools:ping"]);
}
