//! Which requests are writes that a rotation or any other work consists of, and when two of them are the same write. Pure.
//!
//! An operator that was killed comes back and does the same again a second later: then time has gone on, another password was
//! drawn, and a version is another. What tells one write from another is what remains.

use std::fmt;

use http::Method;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// Groups whose objects change nothing that anybody is served by: the election, what people are told, and questions about rights.
const ASIDE: [&str; 4] = ["coordination.k8s.io", "events.k8s.io", "authorization.k8s.io", "authentication.k8s.io"];

/// A hash of everything else in an object, its times included. Source: operator/src/desired/metadata.rs.
const DESIRED_HASH: &str = "mcpfoundry.dev/desired-hash";

/// How much of a hash tells contents apart. Chosen: a person reads it.
const SHOWN_DIGITS: usize = 8;

/// One write, whoever tries it and how often.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Write {
    method: String,
    /// Resource, name and subresource; the collection of a POST.
    object: String,
    /// A hash of what is applied; of a POST the object's name, since a generated Secret holds another password each time; of a
    /// DELETE nothing.
    content: String,
}

impl Write {
    /// What this request writes in `namespace`; `None`: nothing that counts.
    pub(super) fn read(namespace: &str, method: &Method, path: &str, body: &[u8]) -> Option<Self> {
        if ![Method::POST, Method::PUT, Method::PATCH, Method::DELETE].contains(method) {
            return None;
        }
        let (group, object) = place(namespace, path)?;
        if ASIDE.contains(&group) || (group.is_empty() && object.split('/').next() == Some("events")) {
            return None;
        }
        let content = match *method {
            Method::POST => name_in(body),
            Method::DELETE => String::new(),
            _ => hash(body),
        };
        Some(Self { method: method.to_string(), object: object.to_owned(), content })
    }
}

impl fmt::Display for Write {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, object, content } = self;
        write!(f, "{}", [method, object, content].map(String::as_str).join(" ").trim_end())
    }
}

/// Group (empty: the core) and object of a path in this namespace.
///
/// Source: Kubernetes API Concepts, "Resource URIs".
fn place<'a>(namespace: &str, path: &'a str) -> Option<(&'a str, &'a str)> {
    let (group, rest) = match path.strip_prefix("/apis/") {
        Some(rest) => rest.split_once('/')?,
        None => ("", path.strip_prefix("/api/")?),
    };
    let (_version, rest) = rest.split_once('/')?;
    let object = rest.strip_prefix("namespaces/")?.strip_prefix(namespace)?.strip_prefix('/')?;
    Some((group, object))
}

fn name_in(body: &[u8]) -> String {
    let object: Value = serde_json::from_slice(body).unwrap_or_default();
    object["metadata"]["name"].as_str().unwrap_or_default().to_owned()
}

fn hash(body: &[u8]) -> String {
    let mut hash = Sha256::new();
    match serde_json::from_slice::<Value>(body) {
        Ok(mut content) => {
            without_time(&mut content);
            hash.update(content.to_string());
        }
        Err(_) => hash.update(body),
    }
    format!("{:x}", hash.finalize())[..SHOWN_DIGITS].to_owned()
}

/// Whatever is another at another time becomes the same.
fn without_time(content: &mut Value) {
    match content {
        Value::String(text) if is_time(text) => "a time".clone_into(text),
        Value::Array(values) => values.iter_mut().for_each(without_time),
        Value::Object(members) => {
            for (key, value) in members {
                if key == DESIRED_HASH { *value = Value::Null } else { without_time(value) }
            }
        }
        _ => {}
    }
}

