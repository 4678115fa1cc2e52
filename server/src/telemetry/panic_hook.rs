//! A panic is logged as a line like any other: where in our code, never its text.
//!
//! The text may quote what a caller sent (a slice index error prints the string); it is written nowhere.

use std::panic;

/// Replaces the default hook, which prints text that is no JSON line.
pub fn install() {
    panic::set_hook(Box::new(|info| {
        let place = info.location().map_or("unknown place".to_owned(), ToString::to_string);
        tracing::error!("a handler panicked at {place}: please report it");
    }));
}
