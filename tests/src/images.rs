//! The product's images, from its own Dockerfiles: cargo runs once outside, buildah puts the stages together.
//!
//! ```text
//! cargo build --release ─► program ─┐
//!                                   ├─ hash = tag ─► buildah (operator|server)/Dockerfile ─► archive in the cache
//! Debian packages ─────────► base ──┘
//! ```
//!
//! The tag is a hash of everything that goes in, so the same tag is the same image, and an unchanged one is
//! not built again. There is no tag that moves.

mod base;
mod buildah;
mod parts;
mod peers;
mod redis;

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

pub use peers::{PeerImage, peer};
pub use redis::redis;

use crate::{
    cluster::{
        Options, cache_root,
        prerequisites::{Need, ensure_packages},
    },
    command::repository,
    program::{self, Artifact},
};

/// Archives of one image that are kept. Chosen: a person who goes back and forth between two branches builds neither again.
const KEPT: usize = 6;

const NEEDS: [Need; 2] = [Need { files: &["buildah"], package: "buildah" }, Need { files: &["dpkg"], package: "dpkg" }];

/// An image in a file.
#[derive(Clone, Debug)]
pub struct Image {
    /// Without the tag.
    pub repository: String,
    /// Hash of what is in it.
    pub tag: String,
    /// OCI archive, to be loaded by [`crate::cluster::Cluster::load_image`].
    pub archive: PathBuf,
    /// What was put into it to be run, where it lies on this machine.
    pub program: PathBuf,
}

impl Image {
    /// As a pod names it.
    pub fn reference(&self) -> String {
        format!("{}:{}", self.repository, self.tag)
    }

    /// Size of the program, in bytes.
    pub fn program_bytes(&self) -> u64 {
        self.program.metadata().map_or(0, |metadata| metadata.len())
    }

    /// Size of the archive, in bytes. Its layers are compressed: what a registry would send.
    pub fn archive_bytes(&self) -> u64 {
        self.archive.metadata().map_or(0, |metadata| metadata.len())
    }
}

/// Both images.
#[derive(Clone, Debug)]
pub struct Images {
    /// `mcp-operator`.
    pub operator: Image,
    /// `mcp-server`.
    pub server: Image,
}

/// Builds what is not in the cache.
pub fn ensure(options: &Options) -> Result<Images> {
    let cache = cache(options)?;
    let base = base::ensure(&cache)?;
    Ok(Images {
        operator: image(&cache, &base, &Recipe::product("operator", "mcp-operator"))?,
        server: image(&cache, &base, &Recipe::product("server", "mcp-server"))?,
    })
}

/// The image of the gateway with the conformance fixtures in it: in place of `mcp-server`, with its flags.
pub fn conformance_server(options: &Options) -> Result<Image> {
    let cache = cache(options)?;
    let recipe = Recipe {
        package: "tests",
        artifact: Artifact::Example("conformance_server"),
        dockerfile: "server",
        program: "mcp-server",
        image: "conformance-server",
    };
    image(&cache, &base::ensure(&cache)?, &recipe)
}

/// How an image comes about.
struct Recipe {
    package: &'static str,
    artifact: Artifact,
    /// The package whose Dockerfile it is.
    dockerfile: &'static str,
    /// As that Dockerfile calls the program.
    program: &'static str,
    /// Name of the image.
    image: &'static str,
}

impl Recipe {
    /// Package, program and image of what we ship.
    fn product(package: &'static str, name: &'static str) -> Self {
        Self { package, artifact: Artifact::Binary(name), dockerfile: package, program: name, image: name }
    }
}

fn cache(options: &Options) -> Result<PathBuf> {
    ensure_packages(&NEEDS, options)?;
    let cache = cache_root()?.join("images");
    fs::create_dir_all(&cache).with_context(|| format!("cannot make the folder {}", cache.display()))?;
    Ok(cache)
}

fn image(cache: &Path, base: &base::Base, recipe: &Recipe) -> Result<Image> {
    let program = program::build(recipe.package, recipe.artifact, &program::image_profile())?;
    let dockerfile = repository().join(recipe.dockerfile).join("Dockerfile");
    let tag = tag(&program, &dockerfile, &base.key)?;
    let name = recipe.image;
    let image = Image {
        repository: format!("localhost/mcp-foundry/{name}"),
        archive: cache.join(format!("{name}-{tag}.tar")),
        program,
        tag,
    };
    if !image.archive.exists() {
        assemble(cache, base, recipe.program, &dockerfile, &image)
            .with_context(|| format!("cannot build the image {name}"))?;
        forget_old(cache, name);
    }
    Ok(image)
}

/// Everything that decides what comes out.
fn tag(program: &Path, dockerfile: &Path, base_key: &str) -> Result<String> {
    let mut hash = Sha256::new();
    for file in [program, dockerfile] {
        let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        hash.update(content.len().to_le_bytes());
        hash.update(content);
    }
    hash.update(base_key);
    Ok(format!("{:x}", hash.finalize())[..16].to_owned())
}

fn assemble(cache: &Path, base: &base::Base, name: &str, dockerfile: &Path, image: &Image) -> Result<()> {
    let work = buildah::work_folder(cache)?;
    let builder = work.path().join("builder");
    fs::create_dir(&builder)?;
    fs::copy(&image.program, builder.join(name)).context("cannot copy the program")?;
    buildah::archive(&work, image, dockerfile, &[("builder", &builder), ("base", &base.folder)])
}

/// Keeps the cache from growing without end. A file that cannot be removed is tried again next time.
fn forget_old(cache: &Path, name: &str) {
    let mut archives: Vec<_> = fs::read_dir(cache)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_name().to_string_lossy().starts_with(&format!("{name}-")))
        .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
        .collect();
    archives.sort();
    for (_, archive) in archives.iter().rev().skip(KEPT) {
        let _ = fs::remove_file(archive);
    }
}
