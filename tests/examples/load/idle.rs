//! Many sessions and streams that do nothing: what each costs the gateway, and a real Redis with the rights of a managed one.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use crds::gateway_config::{RedisConfig, RedisCredentials, RedisTopology};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use reqwest::{Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::redis::{RedisServer, RedisSetup};

use crate::gateway::{Gateway, http_client};

/// How many one person has of each: the limit of streams.
const OF_ONE_PERSON: usize = 32;

/// Requests at a time.
const AT_A_TIME: usize = 64;

const KEY_PREFIX: &str = "mcpf:local/load:";
const USER: &str = "gateway-1";
const PASSWORD: &str = "a password of this run";

/// A Redis, and the files that its user is mounted as.
pub(crate) struct SharedRedis {
    server: RedisServer,
    files: TempDir,
}

impl SharedRedis {
    fn start() -> Result<Self> {
        let files = TempDir::new().context("cannot make a folder")?;
        std::fs::write(files.path().join("username"), USER)?;
        std::fs::write(files.path().join("password"), PASSWORD)?;
        Ok(Self {
            server: RedisServer::start(
                RedisSetup::with_user(USER, PASSWORD, KEY_PREFIX).and("stream-node-max-bytes 512"),
            )?,
            files,
        })
    }

    pub(crate) fn config(&self) -> RedisConfig {
        let file = |name: &str| self.files.path().join(name).display().to_string();
        RedisConfig {
            topology: RedisTopology::Standalone,
            addresses: vec![self.server.address()],
            master_name: None,
            key_prefix: KEY_PREFIX.to_owned(),
            credentials: Some(RedisCredentials {
                username_file: Some(file("username")),
                password_file: file("password"),
            }),
            tls: None,
            required: true,
        }
    }

    fn used_bytes(&self) -> Result<u64> {
        let info = self.server.ask(&["INFO", "memory"])?;
        let used = info.lines().find_map(|line| line.strip_prefix("used_memory:"));
        Ok(used.context("INFO names the memory in use")?.trim().parse()?)
    }
}

/// Says what each costs.
pub(crate) async fn measure(server: &Path, count: usize) -> Result<()> {
    let redis = SharedRedis::start()?;
    let gateway = Gateway::start(server, Some(&redis)).await?;
    let caller = Caller { gateway: &gateway, http: http_client()? };
    let tokens: Vec<String> = (0..count.div_ceil(OF_ONE_PERSON)).map(|person| gateway.token_of(person)).collect();
    let token = |number: usize| tokens[number / OF_ONE_PERSON].as_str();
    // What the first of everything costs once is not counted.
    caller.session(token(0)).await?;
    let mut before = Costs::of(&gateway, &redis).await?;

    let sessions: Vec<String> =
        stream::iter(0..count).map(|number| caller.session(token(number))).buffered(AT_A_TIME).try_collect().await?;
    before = before.tell("session", count, &gateway, &redis).await?;

    let streams: Vec<Response> =
        stream::iter(0..count).map(|number| caller.listen(token(number))).buffered(AT_A_TIME).try_collect().await?;
    before = before.tell("listen stream of 2026-07-28", count, &gateway, &redis).await?;
    drop(streams);
    gateway.until_idle().await?;

    let gets = sessions.iter().enumerate().map(|(number, session)| caller.standalone(token(number), session));
    let streams: Vec<Response> = stream::iter(gets).buffered(AT_A_TIME).try_collect().await?;
    before = before.tell("GET stream of a session", count, &gateway, &redis).await?;
    drop(streams);
    gateway.until_idle().await?;

    let ends = sessions.iter().enumerate().map(|(number, session)| caller.end(token(number), session));
    stream::iter(ends).buffered(AT_A_TIME).try_collect::<Vec<()>>().await?;
    before.tell("session that was ended", count, &gateway, &redis).await?;
    println!("after all streams are closed: {}", gateway.usage().await?);
    Ok(())
}

/// What both hold at a moment.
struct Costs {
    server_kib: u64,
    redis_bytes: u64,
}

impl Costs {
    async fn of(gateway: &Gateway, redis: &SharedRedis) -> Result<Self> {
        Ok(Self { server_kib: gateway.usage().await?.resident_kib, redis_bytes: redis.used_bytes()? })
    }

    /// What `count` of something have cost since.
    async fn tell(&self, what: &str, count: usize, gateway: &Gateway, redis: &SharedRedis) -> Result<Self> {
        let now = Self::of(gateway, redis).await?;
        let each = |after: u64, before: u64| after.saturating_sub(before) / count as u64;
        let (server, store) =
            (each(now.server_kib * 1024, self.server_kib * 1024), each(now.redis_bytes, self.redis_bytes));
        let (server_mib, store_mib) = (now.server_kib / 1024, now.redis_bytes / 1024 / 1024);
        println!(
            "{count} x {what}: {server} B each in the gateway (now {server_mib} MiB), {store} B in Redis (now {store_mib} MiB)"
        );
        Ok(now)
    }
}

struct Caller<'a> {
    gateway: &'a Gateway,
    http: reqwest::Client,
}

impl Caller<'_> {
    async fn session(&self, token: &str) -> Result<String> {
        let client = json!({ "name": "load", "version": "1" });
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params });
        let answer = self.post(token, &[], &body).await?;
        Ok(answer.headers().get("mcp-session-id").context("a session")?.to_str()?.to_owned())
    }

    async fn end(&self, token: &str, session: &str) -> Result<()> {
        let request = self.http.delete(&self.gateway.url).bearer_auth(token).header("mcp-session-id", session);
        let status = request.send().await?.status();
        ensure!(status == StatusCode::NO_CONTENT, "the session does not end: {status}");
        Ok(())
    }

    async fn listen(&self, token: &str) -> Result<Response> {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientCapabilities": {},
        });
        let params = json!({ "notifications": { "toolsListChanged": true }, "_meta": meta });
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": params });
        let headers = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "subscriptions/listen")];
        let mut stream = self.post(token, &headers, &body).await?;
        stream.chunk().await?.context("an acknowledgement")?;
        Ok(stream)
    }

    async fn standalone(&self, token: &str, session: &str) -> Result<Response> {
        let request = self.http.get(&self.gateway.url).bearer_auth(token).header("mcp-session-id", session);
        let mut stream = served(request.header("accept", "text/event-stream").send().await?)?;
        stream.chunk().await?.context("the event that primes")?;
        Ok(stream)
    }

    async fn post(&self, token: &str, headers: &[(&str, &str)], body: &Value) -> Result<Response> {
        let mut request = self.http.post(&self.gateway.url).bearer_auth(token).json(body);
        request = request.header("accept", "application/json, text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        served(request.send().await?)
    }
}

fn served(answer: Response) -> Result<Response> {
    ensure!(answer.status() == StatusCode::OK, "{}", answer.status());
    Ok(answer)
}
