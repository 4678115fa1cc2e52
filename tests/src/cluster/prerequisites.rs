//! What a machine must have, and what we may add to it.
//!
//! Debian packages are installed after asking; `--yes` or `CI=true` is the answer where nobody can
//! be asked. Whatever we may not or cannot change is one sentence with the remedy, and the way
//! round it: a cluster that the user names.

use std::{
    io::{IsTerminal, Write, stderr, stdin},
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, bail, ensure};

use super::{
    Level, Options,
    command::{find, output},
    environment::variable,
};

/// How to do without a cluster of ours. Ends the sentences of this module.
const OR_NAME_ONE: &str = "or name a cluster of your own (kind, k3d, minikube, a real one) with \
                           `--kubeconfig FILE [--context NAME]` or MCP_TEST_KUBECONFIG=FILE";

/// The first Go that fetches the toolchain which a `go.mod` asks for.
const OLDEST_GO: (u32, u32) = (1, 21);

/// A file that must exist, in one of some places, and the Debian package that brings it.
#[derive(Debug, Clone, Copy)]
pub struct Need {
    /// A program's name, or absolute paths of which one is enough.
    pub files: &'static [&'static str],
    /// The Debian package.
    pub package: &'static str,
}

const CONTROL_PLANE: [Need; 3] = [
    Need { files: &["ip"], package: "iproute2" },
    Need { files: &["nsenter"], package: "util-linux" },
    Need { files: &["mount"], package: "mount" },
];

const NODE: [Need; 7] = [
    Need { files: &["containerd"], package: "containerd" },
    Need { files: &["runc"], package: "runc" },
    Need { files: &["/usr/lib/cni/bridge", "/opt/cni/bin/bridge"], package: "containernetworking-plugins" },
    Need { files: &["iptables"], package: "iptables" },
    Need { files: &["nft"], package: "nftables" },
    Need { files: &["conntrack"], package: "conntrack" },
    Need { files: &["cc"], package: "gcc" },
];

/// Checks everything that a cluster of this level needs, and installs what may be installed.
pub(super) fn ensure_all(level: Level, options: &Options) -> anyhow::Result<()> {
    ensure!(cfg!(target_os = "linux"), "the local cluster needs Linux; use a Linux machine, {OR_NAME_ONE}");
    ensure!(
        rustix::process::geteuid().is_root(),
        "the local cluster needs root, for network namespaces and containers; run it again as root, {OR_NAME_ONE}"
    );
    let node: &[Need] = if level == Level::Node { &NODE } else { &[] };
    let needs: Vec<Need> = CONTROL_PLANE.iter().chain(node).copied().collect();
    ensure_packages(&needs, options)
}

/// Checks the compiler; asked only when something must be built.
pub(super) fn ensure_go() -> anyhow::Result<()> {
    let remedy = format!("install Go 1.26 or newer from https://go.dev/dl, {OR_NAME_ONE}");
    let Some(go) = find("go") else {
        bail!("the local cluster is built from Go modules and there is no `go` in PATH; {remedy}");
    };
    let said = output(Command::new(&go).args(["env", "GOVERSION"]))?;
    let version = parse_go_version(&said).with_context(|| format!("`go env GOVERSION` answered `{}`", said.trim()))?;
    ensure!(version >= OLDEST_GO, "{} is {}, which is too old; {remedy}", go.display(), said.trim());
    Ok(())
}

/// Installs the packages behind those needs that are not met. Public for the rest of the harness,
/// which needs `redis-server` and `buildah`.
pub fn ensure_packages(needs: &[Need], options: &Options) -> anyhow::Result<()> {
    let missing = missing(needs, exists);
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    let line = format!("apt-get install --yes --no-install-recommends {list}");
    ensure!(
        find("apt-get").is_some(),
        "these programs are missing (by the names of their Debian packages): {list}; install them, {OR_NAME_ONE}"
    );
    ensure!(
        rustix::process::geteuid().is_root() && may_install(&list, options)?,
        "these Debian packages are missing: {list}; run `apt-get update && {line}` as root or say --yes, {OR_NAME_ONE}"
    );
    eprintln!("installing {list}");
    apt(&["update", "--quiet"])?;
    apt(&[&["install", "--quiet", "--yes", "--no-install-recommends"], missing.as_slice()].concat())?;
    let still = self::missing(needs, exists);
    ensure!(still.is_empty(), "apt-get installed {list}, but the programs of {} are not in PATH", still.join(" "));
    Ok(())
}

/// The packages of those needs that no file meets, each once, in their order.
fn missing(needs: &[Need], exists: impl Fn(&str) -> bool) -> Vec<&'static str> {
    let mut packages = Vec::new();
    for need in needs {
        if !need.files.iter().any(|file| exists(file)) && !packages.contains(&need.package) {
            packages.push(need.package);
        }
    }
    packages
}

fn exists(file: &str) -> bool {
    if file.starts_with('/') { Path::new(file).exists() } else { find(file).is_some() }
}

fn may_install(list: &str, options: &Options) -> anyhow::Result<bool> {
    if options.assume_yes || variable("CI").is_some_and(|value| value == "true") {
        return Ok(true);
    }
    if !stdin().is_terminal() || !stderr().is_terminal() {
        return Ok(false);
    }
    eprint!("These Debian packages are missing: {list}. Install them? [Y/n] ");
    stderr().flush().context("cannot write to the terminal")?;
    let mut answer = String::new();
    stdin().read_line(&mut answer).context("cannot read the answer")?;
    Ok(matches!(answer.trim(), "" | "y" | "Y" | "yes"))
}

/// Its output goes to the terminal: it can take a minute, and its complaints are the best there are.
fn apt(arguments: &[&str]) -> anyhow::Result<()> {
    let mut apt = Command::new("apt-get");
    let status = apt
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null())
        .stdout(stderr())
        .status()
        .context("cannot start apt-get")?;
    ensure!(status.success(), "`apt-get {}` failed ({status}); its message is above", arguments.join(" "));
    Ok(())
}

/// `go1.26.8`, `go1.27rc1`, `devel go1.28-abcdef`.
fn parse_go_version(text: &str) -> Option<(u32, u32)> {
    let (_, version) = text.split_once("go")?;
    let mut numbers = version.split(|letter: char| !letter.is_ascii_digit());
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::{NODE, Need, OLDEST_GO, missing, parse_go_version};

    #[test]
    fn go_versions_are_compared_as_numbers() {
        assert_eq!(parse_go_version("go1.26.8\n"), Some((1, 26)));
        assert_eq!(parse_go_version("go1.27rc1"), Some((1, 27)));
        assert_eq!(parse_go_version("devel go1.28-abcdef"), Some((1, 28)));
        assert_eq!(parse_go_version("gccgo"), None);
        assert!(parse_go_version("go1.9").unwrap() < OLDEST_GO);
    }

    #[test]
    fn one_of_several_places_is_enough() {
        assert!(!missing(&NODE, |file| file != "/usr/lib/cni/bridge").contains(&"containernetworking-plugins"));
    }

    #[test]
    fn a_package_that_brings_two_programs_is_named_once() {
        let needs = [Need { files: &["a"], package: "p" }, Need { files: &["b"], package: "p" }];
        assert_eq!(missing(&needs, |_| false), ["p"]);
    }
}
