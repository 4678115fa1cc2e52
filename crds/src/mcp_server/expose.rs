//! `spec.expose` and `spec.http`: how clients reach the endpoint, and what it accepts of HTTP.

use std::collections::BTreeMap;

use super::{Deserialize, KubeSchema, Serialize, schema};

/// How clients outside the namespace reach the endpoint.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Expose {
    /// Route the endpoint through an Ingress. Example: {} for the cluster's default ingress class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress: Option<Ingress>,

    /// Who may open connections to the endpoint, for the NetworkPolicy. Name the ingress controller's namespace here to let nobody
    /// past it. Example: [{ namespaceSelector: { matchLabels: { kubernetes.io/metadata.name: traefik } } }]. Default: everyone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), extend("x-kubernetes-list-type" = "atomic"))]
    pub from: Vec<Peer>,
}

/// A route through an Ingress. Host and path come from publicUrl.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Ingress {
    /// Name of the IngressClass. Example: traefik. Default: the cluster's default class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub class_name: Option<String>,

    /// Name of a Secret of type kubernetes.io/tls in this namespace, for the host of publicUrl. Only the ingress controller reads it.
    /// Example: mcp-example-com-tls. Default: none, the controller's own certificate is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub tls_secret_name: Option<String>,

    /// Annotations of the Ingress, for its controller. Example: { cert-manager.io/cluster-issuer: letsencrypt }. Default: none.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::annotations")]
    pub annotations: BTreeMap<String, String>,
}

/// Who may open connections: pods by label, namespaces by label, or a range of addresses.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.ipBlock) ? !has(self.podSelector) && !has(self.namespaceSelector) : has(self.podSelector) || has(self.namespaceSelector)")
    .message("expose.from[] takes either ipBlock or selectors: set ipBlock alone, or podSelector, namespaceSelector or both"))]
pub struct Peer {
    /// Pods with these labels; of this namespace, or of the namespaces that namespaceSelector names. Example: { matchLabels: { app: agent } }.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_selector: Option<Selector>,

    /// Namespaces with these labels. Example: { matchLabels: { kubernetes.io/metadata.name: traefik } }.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<Selector>,

    /// A range of addresses. Example: { cidr: 10.0.0.0/8 }.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_block: Option<IpBlock>,
}

/// Labels that must all be there. Empty: everything matches.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    /// Label keys and values. Example: { app: agent }. Default: none, everything matches.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(schema_with = "schema::labels")]
    pub match_labels: BTreeMap<String, String>,
}

/// A range of addresses.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct IpBlock {
    /// The range. Example: 10.0.0.0/8.
    #[schemars(length(min = 3, max = 64))]
    #[x_kube(validation = Rule::new("isCIDR(self)").message("ipBlock.cidr must be a range of addresses such as 10.0.0.0/8"))]
    pub cidr: String,

    /// Ranges inside cidr that are left out. Example: [10.1.0.0/16]. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 3, max = 64)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new("self.all(c, isCIDR(c))").message("ipBlock.except must hold ranges of addresses such as 10.1.0.0/16"))]
    pub except: Vec<String>,
}

/// What the endpoint accepts of HTTP beyond the defaults.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Http {
    /// Origins of web pages that may call the endpoint from a browser, compared whole. A request with another Origin is refused; one
    /// without (all clients but browsers) is served. Example: [https://app.example.com]. Default: only the origin of publicUrl.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 8, max = 253)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new("self.all(o, o.matches('^https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?$'))")
        .message("http.allowedOrigins must hold origins: scheme://host[:port] in lower case, without a path; for example https://app.example.com"))]
    pub allowed_origins: Vec<String>,

    /// Host names under which the endpoint answers, beside the host of publicUrl and the Service's names; without a port.
    /// Example: [mcp.internal.example.com]. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 253)), extend("x-kubernetes-list-type" = "set"))]
    #[x_kube(validation = Rule::new("self.all(h, h.matches('^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$'))")
        .message("http.extraHosts must hold host names in lower case, without a scheme and without a port"))]
    pub extra_hosts: Vec<String>,
}
