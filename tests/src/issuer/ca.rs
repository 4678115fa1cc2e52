//! Interim copy of the interface of `cluster::TestCa`, until that module compiles.

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};

/// A certificate and its key, both in PEM.
#[derive(Clone)]
pub struct Certificate {
    /// The certificate alone; the authority's is [`TestCa::cert_pem`].
    pub cert_pem: String,
    /// PKCS#8.
    pub key_pem: String,
}

/// The authority for test issuers.
#[derive(Clone)]
pub struct TestCa {
    /// What a client must trust.
    pub cert_pem: String,
    /// PKCS#8.
    pub key_pem: String,
}

impl TestCa {
    /// A new authority.
    pub fn generate() -> anyhow::Result<Self> {
        let key = KeyPair::generate()?;
        let certificate = authority().self_signed(&key)?;
        Ok(Self {
            cert_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }

    /// A server certificate for these DNS names and IP addresses.
    pub fn issue(&self, names: &[&str]) -> anyhow::Result<Certificate> {
        let key = KeyPair::generate()?;
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let mut leaf = CertificateParams::new(names).context("a name is not ASCII")?;
        leaf.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        leaf.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        leaf.use_authority_key_identifier_extension = true;
        let authority = Issuer::new(authority(), KeyPair::from_pem(&self.key_pem)?);
        let certificate = leaf.signed_by(&key, &authority)?;
        Ok(Certificate {
            cert_pem: certificate.pem(),
            key_pem: key.serialize_pem(),
        })
    }
}

fn authority() -> CertificateParams {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    parameters
        .distinguished_name
        .push(DnType::CommonName, "interim");
    parameters.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    parameters.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    parameters
}
