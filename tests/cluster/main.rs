//! `cargo e2e [FILTER]`: the product on a real Kubernetes, installed from its chart, with its own images.
//!
//! One test after the other, because the audit log is read for what each of them caused. Progress as it
//! goes; the last line is `N passed, N failed`. A cluster that was up before stays up.

mod any_replica;
mod audit;
mod chart;
mod clients;
mod crd;
mod failures;
mod identity;
mod idle;
mod killed;
mod lifecycle;
mod outside;
mod policy;
mod ready;
mod redis;
mod rights;
mod rollout;
mod sign_in;
mod space;
mod upstreams;
mod world;

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    process::ExitCode,
    time::Instant,
};

use anyhow::{Result, anyhow, ensure};
use clap::{Args, Parser};
use tests::cluster::{Options, target::Selection};

use world::World;

/// The end-to-end tests.
#[derive(Debug, Parser)]
#[command(name = "cargo e2e")]
struct Cli {
    /// Run only tests whose name contains this.
    filter: Option<String>,
    #[command(flatten)]
    selection: Selection,
    /// Install missing Debian packages without asking (also: CI=true).
    #[arg(long)]
    yes: bool,
    /// How long the idle test watches, in seconds.
    #[arg(long, value_name = "SECONDS", env = "MCP_E2E_IDLE_SECONDS", default_value_t = 60)]
    idle_seconds: u64,
    #[command(flatten)]
    under_load: UnderLoad,
    /// Print the names of the tests and do nothing.
    #[arg(long)]
    list: bool,
    /// Leave the cluster up, also when it was started for this.
    #[arg(long)]
    keep: bool,
}

/// How much the tests under load ask for. The defaults are what a run of everything can spare; the acceptance is 10 rollouts, and
/// 120 seconds of kills.
#[derive(Clone, Copy, Debug, Args)]
struct UnderLoad {
    /// Rollouts in a row.
    #[arg(long, value_name = "NUMBER", env = "MCP_E2E_ROLLOUTS", default_value_t = 2)]
    rollouts: u32,
    /// For how long pods are killed, one after the other.
    #[arg(long, value_name = "SECONDS", env = "MCP_E2E_KILL_SECONDS", default_value_t = 30)]
    kill_seconds: u64,
    /// Calls during rollouts, of all clients together.
    #[arg(long, value_name = "NUMBER", env = "MCP_E2E_CALLS_PER_SECOND", default_value_t = 500)]
    calls_per_second: u32,
    /// Listen streams that are open during rollouts.
    #[arg(long, value_name = "NUMBER", env = "MCP_E2E_STREAMS", default_value_t = 200)]
    streams: usize,
}

