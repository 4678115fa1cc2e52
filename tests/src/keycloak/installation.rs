//! Keycloak in the cache: fetched with Maven, checked against a pinned hash, built once, and only read from then on.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};

use crate::{
    cluster::{
        Options,
        prerequisites::{Need, ensure_packages},
    },
    command::{repository, run},
    packages::installed,
};

/// Part of names in the archive; the hash beside the configuration is of this one.
const VERSION: &str = "26.4.0";

/// Debian's default Java is one that this version supports: 17 in Debian 12, 21 in Debian 13.
const NEEDS: [Need; 3] = [
    Need { files: &["java"], package: "default-jre-headless" },
    Need { files: &["mvn"], package: "maven" },
    Need { files: &["unzip"], package: "unzip" },
];

/// The folder of an installation that nobody writes to. Installs it unless it was before.
pub(super) fn ensure(options: &Options) -> Result<PathBuf> {
    ensure_packages(&NEEDS, options)?;
    let source = repository().join("tests").join("keycloak");
    let folder = installed("keycloak", &source, &["keycloak.sha256", "keycloak.conf"], install)?;
    Ok(unpacked(&folder))
}

fn unpacked(folder: &Path) -> PathBuf {
    folder.join(format!("keycloak-{VERSION}"))
}

fn install(folder: &Path) -> Result<()> {
    let download = folder.join("download");
    let mut maven = Command::new("mvn");
    maven.args(["--batch-mode", "--quiet", "--no-transfer-progress"]);
    // Maven would keep a second copy in the user's own repository.
    maven.arg(format!("-Dmaven.repo.local={}", folder.join("repository").display()));
    maven.arg("org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy");
    maven.arg(format!("-Dartifact=org.keycloak:keycloak-quarkus-dist:{VERSION}:zip"));
    run(maven.arg(format!("-DoutputDirectory={}", download.display())).current_dir(folder))
        .context("cannot fetch Keycloak")?;
    let mut check = Command::new("sha256sum");
    run(check.args(["--check", "--strict", "--quiet", "../keycloak.sha256"]).current_dir(&download))
        .context("what Maven fetched is not the Keycloak that is pinned in tests/keycloak")?;
    let archive = download.join(format!("keycloak-quarkus-dist-{VERSION}.zip"));
    run(Command::new("unzip").arg("-q").arg(archive).arg("-d").arg(folder)).context("cannot unpack Keycloak")?;
    for done in [&download, &folder.join("repository")] {
        fs::remove_dir_all(done).with_context(|| format!("cannot remove {}", done.display()))?;
    }
    let keycloak = unpacked(folder);
    fs::copy(folder.join("keycloak.conf"), keycloak.join("conf/keycloak.conf"))?;
    run(Command::new(keycloak.join("bin/kc.sh")).arg("build")).context("cannot build Keycloak's configuration")
}
