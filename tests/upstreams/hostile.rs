//! Upstreams that stall, drip, lie about ids, flood and redirect, beside the good ones: each ends in a bounded error of its
//! own tools, and nobody else waits for it.

use std::{
    convert::Infallible,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    extract::{Path, State},
    http::Response,
    routing::any,
};
use futures::{
    StreamExt as _,
    future::{Either, join_all, pending, select},
    stream,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, time::interval};
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    it::support::files::policy,
    report,
    voice::{REVISIONS, Voice},
    world::{World, gateway_before, met, upstream, upstreams, voice_with},
};

/// How long a call that nothing else ends may take, in seconds. Chosen: much longer than all good calls together.
const DEADLINE_SECONDS: u32 = 6;

/// The same of the others, which end by something else, however busy the machine is.
const NEVER_SECONDS: u32 = 120;

const METADATA: &str = "http://169.254.169.254/latest/meta-data/";

/// What each of them does when its tool is called, and what becomes of the call.
const CALLED: [(&str, &str); 6] = [
    ("stall", "the tool did not answer within 6 s and was stopped; try again later or ask for less"),
    ("drip", "the tool did not answer within 6 s and was stopped; try again later or ask for less"),
    ("ids", r#"upstream "ids" gave an answer that is malformed"#),
    ("flood", r#"upstream "flood" gave an answer that is too large"#),
    ("redirect", r#"upstream "redirect" answered with a redirect, which is not followed"#),
    ("lure", r#"upstream "lure" answered with a redirect, which is not followed"#),
];

pub(crate) async fn what_misbehaves_ends_in_bounded_errors_of_its_own(world: &mut World) {
    let fake = Fake::start().await;
    let mut all = Vec::new();
    // Before and between the good ones.
    for name in CALLED.iter().map(|(name, _)| *name).chain(["moved", "silent"]) {
        let mut hostile = upstream(name, fake.url(name));
        hostile.timeout_seconds = if ["stall", "drip"].contains(&name) { DEADLINE_SECONDS } else { NEVER_SECONDS };
        all.push(hostile);
    }
    all.splice(4..4, upstreams(&world.peers));
    let gateway = gateway_before(&all, policy(&[])).await;
    let waited_for: Vec<_> = all.iter().map(|one| one.name.as_str()).filter(|name| *name != "silent").collect();
    met(&gateway, &waited_for).await;

    let voices = join_all(REVISIONS.map(|revision| voice_with(&gateway, revision, &[]))).await;
    let bad = join_all(voices.iter().map(hostile_calls));
    let good = good_calls(world, &voices);
    match select(Box::pin(good), Box::pin(bad)).await {
        Either::Left(((), bad)) => drop(bad.await),
        Either::Right(_) => panic!("the good ones waited for the others"),
    }

    for fronted in &world.peers {
        assert_eq!(report::of(&gateway, fronted.name).await["ready"], true, "{}", fronted.name);
    }
    let moved = report::of(&gateway, "moved").await;
    assert_eq!(moved["ready"], false, "{moved}");
    assert_eq!(moved["lastError"], "answered with a redirect, which is not followed", "{moved}");
    assert_eq!(report::of(&gateway, "silent").await["ready"], false);
    for voice in &voices {
        let names = voice.names().await;
        assert!(!names.iter().any(|name| name.starts_with("moved__") || name.starts_with("silent__")), "{names:?}");
    }
    assert_eq!(fake.lured.load(Ordering::Relaxed), 0, "a redirect was followed");
}

/// All at once; each ends as it must.
async fn hostile_calls(voice: &Voice) {
    join_all(CALLED.map(|(name, expected)| async move {
        let said = voice.call(&format!("{name}__tool"), "{}").await.failure();
        assert_eq!(said, expected, "in {}", voice.revision);
    }))
    .await;
}

async fn good_calls(world: &World, voices: &[Voice]) {
    for voice in voices {
        for fronted in &world.peers {
            let said = voice.call(&fronted.tool("echo"), r#"{"message":"x"}"#).await.said();
            assert!(said.ends_with('x'), "{} in {}: {said}", fronted.name, voice.revision);
        }
    }
}

/// A server whose paths are upstreams that misbehave, each in its way.
struct Fake {
    port: u16,
    /// How often somebody followed a redirect to it.
    lured: Arc<AtomicUsize>,
    _stop: DropGuard,
}

impl Fake {
    async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let lured = Arc::new(AtomicUsize::new(0));
        let router = Router::new().route("/{name}", any(answer)).with_state((port, Arc::clone(&lured)));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        TaskTracker::new().spawn(async move {
            // Dropped, not drained: some of its answers never end.
            select(Box::pin(stopped), Box::pin(axum::serve(listener, router).into_future())).await;
        });
        Self { port, lured, _stop: stop.drop_guard() }
    }

    fn url(&self, name: &str) -> String {
        format!("http://127.0.0.1:{}/{name}", self.port)
    }
}

async fn answer(
    State((port, lured)): State<(u16, Arc<AtomicUsize>)>,
    Path(name): Path<String>,
    body: String,
) -> Response<Body> {
    let request: Value = serde_json::from_str(&body).unwrap_or_default();
    match (name.as_str(), request["method"].as_str().unwrap_or_default()) {
        ("trap", _) => {
            lured.fetch_add(1, Ordering::Relaxed);
            json_response(&Value::Null)
        }
        ("moved", _) => redirect(METADATA),
        ("silent", _) => pending().await,
        (_, "server/discover") => json_response(&result(&request["id"], discovered())),
        (_, "tools/list") => json_response(&result(&request["id"], listed())),
        ("stall", _) => pending().await,
        ("drip", _) => {
            let drops = stream::unfold(interval(Duration::from_millis(20)), |mut interval| async {
                interval.tick().await;
                Some((": still here\n\n".to_owned(), interval))
            });
            events(Body::from_stream(drops.map(Ok::<_, Infallible>)))
        }
        ("ids", _) => {
            let id = request["id"].as_u64().unwrap_or_default();
            let ids = [json!(id + 1), json!(id.to_string()), json!(-1), json!(0)];
            events(Body::from(ids.map(|id| event(&result(&id, called()))).concat()))
        }
        ("flood", _) => {
            let note = json!({ "jsonrpc": "2.0", "method": "notifications/message",
                "params": { "level": "info", "data": "x".repeat(8192) } });
            events(Body::from_stream(stream::repeat(event(&note)).map(Ok::<_, Infallible>)))
        }
        ("redirect", _) => redirect(METADATA),
        _ => redirect(&format!("http://127.0.0.1:{port}/trap")),
    }
}

fn discovered() -> Value {
    json!({ "resultType": "complete", "supportedVersions": ["2026-07-28"], "capabilities": { "tools": {} },
        "ttlMs": 0, "cacheScope": "public" })
}

fn listed() -> Value {
    let tool = json!({ "name": "tool", "description": "Misbehaves.", "inputSchema": { "type": "object" } });
    json!({ "resultType": "complete", "tools": [tool], "ttlMs": 0, "cacheScope": "public" })
}

fn called() -> Value {
    json!({ "resultType": "complete", "content": [{ "type": "text", "text": "of another call" }] })
}

fn result(id: &Value, result: Value) -> Value {
    let mut answer = json!({ "jsonrpc": "2.0", "id": id });
    answer["result"] = result;
    answer
}

fn event(message: &Value) -> String {
    format!("event: message\ndata: {message}\n\n")
}

fn json_response(body: &Value) -> Response<Body> {
    Response::builder().header("content-type", "application/json").body(Body::from(body.to_string())).unwrap()
}

fn events(body: Body) -> Response<Body> {
    Response::builder().header("content-type", "text/event-stream").body(body).unwrap()
}

fn redirect(to: &str) -> Response<Body> {
    Response::builder().status(307).header("location", to).body(Body::empty()).unwrap()
}
