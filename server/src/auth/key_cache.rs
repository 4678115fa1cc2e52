//! The folder in which the last good key sets lie, so that a restart survives an outage of an issuer.
//!
//! Nothing but public keys is ever in it. What goes wrong is logged and counted, and stops nothing: the folder is a help, and
//! the issuer the truth. Only the refresh task of an issuer touches its file.

use std::{
    io::{self, ErrorKind},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use jiff::Timestamp;
use tracing::warn;

use super::snapshot::{Ignored, MAX_SNAPSHOT_BYTES, Origin};
use crate::files::{self, Reader};

/// The folder. One of these for each process.
#[derive(Debug)]
pub struct KeyCache {
    folder: PathBuf,
    /// Files that could not be written or removed. Written by refresh tasks, read for metrics.
    failures: AtomicU64,
    /// Held by the thread that writes: an authenticator and its successor may meet at one file.
    writing: Mutex<()>,
}

/// The snapshot of one issuer.
#[derive(Debug)]
pub(super) struct SnapshotFile {
    cache: Arc<KeyCache>,
    pub(super) origin: Origin,
    reader: Reader<io::Result<Vec<u8>>>,
    /// Each result goes with the number of its change.
    writer: Reader<(u64, io::Result<()>)>,
    changes: AtomicU64,
    /// Identity of the set that the file holds, as far as is known.
    holds: Mutex<Option<[u8; 32]>>,
}

impl KeyCache {
    /// The folder must exist; nothing looks for it yet.
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, failures: AtomicU64::new(0), writing: Mutex::new(()) }
    }

    /// How often a snapshot could not be written or removed.
    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }
}

impl SnapshotFile {
    pub(super) fn new(cache: Arc<KeyCache>, origin: Origin) -> Self {
        Self {
            cache,
            origin,
            reader: Reader::new(),
            writer: Reader::new(),
            changes: AtomicU64::new(0),
            holds: Mutex::new(None),
        }
    }

    /// The snapshot; `None` if there is none.
    pub(super) async fn read(&self) -> Result<Option<Vec<u8>>, Ignored> {
        let path = self.path();
        match self.reader.read(move || files::read(&path, MAX_SNAPSHOT_BYTES)).await {
            Some(Ok(snapshot)) => Ok(Some(snapshot)),
            Some(Err(problem)) if problem.kind() == ErrorKind::NotFound => Ok(None),
            Some(Err(problem)) => Err(Ignored::Unreadable(problem.kind())),
            None => Err(Ignored::Unreadable(ErrorKind::TimedOut)),
        }
    }

    /// The file was found to hold the set of this identity.
    pub(super) fn found(&self, set: [u8; 32]) {
        *self.holds() = Some(set);
    }

    /// Writes down a set. If that fails, an older file goes away unless it holds the same keys: it could bring back a key
    /// that has left.
    pub(super) async fn keep(&self, jwks: &[u8], set: [u8; 32], fetched_at: Timestamp) {
        let snapshot = self.origin.snapshot(jwks, fetched_at);
        let same_keys = *self.holds() == Some(set);
        let path = self.path();
        let write = move || {
            if snapshot.len() > MAX_SNAPSHOT_BYTES {
                return Err(ErrorKind::FileTooLarge.into());
            }
            let done = files::replace(&path, &snapshot);
            if done.is_err() && !same_keys {
                drop(files::remove(&path));
            }
            done
        };
        // Until it has ended well nobody knows.
        *self.holds() = same_keys.then_some(set);
        match self.change(write).await {
            Ok(()) => self.found(set),
            Err(problem) => self.failed("written", problem),
        }
    }

    /// The issuer has withdrawn its keys.
    pub(super) async fn forget(&self) {
        *self.holds() = None;
        let path = self.path();
        if let Err(problem) = self.change(move || files::remove(&path)).await {
            self.failed("removed", problem);
        }
    }

    /// Runs `work` on a thread of its own; also after an earlier change that hung and ends just now.
    async fn change(&self, work: impl Fn() -> io::Result<()> + Send + Sync + 'static) -> Result<(), ErrorKind> {
        let number = self.changes.fetch_add(1, Ordering::Relaxed);
        let work = Arc::new(work);
        loop {
            let (work, cache) = (Arc::clone(&work), Arc::clone(&self.cache));
            let work = move || {
                let _writing = cache.writing.lock().unwrap_or_else(PoisonError::into_inner);
                (number, work())
            };
            match self.writer.read(work).await {
                Some((ended, result)) if ended == number => return result.map_err(|problem| problem.kind()),
                Some(_) => {}
                None => return Err(ErrorKind::TimedOut),
            }
        }
    }

    fn failed(&self, what: &str, problem: ErrorKind) {
        self.cache.failures.fetch_add(1, Ordering::Relaxed);
        let issuer = self.origin.issuer();
        warn!(issuer = %issuer, "the snapshot of the keys of {issuer} could not be {what}: {problem}");
    }

    fn path(&self) -> PathBuf {
        self.cache.folder.join(self.origin.file_name())
    }

    /// An option is whole after every statement.
    fn holds(&self) -> MutexGuard<'_, Option<[u8; 32]>> {
        self.holds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, time::Duration};

    use super::*;
    use crate::auth::tests::folder::Folder;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[tokio::test]
    #[expect(clippy::await_holding_lock, reason = "what hangs is the disk, which nobody here awaits")]
    async fn a_write_that_hung_is_followed_by_the_newest_and_no_third_one_waits() {
        let folder = Folder::new();
        let cache = Arc::new(KeyCache::new(folder.path().to_owned()));
        let mut file = SnapshotFile::new(Arc::clone(&cache), Origin::new("a".into(), None));
        let path = file.path();
        // The disk hangs: whoever writes waits for this.
        let disk = cache.writing.lock().unwrap_or_else(PoisonError::into_inner);
        file.writer.set_deadline(Duration::ZERO);
        file.keep(b"first", [1; 32], at(1)).await;
        file.keep(b"second", [2; 32], at(2)).await;
        assert_eq!((cache.failures(), path.exists()), (2, false));
        drop(disk);
        file.writer.set_deadline(Duration::from_secs(30));
        file.keep(b"third", [3; 32], at(3)).await;
        assert_eq!(fs::read(&path).unwrap(), file.origin.snapshot(b"third", at(3)));
        assert_eq!(cache.failures(), 2);
    }
}
