//! When calls start: at a steady rate, whether the ones before are answered or not.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::Semaphore,
    time::{MissedTickBehavior, interval},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{
    client::Client,
    connection::{Reached, Trouble},
    report::Kind,
};

/// Calls that may be unanswered at a time. Chosen: two seconds of the usual rate; one more is a failure, since it cannot start
/// when it is due.
const MOST_UNDER_WAY: usize = 1024;

/// Starts calls until `stop`; `tasks` own them.
pub(super) async fn calls(clients: &[Arc<Client>], per_second: u32, tasks: &TaskTracker, stop: &CancellationToken) {
    let places = Arc::new(Semaphore::new(MOST_UNDER_WAY));
    let mut ticks = interval(Duration::from_secs(1) / per_second);
    // Late ticks come at once, so that as many calls are made as were planned.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for client in clients.iter().cycle() {
        let due = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            due = ticks.tick() => due,
        };
        let client = Arc::clone(client);
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            let words = format!("{MOST_UNDER_WAY} calls are not answered");
            let trouble = Trouble::new(Kind::Overdue, Reached::Nothing, words);
            client.failed("tools/call", &trouble);
            continue;
        };
        tasks.spawn(async move {
            client.call(due).await;
            drop(place);
        });
    }
}
