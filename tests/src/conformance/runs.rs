//! What is run: two releases of the suite, five selections of their scenarios, and what of it we do not implement.

/// A release of the suite, as `tests/conformance/package.json` calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Release {
    /// All eras.
    Alpha,
    /// What `npx` runs when nobody says which: the eras with sessions only.
    Stable,
}

impl Release {
    pub(super) const fn package(self) -> &'static str {
        match self {
            Self::Alpha => "conformance-alpha",
            Self::Stable => "conformance-stable",
        }
    }

    /// As npm calls it; a test compares it with `package.json`.
    pub(super) const fn version(self) -> &'static str {
        match self {
            Self::Alpha => "0.2.0-alpha.12",
            Self::Stable => "0.1.16",
        }
    }
}

/// One call of the runner.
#[derive(Debug)]
pub(super) struct Run {
    /// For the command line, the summary and the page.
    pub(super) name: &'static str,
    pub(super) release: Release,
    /// Which scenarios, in the runner's own words.
    pub(super) selection: &'static [&'static str],
}

/// In the order in which they run. A requirement set is what a revision requires, at that revision's wire.
pub(super) static RUNS: [Run; 5] = [
    Run { name: "2026-07-28", release: Release::Alpha, selection: &["--requirements", "2026-07-28"] },
    Run { name: "2025-11-25", release: Release::Alpha, selection: &["--requirements", "2025-11-25"] },
    Run { name: "2025-06-18", release: Release::Alpha, selection: &["--suite", "all", "--spec-version", "2025-06-18"] },
    Run { name: "2025-03-26", release: Release::Alpha, selection: &["--suite", "all", "--spec-version", "2025-03-26"] },
    Run { name: "stable", release: Release::Stable, selection: &["--suite", "all"] },
];

/// Extensions that we do not implement: how the names of their scenarios begin, and what they are.
static NOT_IMPLEMENTED: [(&str, &str); 2] = [("tasks-", "extension Tasks"), ("sep-2640-skills-", "extension Skills")];

/// Why a scenario does not count, if it does not.
pub(super) fn not_implemented(scenario: &str) -> Option<&'static str> {
    NOT_IMPLEMENTED.iter().find(|(prefix, _)| scenario.starts_with(prefix)).map(|(_, extension)| *extension)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn releases_are_those_that_are_installed() {
        let package: serde_json::Value = serde_json::from_str(include_str!("../../conformance/package.json")).unwrap();
        for release in [Release::Alpha, Release::Stable] {
            let installed = format!("npm:@modelcontextprotocol/conformance@{}", release.version());
            assert_eq!(package["dependencies"][release.package()], installed);
        }
    }

    #[test]
    fn only_extensions_do_not_count() {
        assert_eq!(not_implemented("tasks-lifecycle"), Some("extension Tasks"));
        assert_eq!(not_implemented("sep-2640-skills-directory"), Some("extension Skills"));
        assert_eq!(not_implemented("server-stateless"), None);
    }
}
