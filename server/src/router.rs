//! The public listener: every route, and what a request passes on its way, top to bottom.
//!
//! All paths come from `publicUrl` and are exact; an ingress must hand them on unchanged. The steps are
//! plain functions that are called in order: services stacked around a router are boxed and cloned for
//! each request, which took more time than all the steps together.

use std::net::SocketAddr;

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{
    Method, Request,
    header::{CONTENT_LENGTH, HeaderValue},
};
use hyper::body::Body as HttpBody;

use crate::{
    app::App,
    config::Route,
    endpoint,
    error::Error,
    layers::{
        answer::answer,
        authentication::authenticate,
        catch_panic::catch_panic,
        correlation::CorrelationId,
        host, origin, request_limits, security_headers,
        trace::{Seen, Trace},
    },
    listener::Service,
};

/// The public listener. A cheap handle.
#[derive(Clone)]
pub struct Public(App);

/// The public listener of `app`.
pub fn public(app: App) -> Public {
    Public(app)
}

impl Service for Public {
    fn answer<B>(&self, client: Option<SocketAddr>, request: Request<B>) -> impl Future<Output = Response> + Send
    where
        B: HttpBody<Data = Bytes, Error: Into<axum::BoxError>> + Send + Unpin + 'static,
    {
        answer_one(&self.0, client, request)
    }
}

/// What every request passes, also one that is refused.
async fn answer_one<B>(app: &App, client: Option<SocketAddr>, request: Request<B>) -> Response
where
    B: HttpBody<Data = Bytes> + Send + Unpin,
{
    let route = app.config().endpoint.route(request.uri().path());
    let version = request.version();
    // First: every answer and every log line has the id.
    let id = CorrelationId::from_headers(request.headers());
    // Begins before, and ends after, all that can refuse.
    let trace = Trace::begin(app, &request, route, client, &id);
    let mut seen = Seen::default();
    // Around all that is not a few lines of its own.
    let served = trace.within(catch_panic(serve(app, route, request, &id, &trace, &mut seen))).await;
    let refusal = served.as_ref().err().map(Error::reason);
    // Errors of everything above become bytes here, where route and id are known.
    let mut response = served.unwrap_or_else(|error| answer(app, &error, route, version, &id));
    trace.end(&seen, response.status(), refusal);
    // On every answer, refusals included.
    let headers = response.headers_mut();
    origin::name_page(seen.page, headers);
    security_headers::write(headers);
    id.write(headers);
    response
}

/// What a request passes until it is refused or a handler has it.
async fn serve<B>(
    app: &App,
    route: Route,
    mut request: Request<B>,
    id: &CorrelationId,
    trace: &Trace<'_>,
    seen: &mut Seen,
) -> Result<Response, Error>
where
    B: HttpBody<Data = Bytes> + Send + Unpin,
{
    // Before anything reads the head.
    request_limits::check(request.uri(), request.headers())?;
    // Before routing, so that an unknown host learns nothing of the paths.
    host::check(app.config(), request.uri(), request.headers())?;
    match route {
        Route::Unknown => return Err(Error::NotFound),
        // Where no token is asked for, nothing says where to get one.
        Route::Metadata | Route::RootMetadata | Route::IssuerMetadata if app.authenticator().is_none() => {
            return Err(Error::NotFound);
        }
        // These documents alone are for pages of any origin.
        Route::Metadata | Route::RootMetadata => return document(request.method(), || Ok(endpoint::metadata(app))),
        // What is missing may be there later; another method never is.
        Route::IssuerMetadata => return document(request.method(), || endpoint::issuer_metadata(app)),
        Route::Health | Route::Capabilities | Route::Endpoint => {}
    }
    // Before authentication: a preflight has no token, and a 401 must be readable by its page.
    seen.page = origin::check(app.config(), request.headers())?;
    if seen.page.is_some() && origin::is_preflight(&request) {
        return Ok(origin::preflight());
    }
    if route == Route::Health {
        return document(request.method(), || Ok(endpoint::public_health(app)));
    }
    // No handler below runs without a principal, and none sees a token.
    let principal = authenticate(app, request.headers_mut()).await?;
    let principal = &*seen.principal.insert(principal);
    // Only known callers take a place, and a body is read in one only.
    let of_caller = app.policy().limits().requests_in_flight_per_principal;
    let place = app.places().take(principal, of_caller)?;
    if route == Route::Capabilities {
        return document(request.method(), || Ok(endpoint::capabilities(app, principal)));
    }
    endpoint::mcp(app, principal, id, trace.span(), place, request, &mut seen.call).await
}

/// A document that can be asked for and not changed.
fn document(method: &Method, document: impl FnOnce() -> Result<Response, Error>) -> Result<Response, Error> {
    match *method {
        Method::GET => document(),
        Method::HEAD => document().map(head),
        _ => Err(Error::MethodNotAllowed { allow: "GET" }),
    }
}

/// The same without its body, but with its length.
fn head(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = body.size_hint().exact() {
        parts.headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Response::from_parts(parts, Body::empty())
}

#[cfg(test)]
mod tests;
