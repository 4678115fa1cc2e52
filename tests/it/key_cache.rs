//! A process that is killed while its issuer is down, and what the next one has.

use reqwest::StatusCode;
use serde_json::json;
use tests::issuer::Fault;

use crate::support::client::PUBLIC_URL;
use crate::support::process::GatewayProcess;
use crate::support::{Era, GatewayOptions, eventually};

#[tokio::test]
async fn a_restart_survives_an_outage_of_the_issuer_where_keys_are_kept() {
    let folder = tempfile::TempDir::new().unwrap();
    let arguments = ["--key-cache", folder.path().to_str().unwrap()];
    let process = GatewayProcess::start_with(GatewayOptions::default(), &arguments).await;
    let token = process.issuer.token(&["tools:ping"], PUBLIC_URL);
    eventually("the keys are kept", async || {
        let mut entries = std::fs::read_dir(folder.path()).unwrap();
        // With an extension it is still being written.
        entries.any(|entry| entry.unwrap().path().extension().is_none()).then_some(())
    })
    .await;

    process.issuer.set_fault(Fault::Down);
    let process = process.crash_and_restart(&arguments).await;
    process.client.until_ready().await;
    let answer = process.client.call(Era::Modern, "ping", json!({}), &token).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let issuer = process.client.admin("/report").await.json()["issuers"][0].clone();
    assert_eq!((&issuer["state"], &issuer["keyIds"]), (&json!("Stale"), &json!(["es256-0", "rs256-0"])));
    assert_eq!(process.client.counted("mcp_server_key_cache_failures_total", &[]).await, 0);

    // Without the folder a process begins with nothing.
    let process = process.crash_and_restart(&[]).await;
    let error = eventually("a failed fetch is reported", async || {
        process.client.admin("/report").await.json()["issuers"][0].get("lastError").cloned()
    });
    error.await;
    assert_eq!(process.client.admin("/readyz").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let answer = process.client.call(Era::Modern, "ping", json!({}), &token).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
}
