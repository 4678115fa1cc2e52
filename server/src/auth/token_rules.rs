//! `TokenRules` with their paths read: what tokens of one issuer must look like, and what their claims mean.
//!
//! Pure. Whatever reads a claim here reads it from a payload whose signature was verified. A claim of a
//! type that no rule expects refuses the token, or counts as not there where the rule is a condition, which reads booleans and
//! integers as text. A path through something that has no members leads to nothing.

use crds::{
    claim_path::{ClaimPath, ClaimPathError},
    gateway_config::{ClaimCondition, ClaimTest, TokenRules, TokenType},
};
use serde_json::{Map, Value};

use super::{InvalidToken, ScopeSet};

/// A verified payload.
pub(super) type Payload = Map<String, Value>;

/// The rules of one issuer, ready to be applied.
#[derive(Debug)]
pub(super) struct Rules {
    pub(super) token_type: TokenType,
    pub(super) leeway_seconds: i64,
    pub(super) max_lifetime_seconds: i64,
    required: Vec<Condition>,
    scopes: FirstOf,
    mappings: Vec<Mapping>,
    clients: FirstOf,
    allowed_clients: Vec<String>,
    tenants: FirstOf,
    groups: FirstOf,
    workloads: Vec<Condition>,
    workload_subject: Option<ClaimPath>,
}

/// Claims of which the first that a token has counts alone.
#[derive(Debug)]
struct FirstOf(Vec<ClaimPath>);

#[derive(Debug)]
struct Mapping {
    when: Condition,
    grant_scopes: Vec<String>,
}

#[derive(Debug)]
struct Condition {
    path: ClaimPath,
    test: Test,
}

#[derive(Debug)]
enum Test {
    OneOf(Vec<String>),
    Prefix(String),
    Suffix(String),
    Same(ClaimPath),
    Absent,
}

/// A path that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("{field}` {problem}")]
pub struct RulesError {
    /// Where: `scopeClaims[0]`.
    pub field: String,
    /// What is wrong with it.
    pub problem: ClaimPathError,
}

impl Rules {
    pub(super) fn compile(rules: &TokenRules) -> Result<Self, RulesError> {
        // Without `..`: a new rule does not compile until somebody applies it.
        let TokenRules {
            // Of the keys: `KeyRules`.
            algorithms: _,
            token_type,
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
        let mapping = |(index, mapping): (usize, &crds::gateway_config::ScopeMapping)| {
            let when = condition(&format!("scopeMappings[{index}].when"), &mapping.when)?;
            Ok(Mapping { when, grant_scopes: mapping.grant_scopes.clone() })
        };
        Ok(Self {
            token_type: *token_type,
            leeway_seconds: (*leeway_seconds).into(),
            max_lifetime_seconds: (*max_token_lifetime_seconds).into(),
            required: conditions("requiredClaims", required_claims)?,
            scopes: FirstOf::compile("scopeClaims", scope_claims)?,
            mappings: scope_mappings.iter().enumerate().map(mapping).collect::<Result<_, RulesError>>()?,
            clients: FirstOf::compile("clientClaims", client_claims)?,
            allowed_clients: allowed_clients.clone(),
            tenants: FirstOf::compile("tenantClaims", tenant_claims)?,
            groups: FirstOf::compile("groupsClaims", groups_claims)?,
            workloads: conditions("workloads", workloads)?,
            workload_subject: match workload_subject_claim {
                Some(text) => Some(path("workloadSubjectClaim", text)?),
                None => None,
            },
        })
    }

    /// Every claim that the issuer's entry demands is there, with a value that it states.
    pub(super) fn check_required(&self, payload: &Payload) -> Result<(), InvalidToken> {
        let holds = self.required.iter().all(|condition| condition.holds(payload));
        if holds { Ok(()) } else { Err(InvalidToken::RequiredClaim) }
    }

    /// Whether the caller acts for itself.
    pub(super) fn is_workload(&self, payload: &Payload) -> bool {
        self.workloads.iter().any(|condition| condition.holds(payload))
    }

    /// `sub`, or what stands for it in the tokens of workloads.
    pub(super) fn subject<'a>(&self, payload: &'a Payload, is_workload: bool) -> Result<&'a str, InvalidToken> {
        let subject = match &self.workload_subject {
            Some(path) if is_workload => path.find(payload),
            _ => payload.get("sub"),
        };
        subject.and_then(Value::as_str).filter(|subject| !subject.is_empty()).ok_or(InvalidToken::Subject)
    }

    /// Whether every token must have `sub`.
    pub(super) fn needs_subject(&self) -> bool {
        self.workload_subject.is_none()
    }

    /// The client that the token was given to; one of those that may call.
    pub(super) fn client<'a>(&self, payload: &'a Payload) -> Result<Option<&'a str>, InvalidToken> {
        let client = self.clients.text(payload).map_err(|NotText| InvalidToken::Client)?;
        let is_allowed = |client: &str| self.allowed_clients.iter().any(|allowed| allowed == client);
        if self.allowed_clients.is_empty() || client.is_some_and(is_allowed) {
            Ok(client)
        } else {
            Err(InvalidToken::ClientNotAllowed)
        }
    }

    /// The tenant that the caller acts for.
    pub(super) fn tenant<'a>(&self, payload: &'a Payload) -> Result<Option<&'a str>, InvalidToken> {
        self.tenants.text(payload).map_err(|NotText| InvalidToken::Tenant)
    }

    /// The groups of the caller: a string or a list of strings.
    pub(super) fn groups<'a>(&self, payload: &'a Payload) -> Result<Vec<&'a str>, InvalidToken> {
        match self.groups.find(payload) {
            None => Ok(Vec::new()),
            Some(Value::String(group)) => Ok(vec![group]),
            Some(Value::Array(groups)) => texts(groups).ok_or(InvalidToken::Groups),
            Some(_) => Err(InvalidToken::Groups),
        }
    }

    /// What was granted: by the one authorization claim, and by mappings that an administrator wrote.
    pub(super) fn granted(&self, payload: &Payload) -> Result<ScopeSet, InvalidToken> {
        let claimed: Vec<&str> = match self.scopes.find(payload) {
            None => Vec::new(),
            Some(Value::String(scopes)) => scopes.split(' ').collect(),
            Some(Value::Array(scopes)) => texts(scopes).ok_or(InvalidToken::Scope)?,
            Some(_) => return Err(InvalidToken::Scope),
        };
        let mapped = self.mappings.iter().filter(|mapping| mapping.when.holds(payload));
        let mapped = mapped.flat_map(|mapping| &mapping.grant_scopes).map(String::as_str);
        Ok(claimed.into_iter().chain(mapped).collect())
    }
}

