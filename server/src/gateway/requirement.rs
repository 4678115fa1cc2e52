//! What a tool asks of its caller, compiled from one rule.

use std::collections::{BTreeMap, BTreeSet};

use crds::gateway_config::{AuthorizationRule, PrincipalKind, PrincipalRef, ScopeImplication, Visibility};

use crate::auth::Principal;

/// What a tool asks of its caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Requirement {
    /// Nobody sees it.
    Hidden,
    /// All of this.
    Needs(Needs),
}

/// Conditions of which all must hold; one that is empty always does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    /// A token with all of these scopes.
    pub(super) scopes: Vec<String>,
    kinds: Vec<PrincipalKind>,
    principals: Vec<PrincipalRef>,
    groups: Vec<String>,
    tenants: Vec<String>,
    /// What a caller sees for whom they do not hold.
    pub(super) visibility: Visibility,
}

/// Which scopes stand for others, with everything that they imply in turn.
#[derive(Debug, Default)]
pub(super) struct Implications(BTreeMap<String, BTreeSet<String>>);

impl Needs {
    /// Any valid token with these scopes.
    pub(super) fn scopes(scopes: Vec<String>) -> Self {
        Self { scopes, ..Self::default() }
    }

    pub(super) fn of(rule: &AuthorizationRule) -> Self {
        // Without `..`: a new condition does not compile until somebody asks for it.
        let AuthorizationRule { tools: _, scopes, principal_kinds, principals, groups, tenants, visibility } = rule;
        Self {
            scopes: scopes.clone(),
            kinds: principal_kinds.clone(),
            principals: principals.clone(),
            groups: groups.clone(),
            tenants: tenants.clone(),
            visibility: *visibility,
        }
    }

    /// Whether this is for such callers at all, whatever scopes they have.
    pub(super) fn is_for(&self, caller: &Principal) -> bool {
        any_or_empty(&self.kinds, |kind| caller.kind() == *kind)
            && any_or_empty(&self.principals, |one| one.issuer == caller.issuer() && one.subject == caller.subject())
            && any_or_empty(&self.groups, |group| caller.is_in_group(group))
            && any_or_empty(&self.tenants, |tenant| caller.tenant() == Some(tenant))
    }

    /// Whether it asks who the caller is, beyond that there is one.
    pub(super) fn asks_who(&self) -> bool {
        let Self { scopes: _, kinds, principals, groups, tenants, visibility: _ } = self;
        !(kinds.is_empty() && principals.is_empty() && groups.is_empty() && tenants.is_empty())
    }
}

fn any_or_empty<T>(conditions: &[T], holds: impl Fn(&T) -> bool) -> bool {
    conditions.is_empty() || conditions.iter().any(holds)
}

impl Implications {
    /// Follows each scope to everything that it implies. A circle is no fault: its scopes stand for each other.
    pub(super) fn compile(declared: &[ScopeImplication]) -> Self {
        let mut implied_by: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for ScopeImplication { scope, .. } in declared {
            let mut open = vec![scope.as_str()];
            let mut reached = BTreeSet::new();
            while let Some(next) = open.pop() {
                let direct = declared.iter().filter(|one| one.scope == next).flat_map(|one| &one.implies);
                open.extend(direct.map(String::as_str).filter(|implied| reached.insert(*implied)));
            }
            for implied in reached {
                implied_by.entry(implied.to_owned()).or_default().insert(scope.clone());
            }
        }
        Self(implied_by)
    }

    /// Whether the caller has `scope`, or one that stands for it.
    pub(super) fn grant(&self, caller: &Principal, scope: &str) -> bool {
        let broader = || self.0.get(scope).into_iter().flatten();
        caller.has_scope(scope) || broader().any(|broader| caller.has_scope(broader))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn caller() -> Principal {
        Principal::new("https://issuer.example", "alice").in_tenant(Some("acme")).in_groups(["ops", "dev"])
    }

    fn check(change: impl FnOnce(&mut AuthorizationRule), expected: bool) {
        let mut rule = AuthorizationRule::scopes(["a"], ["never:granted"]);
        change(&mut rule);
        let needs = Needs::of(&rule);
        assert_eq!(needs.is_for(&caller()), expected, "{rule:?}");
        assert_eq!(needs.asks_who(), rule != AuthorizationRule::scopes(["a"], ["never:granted"]));
    }

    fn principals(pairs: &[(&str, &str)]) -> Vec<PrincipalRef> {
        let one = |(issuer, subject): &(&str, &str)| PrincipalRef {
            issuer: (*issuer).to_owned(),
            subject: (*subject).to_owned(),
        };
        pairs.iter().map(one).collect()
    }

    fn owned(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn each_condition_holds_for_whom_it_names_and_for_everybody_when_it_is_empty() {
        check(|_| {}, true);
        check(|rule| rule.principal_kinds = vec![PrincipalKind::Human], true);
        check(|rule| rule.principal_kinds = vec![PrincipalKind::Workload], false);
        check(|rule| rule.principal_kinds = vec![PrincipalKind::Workload, PrincipalKind::Human], true);
        check(|rule| rule.groups = owned(&["x", "ops"]), true);
        check(|rule| rule.groups = owned(&["OPS", "op", ""]), false);
        check(|rule| rule.tenants = owned(&["acme"]), true);
        check(|rule| rule.tenants = owned(&["other"]), false);
        check(|rule| rule.principals = principals(&[("x", "y"), ("https://issuer.example", "alice")]), true);
        // Neither half is an identity alone.
        check(|rule| rule.principals = principals(&[("https://issuer.example", "bob"), ("x", "alice")]), false);
    }

    #[test]
    fn all_conditions_must_hold() {
        check(
            |rule| {
                rule.groups = owned(&["ops"]);
                rule.tenants = owned(&["acme"]);
                rule.principal_kinds = vec![PrincipalKind::Human];
            },
            true,
        );
        check(
            |rule| {
                rule.groups = owned(&["ops"]);
                rule.tenants = owned(&["other"]);
            },
            false,
        );
    }

    #[test]
    fn a_scope_stands_for_all_that_it_implies_in_turn_and_for_nothing_else() {
        let one = |scope: &str, implies: &[&str]| ScopeImplication { scope: scope.to_owned(), implies: owned(implies) };
        let implications =
            Implications::compile(&[one("all", &["some", "other"]), one("some", &["one"]), one("one", &["some"])]);
        for (granted, wanted, expected) in [
            ("all", "all", true),
            ("all", "some", true),
            ("all", "other", true),
            ("all", "one", true),
            ("some", "one", true),
            ("one", "some", true),
            ("some", "all", false),
            ("some", "other", false),
            ("other", "one", false),
            ("al", "one", false),
            ("*", "one", false),
        ] {
            let caller = caller().granted([granted].into_iter().collect());
            assert_eq!(implications.grant(&caller, wanted), expected, "{granted} for {wanted}");
        }
    }
}
