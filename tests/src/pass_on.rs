//! One request passed on to another server, and its answer back: what the harness's reverse proxies have in common.
//!
//! Bodies of answers stream, so that a watch or a stream of events does not wait for its end.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, Method, header},
    response::{IntoResponse, Response},
};
use reqwest::Client;
use url::Url;

/// About one connection only (RFC 9110, 7.6.1), so they end here.
const HOP_BY_HOP: [HeaderName; 7] = [
    header::CONNECTION,
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// Sends the request through `client`; answers as soon as the head of the answer is there.
pub(crate) async fn pass_on(
    client: &Client,
    method: Method,
    url: Url,
    mut headers: HeaderMap,
    body: Option<reqwest::Body>,
) -> reqwest::Result<Response> {
    without_hop_by_hop(&mut headers);
    let mut onward = client.request(method, url).headers(headers);
    if let Some(body) = body {
        onward = onward.body(body);
    }
    let answer = onward.send().await?;
    let (status, mut headers) = (answer.status(), answer.headers().clone());
    without_hop_by_hop(&mut headers);
    Ok((status, headers, Body::from_stream(answer.bytes_stream())).into_response())
}

fn without_hop_by_hop(headers: &mut HeaderMap) {
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}
