//! What the process refuses to start with: each refusal is one line that names the field, and no port is opened.

use std::path::Path;
use std::process::Output;

use crds::gateway_config::{AuthMode, Versioned as _};
use serde_json::{Value, json};

use crate::support::GatewayOptions;
use crate::support::files::GatewayFiles;
use crate::support::process::binary;

/// auth.md, section 1, `refuse-open`: only the spelled-out combination runs open, by hand on loopback only.
#[tokio::test]
async fn running_open_takes_two_fields() {
    for (mode, insecure, issuers, named) in [
        (AuthMode::OAuth, false, false, "auth.issuers"),
        (AuthMode::OAuth, true, true, "auth.insecureAllowUnauthenticated"),
        (AuthMode::OAuth, true, false, "auth.insecureAllowUnauthenticated"),
        (AuthMode::None, false, false, "auth.insecureAllowUnauthenticated"),
        (AuthMode::None, false, true, "auth.insecureAllowUnauthenticated"),
        (AuthMode::None, true, true, "auth.issuers"),
    ] {
        let refused = refusal("127.0.0.1:0", |config| {
            config["auth"] = json!({ "mode": mode, "insecureAllowUnauthenticated": insecure });
            if issuers {
                config["auth"]["issuers"] = json!([honest_issuer()]);
            }
        })
        .await;
        assert!(refused.contains(named), "{mode:?} {insecure} {issuers}: {refused}");
    }
    let open = json!({ "mode": "None", "insecureAllowUnauthenticated": true });
    let refused = refusal("0.0.0.0:0", |config| config["auth"] = open).await;
    assert!(refused.contains("--allow-unauthenticated-non-loopback"), "{refused}");
}

#[tokio::test]
async fn a_wrong_field_is_named_and_its_value_is_not_repeated() {
    for (pointer, value, named) in [
        ("/invented", json!(1), "invented"),
        ("/version", json!(99), "version"),
        ("/publicUrl", json!("not a URL canary"), "publicUrl"),
        ("/publicUrl", json!("https://mcp.example.com/mcp?canary=1"), "publicUrl"),
        ("/allowedOrigins", json!(["https://canary.example.com/path"]), "allowedOrigins[0]"),
        ("/auth/issuers/0/audiences", json!([]), "auth.issuers[0].audiences"),
        ("/auth/issuers/0/issuer", json!("canary"), "auth.issuers[0].issuer"),
        ("/observability/logLevel", json!("canary"), "observability.logLevel"),
        ("/observability/otlpEndpoint", json!("canary"), "observability.otlpEndpoint"),
        ("/observability/otlpEndpoint", json!("http://canary:canary@127.0.0.1:4318"), "observability.otlpEndpoint"),
        ("/observability/otlpEndpoint", json!(["https://canary@127.0.0.1"]), "observability.otlpEndpoint"),
        ("/publicUrl", json!("https://canary:canary@mcp.example.com/mcp"), "publicUrl"),
        ("/acceptedHosts", json!(["canary@example.com"]), "acceptedHosts[0]"),
        ("/allowedOrigins", json!(["https://canary@app.example.com"]), "allowedOrigins[0]"),
        ("/auth/issuers/0/issuer", json!("https://canary:canary@login.example.com"), "auth.issuers[0].issuer"),
        ("/auth/issuers/0/jwksUri", json!("https://canary:canary@login.example.com/keys"), "auth.issuers[0].jwksUri"),
        ("/auth/issuers/0/jwksUri", json!("canary"), "auth.issuers[0].jwksUri"),
        ("/upstreams", json!([upstream("https://canary:canary@example.com/mcp")]), "upstreams[0]"),
        ("/upstreams", json!([upstream("canary")]), "upstreams[0]"),
        ("/upstreams", json!("https://example.com/mcp?key=canary"), "upstreams"),
        ("/sealingKeyFiles", json!({ "canary": "canary" }), "sealingKeyFiles"),
        ("/version", json!("canary"), "version"),
    ] {
        let refused = refusal("127.0.0.1:0", |config| {
            let (parent, member) = pointer.rsplit_once('/').unwrap();
            config.pointer_mut(parent).unwrap()[member] = value.clone();
        })
        .await;
        assert!(refused.contains(named), "{pointer}: {refused}");
        assert!(!refused.contains("canary"), "{refused}");
        assert!(!refused.contains("panicked"), "{refused}");
    }
}

#[tokio::test]
async fn without_its_files_it_does_not_start() {
    let files = files(|_| {});
    let gone = Path::new("/nonexistent/gateway.json");
    for (config, policy) in [(gone, files.policy().as_path()), (files.config().as_path(), gone)] {
        let output = run(config, policy, "127.0.0.1:0").await;
        assert!(!output.status.success());
        assert!(printed(&output).contains("/nonexistent/gateway.json"), "{}", printed(&output));
    }
}

async fn refusal(listen: &str, spoil: impl FnOnce(&mut Value)) -> String {
    let files = files(spoil);
    let output = run(&files.config(), &files.policy(), listen).await;
    assert!(!output.status.success(), "it started: {}", printed(&output));
    printed(&output)
}

fn files(spoil: impl FnOnce(&mut Value)) -> GatewayFiles {
    let files = GatewayFiles::write(GatewayOptions::default(), &[]);
    let mut config: Value = serde_json::from_str(&GatewayOptions::default().config.to_json()).unwrap();
    config["auth"]["issuers"] = json!([honest_issuer()]);
    spoil(&mut config);
    std::fs::write(files.config(), config.to_string()).unwrap();
    files
}

fn upstream(url: &str) -> Value {
    json!({ "name": "up", "url": url, "timeoutSeconds": 1 })
}

fn honest_issuer() -> Value {
    json!({ "issuer": "https://login.example.com", "audiences": ["https://mcp.example.com/mcp"] })
}

async fn run(config: &Path, policy: &Path, listen: &str) -> Output {
    let mut command = tokio::process::Command::new(binary());
    command.arg("--config").arg(config).arg("--policy").arg(policy);
    command.args(["--listen", listen, "--admin-listen", "127.0.0.1:0"]).kill_on_drop(true);
    let output = tokio::time::timeout(std::time::Duration::from_secs(20), command.output()).await;
    output.expect("it ends by itself").unwrap()
}

fn printed(output: &Output) -> String {
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}
