//! The body of a stream as events, with a bound on silence.

use std::time::Duration;

use axum::body::{Body, BodyDataStream, to_bytes};
use futures::StreamExt as _;
use http::{HeaderMap, StatusCode};
use tokio::time::timeout;

use super::{
    client::shown,
    connection::{Connection, Reached, Trouble, chain},
    events::{Event, Parser},
    pool::Arriving,
    report::Kind,
};

/// Between two signs of life. Chosen: twice the interval of the gateway's comments.
const SILENT_AT_MOST: Duration = Duration::from_secs(60);

/// Of the answer that is no stream, how much is read.
const MAX_REFUSAL_BYTES: usize = 16 * 1024;

/// A stream that is being read, and the connection that it comes by.
pub(super) struct Reading {
    bytes: BodyDataStream,
    parser: Parser,
    headers: HeaderMap,
    connection: Connection,
}

impl Reading {
    /// The stream that somebody asked for; trouble if the answer is none.
    pub(super) async fn of(asked: impl Future<Output = Result<Arriving, Trouble>>) -> Result<Self, Trouble> {
        let arriving = timeout(SILENT_AT_MOST, asked).await.unwrap_or_else(|_| Err(silent()))?;
        let (status, headers, body, connection) = arriving.into_parts();
        if status == StatusCode::OK {
            let bytes = Body::new(body).into_data_stream();
            return Ok(Self { bytes, parser: Parser::default(), headers, connection });
        }
        let body = to_bytes(Body::new(body), MAX_REFUSAL_BYTES).await.unwrap_or_default();
        let kind = if matches!(status.as_u16(), 502..=504) { Kind::Unavailable } else { Kind::Status };
        Err(Trouble::new(kind, Reached::Answer, format!("{status}: {}", shown(&body))))
    }

    /// The events that come next, maybe none; `None` at the orderly end.
    pub(super) async fn next(&mut self) -> Result<Option<Vec<Event>>, Trouble> {
        let Some(piece) = timeout(SILENT_AT_MOST, self.bytes.next()).await.map_err(|_| silent())? else {
            return Ok(None);
        };
        let piece = piece.map_err(|error| Trouble::new(Kind::Reset, Reached::Answer, chain(&error)))?;
        let endless = || Trouble::new(Kind::WrongAnswer, Reached::Answer, "an event without an end");
        self.parser.feed(&piece).ok_or_else(endless).map(Some)
    }

    /// After the end: what its connection may be used for again.
    pub(super) fn into_connection(self) -> (HeaderMap, Connection) {
        (self.headers, self.connection)
    }
}

fn silent() -> Trouble {
    Trouble::new(Kind::Timeout, Reached::Sent, format!("nothing for {} s", SILENT_AT_MOST.as_secs()))
}
