//! A Redis as an image: Debian's program with its libraries and nothing else, from where it is on this machine.

use std::{fs, path::Path};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::{
    Image, buildah, cache, forget_old,
    parts::{add_libraries, copy},
};
use crate::{
    cluster::{Options, prerequisites::ensure_packages},
    command::repository,
    redis,
};

/// To be changed with this file: the recipe is part of what the image is named by.
const RECIPE: &str = "1";

/// Where Debian has the program, and where the image has it: in the usual `PATH`.
const PROGRAM: &str = "/usr/bin/redis-server";

const NAME: &str = "redis";

/// The image, built unless it was before.
pub fn redis(options: &Options) -> Result<Image> {
    ensure_packages(&[redis::NEED], options)?;
    let cache = cache(options)?;
    let dockerfile = repository().join("tests").join("peers").join("Dockerfile");
    let tag = tag(&dockerfile)?;
    let image = Image {
        repository: format!("localhost/mcp-foundry/{NAME}"),
        archive: cache.join(format!("{NAME}-{tag}.tar")),
        program: PROGRAM.into(),
        tag,
    };
    if !image.archive.exists() {
        build(&cache, &dockerfile, &image).context("cannot build the image of Redis")?;
        forget_old(&cache, NAME);
    }
    Ok(image)
}

fn tag(dockerfile: &Path) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(RECIPE);
    for file in [Path::new(PROGRAM), dockerfile] {
        let content = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        hash.update(content.len().to_le_bytes());
        hash.update(content);
    }
    Ok(format!("{:x}", hash.finalize())[..16].to_owned())
}

fn build(cache: &Path, dockerfile: &Path, image: &Image) -> Result<()> {
    let work = buildah::work_folder(cache)?;
    let root = work.path().join("root");
    let program = Path::new(PROGRAM);
    copy(program, &root.join(program.strip_prefix("/")?))?;
    add_libraries(&root, program, &[])?;
    buildah::archive(&work, image, dockerfile, &[("root", &root)])
}
