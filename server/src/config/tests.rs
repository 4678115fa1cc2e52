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

/// Each row is a member of the issuer's entry, a value that cannot be served, and what is said.
fn check_issuer(pointer: &str, value: &Value, expected: &str) {
    let mut config = valid();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    let tokens = json!({ "algorithms": ["RS256"] });
    config["auth"]["issuers"][0]["tokens"] = tokens;
    config["auth"]["issuers"][0].pointer_mut(parent).unwrap()[member] = value.clone();
    let outcome = Config::parse("f", &bytes(&config)).map(drop).map_err(|error| error.to_string());
    let expected = if expected.is_empty() { Ok(()) } else { Err(format!("f: field `auth.issuers[0].{expected}")) };
    assert_eq!(outcome, expected, "{pointer} {value}");
}

#[test]
fn what_keys_may_be_is_within_bounds_and_from_one_place() {
    for (seconds, problem) in [(60, ""), (604_800, ""), (59, "x"), (604_801, "x"), (0, "x")] {
        for field in ["/maxKeyAgeSeconds", "/tokens/maxTokenLifetimeSeconds"] {
            let name = field[1..].replace('/', ".");
            let expected = format!("{name}`: must be from 60 to 604800 seconds");
            check_issuer(field, &json!(seconds), if problem.is_empty() { "" } else { &expected });
        }
    }
    let leeway = "/tokens/leewaySeconds";
    check_issuer(leeway, &json!(0), "");
    check_issuer(leeway, &json!(60), "");
    check_issuer(leeway, &json!(61), "tokens.leewaySeconds`: must be from 0 to 60 seconds");
    check_issuer("/tokens/algorithms", &json!([]), "tokens.algorithms`: must name at least one algorithm");
    check_issuer("/tokens/algorithms", &json!(["PS256", "EdDSA"]), "");
    check_issuer("/jwksFile", &json!("/keys/0.json"), "");
    check_issuer("/jwksFile", &json!(""), "jwksFile`: must be the path of a file");
}

