//! Decisions that let a token in, remembered for the price of a hash.
//!
//! The key is SHA-256 of the whole token, the value a principal: no token is kept. What is found here is only a
//! *candidate*: the caller applies the same rule about time and compares the identity of the key set in force,
//! so that a remembered decision equals a fresh one by construction. Refusals are not remembered.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use moka::{Expiry, sync::Cache};
use sha2::{Digest, Sha256};

use super::{Principal, claims::Times};

/// The most memory that decisions may take, roughly. Chosen: about 10,000 callers with tokens of ordinary size.
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// What an entry takes beside what its principal holds, roughly.
const ENTRY_BYTES: usize = 512;

/// SHA-256 of a whole token.
pub(super) type TokenHash = [u8; 32];

/// A cheap handle; clones share their content.
#[derive(Clone)]
pub(super) struct DecisionCache(Cache<TokenHash, Arc<Decision>>);

/// A token was good once.
#[derive(Debug)]
pub(super) struct Decision {
    pub(super) principal: Arc<Principal>,
    /// Checked again at each use.
    pub(super) times: Times,
    /// Position of its issuer in the configuration.
    pub(super) issuer: usize,
    /// [`super::KeySet::identity`] of the set that verified it; another set in force voids the decision.
    pub(super) key_set: [u8; 32],
    /// How long the cache may keep it: frees memory, decides nothing.
    pub(super) lifetime: Duration,
}

/// SHA-256 of a whole token; never of a part, such as its signature.
pub(super) fn token_hash(token: &str) -> TokenHash {
    Sha256::digest(token).into()
}

struct AtEndOfToken;

impl Expiry<TokenHash, Arc<Decision>> for AtEndOfToken {
    fn expire_after_create(&self, _: &TokenHash, decision: &Arc<Decision>, _: Instant) -> Option<Duration> {
        Some(decision.lifetime)
    }

    fn expire_after_update(
        &self,
        _: &TokenHash,
        decision: &Arc<Decision>,
        _: Instant,
        _: Option<Duration>,
    ) -> Option<Duration> {
        Some(decision.lifetime)
    }
}

impl DecisionCache {
    pub(super) fn new() -> Self {
        let cache = Cache::builder()
            .max_capacity(MAX_BYTES)
            .weigher(|_, decision: &Arc<Decision>| {
                u32::try_from(ENTRY_BYTES + decision.principal.size()).unwrap_or(u32::MAX)
            })
            .expire_after(AtEndOfToken)
            .build();
        Self(cache)
    }

    pub(super) fn get(&self, token: &TokenHash) -> Option<Arc<Decision>> {
        self.0.get(token)
    }

    pub(super) fn insert(&self, token: TokenHash, decision: Decision) {
        self.0.insert(token, Arc::new(decision));
    }

    pub(super) fn remove(&self, token: &TokenHash) {
        self.0.invalidate(token);
    }

    /// Drops every decision of `issuer` that was not made with `key_set`.
    pub(super) fn keep_only(&self, issuer: usize, key_set: Option<[u8; 32]>) {
        let is_void = |decision: &Decision| decision.issuer == issuer && Some(decision.key_set) != key_set;
        let void = self.0.iter().filter(|(_, decision)| is_void(decision)).map(|(token, _)| *token);
        // Collected first: the iterator must not meet its own removals.
        for token in void.collect::<Vec<_>>() {
            self.remove(&token);
        }
    }

    /// How many decisions are remembered.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.iter().count()
    }

    #[cfg(test)]
    pub(super) fn clear(&self) {
        self.0.invalidate_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{claims, token_rules::Rules};

    const DAY: Duration = Duration::from_secs(86_400);

    /// A decision about a caller with so many scopes of 128 bytes.
    fn decision(scopes: usize, lifetime: Duration) -> Decision {
        let scopes: Vec<String> = (0..scopes).map(|number| format!("{number:0128}")).collect();
        let payload = serde_json::json!({
            "iss": "i", "sub": "s", "aud": "a", "exp": 1_800_000_000, "iat": 1_799_999_000, "scope": scopes,
        });
        let rules = Rules::compile(&crds::gateway_config::TokenRules::default()).unwrap();
        let (principal, times) =
            claims::principal(payload.as_object().unwrap(), &"i".into(), &["a".to_owned()], &rules, 1_799_999_500)
                .unwrap();
        Decision { principal: Arc::new(principal), times, issuer: 0, key_set: [0; 32], lifetime }
    }

    /// How many of `count` such decisions are kept.
    fn kept(count: u32, scopes: usize) -> usize {
        let cache = DecisionCache::new();
        for number in 0..count {
            cache.insert(token_hash(&number.to_string()), decision(scopes, DAY));
        }
        cache.0.run_pending_tasks();
        cache.len()
    }

    #[test]
    fn an_entry_goes_with_its_token_and_a_later_decision_counts() {
        let cache = DecisionCache::new();
        let token = token_hash("token");
        cache.insert(token, decision(1, Duration::ZERO));
        assert!(cache.get(&token).is_none());
        cache.insert(token, decision(1, DAY));
        assert!(cache.get(&token).is_some());
        cache.insert(token, decision(1, DAY * 2));
        assert!(cache.get(&token).is_some());
        cache.insert(token, decision(1, Duration::ZERO));
        assert!(cache.get(&token).is_none());
    }

    #[test]
    fn what_a_principal_holds_decides_how_many_fit() {
        assert_eq!(kept(2_000, 1), 2_000);
        // 1,024 scopes of 128 bytes are 176 KiB, whatever the token had: 16 MiB hold some ninety of them.
        let large = kept(300, 1_024);
        assert!((80..110).contains(&large), "{large}");
    }
}
