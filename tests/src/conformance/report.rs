//! What people read: a summary after each run, the closing line, and the reference page.
//!
//! The page holds neither date nor duration: the same results give the same bytes.

use std::fmt::Write as _;

use super::verdict::{Counts, Outcome, Scenario};

/// After a run: its numbers, and every problem.
pub(super) fn summary(outcome: &Outcome, way: &str) -> String {
    let Counts { passed, failed, skipped } = outcome.counts();
    let run = outcome.run;
    let mut text = format!(
        "{:<11} {way:<9} {passed:>3} scenarios passed, {failed} failed, {skipped} not implemented; {} checks passed  ({} {})\n",
        run.name,
        outcome.checks(),
        run.release.version(),
        run.selection.join(" "),
    );
    for Scenario { name, problems, .. } in &outcome.scenarios {
        for problem in problems {
            let _ = writeln!(text, "    {name}: {problem}");
        }
    }
    text
}

/// The last line. A scenario counts once for each run that it is in.
pub(super) fn closing(outcomes: &[Outcome]) -> String {
    let total = outcomes.iter().map(Outcome::counts).fold(Counts::default(), |sum, counts| Counts {
        passed: sum.passed + counts.passed,
        failed: sum.failed + counts.failed,
        skipped: sum.skipped + counts.skipped,
    });
    format!("{} passed, {} failed, {} skipped", total.passed, total.failed, total.skipped)
}

/// `docs/reference/conformance.md`.
pub(super) fn page(outcomes: &[Outcome]) -> String {
    let mut page = String::from(
        "# Conformance\n\n\
         What the official MCP conformance suite (npm `@modelcontextprotocol/conformance`) says about this gateway. Written by\n\
         `cargo conformance`, which runs it against the server library with the suite's fixtures; do not edit.\n\n\
         A scenario passed when every check in it did, without a warning and without a skipped check. Not implemented are the\n\
         extensions Tasks and Skills: their scenarios are counted apart.\n\n\
         | Run | Suite | Selection | Scenarios passed | Failed | Not implemented | Checks passed |\n\
         | --- | --- | --- | ---: | ---: | ---: | ---: |\n",
    );
    for outcome in outcomes {
        let Counts { passed, failed, skipped } = outcome.counts();
        let run = outcome.run;
        let _ = writeln!(
            page,
            "| {} | {} | `{}` | {passed} | {failed} | {skipped} | {} |",
            run.name,
            run.release.version(),
            run.selection.join(" "),
            outcome.checks()
        );
    }
    page.push_str("\n## Checks passed in each scenario\n\n| Scenario |");
    for outcome in outcomes {
        let _ = write!(page, " {} |", outcome.run.name);
    }
    page.push_str("\n| --- |");
    page.push_str(&" ---: |".repeat(outcomes.len()));
    page.push('\n');
    for name in names(outcomes) {
        let _ = write!(page, "| `{name}` |");
        for outcome in outcomes {
            let scenario = outcome.scenarios.iter().find(|scenario| scenario.name == name);
            let _ = write!(page, " {} |", scenario.map_or_else(String::new, cell));
        }
        page.push('\n');
    }
    page
}

fn cell(scenario: &Scenario) -> String {
    match (scenario.not_implemented, scenario.problems.len()) {
        (Some(_), _) => "not implemented".to_owned(),
        (None, 0) => scenario.checks.to_string(),
        (None, failed) => format!("**{} of {}**", scenario.checks, scenario.checks + failed),
    }
}

/// Every scenario once, where it came first.
fn names(outcomes: &[Outcome]) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for scenario in outcomes.iter().flat_map(|outcome| &outcome.scenarios) {
        if !names.contains(&scenario.name.as_str()) {
            names.push(&scenario.name);
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::{super::runs::RUNS, *};

    fn scenario(name: &str, checks: usize, problems: &[&str], not_implemented: Option<&'static str>) -> Scenario {
        let problems = problems.iter().map(ToString::to_string).collect();
        Scenario { name: name.to_owned(), checks, problems, not_implemented }
    }

    fn outcomes() -> Vec<Outcome> {
        vec![
            Outcome {
                run: &RUNS[0],
                scenarios: vec![
                    scenario("ping", 2, &[], None),
                    scenario("caching", 5, &["ttl failed: negative"], None),
                    scenario("tasks-lifecycle", 1, &[], Some("extension Tasks")),
                ],
            },
            Outcome { run: &RUNS[4], scenarios: vec![scenario("ping", 1, &[], None)] },
        ]
    }

    #[test]
    fn a_summary_names_each_problem_and_the_last_line_counts() {
        assert_eq!(
            summary(&outcomes()[0], "loopback"),
            "2026-07-28  loopback    1 scenarios passed, 1 failed, 1 not implemented; 7 checks passed  (0.2.0-alpha.12 --requirements 2026-07-28)\n    \
             caching: ttl failed: negative\n"
        );
        assert_eq!(closing(&outcomes()), "2 passed, 1 failed, 1 skipped");
    }

    #[test]
    fn the_page_shows_runs_and_scenarios() {
        let page = page(&outcomes());
        assert!(
            page.contains("| 2026-07-28 | 0.2.0-alpha.12 | `--requirements 2026-07-28` | 1 | 1 | 1 | 7 |"),
            "{page}"
        );
        assert!(
            page.contains(
                "| `ping` | 2 | 1 |\n| `caching` | **5 of 6** |  |\n| `tasks-lifecycle` | not implemented |  |\n"
            ),
            "{page}"
        );
    }
}
