//! `spec.auth.issuers` as the gateway reads them: presets resolved, overrides and defaults filled in.
//!
//! What stands in the configuration is complete, so the gateway knows no provider by name. Lists whose order means
//! nothing are sorted; claims of which the first counts keep theirs.

use crds::{
    claim_path::{ClaimPath, ClaimPathError},
    gateway_config::{
        ClaimCondition, ClaimTest, IssuerConfig, ScopeMapping, SignatureAlgorithm, TokenRules, TokenType,
        auth::{DAY_SECONDS, MAX_AGE_SECONDS, MAX_LEEWAY_SECONDS},
    },
    mcp_server::{self, Algorithm, Auth, ClaimMatch, Issuer, Preset, WorkloadRule},
};

use super::{Checked, Endpoint, Invalid, IssuerCa, files::sorted, service_accounts::uses_preset};
use crate::desired::service_account_keys_file;

/// The shortest that a token may be allowed to live, and that keys may serve. Source: the schema of the CRD.
const MIN_AGE_SECONDS: u32 = 60;

/// The issuers in the order of the spec, which is that of the metadata: clients go to the first one. `endpoint` is `None` while it is invalid itself.
pub(super) fn issuers(auth: &Auth, endpoint: Option<&Endpoint>, cas: &[IssuerCa]) -> Checked<Vec<IssuerConfig>> {
    let mut configs = Vec::new();
    let mut invalid = Vec::new();
    for (index, issuer) in auth.issuers.iter().enumerate() {
        let mut reader = Reader { issuer: format!("spec.auth.issuers[{index}]"), invalid: Vec::new() };
        let ca = cas.iter().find(|ca| ca.index == index);
        configs.push(reader.config(issuer, endpoint, ca));
        invalid.append(&mut reader.invalid);
    }
    if invalid.is_empty() { Ok(configs) } else { Err(invalid) }
}

/// Reads one issuer and notes what cannot be read.
struct Reader {
    /// `spec.auth.issuers[0]`
    issuer: String,
    invalid: Vec<Invalid>,
}

impl Reader {
    fn config(&mut self, spec: &Issuer, endpoint: Option<&Endpoint>, ca: Option<&IssuerCa>) -> IssuerConfig {
        // Without `..`: a new field does not compile until somebody writes it into the configuration.
        let Issuer {
            issuer,
            preset,
            jwks_uri,
            // Mounted: what is known of it is `ca`.
            ca_config_map_ref: _,
            allow_private_addresses,
            audiences,
            algorithms,
            token_type,
            required_claims,
            scope_claims,
            scope_mappings,
            client_claims,
            allowed_clients,
            tenant_claims,
            groups_claims,
            workloads,
            workload_subject_claim,
            leeway_seconds,
            max_token_lifetime_seconds,
            max_key_age_seconds,
        } = spec;
        let preset_rules = preset.map_or_else(TokenRules::default, Preset::rules);
        if !allowed_clients.is_empty() && client_claims.as_ref().unwrap_or(&preset_rules.client_claims).is_empty() {
            let problem = "names clients, but no claim tells the client, so that every token would be refused";
            self.refuse("allowedClients", problem, "set clientClaims, or remove it");
        }
        IssuerConfig {
            issuer: issuer.clone(),
            jwks_uri: jwks_uri.clone(),
            jwks_file: uses_preset(spec).then(service_account_keys_file),
            audiences: match audiences.as_slice() {
                [] => endpoint.map(|endpoint| endpoint.url.clone()).into_iter().collect(),
                audiences => sorted(audiences.to_vec()),
            },
            ca_file: ca.map(IssuerCa::file),
            allow_private_addresses: *allow_private_addresses == Some(true),
            max_key_age_seconds: seconds(*max_key_age_seconds, MIN_AGE_SECONDS, DAY_SECONDS, MAX_AGE_SECONDS),
            tokens: TokenRules {
                algorithms: algorithms.as_ref().map_or_else(
                    || sorted(preset_rules.algorithms),
                    |algorithms| sorted(algorithms.iter().copied().map(algorithm).collect()),
                ),
                token_type: match token_type {
                    None => preset_rules.token_type,
                    Some(mcp_server::TokenType::Any) => TokenType::Any,
                    Some(mcp_server::TokenType::AccessToken) => TokenType::AccessToken,
                },
                leeway_seconds: seconds(*leeway_seconds, 0, preset_rules.leeway_seconds, MAX_LEEWAY_SECONDS),
                max_token_lifetime_seconds: seconds(
                    *max_token_lifetime_seconds,
                    MIN_AGE_SECONDS,
                    preset_rules.max_token_lifetime_seconds,
                    MAX_AGE_SECONDS,
                ),
                required_claims: self.required_claims(required_claims),
                scope_claims: self.paths("scopeClaims", scope_claims.as_ref(), preset_rules.scope_claims),
                scope_mappings: self.scope_mappings(scope_mappings.as_deref().unwrap_or_default()),
                client_claims: self.paths("clientClaims", client_claims.as_ref(), preset_rules.client_claims),
                allowed_clients: sorted(allowed_clients.clone()),
                tenant_claims: self.paths("tenantClaims", tenant_claims.as_ref(), preset_rules.tenant_claims),
                groups_claims: self.paths("groupsClaims", groups_claims.as_ref(), preset_rules.groups_claims),
                workloads: self.workloads(workloads.as_ref(), preset_rules.workloads),
                workload_subject_claim: workload_subject_claim
                    .clone()
                    .inspect(|path| self.path("workloadSubjectClaim", path))
                    .or(preset_rules.workload_subject_claim),
            },
        }
    }

