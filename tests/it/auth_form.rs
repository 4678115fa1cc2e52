//! The matrix of auth.md, form and signature: where a token comes from, how it is written, and who signed it.

use jsonwebtoken::{Algorithm, DecodingKey};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::client::PUBLIC_URL;
use crate::support::door::{Door, challenged, changed, ping, refused};
use crate::support::{Answer, Era, GatewayOptions, forge};

/// A token under a header changed so is refused for this reason.
macro_rules! header_refused {
    ($($name:ident: $reason:literal, $changes:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let door = Door::new().await;
            door.refuses(&door.token_under(&$changes), $reason).await;
        }
    )*};
}

/// What becomes of a good token in this way is refused for this reason.
macro_rules! refused_token {
    ($($name:ident: $reason:literal, $spoil:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let door = Door::new().await;
            let spoil: fn(&Door, &str) -> String = $spoil;
            door.refuses(&spoil(&door, &door.token_under(&json!({}))), $reason).await;
        }
    )*};
}

header_refused! {
    alg_none: "algorithm", json!({ "alg": "none" });
    alg_none_with_a_capital: "algorithm", json!({ "alg": "None" });
    alg_none_in_mixed_case: "algorithm", json!({ "alg": "nOnE" });
    alg_missing: "algorithm", json!({ "alg": null });
    alg_hs256: "algorithm", json!({ "alg": "HS256" });
    alg_hs512: "algorithm", json!({ "alg": "HS512" });
    alg_es384: "algorithm", json!({ "alg": "ES384" });
    alg_in_lower_case: "algorithm", json!({ "alg": "es256" });
    alg_a_list: "algorithm", json!({ "alg": ["ES256"] });
    alg_that_is_not_enabled: "algorithm", json!({ "alg": "PS256" });
    crit: "header_parameter", json!({ "crit": ["exp"] });
    crit_that_is_empty: "header_parameter", json!({ "crit": [] });
    b64_false: "header_parameter", json!({ "b64": false });
    a_nested_token: "header_parameter", json!({ "cty": "JWT" });
    kid_missing_where_there_are_two_keys: "unknown_key", json!({ "kid": null });
    kid_unknown: "unknown_key", json!({ "kid": "nobody" });
    kid_a_path: "unknown_key", json!({ "kid": "../../../../etc/passwd" });
    kid_sql: "unknown_key", json!({ "kid": "es256-0' OR '1'='1" });
    kid_a_url: "unknown_key", json!({ "kid": "http://169.254.169.254/latest/meta-data" });
    kid_of_ten_kibibytes: "unknown_key", json!({ "kid": "k".repeat(10 * 1024) });
    kid_of_a_key_of_another_family: "unknown_key", json!({ "kid": "rs256-0" });
    kid_a_number: "malformed", json!({ "kid": 7 });
    typ_of_an_id_jag: "token_type", json!({ "typ": "oauth-id-jag+jwt" });
    typ_of_a_dpop_proof: "token_type", json!({ "typ": "dpop+jwt" });
    typ_of_a_logout_token: "token_type", json!({ "typ": "logout+jwt" });
    typ_a_number: "token_type", json!({ "typ": 7 });
}

