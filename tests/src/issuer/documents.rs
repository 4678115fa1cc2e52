//! The two documents that a resource server reads, honest or spoilt by the fault in force.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures::StreamExt as _;
use serde_json::{Value, json};

use super::faults::{Document, Fault};
use super::state::Shared;

/// What [`Fault::Huge`] sends.
const HUGE_BODY_BYTES: usize = 50 * 1024 * 1024;

/// The metadata of the authorization server, under the names of both specifications.
pub(crate) async fn discovery(State(shared): State<Arc<Shared>>) -> Response {
    let document = metadata(&shared.url);
    answer(&shared, Document::Discovery, || document).await
}

/// The key set.
pub(crate) async fn key_set(State(shared): State<Arc<Shared>>) -> Response {
    answer(&shared, Document::KeySet, || shared.keys().key_set()).await
}

async fn answer(shared: &Shared, document: Document, honest: impl FnOnce() -> Value) -> Response {
    shared.counters.add(document);
    let mut fault = shared.fault.subscribe();
    // Held back until the test changes the fault or the asking side gives up.
    let now = fault.wait_for(|fault| *fault != Fault::Slow).await.map_or(Fault::None, |now| *now);
    match now {
        Fault::None | Fault::Down | Fault::Slow => axum::Json(honest()).into_response(),
        Fault::Garbage => spoilt("<html>not the document</html>"),
        Fault::Huge => huge(),
        Fault::ServerError => (StatusCode::INTERNAL_SERVER_ERROR, "the issuer is broken").into_response(),
        Fault::Redirect => {
            let location = (header::LOCATION, "http://169.254.169.254/latest/meta-data");
            (StatusCode::FOUND, [location]).into_response()
        }
        Fault::Empty => axum::Json(json!({ "keys": [] })).into_response(),
    }
}

fn spoilt(body: &'static str) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn huge() -> Response {
    const CHUNK: &[u8] = &[b' '; 64 * 1024];
    let chunks = futures::stream::repeat(CHUNK).take(HUGE_BODY_BYTES / CHUNK.len());
    let body = Body::from_stream(chunks.map(|chunk| Ok::<_, std::io::Error>(Bytes::from_static(chunk))));
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

fn metadata(url: &str) -> Value {
    json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
        "registration_endpoint": format!("{url}/register"),
        "jwks_uri": format!("{url}/jwks"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported":
            ["none", "client_secret_basic", "client_secret_post"],
        "authorization_response_iss_parameter_supported": true,
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
    })
}
