//! Lists: what an upstream says of its tools is what clients read, but for the names and for what their revision lacks.

use serde_json::Value;

use crate::{
    voice::{REVISIONS, name_of},
    world::{Fronted, World},
};

pub(crate) async fn definitions_pass_through_in_every_revision(world: &mut World) {
    let mut own: Vec<String> = Vec::new();
    for fronted in &world.peers {
        own.extend(under_public_names(fronted).await);
    }
    for revision in REVISIONS {
        let listed = world.voice(revision).await.tools().await;
        // The built-ins come first.
        let listed = &listed[3..];
        assert_eq!(listed.len(), own.len(), "{revision}");
        for (listed, own) in listed.iter().zip(&own) {
            match without_what_is_unknown(own, revision) {
                None => assert_eq!(listed, own, "{revision}"),
                Some(expected) => {
                    assert_eq!(serde_json::from_str::<Value>(listed).unwrap(), expected, "{revision}");
                }
            }
        }
    }
}

/// What the peer itself lists, each tool under the name that clients see. A tool that works as a task only is not
/// offered.
async fn under_public_names(fronted: &Fronted) -> Vec<String> {
    let own = fronted.voice().await.tools().await;
    let can_be_called = |tool: &&String| !tool.contains(r#""taskSupport":"required""#);
    let renamed = own.iter().filter(can_be_called).map(|tool| {
        let name = name_of(tool);
        let written = format!(r#""name":"{name}""#);
        assert_eq!(tool.matches(&written).count(), 1, "{tool}");
        tool.replace(&written, &format!(r#""name":"{}""#, fronted.tool(&name)))
    });
    renamed.collect()
}

/// `None` if the revision knows all of it: then not a byte may differ.
fn without_what_is_unknown(tool: &str, revision: &str) -> Option<Value> {
    let unknown: &[&str] = match revision {
        "2025-06-18" => &["icons"],
        "2025-03-26" => &["icons", "title", "outputSchema", "execution", "_meta"],
        _ => &[],
    };
    let mut tool: Value = serde_json::from_str(tool).unwrap();
    let members = tool.as_object_mut().unwrap();
    let before = members.len();
    members.retain(|name, _| !unknown.contains(&name.as_str()));
    (members.len() < before).then_some(tool)
}
