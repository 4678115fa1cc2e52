//! Requests as Redis wants them, and what its replies mean. Pure.
//!
//! A reply of a form that we never asked for is a fault where something was to be written; where something was read it
//! counts as absent.

use std::time::Duration;

use bytes::Bytes;
use redis::{Cmd, Pipeline, Value, cmd, pipe};

use super::{fault::Fault, slot::slot};
use crate::store::{Entry, Key, MAX_ENTRIES, MAX_VALUE_BYTES};

/// The version of the layout of keys and values. Another layout takes another.
const LAYOUT: &str = "v1:";

/// The one field of a log's entries.
const FIELD: &[u8] = b"e";

/// What Redis says of a number that the log has, or is past.
const NOT_NEWER: &str = "The ID specified in XADD is equal or smaller";

/// Names of keys and of the channel under a prefix.
#[derive(Clone)]
pub(super) struct Names {
    prefix: String,
}

/// What is asked for, for metrics and status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Operation {
    Claim,
    Put,
    Get,
    Take,
    Append,
    Read,
    Tell,
    Probe,
}

impl Operation {
    pub(super) const ALL: [Self; 8] =
        [Self::Claim, Self::Put, Self::Get, Self::Take, Self::Append, Self::Read, Self::Tell, Self::Probe];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Claim => "claim",
            Self::Put => "put",
            Self::Get => "get",
            Self::Take => "take",
            Self::Append => "append",
            Self::Read => "read",
            Self::Tell => "tell",
            Self::Probe => "probe",
        }
    }

    /// Whether success shows that something new is taken.
    pub(super) fn writes(self) -> bool {
        matches!(self, Self::Claim | Self::Put | Self::Append | Self::Probe)
    }

    /// Whether it may be sent again when nobody knows whether it was done.
    pub(super) fn may_be_repeated(self) -> bool {
        matches!(self, Self::Put | Self::Get | Self::Read | Self::Probe)
    }
}

/// A request about one key.
pub(super) struct Request {
    pub(super) operation: Operation,
    /// Where in a cluster it belongs; `None` for anywhere.
    pub(super) slot: Option<u16>,
    pub(super) body: Body,
}

pub(super) enum Body {
    Command(Cmd),
    /// Between `MULTI` and `EXEC`. The errors of its commands are in the reply.
    Transaction(Pipeline),
}

impl Names {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: format!("{prefix}{LAYOUT}") }
    }

    /// Fixed prefix, version, hash: nothing that a caller could shape.
    fn key(&self, key: &Key) -> String {
        format!("{}{}", self.prefix, key.to_hex())
    }

    pub(super) fn channel(&self) -> String {
        format!("{}events", self.prefix)
    }

    pub(super) fn claim(&self, key: &Key, ttl: Duration) -> Request {
        let key = self.key(key);
        command(Operation::Claim, &key, cmd("SET").arg(&key).arg("1").arg("NX").arg("PX").arg(millis(ttl)))
    }

    pub(super) fn put(&self, operation: Operation, key: &Key, value: &Bytes, ttl: Duration) -> Request {
        let key = self.key(key);
        command(operation, &key, cmd("SET").arg(&key).arg(&value[..]).arg("PX").arg(millis(ttl)))
    }

    pub(super) fn get(&self, key: &Key) -> Request {
        let key = self.key(key);
        command(Operation::Get, &key, cmd("GET").arg(&key))
    }

    pub(super) fn take(&self, key: &Key) -> Request {
        let key = self.key(key);
        command(Operation::Take, &key, cmd("GETDEL").arg(&key))
    }

    /// One transaction: an entry without an end of its log would stay for ever.
    pub(super) fn append(&self, key: &Key, entry: &Entry, keep: usize, ttl: Duration) -> Request {
        let key = self.key(key);
        let mut pipeline = pipe();
        pipeline.atomic().ignore_errors();
        pipeline.cmd("XADD").arg(&key).arg("MAXLEN").arg("=").arg(keep.max(1));
        pipeline.arg(format!("{}-1", entry.number)).arg(FIELD).arg(&entry.value[..]);
        pipeline.cmd("PEXPIRE").arg(&key).arg(millis(ttl));
        let body = Body::Transaction(pipeline);
        Request { operation: Operation::Append, slot: Some(slot(key.as_bytes())), body }
    }

    pub(super) fn read(&self, key: &Key, from: u64) -> Request {
        let key = self.key(key);
        let from = format!("{from}-0");
        command(Operation::Read, &key, cmd("XRANGE").arg(&key).arg(from).arg("+").arg("COUNT").arg(MAX_ENTRIES))
    }

    /// Any node of a cluster passes it on to all.
    pub(super) fn tell(&self, message: &Bytes) -> Request {
        let body = Body::Command(cmd("PUBLISH").arg(self.channel()).arg(&message[..]).take());
        Request { operation: Operation::Tell, slot: None, body }
    }
}

fn command(operation: Operation, key: &str, cmd: &mut Cmd) -> Request {
    Request { operation, slot: Some(slot(key.as_bytes())), body: Body::Command(cmd.take()) }
}

/// Redis refuses an end that is now.
fn millis(ttl: Duration) -> u64 {
    u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX).clamp(1, i64::MAX as u64 / 4)
}

