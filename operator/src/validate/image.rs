//! Which image the gateway runs, so that an upgrade of the operator restarts nothing by itself.
//!
//! The image in force is recorded on the Deployment together with a hash of what rolls pods: the
//! configuration, and `spec.pod`. While that stays, so does the image; when it changes, pods roll anyway and
//! take the operator's current default along. Scaling, rules and `expose` are not in it: they are in force
//! without a restart, and must stay so after an upgrade.

use crds::{
    gateway_config::{GatewayConfig, Versioned},
    mcp_server::Pod,
    revision::revision,
};
use serde_json::json;

use super::{Image, OperatorSettings};
use crate::observed::ObservedDeployment;

pub(super) fn image(
    config: &GatewayConfig,
    pod: &Pod,
    deployment: Option<&ObservedDeployment>,
    settings: &OperatorSettings,
) -> Image {
    let chosen_for = rolling_part(config, pod);
    let recorded = deployment.and_then(|deployment| deployment.server_image.as_ref());
    in_force(pod.image.as_ref(), chosen_for, recorded, &settings.server_image)
}

/// The image that the spec asks for; else the one that is recorded, while that what it was chosen for stands; else the operator's.
pub(super) fn in_force(asked: Option<&String>, chosen_for: String, recorded: Option<&Image>, default: &str) -> Image {
    let kept = recorded.filter(|recorded| recorded.chosen_for == chosen_for).map(|recorded| &recorded.reference);
    let reference = asked.or(kept).cloned().unwrap_or_else(|| default.to_owned());
    Image { reference, chosen_for }
}

/// Hash of what rolls the pods when it changes.
fn rolling_part(config: &GatewayConfig, pod: &Pod) -> String {
    // Destructured without `..`: a new field does not compile until somebody says whether it rolls pods.
    let Pod { image, resources } = pod;
    let part = json!([config.to_json(), image, resources]);
    revision(part.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        observed::Observed,
        validate::{
            tests::{mcp_server, settings},
            validate,
        },
    };

    const SPEC: &str = "{ auth: { issuers: [{ issuer: https://login }] } }";
    const OLD: &str = "registry.example.com/server:old";

    #[test]
    fn the_first_image_is_the_operators_default() {
        assert_eq!(choose(SPEC, None), "registry.example.com/server:new");
    }

    #[test]
    fn an_upgrade_of_the_operator_keeps_the_image_in_force() {
        assert_eq!(choose(SPEC, Some(deployment_of(SPEC))), OLD);
    }

    #[test]
    fn a_change_that_rolls_pods_anyway_takes_the_new_image_along() {
        for after in [
            "{ auth: { issuers: [{ issuer: https://other }] } }",
            "{ pod: { resources: { limits: { memory: 1Gi } } }, auth: { issuers: [{ issuer: https://login }] } }",
        ] {
            assert_eq!(choose(after, Some(deployment_of(SPEC))), "registry.example.com/server:new");
        }
    }

    #[test]
    fn scaling_and_rules_do_not_move_the_image() {
        let after = "{ replicas: 5, authorization: { default: Authenticated }, auth: { issuers: [{ issuer: https://login }] } }";
        assert_eq!(choose(after, Some(deployment_of(SPEC))), OLD);
    }

    #[test]
    fn the_image_of_the_spec_comes_first_and_its_removal_goes_to_the_default() {
        let named = "{ pod: { image: own/image:1 }, auth: { issuers: [{ issuer: https://login }] } }";
        assert_eq!(choose(named, Some(deployment_of(SPEC))), "own/image:1");
        assert_eq!(choose(SPEC, Some(deployment_of(named))), "registry.example.com/server:new");
    }

    /// What an operator with a newer default image chooses.
    fn choose(spec: &str, deployment: Option<ObservedDeployment>) -> String {
        let upgraded = OperatorSettings { server_image: "registry.example.com/server:new".to_owned(), ..settings() };
        let observed = Observed { deployment, ..Observed::default() };
        validate(&mcp_server(spec), &observed, &upgraded).unwrap().image.reference
    }

    /// The Deployment that an operator made whose default image was [`OLD`].
    fn deployment_of(spec: &str) -> ObservedDeployment {
        let before = OperatorSettings { server_image: OLD.to_owned(), ..settings() };
        let image = validate(&mcp_server(spec), &Observed::default(), &before).unwrap().image;
        ObservedDeployment { server_image: Some(image), ..ObservedDeployment::default() }
    }
}
