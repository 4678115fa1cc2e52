//! The headless Service of the Redis: a name that is the address of its one pod.

use k8s_openapi::{
    api::core::v1::{Service, ServicePort, ServiceSpec},
    apimachinery::pkg::util::intstr::IntOrString,
};

use super::{super::metadata::hashed, REDIS_PORT, metadata, redis_name, redis_selector, stateful_set::PORT_NAME};
use crate::validate::ValidServer;

pub(super) fn service(valid: &ValidServer) -> Service {
    hashed(Service {
        metadata: metadata(valid, redis_name(&valid.name)),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            cluster_ip: Some("None".to_owned()),
            selector: Some(redis_selector(&valid.name)),
            // A pod that moves is found as soon as it has an address: the gateway tries until it answers.
            publish_not_ready_addresses: Some(true),
            ports: Some(vec![ServicePort {
                name: Some(PORT_NAME.to_owned()),
                protocol: Some("TCP".to_owned()),
                port: i32::from(REDIS_PORT),
                target_port: Some(IntOrString::String(PORT_NAME.to_owned())),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    })
}
