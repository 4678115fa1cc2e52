//! What holds for each issuer's entry: where its keys come from, and what its tokens must look like.
//!
//! No problem repeats a value: what a claim must be may tell who somebody is.

use std::ops::RangeInclusive;

use crds::{
    claim_path::ClaimPath,
    gateway_config::{
        ClaimCondition, ClaimTest, IssuerConfig, ScopeMapping, TokenRules,
        auth::{MAX_AGE_SECONDS, MAX_LEEWAY_SECONDS},
    },
    scope::is_scope_token,
};

use super::{WrongField, http_url};

/// How long tokens may live and keys may serve. The lower bound is that of the custom resource.
const AGE_SECONDS: RangeInclusive<u32> = 60..=MAX_AGE_SECONDS;

pub(super) fn check(issuers: &[IssuerConfig]) -> Result<(), WrongField> {
    for (index, issuer) in issuers.iter().enumerate() {
        let field = |name: &str| format!("auth.issuers[{index}].{name}");
        if issuers[..index].iter().any(|earlier| earlier.issuer == issuer.issuer) {
            return Err(WrongField::new(field("issuer"), "is named twice"));
        }
        if issuer.audiences.is_empty() || issuer.audiences.iter().any(String::is_empty) {
            return Err(WrongField::new(field("audiences"), "must name at least one audience, none empty"));
        }
        keys(issuer, &field)?;
        token_rules(&issuer.tokens, &|name| field(&format!("tokens.{name}")))?;
    }
    Ok(())
}

/// Where keys come from: a file, or else a URL. Whether that is `https` is the HTTP client's rule (`net`), since
/// loopback alone is exempt. Source: auth.md, section 3, point 3.
fn keys(issuer: &IssuerConfig, field: &impl Fn(&str) -> String) -> Result<(), WrongField> {
    within(&AGE_SECONDS, issuer.max_key_age_seconds, || field("maxKeyAgeSeconds"))?;
    match (&issuer.jwks_file, &issuer.jwks_uri) {
        (Some(path), _) if path.is_empty() => Err(WrongField::new(field("jwksFile"), "must be the path of a file")),
        (Some(_), Some(_)) => {
            Err(WrongField::new(field("jwksUri"), "must not be set beside `jwksFile`: keys come from one place"))
        }
        (Some(_), None) if issuer.ca_file.is_some() => {
            Err(WrongField::new(field("caFile"), "must not be set beside `jwksFile`: nothing is fetched"))
        }
        (Some(_), None) => Ok(()),
        (None, Some(jwks_uri)) => http_url(&field("jwksUri"), jwks_uri),
        (None, None) => http_url(&field("issuer"), &issuer.issuer).map_err(|wrong| WrongField {
            problem: format!("{}; an issuer that is no URL needs `jwksUri`", wrong.problem),
            ..wrong
        }),
    }
}

fn token_rules(rules: &TokenRules, field: &impl Fn(&str) -> String) -> Result<(), WrongField> {
    // Without `..`: a field that nobody checks does not compile.
    let TokenRules {
        algorithms,
        token_type: _,
        leeway_seconds,
        max_token_lifetime_seconds,
        required_claims,
        scope_claims,
        scope_mappings,
        client_claims,
        allowed_clients,
        tenant_claims,
        groups_claims,
        workloads,
        workload_subject_claim,
    } = rules;
    if algorithms.is_empty() {
        return Err(WrongField::new(field("algorithms"), "must name at least one algorithm"));
    }
    within(&(0..=MAX_LEEWAY_SECONDS), *leeway_seconds, || field("leewaySeconds"))?;
    within(&AGE_SECONDS, *max_token_lifetime_seconds, || field("maxTokenLifetimeSeconds"))?;
    let lists = [
        ("scopeClaims", scope_claims),
        ("clientClaims", client_claims),
        ("tenantClaims", tenant_claims),
        ("groupsClaims", groups_claims),
    ];
    for (name, paths) in lists {
        each_text(paths, &field(name), claim_path)?;
    }
    each_text(allowed_clients, &field("allowedClients"), text)?;
    each(required_claims, &field("requiredClaims"), present_claim)?;
    each(scope_mappings, &field("scopeMappings"), scope_mapping)?;
    each(workloads, &field("workloads"), condition)?;
    workload_subject_claim.iter().try_for_each(|path| claim_path(path, &field("workloadSubjectClaim")))
}

fn each<T>(items: &[T], field: &str, check: impl Fn(&T, &str) -> Result<(), WrongField>) -> Result<(), WrongField> {
    items.iter().enumerate().try_for_each(|(index, item)| check(item, &format!("{field}[{index}]")))
}

fn each_text(
    texts: &[String],
    field: &str,
    check: impl Fn(&str, &str) -> Result<(), WrongField>,
) -> Result<(), WrongField> {
    each(texts, field, |text, field| check(text, field))
}

fn scope_mapping(mapping: &ScopeMapping, field: &str) -> Result<(), WrongField> {
    present_claim(&mapping.when, &format!("{field}.when"))?;
    let scopes = format!("{field}.grantScopes");
    if mapping.grant_scopes.is_empty() {
        return Err(WrongField::new(scopes, "must name at least one scope"));
    }
    each_text(&mapping.grant_scopes, &scopes, scope)
}

fn scope(text: &str, field: &str) -> Result<(), WrongField> {
    if is_scope_token(text) {
        return Ok(());
    }
    Err(WrongField::new(field, "must be an OAuth scope: printable ASCII without space, quote and backslash"))
}

/// A condition that grants or admits something. What is not there is no reason for either.
fn present_claim(found: &ClaimCondition, field: &str) -> Result<(), WrongField> {
    if found.test == ClaimTest::Absent {
        return Err(WrongField::new(format!("{field}.test"), "must not be `absent`, which is for `workloads` alone"));
    }
    condition(found, field)
}

fn condition(condition: &ClaimCondition, field: &str) -> Result<(), WrongField> {
    claim_path(&condition.claim_path, &format!("{field}.claimPath"))?;
    let test = |name: &str| format!("{field}.test.{name}");
    match &condition.test {
        ClaimTest::Equals(value) => text(value, &test("equals")),
        // An empty one would hold for every text.
        ClaimTest::Prefix(value) => text(value, &test("prefix")),
        ClaimTest::Suffix(value) => text(value, &test("suffix")),
        ClaimTest::In(values) if values.is_empty() => Err(WrongField::new(test("in"), "must name at least one text")),
        ClaimTest::In(values) => each_text(values, &test("in"), text),
        ClaimTest::EqualsClaim(path) => claim_path(path, &test("equalsClaim")),
        ClaimTest::Absent => Ok(()),
    }
}

fn claim_path(path: &str, field: &str) -> Result<(), WrongField> {
    ClaimPath::parse(path).map(drop).map_err(|problem| WrongField::new(field, problem.to_string()))
}

fn text(text: &str, field: &str) -> Result<(), WrongField> {
    if text.is_empty() { Err(WrongField::new(field, "must not be empty")) } else { Ok(()) }
}

fn within(range: &RangeInclusive<u32>, value: u32, field: impl Fn() -> String) -> Result<(), WrongField> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(WrongField::new(field(), format!("must be from {} to {} seconds", range.start(), range.end())))
}
