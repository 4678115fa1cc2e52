//! One client: a person, a revision, a session in the older era, and calls whose payloads are its own.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, Result, anyhow, ensure};
use axum::body::Body;
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::task::TaskTracker;

use super::{
    Plan,
    connection::{Reached, Trouble},
    message::{Voice, message},
    pool::Pool,
    record::Record,
    report::Kind,
};

/// For one try. Chosen: a call takes milliseconds, and a person would have given up.
const ANSWERED_WITHIN: Duration = Duration::from_secs(10);

/// Before a call that found no server is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// How much of an answer that is wrong is shown.
const SHOWN_CHARACTERS: usize = 200;

/// One client.
pub(super) struct Client {
    pub(super) number: usize,
    pub(super) voice: Voice,
    pub(super) pool: Pool,
    pub(super) record: Arc<Record>,
    session: OnceLock<HeaderValue>,
    next_id: AtomicU64,
    persistence: Duration,
}

impl Client {
    pub(super) fn new(
        plan: &Plan,
        number: usize,
        token: &str,
        record: &Arc<Record>,
        tasks: &TaskTracker,
    ) -> Result<Self> {
        Ok(Self {
            number,
            voice: Voice::new(number, &plan.url, token)?,
            pool: Pool::new(plan.door.clone(), plan.reuse_connections, Arc::clone(record), tasks.clone()),
            record: Arc::clone(record),
            session: OnceLock::new(),
            next_id: AtomicU64::new(1),
            persistence: plan.persistence,
        })
    }

    /// Opens the session, in the era that has some.
    pub(super) async fn begin(&self) -> Result<()> {
        if self.voice.is_modern() {
            return Ok(());
        }
        let client = json!({ "name": "load", "version": "1" });
        let params = json!({ "protocolVersion": self.voice.revision, "capabilities": {}, "clientInfo": client });
        let initialize = self.voice.request(self.next_id(), "initialize", params);
        let (status, headers, body) = self.exchange(&initialize).await?;
        let said = message(&headers, &body).unwrap_or_default();
        ensure!(
            status == StatusCode::OK && said["result"]["protocolVersion"] == self.voice.revision,
            "`initialize` was answered with {status}: {}",
            shown(&body)
        );
        let session = headers.get("mcp-session-id").context("`initialize` brought no session")?;
        ensure!(self.session.set(session.clone()).is_ok(), "a client begins once");
        let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
        let (status, _, body) = self.exchange(&initialized).await?;
        ensure!(status == StatusCode::ACCEPTED, "`initialized` was answered with {status}: {}", shown(&body));
        Ok(())
    }

    /// One call of `echo` that was due at `due`, to its end, and its place in the record.
    pub(super) async fn call(&self, due: Instant) {
        let id = self.next_id();
        let payload = format!("client {}, call {id}", self.number);
        let params = json!({ "name": "echo", "arguments": { "message": payload } });
        let call = self.voice.request(id, "tools/call", params);
        let answered =
            self.persistently(&call).await.and_then(|(answer, tries)| echoes(&answer, &payload).map(|()| tries));
        match answered {
            Ok(tries) => self.record.answered(due.elapsed(), tries),
            Err(trouble) => self.failed("tools/call", &trouble),
        }
    }

    /// The tools that there are for this client, and their place in the record.
    pub(super) async fn list(&self) {
        let list = self.voice.request(self.next_id(), "tools/list", json!({}));
        match self.persistently(&list).await {
            Ok((answer, _)) => {
                let tools = answer["result"]["tools"].as_array();
                let names = tools.into_iter().flatten().filter_map(|tool| tool["name"].as_str().map(str::to_owned));
                self.record.tools(self.number, names.collect());
            }
            Err(trouble) => self.failed("tools/list", &trouble),
        }
    }

