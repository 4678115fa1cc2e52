//! Who a request comes from, as far as a verified token says it.

use std::{
    collections::BTreeSet,
    fmt::{self, Write as _},
    sync::Arc,
};

pub use crds::gateway_config::PrincipalKind;
use sha2::{Digest as _, Sha256};

/// What a text of a set takes beside its bytes, roughly: its place in the tree and on the heap.
const SET_ENTRY_BYTES: usize = 48;

/// A verified caller. `issuer` and `subject` together are the identity; neither is one alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Principal {
    issuer: Arc<str>,
    subject: Arc<str>,
    kind: PrincipalKind,
    client_id: Option<Arc<str>>,
    tenant: Option<Box<str>>,
    groups: BTreeSet<Box<str>>,
    scopes: ScopeSet,
    /// `None`: no token carries this identity, so none runs out.
    ends_at: Option<i64>,
    /// Made once, since each request of the caller is logged with it.
    pseudonym: Box<str>,
}

/// The scopes that a client was granted. Compared as whole strings, with case; no wildcards.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScopeSet(BTreeSet<Box<str>>);

impl Principal {
    /// A caller whose token was verified: a human, of whom nothing else is known yet.
    pub fn new(issuer: impl Into<Arc<str>>, subject: impl Into<Arc<str>>) -> Self {
        let (issuer, subject) = (issuer.into(), subject.into());
        Self {
            pseudonym: pseudonym(&issuer, &subject),
            issuer,
            subject,
            kind: PrincipalKind::Human,
            client_id: None,
            tenant: None,
            groups: BTreeSet::new(),
            scopes: ScopeSet::default(),
            ends_at: None,
        }
    }

    /// The same of this kind.
    #[must_use]
    pub fn of_kind(self, kind: PrincipalKind) -> Self {
        Self { kind, ..self }
    }

    /// The same through this client.
    #[must_use]
    pub fn through(self, client_id: Option<&str>) -> Self {
        Self { client_id: client_id.map(Into::into), ..self }
    }

    /// The same acting for this tenant.
    #[must_use]
    pub fn in_tenant(self, tenant: Option<&str>) -> Self {
        Self { tenant: tenant.map(Into::into), ..self }
    }

    /// The same in these groups.
    #[must_use]
    pub fn in_groups<'a>(self, groups: impl IntoIterator<Item = &'a str>) -> Self {
        Self { groups: groups.into_iter().map(Into::into).collect(), ..self }
    }

    /// The same with these scopes.
    #[must_use]
    pub fn granted(self, scopes: ScopeSet) -> Self {
        Self { scopes, ..self }
    }

    /// The same until this second since 1970, at which the token is no longer accepted.
    #[must_use]
    pub fn until(self, ends_at: i64) -> Self {
        Self { ends_at: Some(ends_at), ..self }
    }

    /// Everyone, where authentication is switched off. Its issuer is empty, which no configured one can be.
    pub fn anonymous() -> Self {
        Self::new("", "anonymous")
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

    /// Whether a person calls or a program for itself, by the issuer's rules.
    pub fn kind(&self) -> PrincipalKind {
        self.kind
    }

    /// The tenant that the caller acts for, when the issuer says so.
    pub fn tenant(&self) -> Option<&str> {
        self.tenant.as_deref()
    }

    /// Whether the issuer says that the caller is in exactly this group.
    pub fn is_in_group(&self, group: &str) -> bool {
        self.groups.contains(group)
    }

    /// What its texts take, roughly, in bytes. A token bounds what was claimed, but not what mappings have added.
    pub(super) fn size(&self) -> usize {
        let one =
            [Some(self.subject.len()), self.client_id.as_deref().map(str::len), self.tenant.as_deref().map(str::len)];
        let many = self.groups.iter().chain(&self.scopes.0).map(|text| text.len() + SET_ENTRY_BYTES);
        one.into_iter().flatten().chain(many).sum()
    }

    /// The second since 1970 from which on the token is refused, leeway included; `None` without a token.
    pub fn ends_at(&self) -> Option<i64> {
        self.ends_at
    }

    /// The client that the token was given to, when the issuer says so.
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

impl fmt::Debug for Principal {
    /// As log lines name a caller: without subject, tenant and groups, which are personal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { issuer, pseudonym, kind, client_id, scopes, .. } = self;
        f.debug_struct("Principal")
            .field("issuer", issuer)
            .field("pseudonym", pseudonym)
            .field("kind", kind)
            .field("client_id", client_id)
            .field("scopes", scopes)
            .finish_non_exhaustive()
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
