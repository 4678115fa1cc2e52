//! The tools of one upstream: what is offered, and how each is called. A snapshot that is swapped whole.

use std::{collections::HashMap, sync::Arc, time::Duration};

use serde_json::value::RawValue;

use super::{
    definition::Definition,
    limits::{MAX_PROBLEMS, MAX_TOOLS},
};
use crate::{
    features::{Offer, OfferedTool, ParamHeader},
    protocol::ProtocolVersion,
};

/// A snapshot.
#[derive(Debug)]
pub(super) struct Catalog {
    /// What clients are offered.
    pub(super) offer: Arc<Offer>,
    /// By public name.
    routes: HashMap<Arc<str>, Route>,
    pub(super) problems: Problems,
}

/// How one tool is called.
#[derive(Debug)]
pub(super) struct Route {
    /// As the upstream names it.
    pub(super) name: String,
    pub(super) param_headers: Vec<ParamHeader>,
}

/// Why tools are missing. Fixed texts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Problems {
    /// The first few of them.
    pub(super) texts: Vec<String>,
    /// All of them.
    pub(super) count: usize,
}

impl Problems {
    pub(super) fn add(&mut self, text: String) {
        self.count += 1;
        if self.texts.len() < MAX_PROBLEMS {
            self.texts.push(text);
        }
    }
}

impl Catalog {
    /// Nothing.
    pub(super) fn empty() -> Self {
        Self::of(Vec::new(), HashMap::new(), Problems::default())
    }

    /// What `tools` of the upstream `upstream` come to, in their order. `problems` are those of the list itself.
    pub(super) fn new(
        upstream: &str,
        tools: &[Box<RawValue>],
        version: ProtocolVersion,
        deadline: Duration,
        mut problems: Problems,
    ) -> Self {
        let mut offered = Vec::new();
        let mut routes = HashMap::new();
        for (index, tool) in tools.iter().enumerate() {
            if offered.len() == MAX_TOOLS {
                problems.add(format!("there are more than {MAX_TOOLS} tools; the rest is not offered"));
                break;
            }
            let definition = match Definition::new(upstream, tool, version) {
                Ok(definition) => definition,
                Err(problem) => {
                    problems.add(format!("tool {index} of the list is not offered: {problem}"));
                    continue;
                }
            };
            let name: Arc<str> = definition.public_name.into();
            if routes.contains_key(&name) {
                problems.add(format!("tool {index} of the list is not offered: one before it has its name"));
                continue;
            }
            let route = Route { name: definition.name, param_headers: definition.param_headers };
            routes.insert(Arc::clone(&name), route);
            offered.push(OfferedTool { name, definition: definition.text, checked: false, deadline });
        }
        Self::of(offered, routes, problems)
    }

    fn of(tools: Vec<OfferedTool>, routes: HashMap<Arc<str>, Route>, problems: Problems) -> Self {
        let offer = Offer { tools, ..Offer::default() };
        Self { offer: Arc::new(offer), routes, problems }
    }

    /// How the tool that is offered as `name` is called.
    pub(super) fn route(&self, name: &str) -> Option<&Route> {
        self.routes.get(name)
    }

    /// Whether clients would read the same list.
    pub(super) fn offers_the_same_as(&self, other: &Self) -> bool {
        let (tools, others) = (&self.offer.tools, &other.offer.tools);
        let is_same = |(tool, other): (&OfferedTool, &OfferedTool)| tool.definition.get() == other.definition.get();
        tools.len() == others.len() && tools.iter().zip(others).all(is_same)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn catalog(tools: &[&str]) -> Catalog {
        let tools: Vec<_> = tools.iter().map(|tool| RawValue::from_string((*tool).to_owned()).unwrap()).collect();
        Catalog::new("up", &tools, ProtocolVersion::LATEST_MODERN, Duration::from_secs(1), Problems::default())
    }

    fn tool(name: &str) -> String {
        format!(r#"{{"name":"{name}","inputSchema":{{"type":"object"}}}}"#)
    }

    #[test]
    fn the_first_of_two_equal_names_is_offered_and_problems_are_bounded() {
        let good = tool("a");
        let tools = [&[&*good, &*good][..], &["7"; 40][..]].concat();
        let catalog = catalog(&tools);
        assert_eq!(catalog.offer.tools.len(), 1);
        assert_eq!(catalog.problems.count, 41);
        assert_eq!(catalog.problems.texts.len(), MAX_PROBLEMS);
        assert_eq!(catalog.problems.texts[0], "tool 1 of the list is not offered: one before it has its name");
    }

    #[test]
    fn there_are_at_most_a_thousand_tools() {
        let tools: Vec<_> = (0..1_500).map(|number| tool(&format!("t{number}"))).collect();
        let catalog = catalog(&tools.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(catalog.offer.tools.len(), MAX_TOOLS);
        assert_eq!(catalog.problems.texts, ["there are more than 1000 tools; the rest is not offered"]);
    }

    #[test]
    fn a_list_is_the_same_while_its_bytes_and_their_order_are() {
        let (a, b) = (tool("a"), tool("b"));
        let list = |tools: &[&str]| catalog(tools);
        assert!(list(&[&a, &b]).offers_the_same_as(&list(&[&a, "7", &b])));
        assert!(!list(&[&a, &b]).offers_the_same_as(&list(&[&b, &a])));
        assert!(!list(&[&a]).offers_the_same_as(&list(&[&a.replace("}}", r#"},"title":"x"}"#)])));
    }
}
