//! `cargo identity [FILTER]`: the gateway in this process with a real Keycloak as its issuer, over TLS.
//!
//! What no issuer of ours can show: tokens as a product makes them, its login form, its registration policies, its way to change
//! keys, and the official SDK's own OAuth flow against it. The first run fetches Keycloak and npm packages, so this is no part
//! of `cargo test`. docs/identity/keycloak.md says the same to users, about the same realm.
#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up has failed, and says where")]

mod access;
mod clock;
mod gateway;
mod keys;
mod outage;
mod people;
mod registration;
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

/// The last ones change keys and kill the process.
const TESTS: &[Test<World>] = table_of_tests![
    access::a_token_with_audience_and_scope_calls,
    access::a_token_without_the_audience_is_invalid,
    access::a_token_without_the_scope_is_told_which,
    access::people_and_service_accounts_are_told_apart,
    access::the_parameter_resource_gives_no_audience,
    people::a_person_signs_in_with_pkce_and_calls,
    people::a_person_without_the_role_gets_neither_scope_nor_audience,
    people::without_pkce_nobody_signs_in,
    people::a_refreshed_token_calls,
    people::refresh_and_id_tokens_are_refused,
    people::an_ended_session_gives_no_new_token_and_the_old_one_lives_until_exp,
    people::an_offline_token_ends_with_the_consent,
    people::an_offline_token_ends_with_all_sessions,
    registration::a_client_with_a_foreign_redirect_is_refused,
    registration::a_client_with_a_mapper_of_its_own_is_refused,
    registration::a_workload_that_registered_itself_gets_neither_scope_nor_audience,
    registration::a_client_that_names_scopes_gets_the_audience_with_them,
    registration::the_sdk_registers_signs_in_and_calls,
    keys::a_rotation_under_load_refuses_no_valid_call,
    outage::a_dead_issuer_stops_nobody_and_is_found_again,
];

/// How long one test may take. Chosen: several times what the slowest takes on two busy cores.
const PATIENCE: Duration = Duration::from_secs(300);

fn main() -> ExitCode {
    let about = "The gateway with a real Keycloak as its issuer.";
    let suite = Suite { command: "cargo identity", about, patience: PATIENCE, tests: TESTS };
    suite.main(World::start, |world| format!("Keycloak said last:\n{}", world.keycloak.said()))
}
