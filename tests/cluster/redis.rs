//! A Redis that pods share: one of the operator's, which is for its own gateway alone, and one of the user's.

mod encrypted;
mod load;
mod rotation;
mod stored;
mod volume;

use std::process::Command;

use anyhow::{Context, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tests::{
    cluster::HOST_ADDRESS,
    command::{feed, output, run, wait_until},
    images,
    redis::{MASTER_NAME, RedisServer, RedisSetup, SentinelRedis},
};

use crate::{
    space::{MCP_SERVERS, NAME, PATIENCE, Space, condition, named},
    world::World,
};

pub(crate) use rotation::a_rotation_fails_no_call_and_leaves_one_of_each;
pub(crate) use rotation::a_rotation_goes_on_whenever_the_operator_is_killed;
pub(crate) use stored::{ends_and_cannot_be_read, is_left_unreadable};
pub(crate) use volume::a_volume_is_kept_or_goes_as_the_policy_says;

/// Name of the pod of a managed Redis, and of what else belongs to it.
const REDIS: &str = "tools-redis";

/// Every kind of which a managed Redis has something.
const KINDS: &str = "statefulsets.apps,services,networkpolicies.networking.k8s.io,poddisruptionbudgets.policy,configmaps,secrets,pods,\
                     persistentvolumeclaims";

/// Applied until Ready, with two replicas that wait for it.
fn with_managed_redis(space: &Space<'_>, more: &Value) -> Result<()> {
    let image = images::redis(&space.world.options)?;
    space.world.cluster.load_image(&image.archive)?;
    let mut server = space.server();
    let mut managed = json!({
        "image": image.reference(),
        "resources": { "requests": { "cpu": "10m" }, "limits": { "memory": "64Mi" } },
    });
    for (field, value) in more.as_object().into_iter().flatten() {
        managed[field] = value.clone();
    }
    server["spec"]["replicas"] = json!(2);
    server["spec"]["redis"] = json!({ "mode": "Managed", "required": true, "managed": managed });
    space.apply(&server)?;
    space.wait_ready()?;
    space.wait_for("RedisReady", |condition| condition["status"] == "True").map(drop)
}

/// Source: redis-and-degradation.md, `provision`, `acl` and `hashes-only`.
pub(crate) fn a_managed_redis_is_for_its_own_gateway_alone(world: &World) -> Result<()> {
    let space = Space::new(world, "redis")?;
    with_managed_redis(&space, &json!({}))?;
    space.wait_for("LegacyStreams", |condition| condition["reason"] == "SharedRedis")?;
    let pod = space.get("pod", &format!("{REDIS}-0"))?;
    mounts_no_password(&pod)?;
    let secret = space.get("secret", &secret_name(&space)?)?;
    let text = |key: &str| text_of(&secret, key);
    let (user, password) = (text("username")?, text("password")?);
    ensure!(password.len() == 64 && user == "gateway-1", "the user is {user}");
    ensure!(!text("user.acl")?.contains(&password), "the line of the user holds the password");

    let redis = Asked { space: &space, ip: pod["status"]["podIP"].as_str().unwrap_or_default() };
    // As the gateway names its own: whatever is there is looked at when the space goes.
    let (own, foreign) = (key_of(&space, "a"), format!("mcpf:{}/other:e2e", space.namespace));
    for (who, words, expected) in [
        (None, vec!["PING"], "NOAUTH"),
        (None, vec!["GET", &own], "NOAUTH"),
        // Its program says that it was refused, and asks all the same.
        (Some(("default", &*password)), vec!["PING"], "NOAUTH"),
        (Some((&*user, "guessed")), vec!["PING"], "NOAUTH"),
        (Some((&*user, &*password)), vec!["PING"], "PONG"),
        (Some((&*user, &*password)), vec!["SET", &own, "1", "PX", "60000"], "OK"),
        (Some((&*user, &*password)), vec!["PUBLISH", &own, "1"], ""),
        (Some((&*user, &*password)), vec!["SET", &foreign, "1"], "NOPERM"),
        (Some((&*user, &*password)), vec!["PUBLISH", &foreign, "1"], "NOPERM"),
        (Some((&*user, &*password)), vec!["EVAL", "return 0", "0"], "NOPERM"),
        (Some((&*user, &*password)), vec!["FLUSHALL"], "NOPERM"),
        (Some((&*user, &*password)), vec!["CONFIG", "GET", "dir"], "NOPERM"),
        (Some((&*user, &*password)), vec!["KEYS", "*"], "NOPERM"),
        (Some((&*user, &*password)), vec!["SCAN", "0"], "NOPERM"),
        (Some((&*user, &*password)), vec!["ACL", "LIST"], "NOPERM"),
        (Some((&*user, &*password)), vec!["INFO"], "NOPERM"),
        (Some((&*user, &*password)), vec!["FUNCTION", "LIST"], "NOPERM"),
    ] {
        let answer = redis.ask(who, &words)?;
        let asked_by = who.map_or("nobody", |(user, _)| user);
        ensure!(answer.starts_with(expected), "{words:?} by {asked_by}: expected {expected}, got {answer}");
    }
    space.wait_pong()
}

/// Of Secrets the lines of users alone, and nothing that could be asked for more.
fn mounts_no_password(pod: &Value) -> Result<()> {
    let spec = &pod["spec"];
    ensure!(spec["automountServiceAccountToken"] == false, "the pod of the Redis has a token");
    for volume in spec["volumes"].as_array().into_iter().flatten() {
        ensure!(volume["secret"].is_null(), "a Secret is mounted as a whole: {volume}");
        for source in volume["projected"]["sources"].as_array().into_iter().flatten() {
            let items = source["secret"]["items"].as_array();
            let lines_only = items.is_some_and(|items| items.len() == 1 && items[0]["key"] == "user.acl");
            ensure!(lines_only, "more than the line of a user is mounted: {source}");
        }
    }
    let environment = &spec["containers"][0]["env"];
    ensure!(environment.is_null(), "the Redis has an environment: {environment}");
    Ok(())
}

/// Source: redis-and-degradation.md, `restart`, and section 7.
pub(crate) fn a_lost_redis_degrades_and_comes_back(world: &World) -> Result<()> {
    let space = Space::new(world, "lost")?;
    with_managed_redis(&space, &json!({}))?;
    space.wait_pong()?;
    let pods = space.pods()?;
    ends_and_cannot_be_read(&space, &[])?;
    run(&mut space.kubectl(&["delete", "pod", &format!("{REDIS}-0"), "--wait=false"]))?;
    let told = |wanted: &str| {
        wait_until(&format!("RedisReady is {wanted}"), PATIENCE, || {
            let object = space.get(MCP_SERVERS, NAME).map_err(|problem| format!("{problem:#}"))?;
            let of = |type_: &str| condition(&object, type_);
            // Seen in each look between: a loss takes nothing from `Ready`.
            if of("Ready") != "True" {
                return Ok(Err(format!("{:#}", object["status"]["conditions"])));
            }
            let degraded = if wanted == "True" { "False" } else { "True" };
            match (of("RedisReady") == wanted, of("Degraded") == degraded) {
                (true, true) => Ok(Ok(())),
                _ => Err(object["status"]["conditions"].to_string()),
            }
        })?
        .map_err(|conditions| anyhow::anyhow!("Ready did not stay True: {conditions}"))
    };
    told("False")?;
    space.wait_pong()?;
    told("True")?;
    ensure!(space.pods()? == pods, "gateway pods were replaced or restarted");
    Ok(())
}

/// Source: redis-and-degradation.md, `mode-switch`.
pub(crate) fn a_mode_that_changes_fails_no_call_and_leaves_nothing(world: &World) -> Result<()> {
    let space = Space::new(world, "mode")?;
    with_managed_redis(&space, &json!({}))?;
    space.wait_pong()?;
    let external = external(&space)?;
    let encrypted = encrypted::start(&space)?;
    let sentinels = SentinelRedis::start_at(HOST_ADDRESS)?;
    ends_and_cannot_be_read(&space, &[])?;
    let calls = load::during(&space, || {
        for redis in [redis_of(&external, "right"), encrypted::of(&encrypted), of_sentinels(&sentinels)] {
            space.change(&redis)?;
            space.wait_ready()?;
            space.wait_for("RedisReady", |condition| condition["status"] == "True")?;
            nothing_of_the_redis_is_left(&space)?;
        }
        space.change(&json!({ "redis": { "mode": "None", "required": false, "external": null } }))?;
        space.wait_ready().map(drop)
    })?;
    println!("        {calls} calls, none failed");
    let conditions = space.get(MCP_SERVERS, NAME)?["status"]["conditions"].to_string();
    ensure!(!conditions.contains("RedisReady"), "mode None speaks of a Redis: {conditions}");
    Ok(())
}

pub(crate) fn a_wrong_secret_is_named_and_old_pods_serve(world: &World) -> Result<()> {
    let space = Space::new(world, "secret")?;
    let external = external(&space)?;
    space.ready_server()?;
    space.wait_pong()?;
    let before = space.pods()?;
    for (secret, named) in [("wrong", ".passwordKey `password`"), ("gone", ".name `gone`")] {
        space.change(&redis_of(&external, secret))?;
        let told = |found: &Value| {
            let message = found["message"].as_str().unwrap_or_default();
            found["status"] == "False" && message.contains(named) && message.contains("credentialsSecretRef")
        };
        space.wait_for("RedisReady", told).with_context(|| format!("with Secret {secret}"))?;
        space.wait_for("Ready", |ready| ready["status"] == "False")?;
        space.wait_for("Degraded", |degraded| degraded["status"] == "True")?;
        space.wait_pong()?;
        let now = space.pods()?;
        ensure!(before.iter().all(|pod| now.contains(pod)), "the pods that served are gone: {before:?}, now {now:?}");
    }
    space.change(&redis_of(&external, "right"))?;
    space.wait_ready().context("after the Secret is right again")?;
    space.wait_for("RedisReady", |condition| condition["status"] == "True").map(drop)
}

/// A Redis of the user's on this machine, and Secrets that open it and do not.
fn external(space: &Space<'_>) -> Result<RedisServer> {
    let password = uuid::Uuid::new_v4().to_string();
    let prefix = format!("mcpf:{}/{NAME}:", space.namespace);
    let both = format!("bind 127.0.0.1 {HOST_ADDRESS}");
    let server = RedisServer::start(RedisSetup::with_user("tools", &password, &prefix).and(&both))?;
    for (name, password) in [("right", password.as_str()), ("wrong", "guessed")] {
        space.apply(&json!({ "apiVersion": "v1", "kind": "Secret", "metadata": { "name": name },
            "stringData": { "username": "tools", "password": password } }))?;
    }
    Ok(server)
}

fn redis_of(server: &RedisServer, secret: &str) -> Value {
    json!({ "redis": { "mode": "External", "required": true, "managed": null, "external": {
        "addresses": [format!("{HOST_ADDRESS}:{}", server.port())],
        "credentialsSecretRef": { "name": secret },
        "tls": { "mode": "Disabled" },
    } } })
}

fn of_sentinels(redis: &SentinelRedis) -> Value {
    json!({ "redis": { "mode": "External", "required": true, "managed": null, "external": {
        "topology": "Sentinel",
        "addresses": redis.addresses(),
        "masterName": MASTER_NAME,
        "credentialsSecretRef": null,
        "tls": { "mode": "Disabled", "caConfigMapRef": null, "clientSecretRef": null },
    } } })
}

/// All kinds, Secrets and volumes included.
fn nothing_of_the_redis_is_left(space: &Space<'_>) -> Result<()> {
    wait_until("nothing of the managed Redis is left", PATIENCE, || {
        let all = space.children(KINDS).map_err(|problem| format!("{problem:#}"))?;
        let left: Vec<String> = all.iter().map(named).filter(|name| name.contains(REDIS)).collect();
        if left.is_empty() { Ok(()) } else { Err(left.join(", ")) }
    })
}

/// The Secret with the password of the managed Redis, which the operator named.
fn secret_name(space: &Space<'_>) -> Result<String> {
    let secrets = space.children("secrets")?;
    let names = secrets.iter().filter_map(|secret| secret["metadata"]["name"].as_str());
    let name = names.into_iter().find(|name| name.starts_with(REDIS));
    name.map(str::to_owned).with_context(|| "there is no Secret of the Redis")
}

/// What a Secret holds under this key.
fn text_of(secret: &Value, key: &str) -> Result<String> {
    let encoded = secret["data"][key].as_str().with_context(|| format!("there is no key {key}"))?;
    Ok(String::from_utf8(STANDARD.decode(encoded)?)?)
}

/// A key as a gateway names its own: the hash is this hexadecimal digit, again and again.
fn key_of(space: &Space<'_>, digit: &str) -> String {
    format!("mcpf:{}/{NAME}:v1:{}", space.namespace, digit.repeat(64))
}

/// A Redis that is asked from inside the cluster's network, by somebody who is no pod of the gateway: the test cluster enforces
/// no policy, so that the password is what answers.
struct Asked<'a> {
    space: &'a Space<'a>,
    ip: &'a str,
}

impl Asked<'_> {
    /// What it says, errors included.
    fn ask(&self, user: Option<(&str, &str)>, words: &[&str]) -> Result<String> {
        Ok(output(self.cli(user).args(words))?.trim().trim_start_matches("(error) ").to_owned())
    }

    /// What it says to these commands, one in each line, over one connection.
    fn ask_all(&self, user: (&str, &str), commands: &str) -> Result<String> {
        Ok(feed(&mut self.cli(Some(user)), commands)?.trim().to_owned())
    }

    fn cli(&self, user: Option<(&str, &str)>) -> Command {
        // The address of a pod that is gone answers nothing for minutes.
        let mut cli = self.space.world.cluster.netns_command("timeout");
        cli.args(["5", "redis-cli", "-h", self.ip, "-p", "6379"]);
        if let Some((user, password)) = user {
            // Not as an argument: those are shown when a program fails.
            cli.args(["--user", user, "--no-auth-warning"]).env("REDISCLI_AUTH", password);
        }
        cli
    }
}
