//! Listen streams that are held open, and how each of them ends.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, anyhow};
use axum::body::{Body, to_bytes};
use futures::{StreamExt as _, future::try_join_all};
use http::StatusCode;
use hyper::body::Incoming;
use serde_json::{Value, json};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    client::{Client, shown},
    connection::{Reached, Trouble, chain},
    events::{Event, Parser},
    report::Kind,
};

/// Between two signs of life. Chosen: twice the interval of the gateway's comments.
const SILENT_AT_MOST: Duration = Duration::from_secs(60);

/// Before a stream that could not be opened is asked for again.
const PAUSE: Duration = Duration::from_millis(200);

/// Of the answer that is no stream, how much is read.
const MAX_REFUSAL_BYTES: usize = 16 * 1024;

/// Opens so many streams, spread over the clients that have them, and keeps them open until `stop`. Answers once each has
/// been acknowledged for the first time.
pub(super) async fn open(
    clients: &[Arc<Client>],
    streams: usize,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<()> {
    let listeners = clients.iter().filter(|client| client.voice.is_modern()).cycle().take(streams);
    let first = listeners.map(|client| {
        let (client, stop, (opened, opening)) = (Arc::clone(client), stop.clone(), oneshot::channel());
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = keep_open(&client, opened) => {}
            }
        });
        async { opening.await.map_err(|_| anyhow!("it was given up")) }
    });
    try_join_all(first).await.context("cannot open the streams").map(drop)
}

/// Opens a stream again and again.
async fn keep_open(client: &Client, opened: oneshot::Sender<()>) {
    let mut opened = Some(opened);
    loop {
        if let Err(trouble) = listen(client, &mut opened).await {
            client.failed("subscriptions/listen", &trouble);
            sleep(PAUSE).await;
        }
    }
}

/// One stream to its end. It is an error not to get one; how one ends that was there is written down here.
async fn listen(client: &Client, opened: &mut Option<oneshot::Sender<()>>) -> Result<(), Trouble> {
    let id = client.next_id();
    let filter = json!({ "notifications": { "toolsListChanged": true } });
    let asked = client.voice.request(id, "subscriptions/listen", filter);
    let answered = timeout(SILENT_AT_MOST, client.pool.send(|| client.post(&asked))).await;
    let (status, headers, body, connection) = answered.unwrap_or_else(|_| Err(silent()))?.into_parts();
    if status != StatusCode::OK {
        let body = to_bytes(Body::new(body), MAX_REFUSAL_BYTES).await.unwrap_or_default();
        return Err(Trouble::new(Kind::Status, Reached::Answer, format!("{status}: {}", shown(&body))));
    }
    let acknowledged = || {
        client.record.stream_opened();
        // Nobody waits for it any more when the load was given up.
        if let Some(opened) = opened.take() {
            let _ = opened.send(());
        }
    };
    let since = Instant::now();
    match last_message(body, acknowledged).await {
        Ok(Some(last)) if last["id"] == id && last["result"]["resultType"] == "complete" => {
            client.record.stream_ended();
            client.pool.give_back(&headers, connection);
        }
        Ok(last) => {
            let words = format!("it ended after {}", last.map_or("nothing".to_owned(), |last| last.to_string()));
            client.record.stream_broke(&client.name(), &Trouble::new(Kind::Closed, Reached::Answer, words));
        }
        Err(trouble) => {
            let words = format!("after {:.1?}: {}", since.elapsed(), trouble.words);
            client.record.stream_broke(&client.name(), &Trouble { words, ..trouble });
        }
    }
    Ok(())
}

/// Reads a stream to its orderly end, and answers the message that came last.
async fn last_message(body: Incoming, acknowledged: impl FnOnce()) -> Result<Option<Value>, Trouble> {
    let (mut bytes, mut parser) = (Body::new(body).into_data_stream(), Parser::default());
    let (mut acknowledged, mut last) = (Some(acknowledged), None);
    while let Some(piece) = timeout(SILENT_AT_MOST, bytes.next()).await.map_err(|_| silent())? {
        let piece = piece.map_err(|error| broke(&error, last.as_ref()))?;
        let endless = || Trouble::new(Kind::WrongAnswer, Reached::Answer, "an event without an end");
        for message in parser.feed(&piece).ok_or_else(endless)?.iter().filter_map(Event::message) {
            if message["method"] == "notifications/subscriptions/acknowledged"
                && let Some(acknowledged) = acknowledged.take()
            {
                acknowledged();
            }
            last = Some(message);
        }
    }
    Ok(last)
}

fn broke(error: &axum::Error, last: Option<&Value>) -> Trouble {
    let words = format!("{} after {}", chain(error), last.map_or("nothing".to_owned(), Value::to_string));
    Trouble::new(Kind::Reset, Reached::Answer, words)
}

fn silent() -> Trouble {
    Trouble::new(Kind::Timeout, Reached::Sent, format!("nothing for {} s", SILENT_AT_MOST.as_secs()))
}
