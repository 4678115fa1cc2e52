//! The Ingress: host and path come from `publicUrl` alone, and every path is matched exactly.
//!
//! The endpoint's own paths and no more: the health answer and whatever the gateway may serve later stay inside.

use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressRule, IngressServiceBackend, IngressSpec,
    IngressTLS, ServiceBackendPort,
};

use super::{
    metadata::{hashed, metadata},
    service::PUBLIC_PORT_NAME,
};
use crate::{
    route::{RootDocuments, exact_paths},
    validate::{Route, ValidServer},
};

/// `<name>`, when asked for.
pub(super) fn ingress(valid: &ValidServer) -> Option<Ingress> {
    let route = valid.ingress.as_ref()?;
    let mut metadata = metadata(valid, valid.name.clone());
    metadata.annotations = (!route.annotations.is_empty()).then(|| route.annotations.clone());
    Some(hashed(Ingress {
        metadata,
        spec: Some(IngressSpec {
            ingress_class_name: route.class_name.clone(),
            rules: Some(vec![rule(valid)]),
            tls: tls(valid, route),
            ..IngressSpec::default()
        }),
        ..Ingress::default()
    }))
}

fn rule(valid: &ValidServer) -> IngressRule {
    let paths = exact_paths(&valid.endpoint.path, RootDocuments::served(&valid.config.auth));
    IngressRule {
        host: Some(valid.endpoint.host.clone()),
        http: Some(HTTPIngressRuleValue { paths: paths.into_iter().map(|path| exact(valid, path)).collect() }),
    }
}

fn exact(valid: &ValidServer, path: String) -> HTTPIngressPath {
    HTTPIngressPath {
        path: Some(path),
        path_type: "Exact".to_owned(),
        backend: IngressBackend {
            service: Some(IngressServiceBackend {
                name: valid.name.clone(),
                port: Some(ServiceBackendPort { name: Some(PUBLIC_PORT_NAME.to_owned()), number: None }),
            }),
            resource: None,
        },
    }
}

fn tls(valid: &ValidServer, route: &Route) -> Option<Vec<IngressTLS>> {
    let secret_name = route.tls_secret_name.clone()?;
    Some(vec![IngressTLS { hosts: Some(vec![valid.endpoint.host.clone()]), secret_name: Some(secret_name) }])
}
