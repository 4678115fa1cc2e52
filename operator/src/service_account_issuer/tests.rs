use std::{
    convert::Infallible,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use http::{Response, StatusCode};
use kube::{Client, client::Body};
use serde_json::json;

use super::*;
use crate::{
    backoff::{CAP, FIRST},
    leader::Fence,
    validate::tests::mcp_server,
};

const SPEC: &str = "{ auth: { issuers: [{ issuer: https://cluster, preset: kubernetes, scopeMappings: [] }] } }";

#[tokio::test(start_paused = true)]
async fn only_who_accepts_service_account_tokens_asks() {
    let api = Api::default();
    let other = mcp_server("{ auth: { issuers: [{ issuer: https://cluster, preset: keycloak }] } }");
    let issuer = ServiceAccountIssuer::default();
    assert_eq!(issuer.keys(&api.requests(), &other, Timestamp::UNIX_EPOCH).await, None);
    assert_eq!(api.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn one_answer_serves_all_for_an_hour() {
    let api = Api::default();
    let requests = api.requests();
    let (issuer, mcp_server) = (ServiceAccountIssuer::default(), mcp_server(SPEC));
    let ask = |second| issuer.keys(&requests, &mcp_server, Timestamp::from_second(second).unwrap());
    let answers = futures::future::join_all((0..16).map(|_| ask(10))).await;
    assert_eq!(api.asked(), 2, "discovery and keys");
    let expected = ServiceAccountKeys {
        issuer: "https://cluster".to_owned(),
        jwks: json!({ "keys": [{ "kid": "a" }, { "kid": "b" }] }),
        fetched_at: 10,
    };
    for answer in answers {
        assert_eq!(answer.unwrap().known, Ok(expected.clone()));
    }

    let Answer { again_in, .. } = ask(20).await.unwrap();
    assert!(again_in >= RENEWAL_INTERVAL.mul_f64(0.8) && again_in <= RENEWAL_INTERVAL.mul_f64(1.2), "{again_in:?}");
    tokio::time::advance(again_in).await;
    assert_eq!(ask(3600).await.unwrap().known.unwrap().fetched_at, 3600);
    assert_eq!(api.asked(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_failure_keeps_what_was_known_and_is_tried_again_soon() {
    let api = Api::default();
    let requests = api.requests();
    let (issuer, mcp_server) = (ServiceAccountIssuer::default(), mcp_server(SPEC));
    let ask = || issuer.keys(&requests, &mcp_server, Timestamp::UNIX_EPOCH);
    let known = ask().await.unwrap().known;
    assert!(known.is_ok());
    tokio::time::advance(RENEWAL_INTERVAL * 2).await;
    api.fail(StatusCode::SERVICE_UNAVAILABLE);
    let mut pauses = Vec::new();
    for _ in 0..12 {
        let answer = ask().await.unwrap();
        assert_eq!(answer.known, known);
        pauses.push(answer.again_in);
        tokio::time::advance(answer.again_in).await;
    }
    assert!(pauses[0] <= FIRST.mul_f64(1.2), "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= CAP.mul_f64(1.2)), "{pauses:?}");
    api.fail(StatusCode::OK);
    assert!(ask().await.unwrap().again_in > CAP.mul_f64(1.2));
}

#[tokio::test(start_paused = true)]
async fn what_was_never_known_has_a_reason() {
    for (status, expected) in [
        (StatusCode::FORBIDDEN, KeysUnavailable::Forbidden),
        (StatusCode::NOT_FOUND, KeysUnavailable::NotServed),
        (StatusCode::UNAUTHORIZED, KeysUnavailable::Unreachable),
        (StatusCode::INTERNAL_SERVER_ERROR, KeysUnavailable::Unreachable),
    ] {
        let api = Api::default();
        api.fail(status);
        let answer =
            ServiceAccountIssuer::default().keys(&api.requests(), &mcp_server(SPEC), Timestamp::UNIX_EPOCH).await;
        assert_eq!(answer.unwrap().known, Err(expected), "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_key_set_is_not_taken() {
    let long = json!({ "keys": ["x".repeat(300_000)] }).to_string();
    for keys in ["", "[]", "{}", r#"{"keys":{}}"#, r#"{"keys":[]}"#, "<html>", &long] {
        let api = Api { keys: Arc::new(keys.to_owned()), ..Api::default() };
        let answer =
            ServiceAccountIssuer::default().keys(&api.requests(), &mcp_server(SPEC), Timestamp::UNIX_EPOCH).await;
        assert_eq!(answer.unwrap().known, Err(KeysUnavailable::Unreadable), "{keys:.20}");
    }
}

/// Of an API server only what is asked here.
#[derive(Clone)]
struct Api {
    keys: Arc<String>,
    status: Arc<std::sync::Mutex<StatusCode>>,
    asked: Arc<AtomicUsize>,
}

impl Default for Api {
    fn default() -> Self {
        let keys = json!({ "keys": [{ "kid": "b" }, { "kid": "a" }] }).to_string();
        Self { keys: Arc::new(keys), status: Arc::new(StatusCode::OK.into()), asked: Arc::default() }
    }
}

impl Api {
    fn fail(&self, status: StatusCode) {
        *self.status.lock().unwrap() = status;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    fn requests(&self) -> Requests {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move {
                api.asked.fetch_add(1, Ordering::Relaxed);
                let status = *api.status.lock().unwrap();
                let body = match (status, request.uri().path()) {
                    (StatusCode::OK, "/.well-known/openid-configuration") => {
                        json!({ "issuer": "https://cluster", "jwks_uri": "https://elsewhere/jwks" }).to_string()
                    }
                    (StatusCode::OK, "/openid/v1/jwks") => api.keys.as_ref().clone(),
                    (status, _) => {
                        json!({ "kind": "Status", "status": "Failure", "code": status.as_u16(), "reason": "Because" })
                            .to_string()
                    }
                };
                Ok::<_, Infallible>(Response::builder().status(status).body(Body::from(body.into_bytes())).unwrap())
            }
        });
        Requests::new(Client::new(service, "default"), Fence::open())
    }
}
