//! Everything that leaves the process or stays behind, and what was found in it.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;

use crate::support::Answer;

use super::secret::{Finder, Secret};

/// Where a secret could end up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Sink {
    /// Standard output and standard error, at level debug and to the end of the process.
    Output,
    /// What the collector was sent, as bytes.
    Spans,
    Metrics,
    Report,
    Readiness,
    Liveness,
    /// Head and body of the answers to those requests by which it was planted.
    OwnAnswer,
    /// The same of every other request.
    OtherAnswers,
    /// What the upstream was sent: target, head, body.
    Upstream,
    /// Names and contents of what is in the working directory, and of regular files that the process holds open.
    Files,
    CommandLine,
    Environment,
}

impl Sink {
    const ALL: [Self; 12] = [
        Self::Output,
        Self::Spans,
        Self::Metrics,
        Self::Report,
        Self::Readiness,
        Self::Liveness,
        Self::OwnAnswer,
        Self::OtherAnswers,
        Self::Upstream,
        Self::Files,
        Self::CommandLine,
        Self::Environment,
    ];
}

impl fmt::Display for Sink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Output => "stdout and stderr",
            Self::Spans => "the exported spans",
            Self::Metrics => "/metrics",
            Self::Report => "/report",
            Self::Readiness => "/readyz",
            Self::Liveness => "/livez",
            Self::OwnAnswer => "the answer to the request that it came by",
            Self::OtherAnswers => "the answer to another request",
            Self::Upstream => "what the upstream was sent",
            Self::Files => "files",
            Self::CommandLine => "the command line",
            Self::Environment => "the environment",
        })
    }
}

/// All that was caught.
#[derive(Default)]
pub(super) struct Sinks {
    caught: Vec<(Sink, Vec<u8>)>,
    /// With the place that the request planted in.
    answers: Vec<(String, Vec<u8>)>,
}

impl Sinks {
    pub(super) fn catch(&mut self, sink: Sink, bytes: impl Into<Vec<u8>>) {
        self.caught.push((sink, bytes.into()));
    }

    pub(super) fn catch_answer(&mut self, place: &str, answer: &Answer) {
        let mut bytes = answer.status.to_string().into_bytes();
        for (name, value) in &answer.headers {
            bytes.extend([b"\n", name.as_str().as_bytes(), b": ", value.as_bytes()].concat());
        }
        bytes.extend([b"\n\n", &*answer.body].concat());
        self.answers.push((place.to_owned(), bytes));
    }

    /// What of the process can be read by whoever shares its machine.
    pub(super) fn catch_process(&mut self, proc: &Path) {
        self.catch(Sink::CommandLine, std::fs::read(proc.join("cmdline")).unwrap());
        self.catch(Sink::Environment, std::fs::read(proc.join("environ")).unwrap());
        for entry in std::fs::read_dir(proc.join("fd")).unwrap() {
            let Ok(target) = std::fs::metadata(entry.as_ref().unwrap().path()) else { continue };
            if target.is_file() {
                self.catch(Sink::Files, std::fs::read(entry.unwrap().path()).unwrap());
            }
        }
    }

    /// Every file below `folder`.
    pub(super) fn catch_files(&mut self, folder: &Path) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            self.catch(Sink::Files, path.to_str().unwrap());
            if path.is_dir() {
                self.catch_files(&path);
            } else {
                self.catch(Sink::Files, std::fs::read(path).unwrap());
            }
        }
    }

    /// One line for each secret that is where it must not be, or is not where it must be.
    pub(super) fn complaints(&self, secrets: &[Secret]) -> Vec<String> {
        let found = self.found(secrets);
        let mut complaints = Vec::new();
        for (index, secret) in secrets.iter().enumerate() {
            let place = &secret.place;
            for sink in Sink::ALL {
                let forms: Vec<_> =
                    found.iter().filter(|(s, i, _)| (*s, *i) == (sink, index)).map(|found| found.2).collect();
                match (secret.found_in.contains(&sink), forms.is_empty()) {
                    (false, false) => complaints.push(format!("LEAK: {place}: in {sink} ({})", forms.join(", "))),
                    (true, true) => complaints.push(format!("MISSING: {place}: not in {sink}")),
                    (true, false) | (false, true) => {}
                }
            }
        }
        complaints
    }

    fn found(&self, secrets: &[Secret]) -> BTreeSet<(Sink, usize, &'static str)> {
        let finder = Finder::new(secrets);
        let caught = self
            .caught
            .iter()
            .flat_map(|(sink, bytes)| finder.find(bytes).into_iter().map(|(secret, form)| (*sink, secret, form)));
        let answered = self.answers.iter().flat_map(|(place, bytes)| {
            finder.find(bytes).into_iter().map(|(secret, form)| {
                let own = secrets[secret].place == *place;
                (if own { Sink::OwnAnswer } else { Sink::OtherAnswers }, secret, form)
            })
        });
        caught.chain(answered).collect()
    }
}
