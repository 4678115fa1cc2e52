//! What a changed file does to the policy in force.

use super::*;
use crate::{app::Deps, config::testing};

const DENY: &str = r#"{"version":1,"authorization":{"default":"Deny"}}"#;
const OPEN: &str = r#"{"version":1,"authorization":{"default":"Authenticated"}}"#;
const BROKEN: &str = r#"{"version":1,"authorization":{"default":"Allow"}}"#;

/// Must be called inside a Tokio runtime.
fn app() -> App {
    let policy = GatewayPolicy::parse(DENY.as_bytes()).unwrap();
    App::build(testing::config(), PolicySource::Fixed(policy), Deps::new(true)).unwrap()
}

#[expect(clippy::unnecessary_wraps, reason = "what reading a file gives")]
fn content(text: &str) -> Result<Vec<u8>, PolicyFileError> {
    Ok(text.as_bytes().to_vec())
}

#[tokio::test]
async fn a_changed_file_is_in_force_at_once() {
    let (app, mut seen) = (app(), None);
    look(&app, content(OPEN), &mut seen);
    assert_eq!(app.policy_revision(), revision(OPEN.as_bytes()));
    assert_eq!(app.file_problems(), Vec::<String>::new());
}

#[tokio::test]
async fn a_bad_file_changes_nothing_and_is_reported_until_it_is_good() {
    let (app, mut seen) = (app(), None);
    look(&app, content(OPEN), &mut seen);
    look(&app, content(BROKEN), &mut seen);
    assert_eq!(app.policy_revision(), revision(OPEN.as_bytes()));
    expect_test::expect![[r#"["policy file: field `authorization.default`: unknown variant, expected `Deny` or `Authenticated` at line 1 column 47"]"#]]
    .assert_eq(&format!("{:?}", app.file_problems()));
    look(&app, content(OPEN), &mut seen);
    assert_eq!(app.file_problems(), Vec::<String>::new());
}

#[tokio::test]
async fn a_file_that_is_gone_changes_nothing_and_is_reported() {
    let (app, mut seen) = (app(), None);
    look(&app, content(OPEN), &mut seen);
    look(&app, Err(PolicyFileError::Unreadable(std::io::ErrorKind::NotFound)), &mut seen);
    assert_eq!(app.policy_revision(), revision(OPEN.as_bytes()));
    assert_eq!(app.file_problems(), ["policy file: cannot be read: entity not found"]);
}

#[tokio::test]
async fn what_is_reported_is_the_problem_of_this_moment() {
    let (app, mut seen) = (app(), None);
    look(&app, Err(PolicyFileError::NotInTime), &mut seen);
    assert_eq!(app.file_problems(), ["policy file: cannot be read in time: the disk does not answer"]);
    look(&app, Err(PolicyFileError::Unreadable(std::io::ErrorKind::NotFound)), &mut seen);
    assert_eq!(app.file_problems(), ["policy file: cannot be read: entity not found"]);
}

#[tokio::test]
async fn one_change_is_acted_on_once() {
    let (app, mut seen) = (app(), None);
    for _ in 0..3 {
        look(&app, content(BROKEN), &mut seen);
    }
    let metrics = app.metrics().encode(None);
    assert!(metrics.contains("mcp_server_policy_reloads_total{outcome=\"refused\"} 1\n"), "{metrics}");
}
