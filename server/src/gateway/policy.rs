//! `GatewayPolicy` with its globs compiled: what each tool needs.
//!
//! Compiled once per policy file, then only read. The first rule whose glob matches decides alone,
//! then the built-ins' own rules, then the default. It never looks at who is asking.

use crds::{
    gateway_config::{
        AuthMode, AuthorizationDefault, AuthorizationRule, Builtins, GatewayPolicy, ScopeImplication, Visibility,
    },
    scope::is_scope_token,
};
use globset::{Glob, GlobSet, GlobSetBuilder};

use super::{
    Limits, Target, builtin,
    requirement::{Implications, Needs, Requirement},
};

/// What callers need for each tool, in force until the next policy file is read.
#[derive(Debug)]
pub struct Policy {
    /// In the order of the file: the first match decides.
    rules: Vec<Rule>,
    /// Rules of enabled built-ins, asked after `rules`.
    builtins: Vec<(&'static str, Requirement)>,
    /// For whatever nothing above names.
    default: Requirement,
    /// Under [`AuthMode::None`] nobody has scopes, so nobody is asked for them.
    pub(super) mode: AuthMode,
    /// Which scopes stand for others.
    pub(super) implications: Implications,
    /// What one caller may hold.
    limits: Limits,
    /// How many gateway pods there are.
    replicas: u32,
}

/// Why a policy file cannot be used. Names the field, never what else it holds.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum PolicyError {
    /// A glob with something other than a tool name's characters and `*`.
    #[error(
        "field `authorization.rules[{rule}].tools[{index}]`: use letters, digits, `_`, `.`, `-`, and `*` for any run of characters"
    )]
    Glob {
        /// Position of the rule, from 0.
        rule: usize,
        /// Position of the glob in the rule, from 0.
        index: usize,
    },
    /// A rule without a single glob: it could never match.
    #[error("field `authorization.rules[{rule}].tools`: name at least one tool")]
    NoTools {
        /// Position of the rule, from 0.
        rule: usize,
    },
    /// A scope that no token can carry.
    #[error(
        "field `authorization.rules[{rule}].scopes[{index}]`: use a scope as tokens carry it: visible ASCII without space, `\"` and `\\`"
    )]
    Scope {
        /// Position of the rule, from 0.
        rule: usize,
        /// Position of the scope in the rule, from 0.
        index: usize,
    },
    /// An implication names a scope that no token can carry.
    #[error(
        "field `authorization.scopeImplications[{index}]`: use scopes as tokens carry them: visible ASCII without space, `\"` and `\\`"
    )]
    Implication {
        /// Position of the implication, from 0.
        index: usize,
    },
    /// The globs of a rule are together too large to compile.
    #[error("field `authorization.rules[{rule}].tools`: too many or too long globs")]
    TooLarge {
        /// Position of the rule, from 0.
        rule: usize,
    },
}

#[derive(Debug)]
struct Rule {
    tools: GlobSet,
    requirement: Requirement,
}

impl Policy {
    /// Compiles a policy for the built-ins that are enabled.
    pub fn compile(policy: &GatewayPolicy, builtins: &Builtins, mode: AuthMode) -> Result<Self, PolicyError> {
        let rules = &policy.authorization.rules;
        Ok(Self {
            rules: rules.iter().enumerate().map(|(index, rule)| compile_rule(index, rule)).collect::<Result<_, _>>()?,
            builtins: builtin::default_rules(*builtins)
                .into_iter()
                .map(|(name, scopes)| (name, Requirement::Needs(Needs::scopes(scopes))))
                .collect(),
            default: match policy.authorization.default {
                AuthorizationDefault::Deny => Requirement::Hidden,
                AuthorizationDefault::Authenticated => Requirement::Needs(Needs::default()),
            },
            mode,
            implications: implications(&policy.authorization.scope_implications)?,
            limits: policy.limits.into(),
            replicas: policy.replicas,
        })
    }

    /// What one caller may hold, and for how long.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Whether sessions of the older era have state here, and with it streams, subscriptions and requests to the client:
    /// only where this is the one gateway pod, since what it remembers no other would know.
    pub fn sessions_have_state(&self) -> bool {
        self.replicas <= 1
    }

    /// Every scope that some visible one of `tools` needs: sorted, no duplicates. For `scopes_supported`.
    pub fn scopes_supported<'a>(&self, tools: impl Iterator<Item = &'a str>) -> Vec<String> {
        if self.mode == AuthMode::None {
            return Vec::new();
        }
        let mut scopes: Vec<String> = tools
            .filter_map(|tool| match self.requirement(Target::Tool(tool)) {
                Requirement::Needs(Needs { scopes, visibility: Visibility::Show, .. }) => Some(scopes.iter().cloned()),
                Requirement::Needs(_) | Requirement::Hidden => None,
            })
            .flatten()
            .collect();
        scopes.sort_unstable();
        scopes.dedup();
        scopes
    }

    pub(super) fn requirement(&self, target: Target<'_>) -> &Requirement {
        let Target::Tool(tool) = target else { return &self.default };
        if let Some(rule) = self.rules.iter().find(|rule| rule.tools.is_match(tool)) {
            return &rule.requirement;
        }
        self.builtins.iter().find(|(name, _)| *name == tool).map_or(&self.default, |(_, requirement)| requirement)
    }
}

fn compile_rule(rule: usize, source: &AuthorizationRule) -> Result<Rule, PolicyError> {
    if source.tools.is_empty() {
        return Err(PolicyError::NoTools { rule });
    }
    let mut globs = GlobSetBuilder::new();
    for (index, pattern) in source.tools.iter().enumerate() {
        globs.add(glob(pattern).ok_or(PolicyError::Glob { rule, index })?);
    }
    if let Some(index) = source.scopes.iter().position(|scope| !is_scope_token(scope)) {
        return Err(PolicyError::Scope { rule, index });
    }
    Ok(Rule {
        tools: globs.build().map_err(|_| PolicyError::TooLarge { rule })?,
        requirement: Requirement::Needs(Needs::of(source)),
    })
}

fn implications(declared: &[ScopeImplication]) -> Result<Implications, PolicyError> {
    let is_wrong = |one: &ScopeImplication| !one.implies.iter().chain([&one.scope]).all(|scope| is_scope_token(scope));
    match declared.iter().position(is_wrong) {
        Some(index) => Err(PolicyError::Implication { index }),
        None => Ok(Implications::compile(declared)),
    }
}

/// `*` alone is special here. What globset would also read as special (`?`, `[`, `{`, `\`) is no part
/// of a tool's name and is refused, so a pattern can never match more than its author saw in it.
fn glob(pattern: &str) -> Option<Glob> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'*');
    if pattern.is_empty() || !pattern.bytes().all(allowed) {
        return None;
    }
    // `**` means the same as `*` to us, and something about directories to globset.
    let mut single = String::with_capacity(pattern.len());
    for character in pattern.chars() {
        if !(character == '*' && single.ends_with('*')) {
            single.push(character);
        }
    }
    Glob::new(&single).ok()
}

#[cfg(test)]
mod tests;
