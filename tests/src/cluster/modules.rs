//! Upstream's programs, built from pinned Go modules into a cache.
//!
//! Each module has a `go.mod` and `go.sum` of its own under `tests/cluster-modules/`, because their
//! dependency versions clash. A folder of the cache is named by a hash of everything that decides
//! what comes out, so a finished folder is never wrong and never rebuilt; it appears by a rename,
//! so an interrupted build leaves nothing that looks finished.

use std::{
    collections::VecDeque,
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{ChildStderr, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use super::{
    command::find,
    lock::Lock,
    paths::{self, Paths},
    progress::Progress,
};

/// The slowest module takes 9 minutes on two cores with an empty cache; five times that.
const LONGEST_BUILD: Duration = Duration::from_secs(45 * 60);

/// How much of a failed build's output is shown.
const SHOWN_LINES: usize = 20;

/// One folder of `tests/cluster-modules`, and what is built from it.
#[derive(Debug)]
pub struct Module {
    name: &'static str,
    go_mod: &'static str,
    go_sum: &'static str,
    linker_flags: &'static str,
    programs: &'static [Program],
}

/// A Go package, and what we call the program that it makes.
#[derive(Debug)]
struct Program {
    package: &'static str,
    name: &'static str,
}

macro_rules! module {
    ($name:literal, $linker_flags:literal, [$($package:literal => $program:literal),+ $(,)?]) => {
        Module {
            name: $name,
            go_mod: include_str!(concat!("../../cluster-modules/", $name, "/go.mod")),
            go_sum: include_str!(concat!("../../cluster-modules/", $name, "/go.sum")),
            linker_flags: $linker_flags,
            programs: &[$(Program { package: $package, name: $program }),+],
        }
    };
}

/// Without the version flags the API server calls itself v0.0.0 and clients misjudge it.
pub static KUBERNETES: Module = module!(
    "kubernetes",
    "-s -w -X k8s.io/component-base/version.gitVersion=v1.37.2 -X k8s.io/component-base/version.gitMajor=1 \
     -X k8s.io/component-base/version.gitMinor=37",
    [
        "k8s.io/kubernetes/cmd/kube-apiserver" => "kube-apiserver",
        "k8s.io/kubernetes/cmd/kube-controller-manager" => "kube-controller-manager",
        "k8s.io/kubernetes/cmd/kube-scheduler" => "kube-scheduler",
        "k8s.io/kubernetes/cmd/kubelet" => "kubelet",
        "k8s.io/kubernetes/cmd/kube-proxy" => "kube-proxy",
        "k8s.io/kubernetes/cmd/kubectl" => "kubectl",
    ]
);

/// The store of the API server.
pub static ETCD: Module = module!("etcd", "-s -w", ["go.etcd.io/etcd/server/v3" => "etcd"]);

/// Installs our chart, as users do.
pub static HELM: Module = module!("helm", "-s -w", ["helm.sh/helm/v4/cmd/helm" => "helm"]);

/// The cluster's DNS.
pub static COREDNS: Module = module!("coredns", "-s -w", ["github.com/coredns/coredns" => "coredns"]);

/// The ingress controller.
pub static TRAEFIK: Module = module!("traefik", "-s -w", ["github.com/traefik/traefik/v3/cmd/traefik" => "traefik"]);

/// A fake kubelet for tests with thousands of pods; no level of `up` needs it.
pub static KWOK: Module = module!("kwok", "-s -w", ["sigs.k8s.io/kwok/cmd/kwok" => "kwok"]);

static ALL: [&Module; 6] = [&KUBERNETES, &ETCD, &HELM, &COREDNS, &TRAEFIK, &KWOK];

/// Where a program is, or will be once its module is built.
pub(super) fn program(paths: &Paths, name: &str) -> PathBuf {
    let module = ALL.iter().find(|module| module.programs.iter().any(|program| program.name == name));
    module.map_or_else(|| PathBuf::from(name), |module| module.folder(paths).join(name))
}

/// Whether nothing is left to build.
pub(super) fn are_built(paths: &Paths, modules: &[&Module]) -> bool {
    modules.iter().all(|module| module.is_built(paths))
}

/// Builds what is missing of these modules, with a progress bar each.
pub(super) fn ensure(paths: &Paths, modules: &[&Module]) -> anyhow::Result<()> {
    if are_built(paths, modules) {
        return Ok(());
    }
    // Waits for whoever builds already; two builds of one module would share two cores.
    let _lock = Lock::acquire(&paths.cache.join("modules").join("lock"))?;
    for module in modules.iter().filter(|module| !module.is_built(paths)) {
        module.build(paths).with_context(|| format!("cannot build {} from its Go module", module.name))?;
    }
    Ok(())
}

/// Builds one module on demand and answers where its program is; for what `up` does not start.
pub fn build(module: &Module) -> anyhow::Result<PathBuf> {
    let paths = Paths::standard()?;
    ensure(&paths, &[module])?;
    Ok(program(&paths, module.programs[0].name))
}

impl Module {
    /// Everything that decides what comes out, and nothing else. Eight bytes are plenty for six modules.
    fn key(&self) -> String {
        let mut hash = Sha256::new();
        for part in [self.go_mod, self.go_sum, self.linker_flags] {
            hash.update(part.len().to_le_bytes());
            hash.update(part);
        }
        for program in self.programs {
            hash.update(program.package);
            hash.update("=");
            hash.update(program.name);
            hash.update("\n");
        }
        format!("{}-{}", self.name, &format!("{:x}", hash.finalize())[..16])
    }

    fn folder(&self, paths: &Paths) -> PathBuf {
        paths.cache.join("modules").join(self.key())
    }

    fn is_built(&self, paths: &Paths) -> bool {
        let folder = self.folder(paths);
        self.programs.iter().all(|program| folder.join(program.name).exists())
    }

    fn build(&self, paths: &Paths) -> anyhow::Result<()> {
        let progress = Progress::start(self.name);
        let work = paths.cache.join("modules").join(format!("{}.unfinished", self.name));
        let _ = fs::remove_dir_all(&work);
        paths::write(&work.join("go.mod"), self.go_mod)?;
        paths::write(&work.join("go.sum"), self.go_sum)?;
        let out = work.join("out");
        fs::create_dir_all(&out).with_context(|| format!("cannot make the folder {}", out.display()))?;

        progress.expect(self.count_packages(&work, &progress)?);
        let mut build = go(&work)?;
        build.args(["build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", self.linker_flags, "-o"]);
        build.arg(&out).args(self.packages());
        watch(build.stdout(Stdio::null()), &progress)?;
        self.publish(&out, &self.folder(paths))?;
        progress.finish();
        let _ = fs::remove_dir_all(&work);
        Ok(())
    }

    /// Go names a program after its package; the folder appears whole, or not at all.
    fn publish(&self, out: &Path, folder: &Path) -> anyhow::Result<()> {
        for program in self.programs {
            let built = out.join(go_name(program.package));
            if !built.exists() {
                bail!("`go build` made no {}", built.display());
            }
            fs::rename(&built, out.join(program.name))?;
        }
        let _ = fs::remove_dir_all(folder);
        fs::rename(out, folder).with_context(|| format!("cannot write {}", folder.display()))
    }

    /// How many packages a build with an empty cache compiles. Downloads the sources as it counts.
    fn count_packages(&self, work: &Path, progress: &Progress) -> anyhow::Result<u64> {
        let mut list = go(work)?;
        list.args(["list", "-deps", "-f", "{{.ImportPath}}"]).args(self.packages());
        let counted = work.join("packages");
        let file = fs::File::create(&counted).with_context(|| format!("cannot write {}", counted.display()))?;
        watch(list.stdout(file), progress)?;
        Ok(fs::read_to_string(&counted)?.lines().count() as u64)
    }

    fn packages(&self) -> impl Iterator<Item = &'static str> {
        self.programs.iter().map(|program| program.package)
    }
}

/// The last part of a package's path that is not a major version.
fn go_name(package: &str) -> &str {
    let is_version = |part: &str| part.strip_prefix('v').is_some_and(|rest| rest.parse::<u32>().is_ok());
    package.rsplit('/').find(|part| !is_version(part)).unwrap_or(package)
}

fn go(work: &Path) -> anyhow::Result<Command> {
    let mut go = Command::new(find("go").context("there is no `go` in PATH; install Go 1.26 from https://go.dev/dl")?);
    // No cgo: the programs must run in any mount namespace, and need no C compiler.
    go.current_dir(work).env("CGO_ENABLED", "0").env("GOWORK", "off").env_remove("GOFLAGS").stdin(Stdio::null());
    Ok(go)
}

/// Runs a `go` command to its end and shows each line that it prints on standard error.
fn watch(command: &mut Command, progress: &Progress) -> anyhow::Result<()> {
    let mut child = command.stderr(Stdio::piped()).spawn().context("cannot start `go`")?;
    let lines = lines(child.stderr.take().context("`go` has no standard error")?);
    let deadline = Instant::now() + LONGEST_BUILD;
    let mut last = VecDeque::new();
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                progress.line(&line);
                last.push_back(line);
                if last.len() > SHOWN_LINES {
                    last.pop_front();
                }
            }
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                let _ = child.wait();
                bail!(
                    "`go` has not finished within {} minutes; run it again, it continues",
                    LONGEST_BUILD.as_secs() / 60
                );
            }
        }
    }
    let status = child.wait().context("cannot wait for `go`")?;
    if !status.success() {
        bail!("`go` failed ({status}); its last lines:\n{}", Vec::from(last).join("\n"));
    }
    Ok(())
}

