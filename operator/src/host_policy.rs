//! Which namespaces may use which hosts, as whoever runs the operator says.
//!
//! Without a rule every namespace may use every host, and the older object wins. With rules only what one of them
//! allows may be exposed. Pure.

use std::str::FromStr;

/// The rules of `--host-policy`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostPolicy(Vec<HostRule>);

/// `NAMESPACE=HOST`: these namespaces may use these hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRule {
    /// `None`: every namespace (`*`).
    namespace: Option<String>,
    host: HostPattern,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum HostPattern {
    /// This host.
    Exact(String),
    /// Every host that ends so, with one or more labels before; begins with a dot.
    Under(String),
}

/// Why a text is no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HostRuleError {
    /// No `=`, or nothing before it.
    #[error("a rule is written NAMESPACE=HOST, with * for every namespace")]
    Shape,
    /// What stands there can be no namespace.
    #[error("a namespace is written in lower-case letters, digits and '-'; * stands for every one")]
    Namespace,
    /// What stands there can be no host.
    #[error("a host is written in lower case, without port; *.example.com stands for every host under example.com")]
    Host,
}

impl HostPolicy {
    /// These rules; none of them allows everything.
    pub fn new(rules: Vec<HostRule>) -> Self {
        Self(rules)
    }

    /// Whether an `McpServer` of `namespace` may be exposed under `host`, a name in lower case.
    pub fn allows(&self, namespace: &str, host: &str) -> bool {
        self.0.is_empty() || self.0.iter().any(|rule| rule.allows(namespace, host))
    }
}

impl HostRule {
    fn allows(&self, namespace: &str, host: &str) -> bool {
        let is_meant = self.namespace.as_deref().is_none_or(|meant| meant == namespace);
        is_meant
            && match &self.host {
                HostPattern::Exact(exact) => exact == host,
                HostPattern::Under(suffix) => host.strip_suffix(suffix.as_str()).is_some_and(|rest| !rest.is_empty()),
            }
    }
}

impl FromStr for HostRule {
    type Err = HostRuleError;

    fn from_str(text: &str) -> Result<Self, HostRuleError> {
        let (namespace, host) = text.trim().split_once('=').ok_or(HostRuleError::Shape)?;
        let namespace = match namespace {
            "" => return Err(HostRuleError::Shape),
            "*" => None,
            name if is_label(name) => Some(name.to_owned()),
            _ => return Err(HostRuleError::Namespace),
        };
        let is_name = |name: &str| name.split('.').all(is_label);
        let host = match host.strip_prefix('*') {
            Some(suffix) if suffix.strip_prefix('.').is_some_and(is_name) => HostPattern::Under(suffix.to_owned()),
            None if is_name(host) => HostPattern::Exact(host.to_owned()),
            _ => return Err(HostRuleError::Host),
        };
        Ok(Self { namespace, host })
    }
}

/// A DNS label.
fn is_label(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    !text.is_empty() && text.len() <= 63 && !text.starts_with('-') && !text.ends_with('-') && text.bytes().all(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_rule_everything_is_allowed() {
        assert!(HostPolicy::default().allows("anywhere", "mcp.example.com"));
    }

    #[test]
    fn with_rules_only_what_one_of_them_says_is_allowed() {
        let policy = policy(&["team-a=a.example.com", "team-a=*.a.example.com", "*=*.shared.example.com"]);
        for (namespace, host, allowed) in [
            ("team-a", "a.example.com", true),
            ("team-a", "mcp.a.example.com", true),
            ("team-a", "deep.mcp.a.example.com", true),
            ("team-b", "a.example.com", false),
            ("team-b", "mcp.a.example.com", false),
            ("team-b", "b.shared.example.com", true),
            ("team-a", "shared.example.com", false),
            ("team-a", ".a.example.com", false),
            ("team-a", "evila.example.com", false),
            ("team-a", "a.example.com.evil.example", false),
            ("team-a", "example.com", false),
            ("", "a.example.com", false),
            ("*", "a.example.com", false),
        ] {
            assert_eq!(policy.allows(namespace, host), allowed, "{namespace} {host}");
        }
    }

    #[test]
    fn what_is_no_rule_is_refused_by_its_fault() {
        for (text, expected) in [
            ("", HostRuleError::Shape),
            ("team-a", HostRuleError::Shape),
            ("=a.example.com", HostRuleError::Shape),
            ("Team=a.example.com", HostRuleError::Namespace),
            ("team-*=a.example.com", HostRuleError::Namespace),
            ("team-a=", HostRuleError::Host),
            ("team-a=*", HostRuleError::Host),
            ("team-a=*.", HostRuleError::Host),
            ("team-a=*example.com", HostRuleError::Host),
            ("team-a=a.*.com", HostRuleError::Host),
            ("team-a=A.example.com", HostRuleError::Host),
            ("team-a=a.example.com.", HostRuleError::Host),
            ("team-a=a.example.com:8443", HostRuleError::Host),
            ("team-a=https://a.example.com", HostRuleError::Host),
        ] {
            assert_eq!(text.parse::<HostRule>(), Err(expected), "{text}");
        }
    }

    fn policy(rules: &[&str]) -> HostPolicy {
        HostPolicy::new(rules.iter().map(|rule| rule.parse().unwrap()).collect())
    }
}
