//! CPU and memory of the gateway, defaults filled in.

use std::collections::BTreeMap;

use crds::mcp_server;
use k8s_openapi::{api::core::v1::ResourceRequirements, apimachinery::pkg::api::resource::Quantity};

/// What the CRD's manual promises.
const DEFAULT_REQUESTS: [(&str, &str); 2] = [("cpu", "50m"), ("memory", "64Mi")];
const DEFAULT_LIMITS: [(&str, &str); 1] = [("memory", "256Mi")];

/// A default counts only for a resource that the spec names nowhere: a default beside a user's figure could
/// ask for more than it allows. Pure memory limits: a CPU limit would only add latency.
pub(super) fn resources(spec: Option<&mcp_server::ResourceRequirements>) -> ResourceRequirements {
    let mcp_server::ResourceRequirements { mut requests, mut limits } = spec.cloned().unwrap_or_default();
    let named: Vec<String> = requests.keys().chain(limits.keys()).cloned().collect();
    fill(&mut requests, &DEFAULT_REQUESTS, &named);
    fill(&mut limits, &DEFAULT_LIMITS, &named);
    ResourceRequirements { requests: some(requests), limits: some(limits), ..ResourceRequirements::default() }
}

fn fill(quantities: &mut BTreeMap<String, Quantity>, defaults: &[(&str, &str)], named: &[String]) {
    for (resource, quantity) in defaults {
        if !named.iter().any(|name| name == resource) {
            quantities.insert((*resource).to_owned(), Quantity((*quantity).to_owned()));
        }
    }
}

/// An empty map is left out, as the API server does.
fn some(quantities: BTreeMap<String, Quantity>) -> Option<BTreeMap<String, Quantity>> {
    (!quantities.is_empty()).then_some(quantities)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_figures_the_defaults_count() {
        assert_eq!(text(&resources(None)), "requests cpu=50m memory=64Mi limits memory=256Mi");
    }

    #[test]
    fn a_default_never_stands_beside_a_figure_of_the_user() {
        let small =
            mcp_server::ResourceRequirements { limits: quantities(&[("memory", "32Mi")]), ..Default::default() };
        assert_eq!(text(&resources(Some(&small))), "requests cpu=50m limits memory=32Mi");
        let large =
            mcp_server::ResourceRequirements { requests: quantities(&[("memory", "1Gi")]), ..Default::default() };
        assert_eq!(text(&resources(Some(&large))), "requests cpu=50m memory=1Gi limits");
    }

    fn quantities(pairs: &[(&str, &str)]) -> BTreeMap<String, Quantity> {
        pairs.iter().map(|(name, quantity)| ((*name).to_owned(), Quantity((*quantity).to_owned()))).collect()
    }

    fn text(resources: &ResourceRequirements) -> String {
        let mut words = Vec::new();
        for (title, quantities) in [("requests", &resources.requests), ("limits", &resources.limits)] {
            words.push(title.to_owned());
            words.extend(quantities.iter().flatten().map(|(name, quantity)| format!("{name}={}", quantity.0)));
        }
        words.join(" ")
    }
}
