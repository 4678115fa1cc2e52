use std::sync::Mutex;

use futures::{
    FutureExt as _,
    future::{pending, ready},
};
use http::StatusCode;
use tokio::sync::oneshot;

use super::*;
use crate::mcp::{CallRecord, ReplyBody, audit::Observation, record::MethodLabel};

const STYLE: StreamStyle =
    StreamStyle { retention: Retention { read_events: 0, bytes: 1000 }, keep_alive: Duration::from_secs(25) };

/// How the request ended, and whether on a stream.
#[derive(Clone, Default)]
struct Told(Arc<Mutex<Option<(CallOutcome, bool)>>>);

impl Observation for Told {
    fn traceparent(&self) -> Option<Arc<str>> {
        None
    }

    fn ended(self: Box<Self>, record: &CallRecord, streamed: bool) {
        *self.0.lock().unwrap() = record.outcome.map(|outcome| (outcome, streamed));
    }
}

impl Told {
    fn get(&self) -> Option<(CallOutcome, bool)> {
        *self.0.lock().unwrap()
    }
}

fn done() -> End {
    End::Done(Done { status: StatusCode::OK, body: b"{}".to_vec(), outcome: CallOutcome::Success })
}

fn responding(
    work: impl Future<Output = End> + Send + 'static,
    notes: Option<mpsc::Receiver<Note>>,
) -> (Responding, Told) {
    let record = CallRecord {
        method: MethodLabel::ToolsCall,
        tool: None,
        session: None,
        request_id: None,
        protocol_version: None,
        outcome: None,
    };
    let told = Told::default();
    let responding = Responding {
        work: work.boxed(),
        notes,
        progress_token: RawValue::from_string("1".to_owned()).ok(),
        ending: Ending::new(Box::new(told.clone()), record),
        style: Some(STYLE),
        session: None,
        shared: None,
        tasks: TaskTracker::new(),
    };
    (responding, told)
}

fn progress() -> (mpsc::Sender<Note>, mpsc::Receiver<Note>) {
    let (sender, receiver) = mpsc::channel(4);
    sender.try_send(Note::Progress { progress: 1.into(), total: None, message: None }).unwrap();
    (sender, receiver)
}

async fn events(reply: McpReply) -> Vec<Bytes> {
    let ReplyBody::Stream(events) = reply.body else { panic!("it is no stream") };
    events.collect().await
}

#[tokio::test]
async fn an_answer_before_anything_is_said_is_json() {
    let (responding, told) = responding(ready(done()), None);
    let reply = responding.respond().await;
    assert!(matches!(reply.body, ReplyBody::Whole(body) if body == "{}"));
    assert_eq!(told.get(), Some((CallOutcome::Success, false)));
}

#[tokio::test]
async fn what_is_said_before_the_answer_comes_before_it_on_a_stream() {
    let (_sender, notes) = progress();
    // The answer is there as soon as the note is.
    let (responding, told) = responding(ready(done()), Some(notes));
    let events = events(responding.respond().await).await;
    assert!(events[0].starts_with(b"data: ") && events[0].windows(13).any(|part| part == b"progressToken"));
    assert_eq!(events[1..], ["data: {}\n\n"]);
    assert_eq!(told.get(), Some((CallOutcome::Success, true)));
}

#[tokio::test(start_paused = true)]
async fn a_long_silence_opens_a_stream() {
    let (answer, answered) = oneshot::channel();
    let (responding, _) = responding(answered.map(Result::unwrap), None);
    let reply = responding.respond().await;
    assert!(answer.send(done()).is_ok());
    assert_eq!(events(reply).await, ["data: {}\n\n"]);
}

#[tokio::test]
async fn who_reads_no_streams_waits_for_the_answer_however_long() {
    let (answer, answered) = oneshot::channel();
    let (responding, _) = responding(answered.map(Result::unwrap), None);
    let respond = Responding { style: None, ..responding }.respond();
    let (reply, sent) = futures::join!(respond, async { answer.send(done()).is_ok() });
    assert!(sent && matches!(reply.body, ReplyBody::Whole(body) if body == "{}"));
}

#[tokio::test]
async fn in_the_modern_era_a_reader_that_goes_takes_its_work_along() {
    let (_sender, notes) = progress();
    let (responding, told) = responding(pending(), Some(notes));
    let tasks = responding.tasks.clone();
    drop(responding.respond().await);
    tasks.close();
    tasks.wait().await;
    assert_eq!(told.get(), Some((CallOutcome::Cancelled, true)));
}

#[tokio::test]
async fn what_the_client_cancelled_is_not_answered() {
    let (responding, told) = responding(ready(End::Cancelled), None);
    assert_eq!(events(responding.respond().await).await, Vec::<Bytes>::new());
    assert_eq!(told.get(), Some((CallOutcome::Cancelled, false)));
}

#[tokio::test]
async fn in_the_older_era_work_goes_on_when_its_client_goes() {
    let (answer, answered) = oneshot::channel();
    let (responding, told) = responding(answered.map(Result::unwrap), None);
    let session = crate::mcp::session::tests::one();
    let responding = Responding { session: Some(session), ..responding };
    let tasks = responding.tasks.clone();
    // Dropped while it waits.
    assert!(responding.respond().now_or_never().is_none());
    assert!(answer.send(done()).is_ok());
    tasks.close();
    tasks.wait().await;
    assert_eq!(told.get(), Some((CallOutcome::Success, false)));
}
