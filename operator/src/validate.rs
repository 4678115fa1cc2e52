//! `McpServer` + `Observed` -> `ValidServer`, or every reason why not.
//!
//! Parse once: after this nobody reads `spec` again. A rejected spec changes nothing that runs. Rules
//! that CEL has in the CRD are repeated only where skipping one would serve what must not be served.

use crds::{
    McpServer,
    conditions::Reason,
    gateway_config::{GatewayConfig, GatewayPolicy},
};
use k8s_openapi::{api::core::v1::ResourceRequirements, apimachinery::pkg::apis::meta::v1::OwnerReference};
use std::collections::{BTreeMap, BTreeSet};

use crate::observed::Observed;

/// What the operator was started with, as far as decisions depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorSettings {
    /// The gateway's image where the spec names none.
    pub server_image: String,
    /// The namespace that the operator runs in; its pods may reach every gateway.
    pub operator_namespace: String,
    /// Labels that select the operator's pods. Never empty in a cluster: empty selects every pod of the namespace.
    pub operator_pod_labels: BTreeMap<String, String>,
    /// Labels of the namespaces whose pods may scrape metrics. Empty: nobody may.
    pub scraper_namespace_labels: BTreeMap<String, String>,
    /// Whether issuers and collectors may have private addresses.
    pub allow_private_addresses: bool,
    /// The cluster's DNS domain: `cluster.local`.
    pub cluster_domain: String,
}

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
}

/// Who may reach the public port.
#[derive(Clone, Debug, PartialEq)]
pub enum Clients {
    /// Pods of the own namespace: nothing is exposed.
    OwnNamespace,
    /// Everyone: exposed, without `from`.
    Everyone,
    /// `expose.from`. Never empty.
    Peers(Vec<crds::mcp_server::Peer>),
}

/// One reason why a spec is not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    /// Where: `spec.auth.issuers[0].caConfigMapRef.name`.
    pub field: String,
    /// What is wrong, without the field's name.
    pub problem: String,
    /// What to do.
    pub fix: String,
    /// For condition, event and metric.
    pub reason: Reason,
}

/// Judges `mcp_server`; every reason is listed, not only the first.
pub fn validate(_mcp_server: &McpServer, _observed: &Observed, _settings: &OperatorSettings) -> Result<ValidServer, Vec<Invalid>> {
    Err(Vec::new())
}
