//! A panic is logged as a line like any other: where in our code, never its text.
//!
//! The text may quote what a caller sent (a slice index error prints the string); it is written nowhere.

use std::panic::{self, PanicHookInfo};

/// Replaces the default hook, which prints text that is no JSON line.
pub fn install() {
    panic::set_hook(Box::new(report));
}

fn report(info: &PanicHookInfo<'_>) {
    let place = info.location().map_or("unknown place".to_owned(), ToString::to_string);
    tracing::error!("a handler panicked at {place}: please report it");
}

#[cfg(test)]
mod tests {
    use std::{
        io::{self, Write},
        panic::{self, catch_unwind},
        sync::{Arc, Mutex},
        thread,
    };

    use crds::gateway_config::LogLevel;

    use super::*;
    use crate::{
        clock::SystemClock,
        telemetry::logs::{LogWriter, subscriber},
    };

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// The hook is the process's: other tests keep theirs.
    fn report_on_this_thread() {
        let (me, others) = (thread::current().id(), panic::take_hook());
        panic::set_hook(Box::new(move |info| if thread::current().id() == me { report(info) } else { others(info) }));
    }

    #[test]
    fn a_panic_is_logged_by_its_place_and_never_by_its_text() {
        let lines = Lines::default();
        let (queue, writer) = LogWriter::start(lines.clone());
        let subscriber = subscriber(LogLevel::Debug, "team-a/tools".to_owned(), queue, Arc::new(SystemClock));
        report_on_this_thread();
        tracing::subscriber::with_default(subscriber, || {
            let arguments = "canary-argument";
            catch_unwind(|| arguments[arguments.len() + 1..].len()).unwrap_err();
            catch_unwind(|| arguments.parse::<u8>().expect(arguments)).unwrap_err();
        });
        drop(writer);
        let text = String::from_utf8(lines.0.lock().unwrap().clone()).unwrap();
        assert_eq!(text.matches("a handler panicked at server/src/telemetry/panic_hook.rs:").count(), 2, "{text}");
        assert!(!text.contains("canary"), "{text}");
    }
}
