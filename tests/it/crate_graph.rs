//! What must not be in the binaries: Kubernetes in the server, a second TLS or crypto library in either.

use std::collections::BTreeSet;
use std::process::Command;

#[test]
fn the_server_has_no_kubernetes_in_its_tree() {
    let crates = tree("server");
    assert!(crates.contains("crds"), "the tree was not read: {crates:?}");
    let kubernetes = |name: &&String| name.starts_with("kube") || *name == "k8s-openapi";
    assert_eq!(crates.iter().find(kubernetes), None);
    assert!(!crates.contains("operator") && !crates.contains("tests"));
}

#[test]
fn operator_and_server_carry_one_crypto_library() {
    for package in ["operator", "server"] {
        let crates = tree(package);
        assert!(crates.contains("aws-lc-rs"), "{package}: the tree was not read");
        for second in ["ring", "openssl-sys", "native-tls"] {
            assert!(!crates.contains(second), "{second} in {package}");
        }
    }
}

#[test]
fn operator_and_server_do_not_know_each_other() {
    assert!(!tree("operator").contains("server"));
    assert!(!tree("server").contains("operator"));
}

/// Names of all crates that ship in `package`, dependencies of tests left out.
fn tree(package: &str) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--package", package, "--edges", "normal", "--prefix", "none"])
        .args(["--offline", "--locked", "--format", "{p}"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("cargo prints UTF-8");
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}
