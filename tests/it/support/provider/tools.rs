//! What the tools do, but for `wait`.

use serde_json::value::to_raw_value;
use serde_json::{Value, json};
use server::features::{Answer, CallContext, LogLevel, Outcome, ToolOutcome};

use super::{asked, block, text};

pub(super) async fn call(context: &CallContext, name: &str, arguments: &Value) -> Outcome<ToolOutcome> {
    match name {
        "say" => text(arguments["text"].as_str().unwrap_or_default()),
        "ask" => {
            let what = arguments["what"].as_str().unwrap_or("form");
            Ok(asked(context, what)?.map(ToolOutcome::text))
        }
        "steps" => {
            for progress in [1, 2, 2, 1, 3] {
                context.notes.progress(progress, Some(3.into()), None);
            }
            text("done")
        }
        "log" => {
            for level in LogLevel::ALL {
                context.notes.log(level, Some("fixture"), &json!(level.as_str()));
            }
            text("logged")
        }
        "flood" => flood(context, &arguments["count"], &arguments["bytes"]).await,
        "link" => {
            let blocks = to_raw_value(&[block("see"), link()]).unwrap();
            Ok(Answer::Complete(ToolOutcome::blocks(blocks, None, false, None)))
        }
        "object" => Ok(Answer::Complete(ToolOutcome::structured(&json!({ "a": 1 })))),
        "number" => Ok(Answer::Complete(ToolOutcome::structured(&42))),
        "lie" => Ok(Answer::Complete(ToolOutcome::structured(&json!({ "a": "no integer" })))),
        "late" => std::future::pending().await,
        "panic" => panic!("what a fixture says when it breaks"),
        _ => text(format!("{name}: {arguments}")),
    }
}

/// Messages faster than some clients read. Between two of them whoever carries them on has its turn.
async fn flood(context: &CallContext, count: &Value, bytes: &Value) -> Outcome<ToolOutcome> {
    let size = usize::try_from(bytes.as_u64().unwrap()).unwrap();
    for _ in 0..count.as_u64().unwrap() {
        context.notes.log(LogLevel::Emergency, None, &json!("x".repeat(size)));
        tokio::task::yield_now().await;
    }
    text("flooded")
}

/// A block that the first revision does not know.
pub(super) fn link() -> Value {
    json!({ "type": "resource_link", "uri": "test://listed", "name": "the listed one" })
}
