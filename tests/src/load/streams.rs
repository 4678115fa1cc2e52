//! Streams that are held open, and how each of them ends: listen streams, and those of sessions, which are read on.

use std::{sync::Arc, time::Duration};

use anyhow::{Context as _, Result, anyhow};
use futures::future::try_join_all;
use serde_json::{Value, json};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    client::Client,
    connection::{Reached, Trouble},
    events::Event,
    order::Order,
    reading::Reading,
    report::Kind,
};

/// Before a stream is asked for again: as the gateway tells clients in an event's `retry`.
const PAUSE: Duration = Duration::from_millis(500);

/// Tells that a stream is open for the first time.
type Opened = Option<oneshot::Sender<()>>;

/// Opens so many listen streams, spread over the clients that have them, and where it is asked for one for each session, and
/// keeps them open until `stop`. Answers once each is open.
pub(super) async fn open(
    clients: &[Arc<Client>],
    listens: usize,
    of_sessions: bool,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> Result<()> {
    let modern = clients.iter().filter(|client| client.voice.is_modern()).cycle().take(listens);
    let sessions = clients.iter().filter(|client| of_sessions && !client.voice.is_modern());
    let first = modern.chain(sessions).map(|client| {
        let (client, stop, (opened, opening)) = (Arc::clone(client), stop.clone(), oneshot::channel());
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = keep_open(&client, Some(opened)) => {}
            }
        });
        async { opening.await.map_err(|_| anyhow!("it was given up")) }
    });
    try_join_all(first).await.context("cannot open the streams").map(drop)
}

async fn keep_open(client: &Client, mut opened: Opened) {
    let mut position = Position::default();
    loop {
        if client.voice.is_modern() {
            match listen(client, &mut opened).await {
                Ok(()) => continue,
                Err(trouble) => client.not_opened("subscriptions/listen", &trouble),
            }
        } else {
            read_on(client, &mut position, &mut opened).await;
        }
        sleep(PAUSE).await;
    }
}

/// One listen stream to its end. It is an error not to get one; how one ends that was there is written down here.
async fn listen(client: &Client, opened: &mut Opened) -> Result<(), Trouble> {
    let id = client.next_id();
    let filter = json!({ "notifications": { "toolsListChanged": true } });
    let asked = client.voice.request(id, "subscriptions/listen", filter);
    let mut reading = Reading::of(client.pool.send(|| client.post(&asked))).await?;
    let (since, mut last) = (Instant::now(), Value::Null);
    loop {
        match reading.next().await {
            Ok(Some(events)) => {
                for message in events.iter().filter_map(Event::message) {
                    if message["method"] == "notifications/subscriptions/acknowledged" {
                        client.record.stream_opened();
                        tell(opened);
                    }
                    last = message;
                }
            }
            Ok(None) if last["id"] == id && last["result"]["resultType"] == "complete" => {
                client.record.stream_ended();
                let (headers, connection) = reading.into_connection();
                client.pool.give_back(&headers, connection);
                return Ok(());
            }
            Ok(None) => {
                let trouble = Trouble::new(Kind::Closed, Reached::Answer, format!("it ended after {last}"));
                client.record.stream_broke(&client.name(), &trouble);
                return Ok(());
            }
            Err(trouble) => {
                let words = format!("after {:.1?} and {last}: {}", since.elapsed(), trouble.words);
                client.record.stream_broke(&client.name(), &Trouble { words, ..trouble });
                return Ok(());
            }
        }
    }
}

/// How far the stream of a session was read.
#[derive(Default)]
struct Position {
    last_event_id: Option<String>,
    order: Order,
}

impl Position {
    /// An event has come.
    fn reach(&mut self, client: &Client, Event { id, data }: Event) {
        let Some(id) = id else {
            return client.record.disordered(&client.name(), &format!("an event without an id: {data}"));
        };
        // The event with which a stream begins is a place in it, and says nothing.
        if !data.is_empty() {
            client.record.event(client.number);
            if let Err(problem) = self.order.event(&id) {
                client.record.disordered(&client.name(), &problem);
            }
        }
        self.last_event_id = Some(id);
    }
}

/// The stream of a session from where it was read to, until it ends or breaks. Both are nothing new to its client, who comes
/// back; that an event comes twice or not at all is.
async fn read_on(client: &Client, position: &mut Position, opened: &mut Opened) {
    position.order.connects(position.last_event_id.is_some());
    let asked = Reading::of(client.pool.send(|| client.get(position.last_event_id.as_deref()))).await;
    let mut reading = match asked {
        Ok(reading) => reading,
        Err(trouble) => return client.not_opened("the session's stream", &trouble),
    };
    client.record.stream_opened();
    tell(opened);
    loop {
        match reading.next().await {
            Ok(Some(events)) => {
                let is_of_tools = |event: &Event| {
                    event.message().is_some_and(|message| message["method"] == "notifications/tools/list_changed")
                };
                let have_tools_changed = events.iter().any(is_of_tools);
                for event in events {
                    position.reach(client, event);
                }
                if have_tools_changed {
                    client.list().await;
                }
            }
            Ok(None) => {
                let (headers, connection) = reading.into_connection();
                client.pool.give_back(&headers, connection);
                return client.record.stream_ended();
            }
            Err(trouble) if client.is_persistent() => return client.record.tried_again(&trouble),
            Err(trouble) => return client.record.stream_broke(&client.name(), &trouble),
        }
    }
}

fn tell(opened: &mut Opened) {
    if let Some(opened) = opened.take() {
        // Nobody waits for it any more when the load was given up.
        let _ = opened.send(());
    }
}
