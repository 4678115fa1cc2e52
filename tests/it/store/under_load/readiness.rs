//! Whether a gateway is ready, asked again and again in the background.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::support::client::McpClient;

/// Many times more often than a kubelet asks.
const EVERY: Duration = Duration::from_millis(50);

/// What was answered so far.
pub(super) struct Readiness {
    seen: Arc<Mutex<Seen>>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

#[derive(Default)]
struct Seen {
    asked: usize,
    refusals: Vec<String>,
}

impl Readiness {
    /// Asks each of these from now on.
    pub(super) fn watch(clients: impl IntoIterator<Item = McpClient>) -> Self {
        let (seen, stop, mut tasks) = (Arc::<Mutex<Seen>>::default(), CancellationToken::new(), JoinSet::new());
        for client in clients {
            let (seen, stop) = (Arc::clone(&seen), stop.clone());
            tasks.spawn(async move {
                stop.run_until_cancelled(ask(&client, &seen)).await;
            });
        }
        Self { seen, stop, tasks }
    }

    /// How often each has said that it is ready; it never said anything else.
    pub(super) async fn never_flipped(self) -> usize {
        self.stop.cancel();
        self.tasks.join_all().await;
        let seen = self.seen.lock().unwrap();
        assert_eq!(seen.refusals, Vec::<String>::new());
        assert!(seen.asked > 0, "nobody was asked");
        seen.asked
    }
}

async fn ask(client: &McpClient, seen: &Mutex<Seen>) {
    let mut ticks = tokio::time::interval(EVERY);
    loop {
        ticks.tick().await;
        let answer = client.admin("/readyz").await;
        let mut seen = seen.lock().unwrap();
        seen.asked += 1;
        if answer.status != 200 {
            seen.refusals.push(answer.text());
        }
    }
}
