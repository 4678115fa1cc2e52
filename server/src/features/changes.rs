//! What changes while the process lives, told by providers to whoever listens: open streams of both eras.
//!
//! Bounded: a listener that falls behind is told so, and takes every list for changed.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::sync::broadcast;

/// How many changes a listener may be behind. Chosen: lists change rarely, and who is behind learns that all may have.
const BEHIND: usize = 256;

/// A change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The list of tools.
    Tools,
    /// The list of prompts.
    Prompts,
    /// The list of resources, or of templates.
    Resources,
    /// The content of the resource with this URI.
    Resource(Arc<str>),
}

/// Where changes are told. A cheap handle.
#[derive(Clone, Debug)]
pub struct Changes {
    sender: broadcast::Sender<Change>,
    /// Counts changes of lists.
    lists: Arc<AtomicU64>,
}

/// Hears of changes from when it was made.
pub type ChangeReceiver = broadcast::Receiver<Change>;

impl Default for Changes {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(BEHIND), lists: Arc::default() }
    }
}

impl Changes {
    /// Says that something has changed: after it did.
    pub fn tell(&self, change: Change) {
        if !matches!(change, Change::Resource(_)) {
            self.lists.fetch_add(1, Ordering::Release);
        }
        // Nobody listens: nobody needs to know.
        let _ = self.sender.send(change);
    }

    /// Hears of all changes from now on.
    pub fn listen(&self) -> ChangeReceiver {
        self.sender.subscribe()
    }

    /// A number that grows with each change of a list.
    pub fn generation(&self) -> u64 {
        self.lists.load(Ordering::Acquire)
    }
}
