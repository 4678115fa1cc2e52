//! Tells when the time of day steps. Tokens are judged by it: a step makes good ones expired, or expired ones good. The ages
//! of keys run on the other clock and do not care.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use tokio_util::sync::CancellationToken;

use crate::{app::App, clock::Clock};

/// How often the clocks are compared. Chosen: soon enough for an alarm, and far more than a comparison costs.
const INTERVAL: Duration = Duration::from_secs(10);

/// A larger difference between two looks is a step. Source: auth.md section 5, "clock-jump"; more than the default leeway.
const TOLERANCE: SignedDuration = SignedDuration::from_secs(30);

/// Both clocks as they were at the last look.
struct ClockWatch {
    time_of_day: Timestamp,
    monotonic: Instant,
}

/// Compares the clocks until `shutdown`.
pub(crate) async fn run(app: App, shutdown: CancellationToken) {
    let mut watch = ClockWatch::new(app.clock());
    while shutdown.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        if let Some(step) = watch.look(app.clock()) {
            app.metrics().clock_stepped();
            let seconds = step.as_secs();
            tracing::warn!(
                seconds,
                "the time of day has stepped by {seconds} s: tokens are judged by another time now"
            );
        }
    }
}

impl ClockWatch {
    fn new(clock: &dyn Clock) -> Self {
        Self { time_of_day: clock.now(), monotonic: clock.monotonic() }
    }

    /// How far the time of day has stepped since the last look, if that is too far; forward is positive.
    fn look(&mut self, clock: &dyn Clock) -> Option<SignedDuration> {
        let now = Self::new(clock);
        let passed = now.monotonic.saturating_duration_since(self.monotonic);
        let passed = SignedDuration::try_from(passed).unwrap_or(SignedDuration::MAX);
        let step = now.time_of_day.duration_since(self.time_of_day).saturating_sub(passed);
        *self = now;
        (step.abs() > TOLERANCE).then_some(step)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use crds::gateway_config::{GatewayPolicy, Versioned as _};
    use tokio_util::task::TaskTracker;

    use super::*;
    use crate::{app::Deps, config::testing, policy_file::PolicySource};

    /// Two clocks, each moved by hand.
    struct Clocks(Mutex<(Timestamp, Instant)>);

    impl Clocks {
        fn new() -> Arc<Self> {
            Arc::new(Self(Mutex::new((Timestamp::from_second(1_800_000_000).unwrap(), Instant::now()))))
        }

        /// Milliseconds by which the time of day, and the time that passes, go on.
        fn go_on(&self, time_of_day: i64, monotonic: u64) {
            let mut clocks = self.0.lock().unwrap();
            let (before, at) = *clocks;
            *clocks = (before + SignedDuration::from_millis(time_of_day), at + Duration::from_millis(monotonic));
        }
    }

    impl Clock for Clocks {
        fn now(&self) -> Timestamp {
            self.0.lock().unwrap().0
        }

        fn monotonic(&self) -> Instant {
            self.0.lock().unwrap().1
        }
    }

    #[test]
    fn a_difference_of_more_than_half_a_minute_between_two_looks_is_a_step() {
        let clocks = Clocks::new();
        let mut watch = ClockWatch::new(&*clocks);
        for (time_of_day, monotonic, expected) in [
            (10_000, 10_000, None),
            (40_000, 10_000, None),
            (-20_000, 10_000, None),
            (40_001, 10_000, Some(30_001)),
            (-20_001, 10_000, Some(-30_001)),
            (10_000, 10_000, None),
            (86_410_000, 10_000, Some(86_400_000)),
            // A process that was halted for a day: both have gone on.
            (86_400_000, 86_400_000, None),
            // A node that slept: the time that passes stood still.
            (31_000, 0, Some(31_000)),
        ] {
            clocks.go_on(time_of_day, monotonic);
            let expected = expected.map(SignedDuration::from_millis);
            assert_eq!(watch.look(&*clocks), expected, "{time_of_day} {monotonic}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_step_is_counted_once() {
        let clocks = Clocks::new();
        let policy = GatewayPolicy::parse(br#"{ "version": 1, "authorization": { "default": "Deny" } }"#).unwrap();
        let deps = Deps { clock: Arc::<Clocks>::clone(&clocks), ..Deps::new(true) };
        let app = App::build(testing::config(), PolicySource::Fixed(policy), deps).unwrap();
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(run(app.clone(), shutdown.clone()));
        let mut counts = Vec::new();
        for time_of_day in [10_000, 3_610_000, 10_000] {
            // The task has looked at the clocks, and sleeps.
            tokio::time::sleep(INTERVAL / 2).await;
            clocks.go_on(time_of_day, 10_000);
            tokio::time::sleep(INTERVAL / 2).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
            let metrics = app.metrics().encode(None);
            counts.push(
                metrics.lines().find_map(|line| line.strip_prefix("mcp_server_clock_steps_total ")?.parse().ok()),
            );
        }
        assert_eq!(counts, [Some(0), Some(1), Some(1)]);
        tasks.close();
        shutdown.cancel();
        tasks.wait().await;
    }
}
