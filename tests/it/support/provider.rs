//! Fixtures that a test steers: tools that wait for it, ask, say something, change the lists; a resource and a prompt
//! of each kind. What happens to them is counted.

pub(crate) mod offer;
mod tools;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, RwLock};

use futures::future::{BoxFuture, FutureExt as _, ready};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};
use server::features::{
    Answer, CallContext, Change, Changes, CompletionOutcome, CompletionQuery, FeatureError, InputRequired, Offer,
    Outcome, PromptOutcome, Provider, ResourceOutcome, ToolOutcome,
};
use tokio::sync::Semaphore;

/// A resource that is listed.
pub(crate) const LISTED: &str = "test://listed";

/// Another one.
pub(crate) const OTHER: &str = "test://other";

/// The key of every question.
pub(crate) const KEY: &str = "answer";

/// All fixtures.
pub(crate) struct Fixtures {
    changes: Changes,
    offer: RwLock<Arc<Offer>>,
    /// `wait` takes a permit.
    gate: Semaphore,
    counts: Counts,
}

/// How often `wait` began, and how it ended.
#[derive(Debug, Default)]
struct Counts {
    started: AtomicUsize,
    finished: AtomicUsize,
    cancelled: AtomicUsize,
}

/// One `wait` while it runs.
struct Running<'a>(&'a Counts);

impl Fixtures {
    pub(crate) fn new(changes: Changes) -> Self {
        let offer = RwLock::new(Arc::new(offer::offer()));
        Self { changes, offer, gate: Semaphore::new(0), counts: Counts::default() }
    }

    /// Lets one `wait` finish.
    pub(crate) fn release(&self) {
        self.gate.add_permits(1);
    }

    /// How many `wait` began, finished and were dropped.
    pub(crate) fn counts(&self) -> (usize, usize, usize) {
        let Counts { started, finished, cancelled } = &self.counts;
        (started.load(Ordering::SeqCst), finished.load(Ordering::SeqCst), cancelled.load(Ordering::SeqCst))
    }

    /// Changes what is offered, and tells of it.
    pub(crate) fn change(&self, what: Change, change: impl FnOnce(&mut Offer)) {
        let mut offer = Offer::clone(&self.offer.read().unwrap());
        change(&mut offer);
        *self.offer.write().unwrap() = Arc::new(offer);
        self.tell(what);
    }

    /// Tells of a change.
    pub(crate) fn tell(&self, what: Change) {
        self.changes.tell(what);
    }

    /// Tells that a resource has other content.
    pub(crate) fn touch(&self, uri: &str) {
        self.tell(Change::Resource(uri.into()));
    }

    async fn wait(&self, context: &CallContext) -> Outcome<ToolOutcome> {
        self.counts.started.fetch_add(1, Ordering::SeqCst);
        let running = Running(&self.counts);
        context.notes.progress(1, None, Some("waiting"));
        self.gate.acquire().await.expect("the gate is never closed").forget();
        context.notes.progress(2, None, Some("released"));
        running.finish();
        text("released")
    }
}

impl Running<'_> {
    fn finish(self) {
        self.0.finished.fetch_add(1, Ordering::SeqCst);
        std::mem::forget(self);
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.cancelled.fetch_add(1, Ordering::SeqCst);
    }
}

impl Provider for Fixtures {
    fn offer(&self) -> Arc<Offer> {
        Arc::clone(&self.offer.read().unwrap())
    }

