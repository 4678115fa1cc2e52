//! Whoever asks again after a change may ask a replica that has not come so far: what each finds out by itself is told to all.

use crds::gateway_config::Versioned as _;
use serde_json::json;
use server::features::Change;

use crate::support::files::policy;
use crate::support::message::LEGACY;
use crate::support::replicas::Replicas;

use super::{PROMPTS, TOOLS};

#[tokio::test]
async fn a_policy_is_told_by_each_replica_that_puts_it_into_force() {
    let replicas = Replicas::two().await;
    let mut stream = replicas.session(LEGACY).await.listen().await;
    let (mut modern, _) = replicas.worlds[0].listen(json!(1), json!({ "toolsListChanged": true })).await;
    replicas.worlds[1].gateway.files.replace_policy(&policy(&[(&["ping"], &["ops:admin"])]).to_json());
    assert_eq!(stream.method().await, TOOLS);
    assert_eq!(modern.method().await, TOOLS);
}

#[tokio::test]
async fn a_replica_that_leaves_is_told_where_it_had_other_tools() {
    let mut replicas = Replicas::start_with(3, &[], |index, options| {
        options.config.builtins.echo = index != 2;
    })
    .await;
    let mut stream = replicas.session(LEGACY).await.listen().await;
    let other = replicas.worlds.pop().unwrap();
    let same = replicas.worlds.pop().unwrap();
    same.gateway.stop().await;
    // Comes the same way after it.
    other.fixtures.tell(Change::Prompts);
    assert_eq!(stream.method().await, PROMPTS, "the same tools are no news");
    other.gateway.stop().await;
    assert_eq!(stream.method().await, TOOLS);
}
