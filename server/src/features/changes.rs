//! What changes while the process lives, told by providers to whoever listens: open streams of both eras.
//!
//! What is told here goes on to all replicas (`mcp/replicas`), also what each of them finds out by itself: a client that heard of
//! it from the first of them may have asked the last. Bounded: a listener that falls behind is told so, and takes every list for
//! changed.

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

impl Change {
    /// All lists.
    pub const LISTS: [Self; 3] = [Self::Tools, Self::Prompts, Self::Resources];
}

/// Where changes are told. A cheap handle.
#[derive(Clone, Debug)]
pub struct Changes {
    sender: broadcast::Sender<Change>,
    /// What other replicas are to hear.
    outward: broadcast::Sender<Change>,
    /// Counts changes of lists.
    lists: Arc<AtomicU64>,
}

/// Hears of changes from when it was made.
pub type ChangeReceiver = broadcast::Receiver<Change>;

impl Default for Changes {
    fn default() -> Self {
        Self { sender: broadcast::Sender::new(BEHIND), outward: broadcast::Sender::new(BEHIND), lists: Arc::default() }
    }
}

impl Changes {
    /// Says that something has changed, here and with it everywhere: after it did.
    pub fn tell(&self, change: Change) {
        if !matches!(change, Change::Resource(_)) {
            self.lists.fetch_add(1, Ordering::Release);
        }
        let _ = self.outward.send(change.clone());
        self.tell_here(change);
    }

    /// Says it to those who listen here, of what another replica has told: what is offered here is as before.
    pub fn tell_here(&self, change: Change) {
        // Nobody listens: nobody needs to know.
        let _ = self.sender.send(change);
    }

    /// Hears of all changes from now on.
    pub fn listen(&self) -> ChangeReceiver {
        self.sender.subscribe()
    }

    /// Hears of what other replicas are to hear.
    pub fn listen_for_others(&self) -> ChangeReceiver {
        self.outward.subscribe()
    }

    /// A number that grows with each change of a list here.
    pub fn generation(&self) -> u64 {
        self.lists.load(Ordering::Acquire)
    }
}
