//! What becomes of each request of one operator process: it passes until the first write that was not faulted yet, and then
//! nothing does. Pure.

use std::collections::BTreeSet;

use super::write::Write;

/// Where in a write the operator is stopped.
///
/// Source: operator.md, 1.1, «Crash faults».
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The API server never hears of it.
    BeforeForward,
    /// It is done, and the operator does not learn so.
    AfterCommit,
    /// It is done, and the operator was told.
    AfterAnswer,
}

impl Fault {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::BeforeForward, Self::AfterCommit, Self::AfterAnswer];
}

/// The faults of one kind in one namespace. Each write is faulted once, whichever process tries it first.
#[derive(Clone, Debug)]
pub struct Faults {
    pub(super) fault: Fault,
    pub(super) namespace: String,
    faulted: BTreeSet<Write>,
    /// Since the fault of this process.
    holds: bool,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It goes on, and its answer back.
    Pass,
    /// This is where the process is stopped.
    Stop,
    /// Neither goes on: the process counts as dead.
    Hold,
}

impl Faults {
    /// For a first process.
    pub fn new(fault: Fault, namespace: &str) -> Self {
        Self { fault, namespace: namespace.to_owned(), faulted: BTreeSet::new(), holds: false }
    }

    /// For the process after this one.
    #[must_use]
    pub fn go_on(self) -> Self {
        Self { holds: false, ..self }
    }

    /// The API server has refused `write`: nothing was written, and the process goes on.
    pub(super) fn take_back(&mut self, write: &Write) {
        self.faulted.remove(write);
        self.holds = false;
    }

    /// Decides; `write` is what the request writes, if it counts.
    pub(super) fn judge(&mut self, write: Option<&Write>) -> Verdict {
        match write {
            _ if self.holds => Verdict::Hold,
            Some(write) if self.faulted.insert(write.clone()) => {
                self.holds = true;
                Verdict::Stop
            }
            _ => Verdict::Pass,
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::{
        Verdict::{Hold, Pass, Stop},
        *,
    };

    #[test]
    fn a_process_is_stopped_at_the_first_write_that_was_not_faulted_and_then_nothing_passes() {
        let mut faults = Faults::new(Fault::AfterCommit, "team-a");
        assert_eq!(faults.judge(None), Verdict::Pass);
        assert_eq!(faults.judge(Some(&write("a"))), Verdict::Stop);
        for held in [None, Some(&write("a")), Some(&write("b"))] {
            assert_eq!(faults.judge(held), Verdict::Hold);
        }
    }

    #[test]
    fn each_write_is_faulted_once_whichever_process_tries_it() {
        let mut faults = Faults::new(Fault::BeforeForward, "team-a");
        let mut told = Vec::new();
        for _process in 0..3 {
            for name in ["a", "b"] {
                told.push(faults.judge(Some(&write(name))));
            }
            faults = faults.go_on();
        }
        assert_eq!(told, [Stop, Hold, Pass, Stop, Pass, Pass]);
    }

    fn write(name: &str) -> Write {
        Write::read("team-a", &Method::DELETE, &format!("/api/v1/namespaces/team-a/secrets/{name}"), b"").unwrap()
    }
}
