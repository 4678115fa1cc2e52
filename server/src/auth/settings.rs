//! What the authenticator is built from: checked once at start, never asked again.

use std::{path::PathBuf, sync::Arc, time::Duration};

use crds::gateway_config::{IssuerConfig, SignatureAlgorithm, TokenRules, auth::DAY_SECONDS};

use super::{KeyCache, KeySet, fetch, token_rules::RulesError};
use crate::{
    clock::Clock,
    net::{AddressPolicy, ClientError},
};

/// One issuer whose tokens are accepted.
#[derive(Debug)]
pub struct IssuerSettings {
    /// The exact `iss`; compared byte for byte.
    pub issuer: String,
    /// Accepted values of `aud`; not empty.
    pub audiences: Vec<String>,
    /// Where its keys come from.
    pub keys: KeySource,
    /// What holds for its keys, wherever they come from.
    pub key_rules: KeyRules,
    /// What its tokens must look like, and what their claims mean.
    pub tokens: TokenRules,
}

/// What holds for the keys of an issuer, wherever they come from.
#[derive(Clone, Debug)]
pub struct KeyRules {
    /// What they may serve; never empty.
    pub algorithms: Vec<SignatureAlgorithm>,
    /// How long the last good ones serve, from when they were asked for.
    pub max_age: Duration,
    /// Whether they may be fetched from a private address, where the gateway allows those.
    pub allow_private_addresses: bool,
}

/// Where the keys of an issuer come from.
#[derive(Debug)]
pub enum KeySource {
    /// From the `jwks_uri` of the document under the issuer's URL.
    Discovery {
        /// PEM certificates to trust instead of the system's.
        ca_pem: Option<Vec<u8>>,
    },
    /// From a URL that the configuration names.
    JwksUri {
        /// An `https` URL.
        uri: String,
        /// PEM certificates to trust instead of the system's.
        ca_pem: Option<Vec<u8>>,
    },
    /// From a mounted file that the operator renews.
    File {
        /// Where it is.
        path: PathBuf,
    },
    /// Known from the start and for ever: the in-process issuer of `--dev`.
    Static(KeySet),
    /// From nowhere: the `caFile` of the issuer cannot be used. Its tokens cannot be checked, and it is not ready.
    Unavailable,
}

/// What the authenticator needs beside its issuers.
#[derive(Clone)]
pub struct AuthDeps {
    /// Which addresses keys may be fetched from.
    pub addresses: AddressPolicy,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Differs between processes, so that pods do not ask an issuer at the same moments.
    pub jitter_seed: u64,
    /// Where the last good key sets are kept over a restart. `None`: nowhere.
    pub key_cache: Option<Arc<KeyCache>>,
}

/// Why there is no authenticator. Names the field of the configuration.
#[derive(Debug, thiserror::Error)]
pub enum AuthSetupError {
    /// No issuer: nobody could ever call, and the configuration says `OAuth`.
    #[error("`auth.issuers` is empty; name at least one issuer")]
    NoIssuer,
    /// `issuer` is empty.
    #[error("`auth.issuers[{index}].issuer` is empty")]
    EmptyIssuer {
        /// Position in the list.
        index: usize,
    },
    /// The same `issuer` twice.
    #[error("`auth.issuers[{index}].issuer` is listed twice")]
    DuplicateIssuer {
        /// Position of the second.
        index: usize,
    },
    /// No audience, or an empty one.
    #[error("`auth.issuers[{index}].audiences` must hold at least one value, and none that is empty")]
    NoAudience {
        /// Position in the list.
        index: usize,
    },
    /// Nothing could be verified.
    #[error("`auth.issuers[{index}].tokens.algorithms` must name at least one algorithm")]
    NoAlgorithm {
        /// Position in the list.
        index: usize,
    },
    /// The issuer is not an https URL, and there is no `jwksUri`.
    #[error("`auth.issuers[{index}].issuer` is not an https URL that keys could be found under; set `jwksUri`")]
    IssuerUrl {
        /// Position in the list.
        index: usize,
    },
    /// `jwksUri` is not an https URL.
    #[error("`auth.issuers[{index}].jwksUri` is not an https URL without credentials and fragment")]
    JwksUri {
        /// Position in the list.
        index: usize,
    },
    /// A rule over tokens cannot be read.
    #[error("`auth.issuers[{index}].tokens.{problem}")]
    Tokens {
        /// Position in the list.
        index: usize,
        /// Names the rule.
        problem: RulesError,
    },
    /// The CA bundle of the issuer is unusable.
    #[error("no HTTP client for `auth.issuers[{index}]`; look at its `caFile`")]
    Client {
        /// Position in the list.
        index: usize,
        /// What is wrong.
        #[source]
        source: ClientError,
    },
}

