//! Waiting for what another task will do: a condition and a deadline, never a fixed pause.

use std::time::{Duration, Instant};

/// How long anything may take. Chosen: forty times what the slowest wait takes on two busy cores.
const DEADLINE: Duration = Duration::from_secs(30);

/// Between two looks; short against anything that is waited for.
const INTERVAL: Duration = Duration::from_millis(20);

/// What `future` gives; panics with `what` when it has given nothing for [`DEADLINE`].
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.unwrap_or_else(|_| panic!("not within {DEADLINE:?}: {what}"))
}

/// Returns what `look` finds; panics with `what` when it has found nothing for [`DEADLINE`].
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        tokio::time::sleep(INTERVAL).await;
    }
}
