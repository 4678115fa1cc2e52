//! Certificates: one authority that the cluster itself trusts, and one for what tests pretend to be.
//!
//! They are kept apart so that a test which trusts the *test authority* (issuers at
//! `https://198.18.0.2:…`, TLS of the ingress) learns nothing about the cluster. All keys are made
//! at the first `up`, written in one step (a folder that is renamed), and removed by `down`.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use anyhow::Context;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

use super::paths::{KUBERNETES_SERVICE_ADDRESS, NAME, NODE_ADDRESS, Paths};

const TEST_AUTHORITY: &str = "mcp-foundry test authority";

/// Who a component is to the API server: file name, user (CN), group (O).
pub(super) const CLIENTS: [(&str, &str, &str); 6] = [
    ("admin", "mcp-foundry-admin", "system:masters"),
    ("controller-manager", "system:kube-controller-manager", ""),
    ("scheduler", "system:kube-scheduler", ""),
    ("node", "system:node:mcp-foundry", "system:nodes"),
    ("proxy", "system:kube-proxy", ""),
    // The API server itself, when it asks the kubelet for logs or an exec.
    ("kubelet-client", "kube-apiserver", "system:masters"),
];

/// A certificate and its key, both in PEM.
#[derive(Clone)]
pub struct Certificate {
    /// The certificate alone; the authority's is [`TestCa::cert_pem`].
    pub cert_pem: String,
    /// PKCS#8.
    pub key_pem: String,
}

/// The authority for test issuers and the ingress. Its key is worth nothing outside this cluster.
#[derive(Clone)]
pub struct TestCa {
    /// What a client or an `McpServer`'s `caConfigMapRef` must trust.
    pub cert_pem: String,
    /// PKCS#8; here for tests that sign in their own way, else use [`TestCa::issue`].
    pub key_pem: String,
}

impl TestCa {
    pub(super) fn read(paths: &Paths) -> anyhow::Result<Self> {
        let read = |file: &str| {
            let path = paths.pki(file);
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        Ok(Self { cert_pem: read("test-ca.crt")?, key_pem: read("test-ca.key")? })
    }

    /// A new authority, for tests that need one without a cluster.
    pub fn generate() -> anyhow::Result<Self> {
        let Certificate { cert_pem, key_pem } = Authority::new(TEST_AUTHORITY)?.own;
        Ok(Self { cert_pem, key_pem })
    }

    /// A server certificate for these DNS names and IP addresses.
    pub fn issue(&self, names: &[&str]) -> anyhow::Result<Certificate> {
        let key = KeyPair::from_pem(&self.key_pem).context("cannot read the test authority's key")?;
        Authority::with_key(TEST_AUTHORITY, key)?.server(names[0], names)
    }

    /// A certificate for a client of this name, for servers that ask for one.
    pub fn issue_client(&self, name: &str) -> anyhow::Result<Certificate> {
        let key = KeyPair::from_pem(&self.key_pem).context("cannot read the test authority's key")?;
        Authority::with_key(TEST_AUTHORITY, key)?.client(name, "")
    }
}

/// Makes all keys and certificates unless they are there.
pub(super) fn ensure(paths: &Paths) -> anyhow::Result<()> {
    let folder = paths.data("pki");
    if folder.exists() {
        return Ok(());
    }
    let unfinished = paths.data("pki.unfinished");
    let _ = fs::remove_dir_all(&unfinished);
    fs::create_dir_all(&unfinished).with_context(|| format!("cannot make the folder {}", unfinished.display()))?;
    fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o700))?;
    write_all(&unfinished)?;
    fs::rename(&unfinished, &folder).with_context(|| format!("cannot make the folder {}", folder.display()))
}

fn write_all(folder: &Path) -> anyhow::Result<()> {
    let cluster = Authority::new("mcp-foundry cluster authority")?;
    write_pair(folder, "ca", &cluster.own)?;
    for (file, user, group) in CLIENTS {
        write_pair(folder, file, &cluster.client(user, group)?)?;
    }
    let api_server = [
        NODE_ADDRESS,
        KUBERNETES_SERVICE_ADDRESS,
        "kubernetes",
        "kubernetes.default",
        "kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ];
    write_pair(folder, "apiserver", &cluster.server("kube-apiserver", &api_server)?)?;
    write_pair(folder, "kubelet", &cluster.server("kubelet", &[NODE_ADDRESS, NAME])?)?;

    let tokens = KeyPair::generate()?;
    write(folder, "service-account.key", &tokens.serialize_pem())?;
    write(folder, "service-account.pub", &tokens.public_key_pem())?;

    let test = Authority::new(TEST_AUTHORITY)?;
    write_pair(folder, "test-ca", &test.own)?;
    write_pair(folder, "ingress", &test.server("ingress", &[NODE_ADDRESS, "localhost", "mcp.test", "*.mcp.test"])?)
}

/// A key that signs certificates.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    own: Certificate,
}

impl Authority {
    fn new(name: &str) -> anyhow::Result<Self> {
        Self::with_key(name, KeyPair::generate()?)
    }

    /// The same name and key always make the same authority, so the certificate need not be parsed.
    fn with_key(name: &str, key: KeyPair) -> anyhow::Result<Self> {
        let mut params = params(name, "", &[])?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let own = Certificate { cert_pem: params.self_signed(&key)?.pem(), key_pem: key.serialize_pem() };
        Ok(Self { issuer: Issuer::new(params, key), own })
    }

    fn server(&self, common_name: &str, names: &[&str]) -> anyhow::Result<Certificate> {
        self.sign(params(common_name, "", names)?, ExtendedKeyUsagePurpose::ServerAuth)
    }

    fn client(&self, user: &str, group: &str) -> anyhow::Result<Certificate> {
        self.sign(params(user, group, &[])?, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, mut params: CertificateParams, usage: ExtendedKeyUsagePurpose) -> anyhow::Result<Certificate> {
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![usage];
        // Python's strict mode refuses a certificate that does not say which key signed it.
        params.use_authority_key_identifier_extension = true;
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(Certificate { cert_pem: certificate.pem(), key_pem: key.serialize_pem() })
    }
}

fn params(common_name: &str, organization: &str, names: &[&str]) -> anyhow::Result<CertificateParams> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).context("a name of a certificate is not a DNS name")?;
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, common_name);
    if !organization.is_empty() {
        subject.push(DnType::OrganizationName, organization);
    }
    params.distinguished_name = subject;
    // Chosen: no test run should fail for a clock; 2050 is where the encoding of dates changes.
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 1, 1);
    Ok(params)
}

fn write_pair(folder: &Path, name: &str, certificate: &Certificate) -> anyhow::Result<()> {
    write(folder, &format!("{name}.crt"), &certificate.cert_pem)?;
    write(folder, &format!("{name}.key"), &certificate.key_pem)
}

fn write(folder: &Path, file: &str, content: &str) -> anyhow::Result<()> {
    let path = folder.join(file);
    fs::write(&path, content).with_context(|| format!("cannot write {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::TestCa;

    #[test]
    fn the_test_authority_signs_for_addresses_and_names() {
        let authority = TestCa::generate().unwrap();
        let certificate = authority.issue(&["198.18.0.2", "login.test"]).unwrap();
        assert!(certificate.cert_pem.starts_with("-----BEGIN CERTIFICATE-----"));
        assert!(certificate.key_pem.starts_with("-----BEGIN PRIVATE KEY-----"));
        assert!(authority.issue(&["not a name\u{e9}"]).is_err());
    }
}