refused_token! {
    opaque: "malformed", |_, _| "2YotnFZFEjr1zCsicMWpAA".to_owned();
    of_twenty_kibibytes: "too_large", |door, _| door.token(&json!({ "x": "y".repeat(15 * 1024) }));
    encrypted: "malformed", |_, good| format!("{good}.AAAA.AAAA");
    of_two_parts: "malformed", |_, good| good.rsplit_once('.').unwrap().0.to_owned();
    in_json: "malformed", |_, good| {
        let parts: Vec<&str> = good.split('.').collect();
        json!({ "protected": parts[0], "payload": parts[1], "signature": parts[2] }).to_string()
    };
    with_a_member_twice: "duplicate_member", |door, good| {
        let claims = door.claims().to_string().replacen('{', r#"{"sub":"root","#, 1);
        let [header, _, signature] = forge::parts(good);
        format!("{}.{}.{}", forge::part(header), forge::part(claims), forge::part(signature))
    };
    with_a_header_member_twice: "duplicate_member", |_, good| {
        let [header, claims, signature] = forge::parts(good);
        let header = String::from_utf8(header).unwrap().replacen('{', r#"{"alg":"none","#, 1);
        format!("{}.{}.{}", forge::part(header), forge::part(claims), forge::part(signature))
    };
    tampered_with: "signature", |door, good| {
        let [header, _, signature] = forge::parts(good);
        let claims = changed(door.claims(), &json!({ "sub": "root" })).to_string();
        format!("{}.{}.{}", forge::part(header), forge::part(claims), forge::part(signature))
    };
    without_a_signature: "signature", |_, good| forge::with_signature(good, &[]);
    with_r_zero: "signature", |_, good| {
        let [.., mut signature] = forge::parts(good);
        signature[..32].fill(0);
        forge::with_signature(good, &signature)
    };
    with_s_zero: "signature", |_, good| {
        let [.., mut signature] = forge::parts(good);
        signature[32..].fill(0);
        forge::with_signature(good, &signature)
    };
    with_a_signature_in_der: "signature", |_, good| {
        let [.., signature] = forge::parts(good);
        forge::with_signature(good, &forge::der_signature(&signature))
    };
    by_a_key_that_was_never_published: "signature", |door, _| {
        let header = json!({ "alg": "ES256", "kid": "es256-0" });
        let [_, _, foreign] =
            forge::parts(&door.gateway.issuer.mint_with_unpublished_key(Algorithm::ES256, &door.claims()));
        forge::token(&header, &door.claims(), |_| foreign)
    };
    rs256_said_and_es256_signed: "signature", |door, _| {
        let header = json!({ "alg": "RS256", "kid": "rs256-0" });
        door.gateway.issuer.mint_under(Algorithm::ES256, &header, &door.claims())
    };
}

/// A public key is no secret: whoever signs with it as one is refused before any key is looked at.
macro_rules! public_key_as_secret {
    ($($name:ident: $kid:literal, $secret:expr;)*) => {$(
        #[tokio::test]
        async fn $name() {
            let door = Door::new().await;
            let secret: fn(&Value) -> Vec<u8> = $secret;
            let secret = secret(&published(&door, $kid).await);
            let header = json!({ "alg": "HS256", "kid": $kid, "typ": "JWT" });
            let token = forge::token(&header, &door.claims(), |message| forge::hs256(&secret, message));
            door.refuses(&token, "algorithm").await;
        }
    )*};
}

public_key_as_secret! {
    hs256_with_the_rsa_key_as_pem: "rs256-0", |jwk| forge::pem(jwk).into_bytes();
    hs256_with_the_rsa_key_as_der: "rs256-0", forge::der;
    hs256_with_the_rsa_key_as_jwk: "rs256-0", |jwk| jwk.to_string().into_bytes();
    hs256_with_the_ec_key_as_pem: "es256-0", |jwk| forge::pem(jwk).into_bytes();
    hs256_with_the_ec_key_as_der: "es256-0", forge::der;
    hs256_with_the_ec_key_as_jwk: "es256-0", |jwk| jwk.to_string().into_bytes();
}

/// The attack would work against a server that took the header's word: what is signed with is the issuer's real public key.
#[tokio::test]
async fn the_public_keys_as_secrets_verify_honest_tokens() {
    let door = Door::new().await;
    for (kid, algorithm) in [("rs256-0", Algorithm::RS256), ("es256-0", Algorithm::ES256)] {
        let pem = forge::pem(&published(&door, kid).await).into_bytes();
        let key = match algorithm {
            Algorithm::RS256 => DecodingKey::from_rsa_pem(&pem),
            _ => DecodingKey::from_ec_pem(&pem),
        };
        let token = door.gateway.issuer.token_with(algorithm, &[], PUBLIC_URL);
        let (message, signature) = token.rsplit_once('.').unwrap();
        let verified = jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key.unwrap(), algorithm);
        assert!(verified.unwrap(), "{kid}");
    }
}

#[tokio::test]
async fn high_s_is_legal() {
    let door = Door::new().await;
    let good = door.token_under(&json!({}));
    let [.., signature] = forge::parts(&good);
    let high = if forge::is_high_s(&signature) { signature.clone() } else { forge::with_other_s(&signature) };
    assert!(forge::is_high_s(&high));
    door.admits(&forge::with_signature(&good, &high)).await;
}

#[tokio::test]
async fn the_scheme_in_any_case() {
    let door = Door::new().await;
    let token = door.token(&json!({}));
    for scheme in ["bearer", "BEARER", "bEaReR"] {
        let answer = door.gateway.client.send_as(&ping(), Some(&format!("{scheme} {token}"))).await;
        assert_eq!(answer.status, 200, "{scheme}");
    }
}

#[tokio::test]
async fn no_credential() {
    let door = Door::new().await;
    for era in Era::BOTH {
        let message = crate::support::Message::call(era, "ping", json!({}));
        challenged(&door.gateway.client.send(&message, None).await);
    }
    door.saw_nothing_but("missing_credential").await;
}

#[tokio::test]
async fn another_scheme() {
    let door = Door::new().await;
    let token = door.token(&json!({}));
    for other in [format!("Basic {token}"), format!("DPoP {token}"), token.clone()] {
        challenged(&door.gateway.client.send_as(&ping(), Some(&other)).await);
    }
    door.saw_nothing_but("missing_credential").await;
}

#[tokio::test]
async fn two_credentials() {
    let door = Door::new().await;
    let token = door.token(&json!({}));
    let twice = ping().header("authorization", &format!("Bearer {token}"));
    refused(&door.gateway.client.send_as(&twice, Some(&format!("Bearer {token}"))).await, "several_credentials");
    assert_eq!(door.gateway.calls_run().await, 0);
}

/// RFC 6750 has two more places for a token; MCP forbids both, and a cookie was never one.
#[tokio::test]
async fn a_token_in_the_query_the_body_or_a_cookie() {
    let door = Door::new().await;
    let token = door.token(&json!({}));
    let send = async |path: String, name: &'static str, value: String, body: String| {
        let request = door.gateway.client.request(Method::POST, &path).header("accept", "application/json");
        let request = request.header("content-type", "application/json").header(name, value).body(body);
        Answer::read(request.send().await.unwrap()).await
    };
    let honest = ping().body.to_string();
    let answer = send(format!("/mcp?access_token={token}"), "x-none", String::new(), honest.clone()).await;
    challenged(&answer);
    challenged(&send("/mcp".to_owned(), "cookie", format!("access_token={token}"), honest).await);
    let form = format!("access_token={token}");
    challenged(&send("/mcp".to_owned(), "x-none", String::new(), form).await);
    door.saw_nothing_but("missing_credential").await;
}

