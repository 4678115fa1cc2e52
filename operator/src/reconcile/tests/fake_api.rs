//! As much of a Kubernetes API as runs use, in memory: server-side apply with its preconditions and
//! managedFields, status, delete, a list of one, events. It records each request and breaks one on demand.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::{Method, Request, Response, StatusCode};
use kube::{Client, client::Body};
use serde_json::{Value, json};

use crate::apply::owned_fields;

const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Whose ServiceAccount tokens it signs.
pub(super) const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// How one request breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// Refused before anything happened.
    Rejected(u16),
    /// Done, and the answer lost.
    AnswerLost,
    /// Refused, because the namespace is going.
    NamespaceTerminating,
}

#[derive(Default)]
struct World {
    objects: BTreeMap<String, Value>,
    version: u64,
    requests: Vec<String>,
    fault: Option<(usize, Fault)>,
    delay: Duration,
    counts_generations: bool,
}

/// The API; cheap to clone.
#[derive(Clone, Default)]
pub(super) struct FakeApi(Arc<Mutex<World>>);

impl FakeApi {
    /// A client of it.
    pub(super) fn client(&self) -> Client {
        let api = self.clone();
        let service = tower::service_fn(move |request: Request<Body>| {
            let api = api.clone();
            async move {
                tokio::time::sleep(api.delay()).await;
                let (parts, body) = request.into_parts();
                let body = body.collect_bytes().await.unwrap();
                let (code, document) = api.answer(&parts.method, &parts.uri, &body);
                let answer = Response::builder().status(code).body(Body::from(document.to_string().into_bytes()));
                Ok::<_, Infallible>(answer.unwrap())
            }
        });
        Client::new(service, "default")
    }

    /// Breaks the request with this index, counted from 0 over all that have been sent.
    pub(super) fn break_request(&self, index: usize, fault: Fault) {
        self.0.lock().unwrap().fault = Some((index, fault));
    }

    /// Answers each request only after `delay`.
    pub(super) fn delay_answers(&self, delay: Duration) {
        self.0.lock().unwrap().delay = delay;
    }

    /// From now on a change of a spec is a new generation, and status speaks of the one before until somebody edits it. Without
    /// this whatever is written counts as acted on.
    pub(super) fn count_generations(&self) {
        self.0.lock().unwrap().counts_generations = true;
    }

    fn delay(&self) -> Duration {
        self.0.lock().unwrap().delay
    }

    /// What was sent since this was called last: `PATCH services/tools mcp-operator force`.
    pub(super) fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().requests)
    }

    /// Every object by `resource/name`.
    pub(super) fn objects(&self) -> BTreeMap<String, Value> {
        self.0.lock().unwrap().objects.clone()
    }

    /// Changes the objects as somebody else would.
    pub(super) fn edit(&self, key: &str, edit: impl FnOnce(&mut Value)) {
        let mut world = self.0.lock().unwrap();
        world.version += 1;
        let version = world.version.to_string();
        let object = world.objects.entry(key.to_owned()).or_insert_with(|| json!({ "metadata": {} }));
        edit(object);
        object["metadata"]["resourceVersion"] = version.into();
    }

    /// Takes an object away as somebody else would.
    pub(super) fn remove(&self, key: &str) {
        self.0.lock().unwrap().objects.remove(key);
    }

    fn answer(&self, method: &Method, uri: &http::Uri, body: &[u8]) -> (StatusCode, Value) {
        let mut world = self.0.lock().unwrap();
        let index = world.requests.len();
        let target = Target::of(uri);
        world.requests.push(target.line(method));
        let fault = world.fault.filter(|(at, _)| *at == index).map(|(_, fault)| fault);
        if let Some(Fault::Rejected(code)) = fault {
            return failure(code, "broken on purpose");
        }
        if fault == Some(Fault::NamespaceTerminating) {
            let (code, mut status) = failure(403, "namespace demo is being terminated");
            status["details"]["causes"] = json!([{ "reason": "NamespaceTerminating", "field": "metadata.namespace" }]);
            return (code, status);
        }
        let answer = world.handle(method, &target, body);
        if fault == Some(Fault::AnswerLost) { failure(504, "the answer was lost") } else { answer }
    }
}

/// What a request is about.
struct Target {
    resource: String,
    name: Option<String>,
    subresource: Option<String>,
    query: BTreeMap<String, String>,
}

impl Target {
    fn of(uri: &http::Uri) -> Self {
        if !uri.path().contains("/namespaces/") {
            return Self { resource: uri.path().to_owned(), name: None, subresource: None, query: BTreeMap::new() };
        }
        let mut segments =
            uri.path().split('/').skip_while(|segment| *segment != "namespaces").skip(2).map(str::to_owned);
        let query = url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect();
        Self { resource: segments.next().unwrap(), name: segments.next(), subresource: segments.next(), query }
    }

    fn key(&self) -> String {
        format!("{}/{}", self.resource, self.name.as_deref().unwrap_or_default())
    }

    fn line(&self, method: &Method) -> String {
        let mut line = format!("{method} {}", self.resource);
        for part in [&self.name, &self.subresource].into_iter().flatten().filter(|_| self.resource != "events") {
            line = format!("{line}/{part}");
        }
        if let Some(manager) = self.query.get("fieldManager") {
            line = format!("{line} {manager}");
        }
        if self.query.get("force").is_some_and(|force| force == "true") {
            line = format!("{line} force");
        }
        line
    }
}

