//! Policy: upstream tools obey the same rules as the gateway's own, by their public names.

use crds::gateway_config::{AuthorizationDefault, GatewayPolicy, Versioned as _};

use crate::{
    it::support::{eventually, files::policy},
    voice::REVISIONS,
    world::{World, gateway_before_all, voice_with},
};

const ECHO: &str = r#"{"message":"x"}"#;

pub(crate) async fn an_upstreams_tool_is_hidden_until_a_rule_names_it(world: &mut World) {
    let rules: &[(&[&str], &[&str])] = &[(&["go__echo"], &[])];
    let gateway = gateway_before_all(&world.peers, denying(rules)).await;
    for revision in REVISIONS {
        let voice = voice_with(&gateway, revision, &[]).await;
        assert_eq!(voice.names().await, ["ping", "echo", "health_check", "go__echo"], "{revision}");
        for fronted in &world.peers {
            let answer = voice.call(&fronted.tool("echo"), ECHO).await.answer();
            let unknown = voice.call(&fronted.tool("no-such-tool"), ECHO).await.answer();
            let is_named = fronted.name == "go";
            assert_eq!(answer.get("result").is_some(), is_named, "{} in {revision}: {answer}", fronted.name);
            // What is hidden cannot be told from what does not exist.
            assert!(is_named || answer == unknown, "{} in {revision}: {answer}", fronted.name);
        }
    }
    gateway.files.replace_policy(&denying(&[(&["go__echo", "every*__echo"], &[])]).to_json());
    for revision in REVISIONS {
        let voice = voice_with(&gateway, revision, &[]).await;
        eventually("the new rule shows the tool", async || {
            (voice.names().await == ["ping", "echo", "health_check", "go__echo", "everything__echo"]).then_some(())
        })
        .await;
        assert_eq!(voice.call("everything__echo", ECHO).await.said(), "Echo: x");
    }
}

pub(crate) async fn a_missing_scope_is_challenged(world: &mut World) {
    let rules: &[(&[&str], &[&str])] = &[(&["python__*"], &["python:use"]), (&["go*__*"], &["go:use"])];
    let gateway = gateway_before_all(&world.peers, policy(rules)).await;
    for revision in REVISIONS {
        let voice = voice_with(&gateway, revision, &["python:use"]).await;
        assert_eq!(voice.call("python__echo", ECHO).await.said(), "x", "{revision}");
        for tool in ["go__echo", "go-sessions__echo"] {
            let refused = voice.call(tool, ECHO).await;
            assert_eq!(refused.status, 403, "{tool} in {revision}");
            let challenge = refused.headers["www-authenticate"].to_str().unwrap();
            assert!(challenge.contains(r#"error="insufficient_scope""#), "{challenge}");
            assert!(challenge.contains(r#"scope="go:use""#), "{challenge}");
        }
    }
}

fn denying(rules: &[(&[&str], &[&str])]) -> GatewayPolicy {
    let mut denying = policy(rules);
    denying.authorization.default = AuthorizationDefault::Deny;
    denying
}