    /// The answer, and how often it was asked for: where no server said anything, again and again for a while.
    async fn persistently(&self, request: &Value) -> Result<(Value, usize), Trouble> {
        let (started, mut tries) = (Instant::now(), 1);
        loop {
            match self.answer(request).await {
                Ok(answer) => return Ok((answer, tries)),
                Err(trouble) if trouble.is_of_transport() && started.elapsed() < self.persistence => {
                    self.record.tried_again(&trouble);
                    tries += 1;
                    sleep(PAUSE).await;
                }
                Err(trouble) => return Err(trouble),
            }
        }
    }

    /// What `message` makes of this client: to be sent.
    pub(super) fn post(&self, message: &Value) -> Request<Body> {
        self.voice.post(message, self.session.get())
    }

    /// The same for the session's stream.
    pub(super) fn get(&self, last_event_id: Option<&str>) -> Request<Body> {
        self.voice.get(self.session.get(), last_event_id)
    }

    /// Whether it tries again where no server said anything.
    pub(super) fn is_persistent(&self) -> bool {
        !self.persistence.is_zero()
    }

    /// For people.
    pub(super) fn name(&self) -> String {
        format!("client {}, {}", self.number, self.voice.revision)
    }

    pub(super) fn failed(&self, what: &str, trouble: &Trouble) {
        self.record.failed(&format!("{}, {what}", self.name()), trouble);
    }

    /// A stream that is asked for again, which is a failure unless the client is persistent and no server said anything.
    pub(super) fn not_opened(&self, what: &str, trouble: &Trouble) {
        if self.is_persistent() && trouble.is_of_transport() {
            self.record.tried_again(trouble);
        } else {
            self.failed(what, trouble);
        }
    }

    pub(super) fn next_id(&self) -> u64 {
        self.next_id.fetch_add(1, Ordering::Relaxed)
    }

    /// The message that answers `request`, once, and no error.
    async fn answer(&self, request: &Value) -> Result<Value, Trouble> {
        let exchange = async { self.pool.read(self.pool.send(|| self.post(request)).await?).await };
        let (status, headers, body) = timeout(ANSWERED_WITHIN, exchange).await.unwrap_or_else(|_| {
            Err(Trouble::new(Kind::Timeout, Reached::Sent, format!("not within {} s", ANSWERED_WITHIN.as_secs())))
        })?;
        let wrong = |kind| Err(Trouble::new(kind, Reached::Answer, format!("{status}: {}", shown(&body))));
        if matches!(status.as_u16(), 502..=504) {
            return wrong(Kind::Unavailable);
        }
        if status != StatusCode::OK {
            return wrong(Kind::Status);
        }
        let Some(answer) = message(&headers, &body) else { return wrong(Kind::WrongAnswer) };
        if answer["error"].is_object() || answer["result"]["isError"] == true {
            return wrong(Kind::Error);
        }
        if answer["id"] == request["id"] { Ok(answer) } else { wrong(Kind::WrongAnswer) }
    }

    async fn exchange(&self, message: &Value) -> Result<(StatusCode, HeaderMap, Vec<u8>)> {
        let exchange = async { self.pool.read(self.pool.send(|| self.post(message)).await?).await };
        let answer = timeout(ANSWERED_WITHIN, exchange).await.context("no answer in time")?;
        answer.map_err(|trouble| anyhow!("{}: {:?}: {}", self.name(), trouble.kind, trouble.words))
    }
}

impl Trouble {
    /// No server said anything about the call: another one may answer it.
    pub(super) fn is_of_transport(&self) -> bool {
        !matches!(self.kind, Kind::Status | Kind::Error | Kind::WrongAnswer | Kind::Overdue)
    }
}

/// Whether `echo` has answered with this payload.
fn echoes(answer: &Value, payload: &str) -> Result<(), Trouble> {
    let text = answer["result"]["content"][0]["text"].as_str().unwrap_or_default();
    let echoed: Value = serde_json::from_str(text).unwrap_or_default();
    if echoed["message"] == payload {
        return Ok(());
    }
    Err(Trouble::new(Kind::WrongAnswer, Reached::Answer, shown(answer.to_string().as_bytes())))
}

/// The beginning of a body.
pub(super) fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(body).chars().take(SHOWN_CHARACTERS).collect()
}