impl World {
    fn handle(&mut self, method: &Method, target: &Target, body: &[u8]) -> (StatusCode, Value) {
        match *method {
            Method::PATCH if target.subresource.is_some() => self.status(target, body),
            Method::PATCH => self.apply(target, body),
            Method::DELETE => self.delete(target, body),
            Method::GET if target.resource == DISCOVERY => (StatusCode::OK, json!({ "issuer": ISSUER })),
            Method::GET if target.resource.starts_with('/') => (StatusCode::OK, json!({ "keys": [{ "kid": "a" }] })),
            Method::GET => self.list(target),
            Method::POST if target.resource == "secrets" => self.create(target, body),
            // Events.
            _ => (StatusCode::CREATED, serde_json::from_slice(body).unwrap()),
        }
    }

    fn create(&mut self, target: &Target, body: &[u8]) -> (StatusCode, Value) {
        let mut object: Value = serde_json::from_slice(body).unwrap();
        let key = format!("{}/{}", target.resource, object["metadata"]["name"].as_str().unwrap());
        if self.objects.contains_key(&key) {
            let (code, mut status) = failure(409, "it exists");
            status["reason"] = "AlreadyExists".into();
            return (code, status);
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        self.objects.insert(key, object.clone());
        (StatusCode::CREATED, object)
    }

    fn apply(&mut self, target: &Target, body: &[u8]) -> (StatusCode, Value) {
        let applied: Value = serde_json::from_slice(body).unwrap();
        let existing = self.objects.get(&target.key());
        let metadata = &applied["metadata"];
        match existing.map(|existing| &existing["metadata"]) {
            Some(known)
                if metadata.get("resourceVersion").is_some_and(|version| *version != known["resourceVersion"]) =>
            {
                return failure(409, "the object has been modified");
            }
            Some(known) if metadata.get("uid").is_some_and(|uid| *uid != known["uid"]) => {
                return failure(422, "metadata.uid: field is immutable");
            }
            None if metadata.get("uid").is_some() => return failure(409, "uid mismatch"),
            _ => {}
        }
        let uid = existing.map_or_else(
            || format!("uid-{}", target.key()),
            |known| known["metadata"]["uid"].as_str().unwrap().to_owned(),
        );
        let mut object = applied.clone();
        object["metadata"]["uid"] = uid.into();
        object["metadata"]["managedFields"] = json!([{
            "manager": target.query["fieldManager"], "operation": "Apply", "fieldsV1": owned_fields(&applied),
        }]);
        if let Some(status) = existing.and_then(|existing| existing.get("status")) {
            object["status"] = status.clone();
        }
        if self.counts_generations {
            let before = existing.map_or(0, |existing| existing["metadata"]["generation"].as_i64().unwrap_or(0));
            let is_new = existing.is_none_or(|existing| existing["spec"] != object["spec"]);
            object["metadata"]["generation"] = (before + i64::from(is_new)).into();
        }
        let unchanged = existing.is_some_and(|existing| same_but_version(existing, &object));
        if !unchanged {
            self.version += 1;
        }
        let version = match existing {
            Some(existing) if unchanged => existing["metadata"]["resourceVersion"].clone(),
            _ => self.version.to_string().into(),
        };
        object["metadata"]["resourceVersion"] = version;
        self.objects.insert(target.key(), object.clone());
        (StatusCode::OK, object)
    }

    fn status(&mut self, target: &Target, body: &[u8]) -> (StatusCode, Value) {
        let applied: Value = serde_json::from_slice(body).unwrap();
        self.version += 1;
        let version = self.version.to_string();
        let Some(object) = self.objects.get_mut(&target.key()) else { return failure(404, "not found") };
        object["status"] = applied["status"].clone();
        object["metadata"]["resourceVersion"] = version.into();
        (StatusCode::OK, object.clone())
    }

    fn delete(&mut self, target: &Target, body: &[u8]) -> (StatusCode, Value) {
        let options: Value = serde_json::from_slice(body).unwrap();
        let Some(object) = self.objects.get(&target.key()) else { return failure(404, "not found") };
        // A Secret is deleted unread, by its name alone.
        let preconditions: &[&str] = if target.resource == "secrets" { &[] } else { &["uid", "resourceVersion"] };
        for precondition in preconditions {
            if options["preconditions"][*precondition] != object["metadata"][*precondition] {
                return failure(409, "precondition failed");
            }
        }
        self.objects.remove(&target.key());
        (StatusCode::OK, json!({ "apiVersion": "v1", "kind": "Status", "status": "Success" }))
    }

    fn list(&self, target: &Target) -> (StatusCode, Value) {
        let name = target.query["fieldSelector"].trim_start_matches("metadata.name=");
        let found = self.objects.get(&format!("{}/{name}", target.resource));
        (
            StatusCode::OK,
            json!({ "apiVersion": "v1", "kind": "List", "metadata": {}, "items": found.into_iter().collect::<Vec<_>>() }),
        )
    }
}

fn same_but_version(one: &Value, other: &Value) -> bool {
    let plain = |object: &Value| {
        let mut object = object.clone();
        object["metadata"]["resourceVersion"] = Value::Null;
        object
    };
    plain(one) == plain(other)
}

fn failure(code: u16, message: &str) -> (StatusCode, Value) {
    let causes = if code == 422 { json!([{ "field": "metadata.uid" }]) } else { json!([]) };
    let status = json!({
        "apiVersion": "v1", "kind": "Status", "status": "Failure", "code": code, "reason": "Because",
        "message": message, "details": { "causes": causes },
    });
    (StatusCode::from_u16(code).unwrap(), status)
}
