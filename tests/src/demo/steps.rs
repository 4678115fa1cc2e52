//! Numbered steps with the time that each took.

use std::{
    io::{Write, stdout},
    time::Instant,
};

use anyhow::Result;

/// Where the demo is.
pub(super) struct Steps {
    count: usize,
    done: usize,
    started: Instant,
}

impl Steps {
    pub(super) fn new(count: usize) -> Self {
        Self { count, done: 0, started: Instant::now() }
    }

    /// Says what is about to be done, does it, and says how long it took. Work that prints starts a line of its own.
    pub(super) fn run<T>(&mut self, what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        self.announce(what);
        let began = Instant::now();
        let result = work();
        let outcome = if result.is_ok() { "done" } else { "failed" };
        println!("      {outcome} in {:.1} s", began.elapsed().as_secs_f32());
        result
    }

    /// A step that prints for itself.
    pub(super) fn announce(&mut self, what: &str) {
        self.done += 1;
        println!("[{}/{}] {what}", self.done, self.count);
        // The next to print may be another program, on standard error.
        let _ = stdout().flush();
    }

    /// The closing line.
    pub(super) fn done(&self) {
        println!("\nAll of it took {:.1} s.\n", self.started.elapsed().as_secs_f32());
    }
}
