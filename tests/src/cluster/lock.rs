//! One at a time: a file lock that the kernel releases when its holder dies.
//!
//! Whoever asks second waits, and then finds the work done. A lock file may be removed by its
//! holder ([`Lock::remove`]), so that `down` leaves nothing; therefore a lock counts only if the
//! path still names the file that was locked.

use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail};

/// A cold build of all modules takes 20 minutes on two cores; the one before us may be at it.
const LONGEST_WAIT: Duration = Duration::from_secs(45 * 60);

/// Chosen: nobody notices a fifth of a second, and it costs one system call.
const PAUSE: Duration = Duration::from_millis(200);

/// Held until dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Waits for the lock; says so, once, if it must.
    pub(super) fn acquire(path: &Path) -> anyhow::Result<Self> {
        let deadline = Instant::now() + LONGEST_WAIT;
        let mut told = false;
        loop {
            if let Some(lock) = Self::attempt(path)? {
                return Ok(lock);
            }
            if !told {
                eprintln!("waiting for another `cargo cluster` to finish ({} is locked)", path.display());
                told = true;
            }
            if Instant::now() > deadline {
                bail!(
                    "another process has held {} for {} minutes; find it with `fuser {0}` and end it",
                    path.display(),
                    LONGEST_WAIT.as_secs() / 60
                );
            }
            thread::sleep(PAUSE);
        }
    }

    /// `None`: somebody else has it.
    fn attempt(path: &Path) -> anyhow::Result<Option<Self>> {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path)
            .with_context(|| format!("cannot open the lock file {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        let locked = file.metadata().with_context(|| format!("cannot read {}", path.display()))?.ino();
        let still_named = fs::metadata(path).is_ok_and(|named| named.ino() == locked);
        Ok(still_named.then(|| Self { file, path: path.to_owned() }))
    }

    /// Removes the file while still holding it; whoever waits for it makes a new one.
    pub(super) fn remove(self) -> anyhow::Result<()> {
        fs::remove_file(&self.path).with_context(|| format!("cannot remove {}", self.path.display()))?;
        drop(self.file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Lock;

    #[test]
    fn a_second_holder_must_wait_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        let first = Lock::attempt(&path).unwrap();
        assert!(first.is_some());
        assert!(Lock::attempt(&path).unwrap().is_none());
        drop(first);
        assert!(Lock::attempt(&path).unwrap().is_some());
    }

    #[test]
    fn a_removed_lock_can_be_taken_again_and_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        Lock::attempt(&path).unwrap().unwrap().remove().unwrap();
        assert!(!path.exists());
        assert!(Lock::attempt(&path).unwrap().is_some());
    }
}
