//! What each side says it can do: the client's capabilities read, ours written. Nothing is announced that does not work.

use serde_json::{Map, Value, json, value::RawValue};

use crate::{
    features::{Catalog, ClientCapabilities, InputRequired, Offered},
    json::Object,
    protocol::{Era, ProtocolVersion},
};

/// What a client can be asked for in words of `version`. A capability counts if its member is an object, and if the
/// revision knows it: a client may declare more than what was negotiated.
pub(super) fn client_capabilities(capabilities: Option<&RawValue>, version: ProtocolVersion) -> ClientCapabilities {
    let ClientCapabilities { elicitation, elicitation_url, sampling, sampling_tools, roots } = declared(capabilities);
    let newer = version.has_url_elicitation_and_sampling_tools();
    ClientCapabilities {
        elicitation: elicitation && version.has_elicitation(),
        elicitation_url: elicitation_url && newer,
        sampling,
        sampling_tools: sampling_tools && newer,
        roots,
    }
}

fn declared(capabilities: Option<&RawValue>) -> ClientCapabilities {
    let Some(capabilities) = capabilities.and_then(object) else { return ClientCapabilities::default() };
    let has = |members: &Object<'_>, name: &str| members.get(name).and_then(object).is_some();
    let elicitation = capabilities.get("elicitation").and_then(object);
    let sampling = capabilities.get("sampling").and_then(object);
    ClientCapabilities {
        // `{}` means form mode; whoever names modes has those alone.
        elicitation: elicitation.as_ref().is_some_and(|modes| modes.members().is_empty() || has(modes, "form")),
        elicitation_url: elicitation.as_ref().is_some_and(|modes| has(modes, "url")),
        sampling_tools: sampling.as_ref().is_some_and(|members| has(members, "tools")),
        sampling: sampling.is_some(),
        roots: has(&capabilities, "roots"),
    }
}

fn object(value: &RawValue) -> Option<Object<'_>> {
    Object::parse(value.get())
}

/// What `input` asks for and the client did not declare, as a `ClientCapabilities` object.
pub(super) fn undeclared(input: &InputRequired, client: ClientCapabilities) -> Option<Value> {
    let mut missing = Map::new();
    for request in input.requests.values() {
        let request: Value = serde_json::from_str(request.get()).unwrap_or_default();
        let (method, params) = (request["method"].as_str().unwrap_or_default(), &request["params"]);
        let (capability, needed, declared) = match method {
            "elicitation/create" if params["mode"] == "url" => {
                ("elicitation", json!({ "url": {} }), client.elicitation_url)
            }
            "elicitation/create" => ("elicitation", json!({}), client.elicitation),
            "sampling/createMessage" if params.get("tools").is_some() => {
                ("sampling", json!({ "tools": {} }), client.sampling_tools)
            }
            "sampling/createMessage" => ("sampling", json!({}), client.sampling),
            _ => ("roots", json!({}), client.roots),
        };
        if !declared {
            missing.insert(capability.to_owned(), needed);
        }
    }
    (!missing.is_empty()).then(|| missing.into())
}

/// Ours. Every list changes at least when the policy does. `streams` says whether sessions of the older era have state
/// in this process: with several replicas they have not, and whatever needs it is not there.
pub(super) fn server_capabilities(catalog: &Catalog, era: Era, streams: bool) -> Value {
    let Offered { resources, resource_updates, prompts, completions, logging } = catalog.offered();
    let told = era == Era::Modern || streams;
    let mut capabilities = json!({ "tools": list_changed(told) });
    if resources {
        capabilities["resources"] = list_changed(told);
        if resource_updates && told {
            capabilities["resources"]["subscribe"] = true.into();
        }
    }
    if prompts {
        capabilities["prompts"] = list_changed(told);
    }
    if completions {
        capabilities["completions"] = json!({});
    }
    if logging && told {
        capabilities["logging"] = json!({});
    }
    capabilities
}

fn list_changed(told: bool) -> Value {
    if told { json!({ "listChanged": true }) } else { json!({}) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(text: &str) -> ClientCapabilities {
        client_in(text, ProtocolVersion::LATEST_MODERN)
    }

    fn client_in(text: &str, version: ProtocolVersion) -> ClientCapabilities {
        client_capabilities(Some(&RawValue::from_string(text.to_owned()).unwrap()), version)
    }

    #[test]
    fn a_capability_that_the_revision_does_not_know_does_not_count() {
        let all = r#"{"elicitation":{"form":{},"url":{}},"sampling":{"tools":{}},"roots":{}}"#;
        let counted = |version| {
            let client = client_in(all, version);
            assert!(client.sampling && client.roots);
            (client.elicitation, client.elicitation_url, client.sampling_tools)
        };
        let expected = [(true, true, true), (true, true, true), (true, false, false), (false, false, false)];
        assert_eq!(ProtocolVersion::ALL.map(counted), expected);
    }

    #[test]
    fn elicitation_without_modes_is_form_mode() {
        let none = ClientCapabilities::default();
        assert_eq!(client("{}"), none);
        assert_eq!(client(r#"{"elicitation":{}}"#), ClientCapabilities { elicitation: true, ..none });
        assert_eq!(client(r#"{"elicitation":{"url":{}}}"#), ClientCapabilities { elicitation_url: true, ..none });
        assert_eq!(client(r#"{"elicitation":true,"roots":[],"sampling":null}"#), none);
        let tools = ClientCapabilities { sampling: true, sampling_tools: true, ..none };
        assert_eq!(client(r#"{"sampling":{"tools":{}}}"#), tools);
    }

    #[test]
    fn what_the_client_cannot_do_is_named() {
        let input = InputRequired::default()
            .ask("a", "elicitation/create", &json!({ "mode": "url" }))
            .ask("b", "sampling/createMessage", &json!({}))
            .ask("c", "roots/list", &json!({}));
        let roots = ClientCapabilities { roots: true, ..ClientCapabilities::default() };
        assert_eq!(undeclared(&input, roots), Some(json!({ "elicitation": { "url": {} }, "sampling": {} })));
        let form = InputRequired::default().ask("a", "elicitation/create", &json!({}));
        let can = ClientCapabilities { elicitation: true, ..ClientCapabilities::default() };
        assert_eq!(undeclared(&form, can), None);
    }
}