    fn call_tool<'a>(
        &'a self,
        context: &'a CallContext,
        name: &'a str,
        arguments: &'a RawValue,
    ) -> BoxFuture<'a, Outcome<ToolOutcome>> {
        let arguments: Value = serde_json::from_str(arguments.get()).unwrap();
        async move {
            match name {
                "wait" => self.wait(context).await,
                "let_go" => {
                    context.notes.release();
                    self.wait(context).await
                }
                _ => tools::call(context, name, &arguments).await,
            }
        }
        .boxed()
    }

    fn read_resource<'a>(&'a self, context: &'a CallContext, uri: &'a str) -> BoxFuture<'a, Outcome<ResourceOutcome>> {
        let known = matches!(uri, LISTED | OTHER) || uri.strip_prefix("test://item/").is_some_and(|id| id != "gone");
        let outcome = if uri == "test://ask" {
            asked(context, "form").map(|answer| answer.map(|answers| contents(uri, &answers)))
        } else if known {
            Ok(Answer::Complete(contents(uri, "content")))
        } else {
            Err(FeatureError::NotFound)
        };
        ready(outcome).boxed()
    }

    fn get_prompt<'a>(
        &'a self,
        context: &'a CallContext,
        name: &'a str,
        _arguments: Option<&'a RawValue>,
    ) -> BoxFuture<'a, Outcome<PromptOutcome>> {
        let outcome = match name {
            "ask" => asked(context, "form").map(|answer| answer.map(|answers| prompt(&[block(&answers)]))),
            "linked" => Ok(Answer::Complete(prompt(&[block("see"), tools::link()]))),
            _ => Ok(Answer::Complete(prompt(&[block("hello")]))),
        };
        ready(outcome).boxed()
    }

    fn complete<'a>(
        &'a self,
        _context: &'a CallContext,
        query: &'a CompletionQuery<'a>,
    ) -> BoxFuture<'a, Result<CompletionOutcome, FeatureError>> {
        let values = vec![format!("{}-1", query.value)];
        ready(Ok(CompletionOutcome { values, total: Some(1), has_more: false })).boxed()
    }
}

/// Asks once, remembering what was asked; then what came back, as text.
#[expect(clippy::unnecessary_wraps, reason = "it is what a tool returns")]
fn asked(context: &CallContext, what: &str) -> Outcome<String> {
    let remembered = context.state.as_deref().map(|state| String::from_utf8_lossy(state).into_owned());
    match (&context.responses, remembered) {
        (Some(responses), Some(remembered)) => {
            let answers = responses.iter().map(|(key, answer)| format!("{key}={}", answer.get()));
            Ok(Answer::Complete(format!("{remembered}: {}", answers.collect::<Vec<_>>().join(", "))))
        }
        _ => Ok(Answer::InputRequired(question(what).remember(what))),
    }
}

fn question(what: &str) -> InputRequired {
    let message = json!({ "role": "user", "content": { "type": "text", "text": "question" } });
    let sampling = json!({ "messages": [message], "maxTokens": 10 });
    let ask = InputRequired::default();
    match what {
        "url" => {
            let url = "https://mcp.example.com/form";
            let params = json!({ "mode": "url", "message": "open it", "url": url, "elicitationId": "1" });
            ask.ask(KEY, "elicitation/create", &params)
        }
        "sampling" => ask.ask(KEY, "sampling/createMessage", &sampling),
        "sampling_tools" => {
            let mut sampling = sampling;
            sampling["tools"] = json!([{ "name": "t", "inputSchema": { "type": "object" } }]);
            ask.ask(KEY, "sampling/createMessage", &sampling)
        }
        "roots" => ask.ask(KEY, "roots/list", &json!({})),
        _ => {
            let schema = json!({ "type": "object", "properties": { "name": { "type": "string" } } });
            ask.ask(KEY, "elicitation/create", &json!({ "message": "your name?", "requestedSchema": schema }))
        }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "it is what a tool returns")]
fn text(text: impl Into<String>) -> Outcome<ToolOutcome> {
    Ok(Answer::Complete(ToolOutcome::text(text)))
}

fn block(text: &str) -> Value {
    json!({ "type": "text", "text": text })
}

fn contents(uri: &str, text: &str) -> ResourceOutcome {
    let contents = json!([{ "uri": uri, "mimeType": "text/plain", "text": text }]);
    ResourceOutcome { contents: to_raw_value(&contents).unwrap() }
}

fn prompt(blocks: &[Value]) -> PromptOutcome {
    let messages: Vec<Value> = blocks.iter().map(|block| json!({ "role": "user", "content": block })).collect();
    PromptOutcome { description: None, messages: to_raw_value(&messages).unwrap() }
}
