//! Tools that change what the server offers.

use super::{Tool, done};

pub(super) fn tools() -> Vec<Tool> {
    vec![
        Tool::now("test_trigger_tool_change", "Adds a tool to the list, or takes it away", |call| {
            call.lists.change_tools();
            done("The list of tools has changed.")
        }),
        Tool::now("test_trigger_prompt_change", "Adds a prompt to the list, or takes it away", |call| {
            call.lists.change_prompts();
            done("The list of prompts has changed.")
        }),
        Tool::now("test_trigger_resource_change", "Changes the watched resource", |call| {
            call.lists.change_resource();
            done("The watched resource has changed.")
        }),
    ]
}

/// The tool that comes and goes.
pub(super) fn dynamic() -> Tool {
    Tool::now("test_dynamic_tool", "A tool that comes and goes with test_trigger_tool_change", |_| {
        done("This tool comes and goes.")
    })
}