/// auth.md, `no-inherited-identity`: neither a connection nor a session carries one over.
#[tokio::test]
async fn a_second_request_without_a_token() {
    let door = Door::new().await;
    let token = door.token(&json!({}));
    let client = &door.gateway.client;
    assert_eq!(client.send(&ping(), Some(&token)).await.status, 200);
    challenged(&client.send(&ping(), None).await);
    let session = client.session("2025-11-25", Some(&format!("Bearer {token}"))).await.unwrap();
    let call =
        json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": { "name": "ping", "arguments": {} } });
    let message = crate::support::Message::in_session("2025-11-25", &session, call);
    assert_eq!(client.send(&message, Some(&token)).await.status, 200);
    challenged(&client.send(&message, None).await);
}

/// Two issuers whose sets share a `kid`: the issuer that a token names selects the keys, no other set is tried.
#[tokio::test]
async fn a_key_of_one_issuer_for_the_other() {
    // All issuers of the suite share their key material. So the second one here publishes the keys of the first under its
    // name, and after a change the first has others under other ids: those that it had are good for the second alone.
    let door = Door::with_options(GatewayOptions {
        issuers: Box::new(|issuers| {
            let mut second = issuers[0].clone();
            second.jwks_uri = Some(format!("{}/jwks", second.issuer));
            second.issuer = "https://second.example.com".to_owned();
            issuers.push(second);
        }),
        ..GatewayOptions::default()
    })
    .await;
    let of_second = json!({ "iss": "https://second.example.com" });
    door.admits(&door.token(&of_second)).await;
    let other = crate::support::in_process::start_issuer(tests::issuer::Fault::None).await;
    other.rotate_keys();
    // A key that neither publishes, under the id of one that both do.
    let foreign = changed(door.claims(), &of_second);
    let [_, claims, signature] = forge::parts(&other.mint(&foreign));
    let header = json!({ "alg": "RS256", "kid": "rs256-0" }).to_string();
    let token = format!("{}.{}.{}", forge::part(header), forge::part(claims), forge::part(signature));
    refused(&door.ping(Era::Modern, &token).await, "signature");
    // A third issuer's honest token, though its key is one that both publish.
    let third = crate::support::in_process::start_issuer(tests::issuer::Fault::None).await;
    refused(&door.ping(Era::Modern, &third.token(&["tools:ping"], PUBLIC_URL)).await, "issuer");
}

/// The key of this id, as the issuer publishes it.
async fn published(door: &Door, kid: &str) -> Value {
    let issuer = &door.gateway.issuer;
    let client = crate::support::client::McpClient::trusting(issuer.ca_pem());
    let set: Value = client.get(format!("{}/jwks", issuer.issuer_url())).send().await.unwrap().json().await.unwrap();
    set["keys"].as_array().unwrap().iter().find(|key| key["kid"] == kid).unwrap().clone()
}
