//! Who a request comes from, as far as a verified token says it.

use std::{collections::BTreeSet, fmt::Write as _, sync::Arc};

use sha2::{Digest as _, Sha256};

/// A verified caller. `issuer` and `subject` together are the identity; neither is one alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    issuer: Arc<str>,
    subject: Arc<str>,
    client_id: Option<Arc<str>>,
    scopes: ScopeSet,
    /// Made once, since each request of the caller is logged with it.
    pseudonym: Box<str>,
}

/// The scopes that a client was granted. Compared as whole strings, with case; no wildcards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet(BTreeSet<Box<str>>);

impl Principal {
    /// A caller whose token was verified.
    pub fn new(
        issuer: impl Into<Arc<str>>,
        subject: impl Into<Arc<str>>,
        client_id: Option<Arc<str>>,
        scopes: ScopeSet,
    ) -> Self {
        let (issuer, subject) = (issuer.into(), subject.into());
        Self { pseudonym: pseudonym(&issuer, &subject), issuer, subject, client_id, scopes }
    }

    /// Everyone, where authentication is switched off. Its issuer is empty, which no configured one can be.
    pub fn anonymous() -> Self {
        Self::new("", "anonymous", None, ScopeSet::default())
    }

    /// Whether this is [`Principal::anonymous`].
    pub fn is_anonymous(&self) -> bool {
        self.issuer.is_empty()
    }

    /// The `iss` of the token, exactly as configured.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The `sub` of the token; unique within the issuer.
    pub fn subject(&self) -> &str {
        &self.subject
    }

    /// Tells one caller from another in logs without naming either: 16 hexadecimal digits.
    pub fn pseudonym(&self) -> &str {
        &self.pseudonym
    }

    /// The client that the token was given to (`azp`, else `client_id`), when the issuer says so.
    pub fn client_id(&self) -> Option<&str> {
        self.client_id.as_deref()
    }

    /// What the client was granted.
    pub fn scopes(&self) -> &ScopeSet {
        &self.scopes
    }

    /// Whether exactly this scope was granted.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.contains(scope)
    }
}

/// 64 bits of a hash over issuer and subject.
fn pseudonym(issuer: &str, subject: &str) -> Box<str> {
    let digest = Sha256::new().chain_update(issuer).chain_update([0]).chain_update(subject).finalize();
    let text = digest.iter().take(8).fold(String::with_capacity(16), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    });
    text.into()
}

impl ScopeSet {
    /// Whether exactly this scope is in the set.
    pub fn contains(&self, scope: &str) -> bool {
        self.0.contains(scope)
    }

    /// All of them, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(AsRef::as_ref)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was granted.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a> FromIterator<&'a str> for ScopeSet {
    fn from_iter<T: IntoIterator<Item = &'a str>>(scopes: T) -> Self {
        Self(scopes.into_iter().filter(|scope| !scope.is_empty()).map(Into::into).collect())
    }
}