    /// Of which the first that is there counts: the order stays.
    fn paths(&mut self, name: &str, paths: Option<&Vec<String>>, preset: Vec<String>) -> Vec<String> {
        let Some(paths) = paths else { return preset };
        for (index, path) in paths.iter().enumerate() {
            self.path(&format!("{name}[{index}]"), path);
        }
        paths.clone()
    }

    fn path(&mut self, field: &str, path: &str) {
        if let Err(error) = ClaimPath::parse(path) {
            let (problem, fix) = problem_and_fix(error);
            self.refuse(field, &problem, &fix);
        }
    }

    fn required_claims(&mut self, claims: &[ClaimMatch]) -> Vec<ClaimCondition> {
        let mut read = |(index, claim): (usize, &ClaimMatch)| {
            let ClaimMatch { claim_path, equals, prefix, one_of } = claim;
            let tests = texts(equals.as_ref(), prefix.as_ref(), one_of.as_ref());
            self.condition(&format!("requiredClaims[{index}]"), claim_path, tests, ONE_OF_THREE)
        };
        sorted(claims.iter().enumerate().filter_map(&mut read).collect())
    }

    fn scope_mappings(&mut self, mappings: &[mcp_server::ScopeMapping]) -> Vec<ScopeMapping> {
        let mut read = |(index, mapping): (usize, &mcp_server::ScopeMapping)| {
            let mcp_server::ScopeMapping { claim_path, equals, prefix, one_of, grant_scopes } = mapping;
            let tests = texts(equals.as_ref(), prefix.as_ref(), one_of.as_ref());
            let when = self.condition(&format!("scopeMappings[{index}]"), claim_path, tests, ONE_OF_THREE)?;
            Some(ScopeMapping { when, grant_scopes: sorted(grant_scopes.clone()) })
        };
        sorted(mappings.iter().enumerate().filter_map(&mut read).collect())
    }

    fn workloads(&mut self, rules: Option<&Vec<WorkloadRule>>, preset: Vec<ClaimCondition>) -> Vec<ClaimCondition> {
        let Some(rules) = rules else { return sorted(preset) };
        let mut read = |(index, rule): (usize, &WorkloadRule)| {
            let WorkloadRule { claim_path, equals, prefix, suffix, one_of, equals_claim, absent } = rule;
            let field = format!("workloads[{index}]");
            if let Some(other) = equals_claim {
                self.path(&format!("{field}.equalsClaim"), other);
            }
            let mut tests = texts(equals.as_ref(), prefix.as_ref(), one_of.as_ref());
            tests.extend(suffix.clone().map(ClaimTest::Suffix));
            tests.extend(equals_claim.clone().map(ClaimTest::EqualsClaim));
            tests.extend((*absent == Some(true)).then_some(ClaimTest::Absent));
            self.condition(
                &field,
                claim_path,
                tests,
                "set exactly one of equals, prefix, suffix, in, equalsClaim and absent",
            )
        };
        sorted(rules.iter().enumerate().filter_map(&mut read).collect())
    }

    /// A rule of CEL too: of two tests one would be left out, and more tokens would pass than were meant.
    fn condition(
        &mut self,
        field: &str,
        claim_path: &str,
        mut tests: Vec<ClaimTest>,
        fix: &str,
    ) -> Option<ClaimCondition> {
        self.path(&format!("{field}.claimPath"), claim_path);
        let test = tests.pop();
        if test.is_none() || !tests.is_empty() {
            self.refuse(field, "does not say in one way what the claim must be", fix);
        }
        Some(ClaimCondition { claim_path: claim_path.to_owned(), test: test? })
    }

    fn refuse(&mut self, field: &str, problem: &str, fix: &str) {
        self.invalid.push(Invalid::spec(format!("{}.{field}", self.issuer), problem, fix));
    }
}

const ONE_OF_THREE: &str = "set exactly one of equals, prefix and in";

fn texts(equals: Option<&String>, prefix: Option<&String>, one_of: Option<&Vec<String>>) -> Vec<ClaimTest> {
    let tests = [
        equals.cloned().map(ClaimTest::Equals),
        prefix.cloned().map(ClaimTest::Prefix),
        one_of.cloned().map(|texts| ClaimTest::In(sorted(texts))),
    ];
    tests.into_iter().flatten().collect()
}

/// The text of the error is both, parted by a semicolon.
fn problem_and_fix(error: ClaimPathError) -> (String, String) {
    let text = error.to_string();
    let (problem, fix) = text.split_once("; ").unwrap_or((&text, "correct it"));
    (problem.to_owned(), fix.to_owned())
}

fn algorithm(algorithm: Algorithm) -> SignatureAlgorithm {
    match algorithm {
        Algorithm::RS256 => SignatureAlgorithm::RS256,
        Algorithm::ES256 => SignatureAlgorithm::ES256,
        Algorithm::PS256 => SignatureAlgorithm::PS256,
        Algorithm::EdDSA => SignatureAlgorithm::EdDSA,
    }
}

/// Inside its bounds also where the CRD is older than its rules.
fn seconds(given: Option<i32>, least: u32, otherwise: u32, most: u32) -> u32 {
    given.map_or(otherwise, |given| given.max(0).cast_unsigned().clamp(least, most))
}

#[cfg(test)]
mod tests;