#[test]
fn a_key_file_excludes_all_that_is_for_fetching_and_takes_any_issuer() {
    let with_file = |member: &str, value: &str| {
        let mut config = valid();
        config["auth"]["issuers"][0]["jwksFile"] = json!("/keys/0.json");
        config["auth"]["issuers"][0][member] = json!(value);
        Config::parse("f", &bytes(&config)).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(with_file("issuer", "kubernetes"), Ok(()));
    for (member, value, problem) in [
        ("jwksUri", "https://keys.example.com/", "must not be set beside `jwksFile`: keys come from one place"),
        ("caFile", "/ca.crt", "must not be set beside `jwksFile`: nothing is fetched"),
    ] {
        assert_eq!(with_file(member, value), Err(format!("f: field `auth.issuers[0].{member}`: {problem}")));
    }
}

#[test]
fn every_claim_path_is_read_before_a_token_comes() {
    let problem = "has an empty member; write names separated by single dots, such as realm_access.roles";
    for list in ["scopeClaims", "clientClaims", "tenantClaims", "groupsClaims"] {
        let pointer = format!("/tokens/{list}");
        check_issuer(&pointer, &json!(["a.b", "{c}.d"]), "");
        check_issuer(&pointer, &json!([]), "");
        check_issuer(&pointer, &json!(["a", "b..c"]), &format!("tokens.{list}[1]`: {problem}"));
    }
    check_issuer("/tokens/workloadSubjectClaim", &json!("azp"), "");
    check_issuer("/tokens/workloadSubjectClaim", &json!(""), &format!("tokens.workloadSubjectClaim`: {problem}"));
    let when = |path: &str, test: Value| json!({ "claimPath": path, "test": test });
    for list in ["requiredClaims", "workloads"] {
        let pointer = format!("/tokens/{list}");
        for test in
            [json!({ "equals": "x" }), json!({ "prefix": "x" }), json!({ "in": ["x"] }), json!({ "equalsClaim": "x" })]
        {
            check_issuer(&pointer, &json!([when("a", test)]), "");
        }
        let wrong = |path, test| json!([when("a", json!({ "equals": "x" })), when(path, test)]);
        for (path, test, at, problem) in [
            ("", json!({ "equals": "x" }), "claimPath", problem),
            ("a", json!({ "equalsClaim": "b." }), "test.equalsClaim", problem),
            ("a", json!({ "equals": "" }), "test.equals", "must not be empty"),
            ("a", json!({ "prefix": "" }), "test.prefix", "must not be empty"),
            ("a", json!({ "in": [] }), "test.in", "must name at least one text"),
            ("a", json!({ "in": ["x", ""] }), "test.in[1]", "must not be empty"),
        ] {
            check_issuer(&pointer, &wrong(path, test), &format!("tokens.{list}[1].{at}`: {problem}"));
        }
    }
    check_issuer("/tokens/allowedClients", &json!(["a"]), "");
    check_issuer("/tokens/allowedClients", &json!(["a", ""]), "tokens.allowedClients[1]`: must not be empty");
}

#[test]
fn what_is_not_there_makes_a_workload_and_grants_nothing() {
    let absent = json!({ "claimPath": "a", "test": "absent" });
    let problem = "must not be `absent`, which is for `workloads` alone";
    check_issuer("/tokens/workloads", &json!([absent]), "");
    check_issuer("/tokens/requiredClaims", &json!([absent]), &format!("tokens.requiredClaims[0].test`: {problem}"));
    let mapping = json!([{ "when": absent, "grantScopes": ["a"] }]);
    check_issuer("/tokens/scopeMappings", &mapping, &format!("tokens.scopeMappings[0].when.test`: {problem}"));
}

#[test]
fn a_mapping_grants_scopes_that_a_token_could_carry() {
    let mapping =
        |scopes: Value| json!([{ "when": { "claimPath": "a", "test": { "equals": "x" } }, "grantScopes": scopes }]);
    check_issuer("/tokens/scopeMappings", &mapping(json!(["tools:ping", "!#[]~"])), "");
    let grants = "tokens.scopeMappings[0].grantScopes";
    check_issuer("/tokens/scopeMappings", &mapping(json!([])), &format!("{grants}`: must name at least one scope"));
    let problem = "must be an OAuth scope: printable ASCII without space, quote and backslash";
    for scope in ["", "a b", "a\"b", "a\\b", "é", "a\n", "\u{7f}"] {
        check_issuer("/tokens/scopeMappings", &mapping(json!(["a", scope])), &format!("{grants}[1]`: {problem}"));
    }
}

#[test]
fn a_mirror_needs_one_issuer_that_is_discovered() {
    let mirrored = |change: fn(&mut Value)| {
        let mut config = valid();
        config["auth"]["issuerMetadataMirror"] = json!(true);
        change(&mut config["auth"]);
        Config::parse("f", &bytes(&config)).map(drop).map_err(|error| error.to_string())
    };
    assert_eq!(mirrored(|_| {}), Ok(()));
    let problem = "f: field `auth.issuerMetadataMirror`: needs exactly one issuer, without `jwksUri` and `jwksFile`: \
                   it serves what discovery brings";
    for change in [
        |auth: &mut Value| auth["issuers"][0]["jwksUri"] = json!("https://keys.example.com/"),
        |auth| auth["issuers"][0]["jwksFile"] = json!("/keys/0.json"),
        |auth| {
            let other = json!({ "issuer": "https://other.example.com", "audiences": ["a"] });
            auth["issuers"].as_array_mut().unwrap().push(other);
        },
        |auth| *auth = json!({ "mode": "None", "insecureAllowUnauthenticated": true, "issuerMetadataMirror": true }),
    ] as [fn(&mut Value); 4]
    {
        assert_eq!(mirrored(change), Err(problem.to_owned()));
    }
}

/// Each row is a member of `redis`, a value that cannot be used, and what is said; `""` for a value that can.
fn check_redis(pointer: &str, value: &Value, expected: &str) {
    let mut config = valid();
    config["redis"] = json!({
        "topology": "Standalone",
        "addresses": ["redis.team-a.svc:6379"],
        "keyPrefix": "mcpf:team-a/tools:",
        "credentials": { "usernameFile": "/redis/username", "passwordFile": "/redis/password" },
        "tls": { "caFile": "/redis/ca.crt", "client": { "certificateFile": "/redis/tls.crt", "keyFile": "/redis/tls.key" } }
    });
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    config["redis"].pointer_mut(parent).unwrap()[member] = value.clone();
    let outcome = Config::parse("f", &bytes(&config)).map(drop).map_err(|error| error.to_string());
    let expected = if expected.is_empty() { Ok(()) } else { Err(format!("f: field `redis.{expected}")) };
    assert_eq!(outcome, expected, "{pointer} {value}");
}

#[test]
fn addresses_of_a_redis_have_a_port_and_their_number_fits_the_topology() {
    let address = "must be `host:port`, a name or an IP address, IPv6 in brackets: `redis.team-a.svc:6379`";
    check_redis("/addresses", &json!(["[fd00::1]:6379"]), "");
    check_redis("/addresses", &json!([]), "addresses`: must name at least one address");
    check_redis("/addresses", &json!(["a:1", "b:1"]), "addresses`: must be one under `topology: Standalone`");
    for wrong in ["redis", "redis:0", "redis://redis:6379", ""] {
        check_redis("/addresses", &json!([wrong]), &format!("addresses[0]`: {address}"));
    }
    check_redis("/topology", &json!("Cluster"), "");
}

#[test]
fn a_master_has_a_name_under_sentinels_alone() {
    let needed = "masterName`: must be set under `topology: Sentinel`: sentinels know masters by name";
    check_redis("/topology", &json!("Sentinel"), needed);
    check_redis("/masterName", &json!("m"), "masterName`: must be absent unless under `topology: Sentinel`");
    let mut config = valid();
    let redis = |name: &str| json!({ "topology": "Sentinel", "addresses": ["a:1", "b:1"], "masterName": name, "keyPrefix": "a:" });
    config["redis"] = redis("m");
    assert!(Config::parse("f", &bytes(&config)).is_ok());
    config["redis"] = redis("");
    assert_eq!(Config::parse("f", &bytes(&config)).unwrap_err().to_string(), format!("f: field `redis.{needed}"));
}

#[test]
fn a_key_prefix_can_stand_in_an_acl() {
    let problem = "keyPrefix`: must be 2 to 128 printable ASCII characters without spaces and without any of `*?[]\\`, \
                   and end with `:`";
    check_redis("/keyPrefix", &json!(format!("{}:", "x".repeat(127))), "");
    check_redis("/keyPrefix", &json!("{team-a}:"), "");
    let long = format!("{}:", "x".repeat(128));
    for wrong in ["", ":", "a", "a b:", "a*:", "a?:", "[a]:", "a\\:", "é:", "a\r\n:", "a\u{7f}:", &long] {
        check_redis("/keyPrefix", &json!(wrong), problem);
    }
}

#[test]
fn files_for_a_redis_have_paths_and_a_certificate_has_its_key() {
    for (pointer, field) in [
        ("/credentials/usernameFile", "credentials.usernameFile"),
        ("/credentials/passwordFile", "credentials.passwordFile"),
        ("/tls/caFile", "tls.caFile"),
        ("/tls/client/certificateFile", "tls.client.certificateFile"),
        ("/tls/client/keyFile", "tls.client.keyFile"),
    ] {
        check_redis(pointer, &json!(""), &format!("{field}`: must be the path of a file"));
    }
    let mut config = valid();
    config["redis"] = json!({
        "topology": "Standalone", "addresses": ["a:1"], "keyPrefix": "a:", "tls": { "client": { "keyFile": "/k" } }
    });
    let error = Config::parse("f", &bytes(&config)).unwrap_err().to_string();
    assert!(error.starts_with("f: field `redis.tls.client`: missing field `certificateFile`"), "{error}");
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
