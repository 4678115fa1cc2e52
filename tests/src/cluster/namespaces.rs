//! The two namespaces that the whole cluster lives in: one for the network, one for mounts.
//!
//! Each is kept open by a file under `namespaces/` in the state folder. The network namespace
//! keeps the cluster's addresses and packet filters away from the machine. The mount namespace
//! is what makes `down` simple: every mount of the kubelet and of containerd exists only in there,
//! and the folders whose place upstream has hard-coded (`/run/containerd`, `/var/lib/kubelet`,
//! `/var/lib/cni`, `/var/log/containers`) are covered by ours. It vanishes with its last process.
//!
//! Programs join with `nsenter`. `ip netns exec` would remount `/sys` and hide the control groups
//! from the kubelet.

use std::{
    fs::{self, File},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context;
use rustix::{
    fs::statfs,
    mount::{MountPropagationFlags, UnmountFlags, mount_bind, mount_change, unmount},
    thread::{LinkNameSpaceType, move_into_link_name_space},
};

use super::{
    command,
    paths::{self, Paths},
};

/// `NSFS_MAGIC` of linux/magic.h: the file holds a namespace open.
const NSFS: i64 = 0x6e73_6673;

/// Folders that upstream has hard-coded and a machine may lack; covering one needs it to be there.
const COVERED: [&str; 2] = ["/var/lib/kubelet", "/var/lib/cni"];

/// Runs in the new namespace. Mounts of the machine still come in (a slave), ours never leave, and
/// among ourselves they are shared, as containers with mount propagation ask for.
const COVER: &str = r#"
set -e
mount --make-rshared /
mount -t tmpfs -o mode=755 mcp-foundry /run
mkdir -p /run/lock /run/netns
mount --bind "$1/covers/kubelet" /var/lib/kubelet
mount --bind "$1/covers/cni" /var/lib/cni
mount --bind "$1/covers/log" /var/log
"#;

/// Whether both are there.
pub(super) fn are_held(paths: &Paths) -> bool {
    holds_namespace(&network(paths)) && holds_namespace(&mounts(paths))
}

/// Makes both namespaces unless they are there. Answers whether they are new.
pub(super) fn ensure(paths: &Paths) -> anyhow::Result<bool> {
    if are_held(paths) {
        return Ok(false);
    }
    release(paths)?;
    make_covered(paths)?;
    let folder = folder(paths);
    for file in [network(paths), mounts(paths)] {
        fs::create_dir_all(&folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        File::create(&file).with_context(|| format!("cannot make {}", file.display()))?;
    }
    // A mount namespace can be held only below a private mount: it must not hold itself.
    mount_bind(&folder, &folder).with_context(|| format!("cannot bind {}", folder.display()))?;
    mount_change(&folder, MountPropagationFlags::PRIVATE)
        .with_context(|| format!("cannot make {} private", folder.display()))?;
    let mut unshare = Command::new("unshare");
    unshare
        .arg(format!("--net={}", paths::text(&network(paths))))
        .arg(format!("--mount={}", paths::text(&mounts(paths))))
        .args(["--propagation", "slave", "sh", "-c", COVER, "sh"])
        .arg(&paths.state);
    command::run(&mut unshare).context("cannot make the cluster's namespaces")?;
    Ok(true)
}

/// Lets go of both namespaces. They end when no process is left in them.
pub(super) fn release(paths: &Paths) -> anyhow::Result<()> {
    for held in [network(paths), mounts(paths), folder(paths)] {
        // A crash in the middle of `ensure` may have left one mount over another.
        while is_mount_point(&held) {
            unmount(&held, UnmountFlags::DETACH).with_context(|| format!("cannot unmount {}", held.display()))?;
        }
    }
    Ok(())
}

/// Removes the folders that [`ensure`] had to make outside the state, if nobody filled them since.
pub(super) fn remove_made(paths: &Paths) {
    for folder in fs::read_to_string(made(paths)).unwrap_or_default().lines() {
        // Not empty means that somebody else uses it now, so it stays.
        let _ = fs::remove_dir(folder);
    }
}

/// `nsenter` into the network only: for programs that should see the machine's own files.
pub(super) fn in_network(paths: &Paths) -> Command {
    let mut nsenter = Command::new("nsenter");
    nsenter.arg(format!("--net={}", paths::text(&network(paths))));
    nsenter
}

/// The same for the calling thread alone.
pub(super) fn enter_network(paths: &Paths) -> anyhow::Result<()> {
    let file = network(paths);
    let namespace = File::open(&file).with_context(|| format!("cannot open {}", file.display()))?;
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .context("cannot enter the cluster's network")
}

/// The arguments that put a component into both namespaces; the program and its arguments follow.
pub(super) fn enter_both(paths: &Paths) -> [String; 3] {
    [
        "nsenter".to_owned(),
        format!("--net={}", paths::text(&network(paths))),
        format!("--mount={}", paths::text(&mounts(paths))),
    ]
}

fn folder(paths: &Paths) -> PathBuf {
    paths.data("namespaces")
}

/// The file that holds the network namespace; `ip` takes its path where it takes a name.
fn network(paths: &Paths) -> PathBuf {
    folder(paths).join("net")
}

fn mounts(paths: &Paths) -> PathBuf {
    folder(paths).join("mnt")
}

fn made(paths: &Paths) -> PathBuf {
    paths.data("made-folders")
}

fn make_covered(paths: &Paths) -> anyhow::Result<()> {
    for cover in ["kubelet", "cni", "log"] {
        let cover = paths.data("covers").join(cover);
        fs::create_dir_all(&cover).with_context(|| format!("cannot make the folder {}", cover.display()))?;
    }
    let mut made_before = fs::read_to_string(made(paths)).unwrap_or_default();
    for folder in COVERED.iter().filter(|folder| !Path::new(folder).exists()) {
        made_before.push_str(folder);
        made_before.push('\n');
        paths::write(&made(paths), &made_before)?;
        fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {folder}"))?;
    }
    Ok(())
}

fn holds_namespace(file: &Path) -> bool {
    #[expect(clippy::useless_conversion, reason = "the type differs between architectures")]
    statfs(file).is_ok_and(|about| i64::try_from(about.f_type).is_ok_and(|kind| kind == NSFS))
}

fn is_mount_point(path: &Path) -> bool {
    let mounted = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    lists_mount_point(&mounted, &paths::text(path))
}

/// The fifth field of a line of `mountinfo` is where the mount stands.
fn lists_mount_point(mountinfo: &str, path: &str) -> bool {
    mountinfo.lines().any(|line| line.split(' ').nth(4) == Some(path))
}

#[cfg(test)]
mod tests {
    use super::lists_mount_point;

    #[test]
    fn a_mount_point_is_recognised_by_its_whole_path() {
        let mountinfo = "36 35 0:4 net:[4026532] /var/lib/mcp-foundry/namespaces/net rw - nsfs nsfs rw\n";
        assert!(lists_mount_point(mountinfo, "/var/lib/mcp-foundry/namespaces/net"));
        assert!(!lists_mount_point(mountinfo, "/var/lib/mcp-foundry/namespaces"));
    }
}
