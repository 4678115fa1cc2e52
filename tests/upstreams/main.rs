//! `cargo peers [FILTER]`: the gateway in front of the official SDKs as upstreams, in this process and over real HTTP.
//!
//! All peers stand behind one gateway at once, and each check goes through all revisions that the gateway speaks.
//! One test after the other, because one of them kills peers. The last line is `N passed, N failed`. The first run installs
//! packages from npm, PyPI and the Go module proxy, so this is no part of `cargo test`.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed, and says where")]

mod calls;
mod cancellation;
mod hostile;
mod lists;
mod outage;
mod policy;
mod progress;
mod report;
mod voice;
mod world;

/// What drives a gateway in process is shared with the tests that need no network.
#[path = "../it"]
mod it {
    #[expect(dead_code, unused_imports, reason = "what those other tests alone need")]
    pub(crate) mod support;
}

use std::{process::ExitCode, time::Duration};

use tests::{
    suite::{Suite, Test},
    table_of_tests,
};

use world::World;

const TESTS: &[Test<World>] = table_of_tests![
    report::each_peer_is_met_in_the_newest_revision_that_it_speaks,
    lists::definitions_pass_through_in_every_revision,
    calls::results_pass_through_in_every_revision,
    calls::a_failing_tool_is_a_result,
    calls::a_tool_that_asks_for_input_is_told_that_it_cannot,
    progress::progress_carries_the_clients_own_token,
    cancellation::whoever_leaves_in_the_modern_era_stops_the_upstream,
    cancellation::whoever_cancels_in_the_older_era_stops_the_upstream,
    policy::an_upstreams_tool_is_hidden_until_a_rule_names_it,
    policy::a_missing_scope_is_challenged,
    outage::a_dead_peer_is_nobody_elses_problem_and_is_found_again,
    hostile::what_misbehaves_ends_in_bounded_errors_of_its_own,
];

/// How long one test may take. Chosen: several times what the slowest takes on two busy cores.
const PATIENCE: Duration = Duration::from_secs(180);

fn main() -> ExitCode {
    let about = "The gateway in front of the official SDKs.";
    let suite = Suite { command: "cargo peers", about, patience: PATIENCE, tests: TESTS };
    suite.main(World::start, World::what_peers_said)
}
