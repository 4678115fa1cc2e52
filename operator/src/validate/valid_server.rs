//! `ValidServer`: what is left of a spec once it is judged. Builders and status read this, never `spec`.
//!
//! Plain data. It can be made only by [`super::validate`] outside of tests, and holds nothing of the
//! world but what the objects are made of.

use std::collections::{BTreeMap, BTreeSet};

use crds::{
    gateway_config::{GatewayConfig, GatewayPolicy, KeyFile},
    mcp_server::Peer,
};
use jiff::Timestamp;
use k8s_openapi::{api::core::v1::ResourceRequirements, apimachinery::pkg::apis::meta::v1::OwnerReference};

use super::redis::{RedisOutbound, ValidRedis};
use crate::rotation::sealing;

/// An `McpServer` that can be run: parsed, references resolved, defaults filled in.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidServer {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// Reference to the `McpServer` as controller, for every child.
    pub owner: OwnerReference,
    /// How many pods; not part of the configuration.
    pub replicas: i32,
    /// `publicUrl`, parsed.
    pub endpoint: Endpoint,
    /// The file that pods are rolled out with.
    pub config: GatewayConfig,
    /// Revision of `config`'s bytes.
    pub config_revision: String,
    /// The file that reloads in place.
    pub policy: GatewayPolicy,
    /// Revision of `policy`'s bytes.
    pub policy_revision: String,
    /// The image in force.
    pub image: Image,
    /// Of the gateway container, defaults filled in.
    pub resources: ResourceRequirements,
    /// CA bundles to mount, in the order of `config.auth.issuers`; issuers without one are left out.
    pub issuer_cas: Vec<IssuerCa>,
    /// The API server's keys to mount, when ServiceAccount tokens are accepted. No part of the configuration: they change in place.
    pub service_account_keys: Option<KeyFile>,
    /// The Redis that the pods share, when there is one.
    pub redis: Option<ValidRedis>,
    /// Which sealing keys the pods mount, and which come and go.
    pub sealing: sealing::Plan,
    /// When somebody must look again although nothing happens: a rotation or a retirement is due.
    pub wakes_at: Option<Timestamp>,
    /// The Ingress, when asked for.
    pub ingress: Option<Route>,
    /// Who may talk to the pods, and to which ports the pods may talk.
    pub traffic: Traffic,
}

/// `publicUrl`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// As written: the OAuth `resource`.
    pub url: String,
    /// `scheme://host[:port]`.
    pub origin: String,
    /// The host alone.
    pub host: String,
    /// `/mcp`; empty when the URL has no path.
    pub path: String,
}

/// The gateway's image and why it is this one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The reference.
    pub reference: String,
    /// Hash of the part of the spec that it was chosen for.
    pub chosen_for: String,
}

/// A CA bundle of an issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerCa {
    /// Index of the issuer in `config.auth.issuers`; part of the mount path.
    pub index: usize,
    /// Name of the ConfigMap.
    pub config_map: String,
    /// Key in it.
    pub key: String,
}

impl IssuerCa {
    /// Where the bundle is mounted.
    pub fn directory(&self) -> String {
        format!("/etc/mcp-foundry/issuer-ca/{}", self.index)
    }

    /// The file, as the configuration names it.
    pub fn file(&self) -> String {
        format!("{}/{}", self.directory(), self.key)
    }
}

/// What an Ingress needs beside host and path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// IngressClass; `None`: the cluster's default.
    pub class_name: Option<String>,
    /// Secret of the host's certificate.
    pub tls_secret_name: Option<String>,
    /// For the controller.
    pub annotations: BTreeMap<String, String>,
}

/// What the NetworkPolicy is made of.
#[derive(Clone, Debug, PartialEq)]
pub struct Traffic {
    /// The namespace of the operator.
    pub operator_namespace: String,
    /// Labels of the operator's pods.
    pub operator_pod_labels: BTreeMap<String, String>,
    /// Labels of the scraper's namespace; empty: nobody scrapes.
    pub scraper_namespace_labels: BTreeMap<String, String>,
    /// Who may reach the public port.
    pub clients: Clients,
    /// TCP ports that the gateway talks to, beside DNS. Never empty: 443 is always there.
    pub outbound_ports: BTreeSet<u16>,
    /// The Redis that pods talk to, those of a former configuration included.
    pub redis: RedisOutbound,
}

/// Who may reach the public port.
#[derive(Clone, Debug, PartialEq)]
pub enum Clients {
    /// Pods of the own namespace: nothing is exposed.
    OwnNamespace,
    /// Everyone: exposed, without `from`.
    Everyone,
    /// `expose.from`. Never empty.
    Peers(Vec<Peer>),
}