impl Default for KeyRules {
    fn default() -> Self {
        Self {
            algorithms: TokenRules::default().algorithms,
            max_age: Duration::from_secs(DAY_SECONDS.into()),
            allow_private_addresses: false,
        }
    }
}

impl KeyRules {
    fn from_config(config: &IssuerConfig) -> Self {
        Self {
            algorithms: config.tokens.algorithms.clone(),
            max_age: Duration::from_secs(config.max_key_age_seconds.into()),
            allow_private_addresses: config.allow_private_addresses,
        }
    }

    /// From which addresses these keys may be fetched, where `gateway` says so for all.
    pub(super) fn addresses(&self, gateway: AddressPolicy) -> AddressPolicy {
        AddressPolicy { allow_private: gateway.allow_private && self.allow_private_addresses, ..gateway }
    }
}

impl IssuerSettings {
    /// An issuer with these keys, and the default for everything else: its tokens are plain OAuth.
    pub fn new(issuer: impl Into<String>, audiences: Vec<String>, keys: KeySource) -> Self {
        Self { issuer: issuer.into(), audiences, keys, key_rules: KeyRules::default(), tokens: TokenRules::default() }
    }

    /// The settings of a configured issuer. `ca_pem` is the content of its `caFile`.
    pub fn from_config(config: &IssuerConfig, ca_pem: Option<Vec<u8>>) -> Self {
        let keys = match (&config.jwks_file, &config.jwks_uri) {
            (Some(path), _) => KeySource::File { path: path.into() },
            (None, Some(uri)) => KeySource::JwksUri { uri: uri.clone(), ca_pem },
            (None, None) => KeySource::Discovery { ca_pem },
        };
        let (key_rules, tokens) = (KeyRules::from_config(config), config.tokens.clone());
        Self { key_rules, tokens, ..Self::new(&config.issuer, config.audiences.clone(), keys) }
    }
}

/// Refuses a list of issuers with which no request could be answered rightly.
pub(super) fn check(issuers: &[IssuerSettings]) -> Result<(), AuthSetupError> {
    if issuers.is_empty() {
        return Err(AuthSetupError::NoIssuer);
    }
    issuers.iter().enumerate().try_for_each(|(index, settings)| {
        let earlier = &issuers[..index];
        check_one(index, settings, earlier)
    })
}

fn check_one(index: usize, settings: &IssuerSettings, earlier: &[IssuerSettings]) -> Result<(), AuthSetupError> {
    if settings.issuer.is_empty() {
        return Err(AuthSetupError::EmptyIssuer { index });
    }
    if earlier.iter().any(|other| other.issuer == settings.issuer) {
        return Err(AuthSetupError::DuplicateIssuer { index });
    }
    if settings.audiences.is_empty() || settings.audiences.iter().any(String::is_empty) {
        return Err(AuthSetupError::NoAudience { index });
    }
    if settings.key_rules.algorithms.is_empty() {
        return Err(AuthSetupError::NoAlgorithm { index });
    }
    match &settings.keys {
        KeySource::Discovery { .. } if !fetch::is_fetchable(&settings.issuer) => {
            Err(AuthSetupError::IssuerUrl { index })
        }
        KeySource::JwksUri { uri, .. } if !fetch::is_fetchable(uri) => Err(AuthSetupError::JwksUri { index }),
        KeySource::Discovery { .. }
        | KeySource::JwksUri { .. }
        | KeySource::File { .. }
        | KeySource::Static(_)
        | KeySource::Unavailable => Ok(()),
    }
}
