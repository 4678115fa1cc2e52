//! Logs as JSON lines on standard error, set up once by `main`.
//!
//! Never a token, a body or the content of an object: fields are names, counts and reasons.

use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

/// Why logging could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The filter of `--log-level` cannot be read.
    #[error("--log-level cannot be read; say error, warn, info, debug, or a filter such as operator=debug")]
    Filter(#[source] tracing_subscriber::filter::ParseError),
    /// A logger exists already.
    #[error("logging is set up already")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
}

/// Starts logging at `level`, a level or a filter directive.
pub fn init(level: &str) -> Result<(), TelemetryError> {
    let filter = EnvFilter::builder().parse(level.to_ascii_lowercase()).map_err(TelemetryError::Filter)?;
    tracing_subscriber::registry()
        .with(filter)
        .with(
            fmt::layer()
                .json()
                .flatten_event(true)
                .with_current_span(true)
                .with_span_list(false)
                .with_writer(std::io::stderr),
        )
        .try_init()
        .map_err(TelemetryError::Twice)
}
