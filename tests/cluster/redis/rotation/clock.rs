//! The clock of a retirement, turned on: a former sealing key is kept for the longest session, a day, and half an hour at least.

use anyhow::{Context, Result};
use jiff::{SignedDuration, Timestamp};
use tests::command::feed;

use super::goal::RETIRE_AT;
use crate::space::{NAME, Space};

/// Turns the clock and nothing else: the date that the operator noted becomes one that is over, one second after the newest key was
/// begun. Written as by the operator itself, so that every field stays its own and nothing is left of this when it writes again.
pub(super) fn to_the_end_of_the_former_key(space: &Space<'_>) -> Result<()> {
    let mut account = space.get("serviceaccount", NAME)?;
    let metadata = account["metadata"].as_object_mut().context("an object has metadata")?;
    for of_the_api_server in ["creationTimestamp", "managedFields", "resourceVersion", "uid"] {
        metadata.remove(of_the_api_server);
    }
    let annotations = &mut metadata["annotations"];
    let begun = annotations["mcpfoundry.dev/rotated"].as_str().context("the ServiceAccount notes no rotation")?;
    let over = begun.parse::<Timestamp>()?.checked_add(SignedDuration::from_secs(1))?;
    annotations[RETIRE_AT] = over.to_string().into();
    let mut kubectl = space.kubectl(&["apply", "--server-side", "--field-manager=mcp-operator", "--filename", "-"]);
    feed(&mut kubectl, &account.to_string()).map(drop)
}
