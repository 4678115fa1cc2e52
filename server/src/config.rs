//! Mounted files -> checked [`Config`]. Whoever reloads one ([`crate::policy_file`], [`crate::issuers`]) reads it through
//! here or says so. Key files are read in [`crate::auth`], by the tasks that renew keys.
//!
//! What is wrong with the structure stops the process before it listens, with the file and the field
//! named. A CA file that is not there does not: its issuer stays without keys until it is, the pod stays
//! unready, and the report says which file is missing.

mod ca_file;
mod endpoint_url;
mod semantics;

use std::path::Path;

use crds::{
    gateway_config::{GatewayConfig, MAX_FILE_BYTES, ParseError, Versioned},
    revision::revision,
};
use secrecy::SecretSlice;

use crate::{auth::IssuerSettings, files, seal::KEY_BYTES, store::RedisSettings};
pub use ca_file::CaFile;
pub use endpoint_url::{EndpointUrl, Route};

/// The configuration in force: read once at start, never changed afterwards.
#[derive(Debug)]
pub struct Config {
    /// The document as the operator wrote it.
    pub gateway: GatewayConfig,
    /// Revision of the bytes that were read; the report repeats it.
    pub revision: String,
    /// What `publicUrl` says: path, origin, host and the URLs made from it.
    pub endpoint: EndpointUrl,
    /// The keys of `sealingKeyFiles`, in their order.
    pub sealing_keys: Vec<SecretSlice<u8>>,
    /// What `redis` says. `None`: nothing is shared.
    pub redis: Option<RedisSettings>,
}

/// Why the process does not start. One line that names the file and the field.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read at all.
    #[error("{file}: cannot be read: {problem}")]
    Unreadable {
        /// Name of the file, as given on the command line.
        file: String,
        /// In the words of the system.
        problem: std::io::ErrorKind,
    },
    /// Not the shape of a version that this build reads.
    #[error("{file}: {problem}")]
    Malformed {
        /// Name of the file, as given on the command line.
        file: String,
        /// Names the field.
        problem: ParseError,
    },
    /// The shape is right, the value cannot be served.
    #[error("{file}: field `{field}`: {problem}")]
    Field {
        /// Name of the file, as given on the command line.
        file: String,
        /// Where: `auth.issuers[0].audiences`.
        field: String,
        /// What is wrong, and what would be right.
        problem: String,
    },
}

impl Config {
    /// Reads and checks the file at `path`.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let name = path.display().to_string();
        let bytes = files::read(path, MAX_FILE_BYTES)
            .map_err(|problem| ConfigError::Unreadable { file: name.clone(), problem: problem.kind() })?;
        Self::parse(&name, &bytes)
    }

    /// Checks the content of the file called `file`.
    pub fn parse(file: &str, bytes: &[u8]) -> Result<Self, ConfigError> {
        let gateway =
            GatewayConfig::parse(bytes).map_err(|problem| ConfigError::Malformed { file: file.to_owned(), problem })?;
        Self::check(gateway, revision(bytes)).map_err(|wrong| ConfigError::Field {
            file: file.to_owned(),
            field: wrong.field,
            problem: wrong.problem,
        })
    }

    /// Checks a document made in memory: `--dev` and tests.
    pub fn from_document(gateway: &GatewayConfig) -> Result<Self, ConfigError> {
        let bytes = gateway.to_json();
        Self::parse("configuration in memory", bytes.as_bytes())
    }

    fn check(gateway: GatewayConfig, revision: String) -> Result<Self, semantics::WrongField> {
        let endpoint = EndpointUrl::parse(&gateway.public_url)
            .map_err(|problem| semantics::WrongField::new("publicUrl", problem))?
            .serving(&gateway.auth);
        semantics::check(&gateway)?;
        let sealing_keys = gateway
            .sealing_key_files
            .iter()
            .enumerate()
            .map(|(index, path)| sealing_key(index, Path::new(path)))
            .collect::<Result<_, _>>()?;
        let redis = gateway.redis.as_ref().map(semantics::redis_settings).transpose()?;
        Ok(Self { gateway, revision, endpoint, sealing_keys, redis })
    }

    /// The issuers as [`crate::auth`] wants them, with these CA bundles.
    pub fn issuers(&self, cas: &[CaFile]) -> Vec<IssuerSettings> {
        let issuers = self.gateway.auth.issuers.iter().zip(cas);
        issuers.map(|(issuer, ca)| ca.settings(issuer)).collect()
    }

    /// The CA bundle of each issuer as the files are now.
    pub fn read_cas(&self) -> Vec<CaFile> {
        self.gateway.auth.issuers.iter().map(CaFile::read).collect()
    }

    /// The same when the disk does not answer.
    pub(crate) fn cas_not_in_time(&self) -> Vec<CaFile> {
        self.gateway.auth.issuers.iter().map(CaFile::not_in_time).collect()
    }
}

fn sealing_key(index: usize, path: &Path) -> Result<SecretSlice<u8>, semantics::WrongField> {
    let wrong = |problem| semantics::WrongField::new(format!("sealingKeyFiles[{index}]"), problem);
    let key = files::read(path, KEY_BYTES).map_err(|problem| wrong(format!("cannot be read: {}", problem.kind())))?;
    if key.len() == KEY_BYTES {
        Ok(key.into())
    } else {
        Err(wrong(format!("must be a file of exactly {KEY_BYTES} bytes")))
    }
}

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
