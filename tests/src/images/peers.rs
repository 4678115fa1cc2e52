//! The peers as images: each program with what it needs, and nothing else, from where it is on this machine.
//!
//! The Go server is one static file. Python and Node.js come with the shared libraries that `ldd` names; Python's own
//! library is that of the interpreter which the peer's environment uses. An image is named by what decides about it: the
//! folder of the packages (a hash of their lock file), the scripts, and the interpreter.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{
    Image, buildah, cache, forget_old,
    parts::{add_libraries, copy},
};
use crate::{
    cluster::Options,
    command::{output, repository},
    packages::node,
    peers::Kind,
};

/// To be changed with this file: the recipe is part of what an image is named by.
const RECIPE: &str = "2";

/// An image, and how a pod runs it.
#[derive(Clone, Debug)]
pub struct PeerImage {
    /// To be loaded.
    pub image: Image,
    /// What the container runs: the peer on all addresses.
    pub command: Vec<String>,
    /// Environment of the container.
    pub environment: Vec<(&'static str, &'static str)>,
}

/// Where an interpreter keeps things; answered by the interpreter itself.
#[derive(Debug, Deserialize)]
struct Python {
    /// Without links.
    executable: PathBuf,
    /// `python3.11`
    version: String,
    stdlib: PathBuf,
    /// Packages of the environment.
    purelib: PathBuf,
}

/// Asks an interpreter about itself.
const ASK_PYTHON: &str = "import json, os, sys, sysconfig; \
    paths = {name: sysconfig.get_path(name) for name in ('stdlib', 'purelib')}; \
    paths['executable'] = os.path.realpath(sys.executable); \
    paths['version'] = 'python%d.%d' % sys.version_info[:2]; \
    print(json.dumps(paths))";

/// The image of a peer, built unless it was before; the peer is to listen on `port`.
pub fn peer(kind: Kind, port: u16, options: &Options) -> Result<PeerImage> {
    let cache = cache(options)?;
    let folder = kind.installed(options)?;
    let dockerfile = repository().join("tests").join("peers").join("Dockerfile");
    let (name, script, interpreter) = match kind {
        Kind::Python | Kind::PythonSessions => ("peer-python", "server.py", Some(Python::of(&folder)?.executable)),
        Kind::Go | Kind::GoSessions => ("peer-go", "program", None),
        Kind::Everything => ("peer-everything", "server.mjs", Some(node(&folder)?)),
    };
    let tag = tag(&folder, &[&dockerfile, &folder.join(script)], interpreter.as_deref())?;
    let image = Image {
        repository: format!("localhost/mcp-foundry/{name}"),
        archive: cache.join(format!("{name}-{tag}.tar")),
        program: folder.join(script),
        tag,
    };
    if !image.archive.exists() {
        build(kind, &cache, &folder, &dockerfile, &image).with_context(|| format!("cannot build the image {name}"))?;
        forget_old(&cache, name);
    }
    Ok(PeerImage { image, command: command(kind, port), environment: environment(kind) })
}

fn command(kind: Kind, port: u16) -> Vec<String> {
    let program: &[&str] = match kind {
        Kind::Python | Kind::PythonSessions => &["/peer/bin/python3", "/peer/server.py"],
        Kind::Go | Kind::GoSessions => &["/peer/program"],
        Kind::Everything => &["/peer/bin/node", "/peer/server.mjs"],
    };
    let port = port.to_string();
    let words = program.iter().copied().chain(["0.0.0.0", &port]).chain(kind.after().iter().copied());
    words.map(str::to_owned).collect()
}

fn environment(kind: Kind) -> Vec<(&'static str, &'static str)> {
    match kind {
        Kind::Python | Kind::PythonSessions => {
            vec![("PYTHONHOME", "/peer"), ("PYTHONPATH", "/peer/packages"), ("PYTHONDONTWRITEBYTECODE", "1")]
        }
        Kind::Go | Kind::GoSessions | Kind::Everything => Vec::new(),
    }
}

/// Everything that decides what comes out. Of an interpreter its size and time, since it is a hundred megabytes.
fn tag(folder: &Path, files: &[&Path], interpreter: Option<&Path>) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(RECIPE);
    hash.update(folder.as_os_str().as_encoded_bytes());
    for file in files {
        let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        hash.update(content.len().to_le_bytes());
        hash.update(content);
    }
    if let Some(interpreter) = interpreter {
        let metadata = interpreter.metadata().with_context(|| format!("cannot read {}", interpreter.display()))?;
        hash.update(interpreter.as_os_str().as_encoded_bytes());
        hash.update(metadata.len().to_le_bytes());
        hash.update(metadata.mtime().to_le_bytes());
    }
    Ok(format!("{:x}", hash.finalize())[..16].to_owned())
}

fn build(kind: Kind, cache: &Path, folder: &Path, dockerfile: &Path, image: &Image) -> Result<()> {
    let work = buildah::work_folder(cache)?;
    let root = work.path().join("root");
    let peer = root.join("peer");
    fs::create_dir_all(peer.join("bin"))?;
    match kind {
        Kind::Python | Kind::PythonSessions => {
            let python = Python::of(folder)?;
            let own = peer.join("lib").join(&python.version);
            copy(&folder.join("server.py"), &peer.join("server.py"))?;
            copy(&python.executable, &peer.join("bin/python3"))?;
            copy(&python.stdlib, &own)?;
            copy(&python.purelib, &peer.join("packages"))?;
            add_libraries(&root, &python.executable, &[&python.stdlib.join("lib-dynload"), &python.purelib])?;
        }
        Kind::Go | Kind::GoSessions => copy(&folder.join("program"), &peer.join("program"))?,
        Kind::Everything => {
            let node = node(folder)?;
            copy(&folder.join("server.mjs"), &peer.join("server.mjs"))?;
            copy(&node, &peer.join("bin/node"))?;
            let (from, to) = (folder.join("node_modules"), peer.join("node_modules"));
            for entry in fs::read_dir(&from)? {
                let name = entry?.file_name();
                // The interpreter has its place already, and links to programs are for nobody.
                if !name.to_string_lossy().starts_with("node-linux-") && name != ".bin" {
                    copy(&from.join(&name), &to.join(&name))?;
                }
            }
            add_libraries(&root, &node, &[])?;
        }
    }
    buildah::archive(&work, image, dockerfile, &[("root", &root)])
}

impl Python {
    fn of(folder: &Path) -> Result<Self> {
        let said = output(Command::new(folder.join("venv/bin/python")).args(["-c", ASK_PYTHON]))?;
        serde_json::from_str(&said).with_context(|| format!("Python said `{}` of itself", said.trim()))
    }
}