/// Present, but not a string.
struct NotText;

impl FirstOf {
    fn compile(field: &str, paths: &[String]) -> Result<Self, RulesError> {
        let paths = paths.iter().enumerate().map(|(index, text)| path(&format!("{field}[{index}]"), text));
        Ok(Self(paths.collect::<Result<_, _>>()?))
    }

    fn find<'a>(&self, payload: &'a Payload) -> Option<&'a Value> {
        self.0.iter().find_map(|path| path.find(payload))
    }

    fn text<'a>(&self, payload: &'a Payload) -> Result<Option<&'a str>, NotText> {
        self.find(payload).map(|value| value.as_str().ok_or(NotText)).transpose()
    }
}

impl Condition {
    fn holds(&self, payload: &Payload) -> bool {
        let found = self.path.find(payload);
        match &self.test {
            Test::Absent => found.is_none(),
            Test::OneOf(accepted) => any_text(found, |text| accepted.iter().any(|accepted| accepted == text)),
            Test::Prefix(prefix) => any_text(found, |text| text.starts_with(prefix.as_str())),
            Test::Suffix(suffix) => any_text(found, |text| text.ends_with(suffix.as_str())),
            Test::Same(other) => {
                let text = found.and_then(Value::as_str);
                text.is_some() && text == other.find(payload).and_then(Value::as_str)
            }
        }
    }
}

fn conditions(field: &str, conditions: &[ClaimCondition]) -> Result<Vec<Condition>, RulesError> {
    let conditions = conditions.iter().enumerate();
    conditions.map(|(index, source)| condition(&format!("{field}[{index}]"), source)).collect()
}

fn condition(field: &str, source: &ClaimCondition) -> Result<Condition, RulesError> {
    let ClaimCondition { claim_path, test } = source;
    let test = match test {
        ClaimTest::Equals(text) => Test::OneOf(vec![text.clone()]),
        ClaimTest::In(texts) => Test::OneOf(texts.clone()),
        ClaimTest::Prefix(prefix) => Test::Prefix(prefix.clone()),
        ClaimTest::Suffix(suffix) => Test::Suffix(suffix.clone()),
        ClaimTest::EqualsClaim(other) => Test::Same(path(&format!("{field}.test.equalsClaim"), other)?),
        ClaimTest::Absent => Test::Absent,
    };
    Ok(Condition { path: path(&format!("{field}.claimPath"), claim_path)?, test })
}

fn path(field: &str, text: &str) -> Result<ClaimPath, RulesError> {
    ClaimPath::parse(text).map_err(|problem| RulesError { field: field.to_owned(), problem })
}

/// All of them, if each is a string.
fn texts(values: &[Value]) -> Option<Vec<&str>> {
    values.iter().map(Value::as_str).collect()
}

/// Whether one text of the claim passes `holds`: a string, a boolean, an integer, or an entry of a list of those.
fn any_text(found: Option<&Value>, holds: impl Fn(&str) -> bool) -> bool {
    let scalar = |value: &Value| match value {
        Value::String(text) => holds(text),
        Value::Bool(flag) => holds(if *flag { "true" } else { "false" }),
        Value::Number(number) if number.is_i64() || number.is_u64() => holds(&number.to_string()),
        _ => false,
    };
    match found {
        Some(Value::Array(entries)) => entries.iter().any(scalar),
        Some(value) => scalar(value),
        None => false,
    }
}

#[cfg(test)]
mod tests;
