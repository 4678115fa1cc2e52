//! Tools that tell the client something before they answer.

use std::time::Duration;

use futures::future::{BoxFuture, FutureExt as _};
use serde_json::json;
use server::features::{LogLevel, Outcome, ToolOutcome};
use tokio::time::sleep;

use super::{Call, Tool, done};

/// Between two notes. Source: the scenarios' descriptions.
const PAUSE: Duration = Duration::from_millis(50);

/// How long `test_reconnection` works after it let the client go. The suite comes back at once and then waits 5 s.
const AWAY: Duration = Duration::from_millis(300);

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::later("test_tool_with_logging", "Writes three log messages", with_logging),
        Tool::later("test_tool_with_progress", "Reports progress three times", with_progress),
        Tool::later("test_reconnection", "Lets the client go and answers later", reconnection),
        Tool::now("test_logging_tool", "Writes a log message for clients that asked for them", |call| {
            call.context.notes.log(LogLevel::Info, None, &json!("test_logging_tool was called"));
            done("Logged.")
        }),
    ]
}

fn with_logging<'a>(call: &'a Call<'a>) -> BoxFuture<'a, Outcome<ToolOutcome>> {
    async move {
        let log = |text: &str| call.context.notes.log(LogLevel::Info, Some("test_tool_with_logging"), &json!(text));
        log("Tool execution started");
        sleep(PAUSE).await;
        log("Tool processing data");
        sleep(PAUSE).await;
        log("Tool execution completed");
        done("Tool with logging executed successfully")
    }
    .boxed()
}

fn with_progress<'a>(call: &'a Call<'a>) -> BoxFuture<'a, Outcome<ToolOutcome>> {
    async move {
        for progress in [0, 50, 100] {
            if progress > 0 {
                sleep(PAUSE).await;
            }
            call.context.notes.progress(progress, Some(100.into()), Some(&format!("Completed {progress} of 100")));
        }
        done("Tool with progress executed successfully")
    }
    .boxed()
}

fn reconnection<'a>(call: &'a Call<'a>) -> BoxFuture<'a, Outcome<ToolOutcome>> {
    async move {
        call.context.notes.release();
        sleep(AWAY).await;
        done("Reconnection test completed successfully")
    }
    .boxed()
}

#[cfg(test)]
mod tests {
    use server::features::{CallContext, Note, Notes};
    use tokio::sync::mpsc;

    use super::super::testing::{call, text_of};
    use crate::testing::context;

    use super::*;

    /// Runs a tool for a client that wants everything; what it was told, in short.
    fn told(name: &str) -> Vec<String> {
        let (sender, mut notes) = mpsc::channel(8);
        let context = CallContext { notes: Notes::new(sender, true, Some(LogLevel::Debug)), ..context() };
        text_of(call(&context, name));
        let shown = |note| match note {
            Note::Progress { progress, total, .. } => format!("{progress}/{}", total.unwrap()),
            Note::Log { level, data, .. } => format!("{} {}", level.as_str(), data.get()),
            Note::Release => "release".to_owned(),
            Note::Ask { message } => message.get().to_owned(),
        };
        std::iter::from_fn(|| notes.try_recv().ok()).map(shown).collect()
    }

    #[test]
    fn notes_are_those_of_the_suite() {
        assert_eq!(told("test_tool_with_progress"), ["0/100", "50/100", "100/100"]);
        assert_eq!(told("test_reconnection"), ["release"]);
        let logged = told("test_tool_with_logging");
        assert_eq!(logged[0], r#"info "Tool execution started""#);
        assert_eq!(logged.len(), 3);
    }
}