fn lines(stderr: ChildStderr) -> mpsc::Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::{ALL, ETCD, Module, Paths, go_name, program};

    #[test]
    fn a_program_is_named_after_its_package_without_the_major_version() {
        assert_eq!(go_name("go.etcd.io/etcd/server/v3"), "server");
        assert_eq!(go_name("k8s.io/kubernetes/cmd/kubelet"), "kubelet");
        assert_eq!(go_name("sigs.k8s.io/vx"), "vx");
    }

    #[test]
    fn a_key_changes_with_each_input_and_only_then() {
        let module =
            |go_mod, go_sum, linker_flags| Module { name: "etcd", go_mod, go_sum, linker_flags, programs: &[] };
        let key = module("m", "s", "f").key();
        assert_eq!(key, module("m", "s", "f").key());
        assert!(key.starts_with("etcd-") && key.len() == "etcd-".len() + 16);
        // The last one has the same bytes in a row as the first.
        for other in [module("x", "s", "f"), module("m", "x", "f"), module("m", "s", "x"), module("ms", "", "f")] {
            assert_ne!(key, other.key());
        }
    }

    #[test]
    fn programs_lie_in_the_cache_under_their_modules_key() {
        let paths = Paths { cache: "/cache".into(), state: "/state".into() };
        assert_eq!(program(&paths, "etcd"), paths.cache.join("modules").join(ETCD.key()).join("etcd"));
        assert!(ALL.iter().all(|module| module.go_mod.contains("module mcp-foundry/cluster/")));
    }
}
