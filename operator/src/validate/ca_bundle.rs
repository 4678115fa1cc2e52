//! A bundle of certificates that a spec refers to: there, and made of certificates.

use crds::{conditions::Reason, mcp_server::ConfigMapKeyRef};
use rustls::pki_types::{CertificateDer, pem::PemObject};

use super::Invalid;
use crate::observed::Observed;

/// A bundle that can be used, or why it cannot.
pub(super) fn ca_bundle(
    reference: &ConfigMapKeyRef,
    field: &str,
    namespace: &str,
    observed: &Observed,
) -> Result<(), Invalid> {
    let ConfigMapKeyRef { name, key } = reference;
    let Some(config_map) = observed.config_maps.get(name) else {
        return Err(Invalid::new(
            Reason::MissingConfigMap,
            format!("{field}.name"),
            format!("ConfigMap `{name}` does not exist in namespace `{namespace}`"),
            "create it, or correct the name",
        ));
    };
    let Some(pem) = config_map.keys.get(key) else {
        return Err(Invalid::new(
            Reason::MissingConfigMapKey,
            format!("{field}.key"),
            format!("ConfigMap `{name}` has no key `{key}`"),
            "add the key, or correct its name",
        ));
    };
    if !holds_certificates(pem) {
        return Err(Invalid::new(
            Reason::InvalidCaBundle,
            format!("{field}.key"),
            format!("key `{key}` of ConfigMap `{name}` does not hold PEM certificates"),
            "put CA certificates there, each from BEGIN CERTIFICATE to END CERTIFICATE",
        ));
    }
    Ok(())
}

/// At least one certificate, and none that is cut off.
fn holds_certificates(pem: &[u8]) -> bool {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    // DER of a certificate is a SEQUENCE; what is inside is the TLS library's business.
    certificates.is_ok_and(|all| !all.is_empty() && all.iter().all(|der| der.first() == Some(&0x30)))
}