/// Whether a mark was made.
pub(super) fn claimed(reply: &Value) -> Result<bool, Fault> {
    match reply {
        Value::Okay => Ok(true),
        Value::Nil => Ok(false),
        _ => Err(Fault::Unexpected),
    }
}

pub(super) fn done(reply: &Value) -> Result<(), Fault> {
    if matches!(reply, Value::Okay) { Ok(()) } else { Err(Fault::Unexpected) }
}

/// A value, if it is one that we could have written.
pub(super) fn value(reply: Value) -> Option<Bytes> {
    match reply {
        Value::BulkString(bytes) if bytes.len() <= MAX_VALUE_BYTES => Some(bytes.into()),
        _ => None,
    }
}

/// Whether an entry was written, of the replies to [`Names::append`].
pub(super) fn appended(reply: &Value) -> Result<bool, Fault> {
    let Value::Array(replies) = reply else { return Err(Fault::Unexpected) };
    match replies.as_slice() {
        [Value::BulkString(_), Value::Int(1)] => Ok(true),
        [Value::ServerError(error), _] if error.details().is_some_and(|said| said.starts_with(NOT_NEWER)) => Ok(false),
        [Value::ServerError(error), _] | [_, Value::ServerError(error)] => Err(Fault::of_server(error)),
        _ => Err(Fault::Unexpected),
    }
}

/// The entries among the replies to [`Names::read`] that we could have written.
pub(super) fn entries(reply: Value) -> Vec<Entry> {
    let Value::Array(items) = reply else { return Vec::new() };
    items.into_iter().take(MAX_ENTRIES).filter_map(entry).collect()
}

fn entry(item: Value) -> Option<Entry> {
    let Value::Array(item) = item else { return None };
    let [Value::BulkString(id), Value::Array(fields)] = <[Value; 2]>::try_from(item).ok()? else { return None };
    let [Value::BulkString(field), value] = <[Value; 2]>::try_from(fields).ok()? else { return None };
    let number = std::str::from_utf8(&id).ok()?.strip_suffix("-1")?.parse().ok()?;
    if field != FIELD {
        return None;
    }
    self::value(value).map(|value| Entry { number, value })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::KeyKind;

    fn key() -> Key {
        Key::new(KeyKind::Mark, &[b"a"])
    }

    fn packed(request: &Request) -> String {
        let bytes = match &request.body {
            Body::Command(command) => command.get_packed_command(),
            Body::Transaction(pipeline) => pipeline.get_packed_pipeline(),
        };
        let words = String::from_utf8(bytes).unwrap();
        words.lines().filter(|line| !line.starts_with(['*', '$'])).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn requests_are_these_and_each_that_writes_has_an_end() {
        let names = Names::new("mcpf:team-a/tools:");
        let ttl = Duration::from_secs(2);
        let hex = key().to_hex();
        let name = format!("mcpf:team-a/tools:v1:{hex}");
        let entry = Entry { number: 7, value: Bytes::from_static(b"seven") };
        for (request, expected) in [
            (names.claim(&key(), ttl), format!("SET {name} 1 NX PX 2000")),
            (names.put(Operation::Put, &key(), &Bytes::from_static(b"x"), ttl), format!("SET {name} x PX 2000")),
            (names.put(Operation::Put, &key(), &Bytes::new(), Duration::ZERO), format!("SET {name}  PX 1")),
            (names.get(&key()), format!("GET {name}")),
            (names.take(&key()), format!("GETDEL {name}")),
            (
                names.append(&key(), &entry, 0, ttl),
                format!("MULTI XADD {name} MAXLEN = 1 7-1 e seven PEXPIRE {name} 2000 EXEC"),
            ),
            (names.read(&key(), 3), format!("XRANGE {name} 3-0 + COUNT 64")),
            (names.tell(&Bytes::from_static(b"hi")), "PUBLISH mcpf:team-a/tools:v1:events hi".to_owned()),
        ] {
            assert_eq!(packed(&request), expected);
        }
    }

    #[test]
    fn entries_of_another_form_count_as_absent() {
        let bulk = |text: &str| Value::BulkString(text.as_bytes().to_vec());
        let item = |id: &str, fields: Vec<Value>| Value::Array(vec![bulk(id), Value::Array(fields)]);
        let reply = Value::Array(vec![
            item("1-1", vec![bulk("e"), bulk("one")]),
            item("2-0", vec![bulk("e"), bulk("of another")]),
            item("3-1", vec![bulk("f"), bulk("of another")]),
            item("4-1", vec![bulk("e"), bulk("a"), bulk("e"), bulk("b")]),
            item("5-1", vec![bulk("e"), Value::Nil]),
            item("x-1", vec![bulk("e"), bulk("x")]),
            bulk("6-1"),
            item("7-1", vec![bulk("e"), bulk("")]),
        ]);
        let numbers: Vec<_> = entries(reply).into_iter().map(|entry| entry.number).collect();
        assert_eq!(numbers, [1, 7]);
        assert_eq!(entries(Value::Okay), []);
    }

    #[test]
    fn what_is_no_value_counts_as_absent() {
        assert_eq!(value(Value::BulkString(b"x".to_vec())), Some(Bytes::from_static(b"x")));
        for reply in
            [Value::Nil, Value::Int(1), Value::Array(Vec::new()), Value::BulkString(vec![0; MAX_VALUE_BYTES + 1])]
        {
            assert_eq!(value(reply), None);
        }
    }
}
