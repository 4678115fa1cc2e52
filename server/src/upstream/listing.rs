//! Reads the tool list of an upstream, all pages of it, in bounded memory.

use serde_json::value::RawValue;
use tokio::time::timeout;

use super::{
    catalog::Problems,
    failure::Failure,
    limits::{MAX_LIST_BYTES, MAX_PAGES, MAX_TOOLS},
    link::Link,
    peer::Peer,
    request,
};
use crate::json::{Object, string};

/// Source: JSON-RPC 2.0, section 5.1.
const METHOD_NOT_FOUND: i64 = -32601;

/// The tools as they came.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) tools: Vec<Box<RawValue>>,
    pub(super) problems: Problems,
}

impl Link {
    /// Reads the list, within the deadline of an exchange.
    pub(super) async fn list(&self, peer: &Peer) -> Result<Listing, Failure> {
        timeout(self.timing.exchange, self.list_in_time(peer)).await.unwrap_or(Err(Failure::TimedOut))
    }

    async fn list_in_time(&self, peer: &Peer) -> Result<Listing, Failure> {
        let mut listing = Listing::default();
        let mut left = MAX_LIST_BYTES;
        let mut cursor: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let outgoing = request::list_tools(peer, cursor.as_deref());
            let page = match self.ask(peer, outgoing, left, None).await {
                // Whoever has no tools need not know the method.
                Err(Failure::Rpc(METHOD_NOT_FOUND)) if cursor.is_none() => return Ok(listing),
                page => page?,
            };
            left = left.checked_sub(page.get().len()).ok_or(Failure::TooLarge)?;
            let next = listing.add(&page)?;
            // The catalog says that there are too many.
            if next.is_none() || listing.tools.len() > MAX_TOOLS {
                return Ok(listing);
            }
            if next == cursor {
                return Err(Failure::Malformed);
            }
            cursor = next;
        }
        listing.problems.add(format!("the list has more than {MAX_PAGES} pages; the rest is not offered"));
        Ok(listing)
    }
}

impl Listing {
    /// Takes one page; returns where the next one is.
    fn add(&mut self, page: &RawValue) -> Result<Option<String>, Failure> {
        let page = Object::parse(page.get()).ok_or(Failure::Malformed)?;
        let tools = page.get("tools").ok_or(Failure::Malformed)?;
        let tools: Vec<&RawValue> = serde_json::from_str(tools.get()).map_err(|_| Failure::Malformed)?;
        self.tools.extend(tools.into_iter().map(ToOwned::to_owned));
        match page.get("nextCursor") {
            Some(cursor) if cursor.get() != "null" => Ok(Some(string(cursor).ok_or(Failure::Malformed)?.into_owned())),
            _ => Ok(None),
        }
    }
}
