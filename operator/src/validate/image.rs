//! Which image the gateway runs, so that an upgrade of the operator restarts nothing by itself.
//!
//! The image in force is recorded on the Deployment together with a hash of the part of the spec that
//! rolls pods. While that part stays, so does the image; when it changes, pods roll anyway and take the
//! operator's current default along. Scaling, rules and `expose` are not in that part: they are in
//! force without a restart, and must stay so after an upgrade.

use crds::{
    mcp_server::{McpServerSpec, Pod},
    revision::revision,
};
use serde_json::json;

use super::{Image, OperatorSettings};
use crate::observed::ObservedDeployment;

pub(super) fn image(spec: &McpServerSpec, deployment: Option<&ObservedDeployment>, settings: &OperatorSettings) -> Image {
    let chosen_for = rolling_part(spec);
    let recorded = deployment.filter(|deployment| deployment.server_image_chosen_for.as_deref() == Some(&chosen_for));
    let recorded = recorded.and_then(|deployment| deployment.server_image.as_ref());
    let reference = spec.pod.image.as_ref().or(recorded).unwrap_or(&settings.server_image).clone();
    Image { reference, chosen_for }
}

/// Hash of what a change of rolls the pods.
fn rolling_part(spec: &McpServerSpec) -> String {
    // Destructured without `..`: a new field does not compile until somebody says on which side it is.
    let McpServerSpec {
        replicas: _,
        public_url,
        expose: _,
        http,
        auth,
        authorization: _,
        builtins,
        pod,
        observability,
    } = spec;
    let Pod { image, resources } = pod;
    let part = json!([public_url, http, auth, builtins, image, resources, observability]);
    revision(part.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validate::tests::{mcp_server, settings};

    #[test]
    fn the_first_image_is_the_operators_default() {
        let spec = spec("auth: { issuers: [{ issuer: https://login }] }");
        assert_eq!(image(&spec, None, &settings()).reference, settings().server_image);
    }

    #[test]
    fn an_upgrade_of_the_operator_keeps_the_image_in_force() {
        let spec = spec("auth: { issuers: [{ issuer: https://login }] }");
        let deployment = recorded(&spec, "registry.example.com/server:old");
        assert_eq!(image(&spec, Some(&deployment), &upgraded()).reference, "registry.example.com/server:old");
    }

    #[test]
    fn a_change_that_rolls_pods_anyway_takes_the_new_image_along() {
        let before = spec("auth: { issuers: [{ issuer: https://login }] }");
        let after = spec("auth: { issuers: [{ issuer: https://other }] }");
        let deployment = recorded(&before, "registry.example.com/server:old");
        assert_eq!(image(&after, Some(&deployment), &upgraded()).reference, upgraded().server_image);
    }

    #[test]
    fn scaling_and_rules_do_not_move_the_image() {
        let before = spec("auth: { issuers: [{ issuer: https://login }] }");
        let after = spec("{ replicas: 5, authorization: { default: Authenticated }, auth: { issuers: [{ issuer: https://login }] } }");
        let deployment = recorded(&before, "registry.example.com/server:old");
        assert_eq!(image(&after, Some(&deployment), &upgraded()).reference, "registry.example.com/server:old");
    }

    #[test]
    fn the_image_of_the_spec_comes_first_and_its_removal_goes_to_the_default() {
        let named = spec("{ pod: { image: own/image:1 }, auth: { issuers: [{ issuer: https://login }] } }");
        assert_eq!(image(&named, None, &settings()).reference, "own/image:1");
        let removed = spec("auth: { issuers: [{ issuer: https://login }] }");
        let deployment = recorded(&named, "own/image:1");
        assert_eq!(image(&removed, Some(&deployment), &settings()).reference, settings().server_image);
    }

    fn spec(yaml: &str) -> McpServerSpec {
        mcp_server(yaml).spec
    }

    fn recorded(spec: &McpServerSpec, reference: &str) -> ObservedDeployment {
        ObservedDeployment {
            server_image: Some(reference.to_owned()),
            server_image_chosen_for: Some(rolling_part(spec)),
            ..ObservedDeployment::default()
        }
    }

    fn upgraded() -> OperatorSettings {
        OperatorSettings { server_image: "registry.example.com/server:new".to_owned(), ..settings() }
    }
}