type Test = (&'static str, fn(&World) -> Result<()>);

/// In the order in which they run: the last ones disturb the others, or look back at them.
const TESTS: &[Test] = &[
    ("chart::renders_as_recorded", chart::renders_as_recorded),
    ("crd::every_rule_accepts_and_refuses", crd::every_rule_accepts_and_refuses),
    ("crd::examples_pass_a_dry_run", crd::examples_pass_a_dry_run),
    ("crd::explain_reads_like_a_manual", crd::explain_reads_like_a_manual),
    ("ready::apply_to_ready_in_few_writes_and_no_read", ready::apply_to_ready_in_few_writes_and_no_read),
    ("ready::requests_pass_the_ingress", ready::requests_pass_the_ingress),
    ("ready::get_fits_120_columns", ready::get_fits_120_columns),
    ("clients::python_sdk", clients::python_sdk),
    ("clients::typescript_sdk", clients::typescript_sdk),
    ("clients::go_sdk", clients::go_sdk),
    ("sign_in::an_sdk_finds_its_way_from_the_url_to_a_call", sign_in::an_sdk_finds_its_way_from_the_url_to_a_call),
    (
        "upstreams::official_servers_answer_official_clients_with_scopes",
        upstreams::official_servers_answer_official_clients_with_scopes,
    ),
    ("identity::a_pod_calls_with_its_service_account_token", identity::a_pod_calls_with_its_service_account_token),
    ("identity::two_servers_on_one_host_keep_apart", identity::two_servers_on_one_host_keep_apart),
    ("identity::an_outage_of_the_issuer_ends_nobody", identity::an_outage_of_the_issuer_ends_nobody),
    ("lifecycle::a_deleted_child_comes_back", lifecycle::a_deleted_child_comes_back),
    ("lifecycle::a_hand_edited_field_is_restored", lifecycle::a_hand_edited_field_is_restored),
    ("lifecycle::a_foreign_annotation_is_left_alone", lifecycle::a_foreign_annotation_is_left_alone),
    ("lifecycle::an_ingress_that_is_no_longer_wanted_goes", lifecycle::an_ingress_that_is_no_longer_wanted_goes),
    ("lifecycle::deleting_leaves_nothing", lifecycle::deleting_leaves_nothing),
    ("policy::a_tightened_rule_is_in_force_without_a_restart", policy::a_tightened_rule_is_in_force_without_a_restart),
    (
        "policy::a_tightened_rule_is_in_force_beside_a_broken_image",
        policy::a_tightened_rule_is_in_force_beside_a_broken_image,
    ),
    ("rollout::straight_to_the_service_no_call_fails", rollout::straight_to_the_service_no_call_fails),
    ("rollout::through_the_ingress_no_call_fails", rollout::through_the_ingress_no_call_fails),
    ("any_replica::sessions_outlive_pod_after_pod", any_replica::sessions_outlive_pod_after_pod),
    ("any_replica::sessions_outlive_the_redis", any_replica::sessions_outlive_the_redis),
    (
        "killed::a_killed_gateway_costs_no_session_and_nothing_is_mixed_up",
        killed::a_killed_gateway_costs_no_session_and_nothing_is_mixed_up,
    ),
    ("redis::a_managed_redis_is_for_its_own_gateway_alone", redis::a_managed_redis_is_for_its_own_gateway_alone),
    ("redis::a_lost_redis_degrades_and_comes_back", redis::a_lost_redis_degrades_and_comes_back),
    ("redis::a_wrong_secret_is_named_and_old_pods_serve", redis::a_wrong_secret_is_named_and_old_pods_serve),
    (
        "redis::a_mode_that_changes_fails_no_call_and_leaves_nothing",
        redis::a_mode_that_changes_fails_no_call_and_leaves_nothing,
    ),
    ("redis::a_rotation_fails_no_call_and_leaves_one_of_each", redis::a_rotation_fails_no_call_and_leaves_one_of_each),
    (
        "redis::a_rotation_goes_on_whenever_the_operator_is_killed",
        redis::a_rotation_goes_on_whenever_the_operator_is_killed,
    ),
    ("redis::a_volume_is_kept_or_goes_as_the_policy_says", redis::a_volume_is_kept_or_goes_as_the_policy_says),
    ("failures::a_missing_ca_is_named_and_old_pods_serve", failures::a_missing_ca_is_named_and_old_pods_serve),
    ("failures::a_bad_image_is_named_and_old_pods_serve", failures::a_bad_image_is_named_and_old_pods_serve),
    ("failures::a_killed_operator_finishes_what_it_began", failures::a_killed_operator_finishes_what_it_began),
    ("failures::an_operator_restart_writes_nothing", failures::an_operator_restart_writes_nothing),
    ("idle::twenty_servers_cost_no_request", idle::twenty_servers_cost_no_request),
    ("rights::no_right_is_missing", rights::no_right_is_missing),
    (
        "chart::upgrade_uninstall_and_reinstall_keep_the_servers",
        chart::upgrade_uninstall_and_reinstall_keep_the_servers,
    ),
    ("chart::a_list_of_namespaces_needs_no_cluster_role", chart::a_list_of_namespaces_needs_no_cluster_role),
    ("rights::no_secret_was_read", rights::no_secret_was_read),
    ("rights::every_rule_was_used", rights::every_rule_was_used),
];

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(&cli) {
        Ok(0) => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            println!("0 passed, 1 failed");
            ExitCode::FAILURE
        }
    }
}

/// Answers how many tests failed.
fn run(cli: &Cli) -> Result<usize> {
    let wanted: Vec<&Test> = TESTS
        .iter()
        .filter(|(name, _)| cli.filter.as_ref().is_none_or(|filter| name.contains(filter.as_str())))
        .collect();
    if cli.list {
        for (name, _) in wanted {
            println!("{name}");
        }
        return Ok(0);
    }
    ensure!(
        !wanted.is_empty(),
        "no test's name contains `{}`; `cargo e2e --list` names them",
        cli.filter.as_deref().unwrap_or_default()
    );
    let whole_suite = wanted.len() == TESTS.len();
    let world =
        World::new(&cli.selection, &Options { assume_yes: cli.yes }, cli.idle_seconds, cli.under_load, whole_suite)?;
    let mut failed = Vec::new();
    for (number, (name, test)) in wanted.iter().enumerate() {
        let started = Instant::now();
        println!("[{:>2}/{}] {name}", number + 1, wanted.len());
        match judged(&world, test) {
            Ok(()) => println!("        passed in {:.1} s", started.elapsed().as_secs_f32()),
            Err(error) => {
                println!("        FAILED in {:.1} s: {error:#}", started.elapsed().as_secs_f32());
                failed.push(*name);
            }
        }
    }
    if !failed.is_empty() {
        println!("\nthe operators said last:\n{}", tests::install::operator_logs(&world.cluster));
    }
    let torn_down = if cli.keep { Ok(()) } else { world.end() };
    for name in &failed {
        println!("failed: {name}");
    }
    println!("{} passed, {} failed", wanted.len() - failed.len(), failed.len());
    torn_down?;
    Ok(failed.len())
}

/// What a test says, and what was found when it was over: values panic that look at something as they go.
fn judged(world: &World, test: &fn(&World) -> Result<()>) -> Result<()> {
    let said = catch_unwind(AssertUnwindSafe(|| test(world))).unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
        Err(anyhow!("it panicked: {}", words.unwrap_or("without a word")))
    });
    let found = world.take_problems();
    match said {
        Ok(()) => {
            ensure!(found.is_empty(), "{}", found.join("; "));
            Ok(())
        }
        Err(problem) if found.is_empty() => Err(problem),
        Err(problem) => Err(problem.context(format!("besides: {}", found.join("; ")))),
    }
}
