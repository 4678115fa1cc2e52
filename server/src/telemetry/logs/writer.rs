//! Lines on their way out: gathered in memory, and written by one thread, many at a time.
//!
//! A request pays for copying its line and not for a system call. Nothing is ever dropped: who finds
//! the memory full waits, as at any full pipe, and what is left is written when the writer ends.

use std::{
    io::Write,
    mem,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

/// How long a line waits for company. Chosen: nobody reads faster, and a kill loses no more than this.
const GATHER: Duration = Duration::from_millis(5);

/// What may wait to be written. Chosen: thousands of lines.
const MAX_BYTES: usize = 1024 * 1024;

/// How long the end waits for a reader that does not read.
const LAST_WRITE: Duration = Duration::from_secs(2);

/// Takes lines. A cheap handle.
#[derive(Clone)]
pub struct LogQueue(Arc<Shared>);

/// The thread that writes. Dropping it writes what is left; lines that come later are lost.
#[must_use = "dropped, it writes nothing any more"]
pub struct LogWriter(Arc<Shared>);

#[derive(Default)]
struct Shared {
    lines: Mutex<Lines>,
    /// Something came, or nothing will come any more.
    came: Condvar,
    /// Something was written.
    went: Condvar,
}

#[derive(Default)]
struct Lines {
    /// Whole lines.
    waiting: Vec<u8>,
    /// Nothing will come any more.
    closed: bool,
    /// The thread has ended.
    ended: bool,
}

impl LogWriter {
    /// Begins to write to `output`. A reader that is gone is no reason to stop serving.
    pub fn start(output: impl Write + Send + 'static) -> (LogQueue, Self) {
        let shared = Arc::new(Shared::default());
        let of_thread = Arc::clone(&shared);
        let write = move || of_thread.write_all(output);
        let started = thread::Builder::new().name("log-writer".to_owned()).spawn(write);
        started.expect("a process that has just begun may have one more thread");
        (LogQueue(Arc::clone(&shared)), Self(shared))
    }
}

impl LogQueue {
    /// Takes a whole line.
    pub(super) fn push(&self, line: &[u8]) {
        let Shared { came, went, .. } = &*self.0;
        let full = |lines: &mut Lines| lines.waiting.len() >= MAX_BYTES && !lines.closed;
        let lines = self.0.lock();
        let mut lines = went.wait_while(lines, full).unwrap_or_else(PoisonError::into_inner);
        if lines.closed {
            return;
        }
        let before = lines.waiting.len();
        lines.waiting.extend_from_slice(line);
        let (first, last) = (before == 0, lines.waiting.len() >= MAX_BYTES);
        drop(lines);
        if first || last {
            came.notify_one();
        }
    }
}

impl Drop for LogWriter {
    fn drop(&mut self) {
        let Shared { came, went, .. } = &*self.0;
        let mut lines = self.0.lock();
        lines.closed = true;
        came.notify_one();
        went.notify_all();
        drop(went.wait_timeout_while(lines, LAST_WRITE, |lines| !lines.ended));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_all(&self, mut output: impl Write) {
        let mut batch = Vec::new();
        while self.next(&mut batch) {
            let _ = output.write_all(&batch).and_then(|()| output.flush());
            batch.clear();
        }
        self.lock().ended = true;
        self.went.notify_all();
    }

    /// Waits for lines and exchanges them for the empty `batch`; false when there will be none.
    fn next(&self, batch: &mut Vec<u8>) -> bool {
        let nothing = |lines: &mut Lines| lines.waiting.is_empty() && !lines.closed;
        let lines = self.came.wait_while(self.lock(), nothing).unwrap_or_else(PoisonError::into_inner);
        let room = |lines: &mut Lines| lines.waiting.len() < MAX_BYTES && !lines.closed;
        let gathered = self.came.wait_timeout_while(lines, GATHER, room);
        let (mut lines, _) = gathered.unwrap_or_else(PoisonError::into_inner);
        mem::swap(&mut lines.waiting, batch);
        drop(lines);
        self.went.notify_all();
        !batch.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Hands over what is written.
    struct Written(Sender<Vec<u8>>);

    impl Write for Written {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            let _ = self.0.send(bytes.to_vec());
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn start() -> (LogQueue, LogWriter, Receiver<Vec<u8>>) {
        let (sender, written) = channel();
        let (queue, writer) = LogWriter::start(Written(sender));
        (queue, writer, written)
    }

    #[test]
    fn a_line_is_written_without_being_asked_for() {
        let (queue, _writer, written) = start();
        queue.push(b"one\n");
        assert_eq!(written.recv().unwrap(), b"one\n");
    }

    #[test]
    fn the_end_writes_what_is_left_in_order() {
        let (queue, writer, written) = start();
        let lines: Vec<_> = (0..10_000).map(|line| format!("{line}\n")).collect();
        for line in &lines {
            queue.push(line.as_bytes());
        }
        drop(writer);
        assert_eq!(String::from_utf8(written.try_iter().flatten().collect()).unwrap(), lines.concat());
    }

    #[test]
    fn more_than_the_memory_takes_waits_and_comes_whole() {
        let (queue, writer, written) = start();
        let line = vec![b'x'; MAX_BYTES / 3];
        for _ in 0..20 {
            queue.push(&line);
        }
        drop(writer);
        assert_eq!(written.try_iter().flatten().count(), 20 * line.len());
    }

    #[test]
    fn lines_of_many_threads_stay_whole() {
        let (queue, writer, written) = start();
        thread::scope(|scope| {
            for name in ["a", "b", "c", "d"] {
                let queue = queue.clone();
                scope.spawn(move || (0..1000).for_each(|_| queue.push(format!("{}\n", name.repeat(40)).as_bytes())));
            }
        });
        drop(writer);
        let text = String::from_utf8(written.try_iter().flatten().collect()).unwrap();
        assert_eq!(text.lines().count(), 4000);
        assert!(text.lines().all(|line| line.len() == 40 && line.bytes().all(|byte| byte == line.as_bytes()[0])));
    }
}
