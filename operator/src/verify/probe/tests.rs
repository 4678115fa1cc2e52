//! What a pod answers, over real HTTP on a free port.

use axum::{
    Json, Router,
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::{get, post},
};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::*;

#[tokio::test]
async fn a_good_pod_is_asked_as_a_client_would_and_told_apart_hop_by_hop() {
    let router = Router::new()
        .route("/report", get(async || Json(report())))
        .route("/mcp", post(async |headers: HeaderMap| challenge(&headers)))
        .route(
            "/.well-known/oauth-protected-resource/mcp",
            get(async || Json(json!({ "resource": "https://mcp.example.com/mcp" }))),
        );
    let pod = Pod::start(router).await;
    let found = pod.probe(&questions(true)).await;
    assert_eq!(found.report.unwrap().config_revision, "abc");
    let answer = found.unauthenticated.unwrap();
    assert_eq!((answer.status, answer.www_authenticate.as_deref()), (401, Some("Bearer host=mcp.example.com")));
    let metadata = found.metadata.unwrap().unwrap();
    assert_eq!((metadata.status, metadata.resource.as_deref()), (200, Some("https://mcp.example.com/mcp")));
}

#[tokio::test]
async fn metadata_is_not_asked_for_without_authentication() {
    let pod = Pod::start(Router::new()).await;
    assert_eq!(pod.probe(&questions(false)).await.metadata, Ok(None));
}

#[tokio::test]
async fn what_is_no_report_or_too_large_is_unreadable() {
    for router in [
        Router::new(),
        Router::new().route("/report", get(async || "no JSON")),
        Router::new().route("/report", get(async || vec![b' '; MAX_BODY_BYTES + 1])),
    ] {
        let pod = Pod::start(router).await;
        assert_eq!(pod.probe(&questions(true)).await.report, Err(HopError::Unreadable));
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let away = async || (StatusCode::FOUND, [("location", "/elsewhere")]).into_response();
    let pod = Pod::start(Router::new().route("/mcp", post(away))).await;
    assert_eq!(pod.probe(&questions(true)).await.unauthenticated.unwrap().status, 302);
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_unreachable() {
    let pod = Pod::start(Router::new()).await;
    let address = pod.address;
    pod.stop().await;
    let found = Prober::new().unwrap().probe(address, &questions(true)).await;
    assert_eq!(found.report, Err(HopError::Unreachable));
    assert_eq!(found.metadata, Err(HopError::Unreachable));
}

#[test]
fn host_and_paths_come_from_the_public_url() {
    let endpoint = Endpoint {
        url: "https://mcp.example.com:8443".to_owned(),
        origin: "https://mcp.example.com:8443".to_owned(),
        host: "mcp.example.com".to_owned(),
        path: String::new(),
    };
    let questions = Questions::of(&endpoint, true);
    assert_eq!((questions.host.as_str(), questions.path.as_str()), ("mcp.example.com:8443", "/"));
    assert_eq!(questions.metadata_path.as_deref(), Some("/.well-known/oauth-protected-resource"));
}

#[test]
fn untrusted_text_is_cut_between_characters() {
    assert_eq!(bounded(&"é".repeat(MAX_TEXT_BYTES)).len(), MAX_TEXT_BYTES);
    assert_eq!(bounded("short"), "short");
}

fn challenge(headers: &HeaderMap) -> impl IntoResponse + use<> {
    let host = headers["host"].to_str().unwrap();
    (StatusCode::UNAUTHORIZED, [("www-authenticate", format!("Bearer host={host}"))])
}

fn questions(authenticated: bool) -> Questions {
    Questions {
        host: "mcp.example.com".to_owned(),
        path: "/mcp".to_owned(),
        metadata_path: authenticated.then(|| "/.well-known/oauth-protected-resource/mcp".to_owned()),
    }
}

fn report() -> Value {
    json!({
        "version": 1, "configRevision": "abc", "policyRevision": "def", "serverVersion": "0.1.0",
        "eras": ["2026-07-28"], "tools": { "count": 3, "digest": "d" },
    })
}

/// One listener that plays both ports.
struct Pod {
    address: PodAddress,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Pod {
    async fn start(router: Router) -> Self {
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let local = listener.local_addr().unwrap();
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let serve = axum::serve(listener, router).with_graceful_shutdown(stop.clone().cancelled_owned());
        tasks.spawn(async move { serve.await });
        Self { address: PodAddress { public: local, admin: local }, stop, tasks }
    }

    async fn probe(&self, questions: &Questions) -> PodVerification {
        Prober::new().unwrap().probe(self.address, questions).await
    }

    async fn stop(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
