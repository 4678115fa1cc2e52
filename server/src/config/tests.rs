//! Each way in which a configuration stops the process, and the line that says so.

use expect_test::{Expect, expect};
use serde_json::{Value, json};

use super::*;

#[test]
fn the_file_that_the_operator_writes_is_accepted() {
    let config = Config::parse("gateway-config.json", &bytes(&valid())).unwrap();
    assert_eq!(config.endpoint.path(), "/mcp");
    assert_eq!(config.revision, revision(&bytes(&valid())));
}

#[test]
fn an_unknown_field_is_refused_by_name() {
    check(
        |config| config["auth"]["issuers"][0]["audience"] = json!("x"),
        expect![
            "gateway-config.json: field `auth.issuers[0].audience`: unknown field `audience`, expected one of `issuer`, `jwksUri`, `jwksFile`, `audiences`, `caFile`, `allowPrivateAddresses`, `maxKeyAgeSeconds`, `tokens` at line 1 column 60"
        ],
    );
}

#[test]
fn an_unknown_version_is_refused() {
    check(
        |config| config["version"] = json!(7),
        expect![
            "gateway-config.json: `version` is 7; this server reads 1 to 1: use an image that matches the operator"
        ],
    );
}

#[test]
fn a_public_url_that_is_no_endpoint_is_refused() {
    check(
        |config| config["publicUrl"] = json!("/mcp"),
        expect!["gateway-config.json: field `publicUrl`: is no URL: relative URL without a base"],
    );
}

#[test]
fn oauth_without_an_issuer_is_refused() {
    check(
        |config| config["auth"]["issuers"] = json!([]),
        expect!["gateway-config.json: field `auth.issuers`: must name at least one issuer under `mode: OAuth`"],
    );
}

#[test]
fn running_open_takes_both_fields() {
    check(
        |config| config["auth"] = json!({ "mode": "None" }),
        expect![
            "gateway-config.json: field `auth.insecureAllowUnauthenticated`: must be true under `mode: None`: serving without authentication takes both fields"
        ],
    );
    check(
        |config| config["auth"]["insecureAllowUnauthenticated"] = json!(true),
        expect!["gateway-config.json: field `auth.insecureAllowUnauthenticated`: must be false under `mode: OAuth`"],
    );
    check(
        |config| {
            config["auth"]["mode"] = json!("None");
            config["auth"]["insecureAllowUnauthenticated"] = json!(true);
        },
        expect!["gateway-config.json: field `auth.issuers`: must be empty under `mode: None`"],
    );
    let mut open = valid();
    open["auth"] = json!({ "mode": "None", "insecureAllowUnauthenticated": true });
    assert!(Config::parse("gateway-config.json", &bytes(&open)).is_ok());
}

#[test]
fn an_issuer_without_audience_or_found_twice_is_refused() {
    check(
        |config| config["auth"]["issuers"][0]["audiences"] = json!([]),
        expect!["gateway-config.json: field `auth.issuers[0].audiences`: must name at least one audience, none empty"],
    );
    check(
        |config| {
            let issuer = config["auth"]["issuers"][0].clone();
            config["auth"]["issuers"].as_array_mut().unwrap().push(issuer);
        },
        expect!["gateway-config.json: field `auth.issuers[1].issuer`: is named twice"],
    );
}

#[test]
fn an_issuer_that_is_no_url_needs_a_key_set_url() {
    check(
        |config| config["auth"]["issuers"][0]["issuer"] = json!("P2abc"),
        expect![
            "gateway-config.json: field `auth.issuers[0].issuer`: must be an `https://` URL; an issuer that is no URL needs `jwksUri`"
        ],
    );
    let mut bare = valid();
    bare["auth"]["issuers"][0] =
        json!({ "issuer": "P2abc", "jwksUri": "https://keys.example.com/", "audiences": ["a"] });
    assert!(Config::parse("gateway-config.json", &bytes(&bare)).is_ok());
}

#[test]
fn hosts_and_origins_must_be_comparable_as_they_stand() {
    check(
        |config| config["acceptedHosts"] = json!(["ok.example", "Tools.example:80"]),
        expect![
            "gateway-config.json: field `acceptedHosts[1]`: must be a host name in lower case, without a port and without `*`"
        ],
    );
    check(
        |config| config["allowedOrigins"] = json!(["https://app.example.com/"]),
        expect![
            "gateway-config.json: field `allowedOrigins[0]`: must be an origin: `https://app.example.com`, in lower case, without a path and without `*`"
        ],
    );
    for (field, wildcard) in
        [("acceptedHosts", "*"), ("acceptedHosts", "*.example.com"), ("allowedOrigins", "https://*")]
    {
        let mut config = valid();
        config[field] = json!([wildcard]);
        let error = Config::parse("f", &bytes(&config)).unwrap_err().to_string();
        assert!(error.starts_with(&format!("f: field `{field}[0]`: must ")), "{error}");
    }
    check(
        |config| config["observability"]["otlpEndpoint"] = json!("collector:4318"),
        expect!["gateway-config.json: field `observability.otlpEndpoint`: must be an `http://` or `https://` URL"],
    );
}

#[test]
fn a_missing_ca_file_is_reported_and_does_not_stop_the_process() {
    let mut config = valid();
    config["auth"]["issuers"][0]["caFile"] = json!("/nowhere/ca.crt");
    let config = Config::parse("gateway-config.json", &bytes(&config)).unwrap();
    assert_eq!(config.read_cas(), [CaFile::Unusable("cannot be read: entity not found".to_owned())]);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = Config::load(Path::new("gone.json")).unwrap_err();
    expect!["gone.json: cannot be read: entity not found"].assert_eq(&error.to_string());
}

#[expect(clippy::needless_pass_by_value, reason = "`expect!` makes values")]
fn check(change: impl FnOnce(&mut Value), expected: Expect) {
    let mut config = valid();
    change(&mut config);
    let error = Config::parse("gateway-config.json", &bytes(&config)).unwrap_err();
    expected.assert_eq(&error.to_string());
}

fn bytes(config: &Value) -> Vec<u8> {
    config.to_string().into_bytes()
}

fn valid() -> Value {
    json!({
        "version": 1,
        "mcpServer": { "name": "tools", "namespace": "team-a" },
        "publicUrl": "https://mcp.example.com/mcp",
        "auth": {
            "mode": "OAuth",
            "issuers": [{ "issuer": "https://login.example.com", "audiences": ["https://mcp.example.com/mcp"] }]
        },
        "builtins": { "ping": true, "echo": true, "healthCheck": true },
        "observability": { "logLevel": "Info" },
        "allowPrivateAddresses": true
    })
}
