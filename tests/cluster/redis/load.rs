//! Calls through the ingress without a pause, while something else goes on.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use anyhow::{Context, Result, anyhow};
use serde_json::json;

use crate::space::Space;

/// Does `work` while somebody calls; answers how many calls there were. The first that fails fails all.
pub(super) fn during(space: &Space<'_>, work: impl FnOnce() -> Result<()>) -> Result<usize> {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let calling = scope.spawn(|| call_until(space, &stop));
        let worked = work();
        stop.store(true, Ordering::Relaxed);
        let calls = calling.join().map_err(|_| anyhow!("the caller panicked"))?;
        worked?;
        calls
    })
}

fn call_until(space: &Space<'_>, stop: &AtomicBool) -> Result<usize> {
    let client = space.client_with(&["tools:ping"])?;
    let mut calls = 0;
    while !stop.load(Ordering::Relaxed) {
        let answer = space.world.send(&client, &client.call("ping", &json!({})));
        answer.and_then(|answer| answer.result().map(drop)).with_context(|| format!("call {calls}"))?;
        calls += 1;
    }
    Ok(calls)
}
