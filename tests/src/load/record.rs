//! Where all clients of a load write down what they see.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use super::{
    connection::Trouble,
    report::{Failure, Kind, Report},
};

/// Failures that are kept in full; those beyond are counted.
const KEPT_FAILURES: usize = 200;

/// Latencies that are kept: those of half an hour at the usual rate.
const KEPT_LATENCIES: usize = 1_000_000;

/// The counts of one load.
#[derive(Debug)]
pub(super) struct Record(Mutex<State>);

#[derive(Debug)]
struct State {
    began: Instant,
    report: Report,
}

impl Record {
    pub(super) fn new(now: Instant) -> Self {
        Self(Mutex::new(State { began: now, report: Report::default() }))
    }

    /// The preparation is over. The streams that it opened count.
    pub(super) fn begin(&self, now: Instant) {
        let mut state = self.lock();
        let streams_opened = state.report.streams_opened;
        *state = State { began: now, report: Report { streams_opened, ..Report::default() } };
    }

    pub(super) fn answered(&self, after: Duration, tries: usize) {
        let report = &mut self.lock().report;
        report.answered += 1;
        report.persisted += u64::from(tries > 1);
        if report.latencies.len() < KEPT_LATENCIES {
            report.latencies.push(u32::try_from(after.as_micros()).unwrap_or(u32::MAX));
        }
    }

    pub(super) fn failed(&self, who_and_what: &str, trouble: &Trouble) {
        let mut state = self.lock();
        *state.report.failed.entry(trouble.kind).or_default() += 1;
        state.keep(trouble.kind, format!("{who_and_what}: {}", trouble.words));
    }

    pub(super) fn tried_again(&self, trouble: &Trouble) {
        *self.lock().report.tried_again.entry(trouble.kind).or_default() += 1;
    }

    pub(super) fn unanswered(&self, trouble: &Trouble) {
        let mut state = self.lock();
        state.report.unanswered += 1;
        state.keep(trouble.kind, format!("sent again, the connection was closed under it: {}", trouble.words));
    }

    pub(super) fn told_to_close(&self) {
        self.lock().report.told_to_close += 1;
    }

    pub(super) fn found_closed(&self) {
        self.lock().report.found_closed += 1;
    }

    pub(super) fn stream_opened(&self) {
        self.lock().report.streams_opened += 1;
    }

    pub(super) fn stream_ended(&self) {
        self.lock().report.streams_ended += 1;
    }

    pub(super) fn stream_broke(&self, who: &str, trouble: &Trouble) {
        let mut state = self.lock();
        state.report.streams_broken += 1;
        state.keep(trouble.kind, format!("{who}, a stream: {}", trouble.words));
    }

    /// An event of the session of this client.
    pub(super) fn event(&self, client: usize) {
        *self.lock().report.events.entry(client).or_default() += 1;
    }

    /// What the client of a session found when it had heard that the tools changed.
    pub(super) fn tools(&self, client: usize, names: Vec<String>) {
        self.lock().report.tools.insert(client, names);
    }

    /// An event that should not have come, or not now.
    pub(super) fn disordered(&self, who: &str, problem: &str) {
        let mut state = self.lock();
        state.report.disordered += 1;
        state.keep(Kind::WrongAnswer, format!("{who}, the session's stream: {problem}"));
    }

    pub(super) fn report(&self) -> Report {
        let state = self.lock();
        let mut report = Report { lasted: state.began.elapsed(), ..state.report.clone() };
        drop(state);
        report.latencies.sort_unstable();
        report
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn keep(&mut self, kind: Kind, words: String) {
        if self.report.failures.len() < KEPT_FAILURES {
            self.report.failures.push(Failure { at: self.began.elapsed(), kind, words });
        }
    }
}
