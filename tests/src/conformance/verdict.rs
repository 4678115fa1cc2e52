//! From the checks that the suite wrote down to what we make of them.

use serde::Deserialize;

use super::runs::{Run, not_implemented};

/// Checks that only write down what went over the wire, and one that says that a list came as JSON, which is as good as a
/// stream. Any other remark stands in the place of a check that was not made.
const REMARKS: [&str; 5] =
    ["outgoing-request", "incoming-response", "incoming-sse-event", "stream-closed", "server-sse-streams-functional"];

/// A check, as the suite writes it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Check {
    id: String,
    #[serde(default)]
    description: String,
    status: Status,
    #[serde(default)]
    error_message: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
enum Status {
    Success,
    Failure,
    Warning,
    Skipped,
    Info,
}

impl Check {
    /// Why it does not stand, in one line.
    fn problem(&self) -> Option<String> {
        let what = match self.status {
            Status::Success => return None,
            Status::Info if REMARKS.contains(&self.id.as_str()) => return None,
            Status::Failure => "failed",
            Status::Warning => "a SHOULD was missed",
            Status::Skipped => "was skipped",
            Status::Info => "was not made",
        };
        let why = self.error_message.as_deref().unwrap_or(&self.description);
        Some(format!("{} {what}: {}", self.id, first_line(why)))
    }
}

/// A scenario after it was run.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) name: String,
    /// Checks that succeeded.
    pub(super) checks: usize,
    /// One line each; empty: it passed.
    pub(super) problems: Vec<String>,
    /// The extension that it is about, if we do not implement that. Its problems are none.
    pub(super) not_implemented: Option<&'static str>,
}

impl Scenario {
    /// `checks` is `None` if the scenario ended without writing any.
    pub(super) fn new(name: &str, checks: Option<&[Check]>) -> Self {
        let checks = checks.unwrap_or_default();
        let succeeded = checks.iter().filter(|check| check.status == Status::Success).count();
        let not_implemented = not_implemented(name);
        let problems = match (not_implemented, succeeded) {
            (Some(_), _) => Vec::new(),
            (None, 0) if checks.iter().all(|check| check.problem().is_none()) => {
                vec!["no check was made; the scenario broke off".to_owned()]
            }
            (None, _) => checks.iter().filter_map(Check::problem).collect(),
        };
        Self { name: name.to_owned(), checks: succeeded, problems, not_implemented }
    }

    pub(super) fn passed(&self) -> bool {
        self.not_implemented.is_none() && self.problems.is_empty()
    }
}

/// A run after it was run.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) run: &'static Run,
    pub(super) scenarios: Vec<Scenario>,
}

impl Outcome {
    /// A run without scenarios has not passed: the runner did not do what it was told.
    pub(super) fn passed(&self) -> bool {
        let counts = self.counts();
        counts.failed == 0 && counts.passed > 0
    }

    pub(super) fn counts(&self) -> Counts {
        let count = |wanted: fn(&Scenario) -> bool| self.scenarios.iter().filter(|scenario| wanted(scenario)).count();
        Counts {
            passed: count(Scenario::passed),
            failed: count(|scenario| !scenario.problems.is_empty()),
            skipped: count(|scenario| scenario.not_implemented.is_some()),
        }
    }

    /// Successful checks of the scenarios that count.
    pub(super) fn checks(&self) -> usize {
        let counted = self.scenarios.iter().filter(|scenario| scenario.not_implemented.is_none());
        counted.map(|scenario| scenario.checks).sum()
    }
}

/// Numbers of scenarios.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) skipped: usize,
}

fn first_line(text: &str) -> &str {
    text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{super::runs::RUNS, *};

    fn scenario(name: &str, checks: &str) -> Scenario {
        Scenario::new(name, Some(&serde_json::from_str::<Vec<Check>>(checks).unwrap()))
    }

    #[test]
    fn only_success_and_mere_remarks_pass() {
        let passed = scenario(
            "a",
            r#"[{"id":"x","status":"SUCCESS","timestamp":"t"},{"id":"stream-closed","status":"INFO","description":"d"}]"#,
        );
        assert!(passed.passed() && passed.checks == 1);
        let failed = scenario(
            "b",
            r#"[{"id":"x","status":"SUCCESS"},
                {"id":"f","status":"FAILURE","errorMessage":"why\nmore"},
                {"id":"w","status":"WARNING","description":"should"},
                {"id":"s","status":"SKIPPED","description":"not listed"},
                {"id":"resume","status":"INFO","description":"not disconnected"}]"#,
        );
        assert_eq!(
            failed.problems,
            [
                "f failed: why",
                "w a SHOULD was missed: should",
                "s was skipped: not listed",
                "resume was not made: not disconnected",
            ]
        );
    }

    #[test]
    fn a_scenario_without_checks_failed() {
        assert!(!Scenario::new("a", None).passed());
        assert!(!scenario("a", r#"[{"id":"stream-closed","status":"INFO"}]"#).passed());
    }

    #[test]
    fn an_extension_is_skipped_whatever_its_checks_say() {
        let checks = r#"[{"id":"x","status":"SUCCESS"},{"id":"f","status":"FAILURE"}]"#;
        let outcome = Outcome { run: &RUNS[0], scenarios: vec![scenario("tasks-a", checks), scenario("b", checks)] };
        assert_eq!(outcome.counts(), Counts { passed: 0, failed: 1, skipped: 1 });
        assert_eq!(outcome.checks(), 1);
        assert!(!outcome.passed() && !Outcome { run: &RUNS[0], scenarios: vec![] }.passed());
    }
}
