//! The Service: one stable name inside the cluster, and what the Ingress points to.
//!
//! The admin port is not in it: reports and metrics are asked from each pod by its own address.

use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::metadata::{hashed, metadata, selector};
use crate::validate::ValidServer;

/// Name of the public port, of container and Service alike.
pub(super) const PUBLIC_PORT_NAME: &str = "mcp";

/// Port of the Service: with it the default `publicUrl` needs no port.
pub(super) const SERVICE_PORT: i32 = 80;

/// `<name>`.
pub(super) fn service(valid: &ValidServer) -> Service {
    hashed(Service {
        metadata: metadata(valid, valid.name.clone()),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            selector: Some(selector(&valid.name)),
            ports: Some(vec![ServicePort {
                name: Some(PUBLIC_PORT_NAME.to_owned()),
                app_protocol: Some("http".to_owned()),
                protocol: Some("TCP".to_owned()),
                port: SERVICE_PORT,
                target_port: Some(IntOrString::String(PUBLIC_PORT_NAME.to_owned())),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    })
}
