//! The mounted files behind a connection: name and password, CA bundle, certificate of our own. Read anew for each, so that
//! what was rotated counts at the next connection.

use std::{path::Path, sync::Arc};

use crds::gateway_config::{MAX_FILE_BYTES, RedisClientCertificate, RedisCredentials, RedisTls};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use rustls_platform_verifier::BuilderVerifierExt as _;
use secrecy::SecretString;

use super::{
    RedisSettings,
    fault::{Fault, FileFault},
};
use crate::files;

/// The longest name or password, in bytes. Chosen: far more than any generator makes.
const MAX_CREDENTIAL_BYTES: usize = 4096;

/// What one connection needs of mounted files. Never logged: it has no `Debug`.
#[derive(Clone)]
pub(super) struct Mounted {
    pub(super) credentials: Option<Credentials>,
    pub(super) tls: Option<Arc<ClientConfig>>,
}

/// An ACL user.
#[derive(Clone)]
pub(super) struct Credentials {
    /// `None`: the user `default`.
    pub(super) username: Option<String>,
    pub(super) password: SecretString,
}

impl Mounted {
    /// Reads all of them. Blocks.
    pub(super) fn read(settings: &RedisSettings) -> Result<Self, Fault> {
        let credentials = settings.credentials.as_ref().map(credentials).transpose();
        let tls = settings.tls.as_ref().map(client_config).transpose();
        Ok(Self { credentials: credentials.map_err(Fault::Files)?, tls: tls.map_err(Fault::Files)?.map(Arc::new) })
    }
}

fn credentials(files: &RedisCredentials) -> Result<Credentials, FileFault> {
    let username = files.username_file.as_deref().map(first_line).transpose()?;
    Ok(Credentials { username, password: first_line(&files.password_file)?.into() })
}

/// Up to the first line break: editors and `echo` add one.
fn first_line(path: &str) -> Result<String, FileFault> {
    let bytes = files::read(Path::new(path), MAX_CREDENTIAL_BYTES);
    first_line_of(bytes.map_err(|_| FileFault::Credentials)?)
}

fn first_line_of(bytes: Vec<u8>) -> Result<String, FileFault> {
    let text = String::from_utf8(bytes).map_err(|_| FileFault::Credentials)?;
    let line = text.lines().next().unwrap_or_default();
    // Nobody's name or password is empty; the file of a Secret that is still being made is.
    if line.is_empty() { Err(FileFault::Credentials) } else { Ok(line.to_owned()) }
}

fn client_config(files: &RedisTls) -> Result<ClientConfig, FileFault> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has cipher suites for TLS 1.2 and 1.3");
    let trusting = match &files.ca_file {
        Some(path) => builder.with_root_certificates(roots(path)?),
        None => builder.with_platform_verifier().map_err(|_| FileFault::Ca)?,
    };
    match &files.client {
        Some(client) => {
            let (chain, key) = certificate(client)?;
            trusting.with_client_auth_cert(chain, key).map_err(|_| FileFault::ClientCertificate)
        }
        None => Ok(trusting.with_no_client_auth()),
    }
}

fn roots(path: &str) -> Result<RootCertStore, FileFault> {
    let mut roots = RootCertStore::empty();
    for certificate in chain(path).ok_or(FileFault::Ca)? {
        roots.add(certificate).map_err(|_| FileFault::Ca)?;
    }
    Ok(roots)
}

fn certificate(
    files: &RedisClientCertificate,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), FileFault> {
    let chain = chain(&files.certificate_file).ok_or(FileFault::ClientCertificate)?;
    let key = files::read(Path::new(&files.key_file), MAX_FILE_BYTES).map_err(|_| FileFault::ClientCertificate)?;
    let key = PrivateKeyDer::from_pem_slice(&key).map_err(|_| FileFault::ClientCertificate)?;
    Ok((chain, key))
}

/// At least one certificate; an empty bundle would trust nobody and look like a broken network.
fn chain(path: &str) -> Option<Vec<CertificateDer<'static>>> {
    let pem = files::read(Path::new(path), MAX_FILE_BYTES).ok()?;
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().ok()?;
    if chain.is_empty() { None } else { Some(chain) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::debug::has_no_debug;

    #[test]
    fn what_holds_a_password_shows_nothing_of_it() {
        has_no_debug!(Mounted, Credentials);
    }

    #[test]
    fn a_name_or_password_ends_at_the_first_line_break_and_is_never_empty() {
        for (content, line) in [("a b", "a b"), ("a\n", "a"), ("a\r\nb", "a"), (" a \n", " a "), ("é", "é")] {
            assert_eq!(first_line_of(content.as_bytes().to_vec()), Ok(line.to_owned()));
        }
        for content in [&b""[..], b"\n", b"\r\na", b"\xff"] {
            assert_eq!(first_line_of(content.to_vec()), Err(FileFault::Credentials));
        }
    }
}
