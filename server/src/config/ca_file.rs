//! The CA bundle that an issuer's entry names.
//!
//! A missing or broken bundle never falls back to the system's: the issuer then has no keys.

use std::path::Path;

use crds::gateway_config::{IssuerConfig, MAX_FILE_BYTES};

use crate::{
    auth::{IssuerSettings, KeySource},
    files,
};

/// What became of an issuer's CA file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CaFile {
    /// None is named: the system's roots count.
    System,
    /// The PEM bundle that was read.
    Pem(Vec<u8>),
    /// Named, but not usable; a phrase that says why, without the path.
    Unusable(String),
}

impl CaFile {
    /// Reads the file that `issuer` names, if it names one.
    pub(super) fn read(issuer: &IssuerConfig) -> Self {
        match &issuer.ca_file {
            None => Self::System,
            Some(path) => read(Path::new(path)).map_or_else(Self::Unusable, Self::Pem),
        }
    }

    /// The file that `issuer` names, when the disk does not answer.
    pub(super) fn not_in_time(issuer: &IssuerConfig) -> Self {
        let problem = || Self::Unusable("cannot be read in time: the disk does not answer".to_owned());
        issuer.ca_file.as_ref().map_or(Self::System, |_| problem())
    }

    /// The issuer with this bundle.
    pub(super) fn settings(&self, issuer: &IssuerConfig) -> IssuerSettings {
        match self {
            Self::System => IssuerSettings::from_config(issuer, None),
            Self::Pem(pem) => IssuerSettings::from_config(issuer, Some(pem.clone())),
            Self::Unusable(_) => {
                IssuerSettings { keys: KeySource::Unavailable, ..IssuerSettings::from_config(issuer, None) }
            }
        }
    }

    /// What counts after `self` did: a bundle that has become unusable takes nothing away.
    #[must_use]
    pub fn followed_by(&self, next: &Self) -> Self {
        match next {
            Self::Unusable(_) => self.clone(),
            Self::System | Self::Pem(_) => next.clone(),
        }
    }

    /// Why it is not usable, if it is not.
    pub fn problem(&self) -> Option<&str> {
        match self {
            Self::System | Self::Pem(_) => None,
            Self::Unusable(problem) => Some(problem),
        }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let pem = files::read(path, MAX_FILE_BYTES).map_err(|problem| format!("cannot be read: {}", problem.kind()))?;
    match reqwest::Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(pem),
        _ => Err("holds no PEM certificate".to_owned()),
    }
}
