//! One read of mounted files at a time, on a thread of its own, with a deadline.
//!
//! A mounted volume may hang with its node's disk. Neither the runtime's threads nor the end of the process
//! ever wait for it.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{task::JoinHandle, time::timeout};

/// For one read. Chosen: far more than a file of 1 MiB takes, and well below what a person would wait.
const DEADLINE: Duration = Duration::from_secs(5);

/// Reads, and begins nothing new while that hangs.
#[derive(Debug)]
pub(crate) struct Reader<T> {
    deadline: Duration,
    /// A read that did not end in time; taken out while it is waited for.
    pending: Mutex<Option<JoinHandle<T>>>,
}

impl<T: Send + 'static> Reader<T> {
    pub(crate) fn new() -> Self {
        Self { deadline: DEADLINE, pending: Mutex::default() }
    }

    /// What `work` found, or what the one before found that did not end in time; `None` if neither did yet. One caller
    /// at a time.
    pub(crate) async fn read(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let pending = self.pending().take();
        let mut pending = pending.unwrap_or_else(|| tokio::task::spawn_blocking(work));
        if let Ok(ended) = timeout(self.deadline, &mut pending).await {
            return ended.ok();
        }
        *self.pending() = Some(pending);
        None
    }

    /// Another deadline: none of a test's waits is a second.
    #[cfg(test)]
    pub(crate) fn set_deadline(&mut self, deadline: Duration) {
        self.deadline = deadline;
    }

    /// An option is whole after every statement.
    fn pending(&self) -> MutexGuard<'_, Option<JoinHandle<T>>> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn a_read_that_hangs_is_given_up_for_now_and_no_second_one_begins() {
        let mut reader = Reader { deadline: Duration::ZERO, pending: Mutex::default() };
        let (answer, disk) = mpsc::channel::<&str>();
        assert_eq!(reader.read(move || disk.recv().unwrap()).await, None);
        assert_eq!(reader.read(|| "a second one").await, None);
        answer.send("late").unwrap();
        reader.deadline = DEADLINE;
        assert_eq!(reader.read(|| "a second one").await, Some("late"));
        assert_eq!(reader.read(|| "the next").await, Some("the next"));
    }
}