/// Whether this is a date with a time of day, as RFC 3339 writes them.
fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let separators = [(4, b'-'), (7, b'-'), (10, b'T'), (13, b':'), (16, b':')];
    bytes.len() >= "2026-11-22T00:00:00Z".len()
        && separators.iter().all(|(at, separator)| bytes[*at] == *separator)
        && bytes[..4].iter().all(u8::is_ascii_digit)
        && bytes[17..].iter().all(|byte| matches!(byte, b'0'..=b'9' | b'.' | b':' | b'+' | b'-' | b'Z'))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const DEPLOYMENT: &str = "/apis/apps/v1/namespaces/team-a/deployments/tools";

    #[test]
    fn a_write_is_what_changes_an_object_of_the_namespace() {
        let shown = |method: Method, path: &str| read(&method, path, &json!({})).map(|write| write.object);
        assert_eq!(shown(Method::PATCH, DEPLOYMENT).as_deref(), Some("deployments/tools"));
        assert_eq!(
            shown(Method::PATCH, "/apis/mcpfoundry.dev/v1alpha1/namespaces/team-a/mcpservers/tools/status").as_deref(),
            Some("mcpservers/tools/status")
        );
        assert_eq!(shown(Method::POST, "/api/v1/namespaces/team-a/secrets").as_deref(), Some("secrets"));
        for (method, path) in [
            (Method::GET, DEPLOYMENT),
            (Method::PATCH, "/apis/apps/v1/namespaces/team-ab/deployments/tools"),
            (Method::PUT, "/apis/coordination.k8s.io/v1/namespaces/team-a/leases/mcp-operator"),
            (Method::POST, "/apis/events.k8s.io/v1/namespaces/team-a/events"),
            (Method::POST, "/api/v1/namespaces/team-a/events"),
            (Method::POST, "/apis/authorization.k8s.io/v1/namespaces/team-a/localsubjectaccessreviews"),
            (Method::POST, "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"),
            (Method::POST, "/apis/authentication.k8s.io/v1/tokenreviews"),
        ] {
            assert_eq!(shown(method.clone(), path), None, "{method} {path}");
        }
    }

    #[test]
    fn the_same_is_applied_at_any_time_and_something_else_is_another_write() {
        let of = |replicas: u8, time: &str, hash: &str| {
            let annotations = json!({ "mcpfoundry.dev/rotated": time, "mcpfoundry.dev/desired-hash": hash });
            let object = json!({ "metadata": { "annotations": annotations }, "spec": { "replicas": replicas } });
            read(&Method::PATCH, DEPLOYMENT, &object)
        };
        let first = of(2, "2026-11-22T10:00:00Z", "a");
        assert_eq!(first, of(2, "2026-11-22T10:00:07.5Z", "b"));
        assert_ne!(first, of(3, "2026-11-22T10:00:00Z", "a"));
    }

    #[test]
    fn of_a_secret_that_is_made_only_the_name_counts_and_of_a_delete_the_path() {
        let post = |name: &str, password: &str| {
            let secret = json!({ "metadata": { "name": name }, "data": { "password": password } });
            read(&Method::POST, "/api/v1/namespaces/team-a/secrets", &secret)
        };
        assert_eq!(post("tools-redis-2", "drawn"), post("tools-redis-2", "drawn anew"));
        assert_ne!(post("tools-redis-2", "drawn"), post("tools-redis-3", "drawn"));
        let delete = |version: &str| {
            let options = json!({ "preconditions": { "resourceVersion": version } });
            read(&Method::DELETE, "/api/v1/namespaces/team-a/configmaps/old", &options)
        };
        assert_eq!(delete("1"), delete("2"));
    }

    #[test]
    fn people_are_shown_what_was_written() {
        let secret = json!({ "metadata": { "name": "new" } });
        let post = read(&Method::POST, "/api/v1/namespaces/team-a/secrets", &secret).unwrap();
        let delete = read(&Method::DELETE, "/api/v1/namespaces/team-a/secrets/old", &json!({})).unwrap();
        assert_eq!(
            (post.to_string().as_str(), delete.to_string().as_str()),
            ("POST secrets new", "DELETE secrets/old")
        );
    }

    #[test]
    fn names_and_numbers_are_no_times() {
        assert!(is_time("2026-11-22T10:00:00Z") && is_time("2026-11-22T10:00:00.123456+01:00"));
        assert!(!is_time("2026-11-22") && !is_time("tools-config-0123456789") && !is_time("2026-11-22Tten o'clock"));
    }

    fn read(method: &Method, path: &str, body: &Value) -> Option<Write> {
        Write::read("team-a", method, path, body.to_string().as_bytes())
    }
}
