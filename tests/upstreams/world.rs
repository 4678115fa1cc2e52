//! What all tests share: the peers, and one gateway in front of all of them.

use std::thread;

use crds::gateway_config::{GatewayPolicy, UpstreamConfig};
use tests::{
    cluster::Options,
    peers::{Kind, Peer},
};

use crate::{
    it::support::{GatewayOptions, SpawnedGateway, client::PUBLIC_URL, eventually, files::policy, spawn_gateway},
    voice::Voice,
};

/// A peer under the name that the gateway knows it by.
pub(crate) struct Fronted {
    pub(crate) name: &'static str,
    pub(crate) peer: Peer,
    /// The revision in which the gateway talks to it: the newest that both speak.
    pub(crate) revision: &'static str,
    pub(crate) expected: &'static Expected,
}

/// What differs between the peers' tools, which do the same.
#[derive(Debug)]
pub(crate) struct Expected {
    /// What it calls itself.
    pub(crate) server_name: &'static str,
    pub(crate) tools: u64,
    /// Adds `a` and `b`.
    pub(crate) add: &'static str,
    /// Fails, with these arguments.
    pub(crate) fail: (&'static str, &'static str),
    /// Reports progress after each of three steps, with these arguments.
    pub(crate) slow: (&'static str, &'static str),
    /// Gives structured content, with these arguments.
    pub(crate) structured: (&'static str, &'static str),
    /// Whether it has `slow` without an end in sight, `interrupted`, and `greet`.
    pub(crate) is_ours: bool,
}

const OURS: Expected = Expected {
    server_name: "peer-go",
    tools: 6,
    add: "add",
    fail: ("fail", "{}"),
    slow: ("slow", r#"{"steps":3,"milliseconds":10}"#),
    structured: ("add", r#"{"a":2,"b":3}"#),
    is_ours: true,
};
static GO: Expected = OURS;
static PYTHON: Expected = Expected { server_name: "peer-python", ..OURS };
static EVERYTHING: Expected = Expected {
    server_name: "mcp-servers/everything",
    tools: 12,
    add: "get-sum",
    fail: ("get-sum", r#"{"a":"no number"}"#),
    slow: ("trigger-long-running-operation", r#"{"duration":0.03,"steps":3}"#),
    structured: ("get-structured-content", r#"{"location":"Chicago"}"#),
    is_ours: false,
};

/// In the order of the configuration.
const ALL: [(&str, Kind, &str, &Expected); 5] = [
    ("python", Kind::Python, "2026-07-28", &PYTHON),
    ("python-sessions", Kind::PythonSessions, "2025-11-25", &PYTHON),
    ("go", Kind::Go, "2026-07-28", &GO),
    ("go-sessions", Kind::GoSessions, "2025-11-25", &GO),
    ("everything", Kind::Everything, "2025-11-25", &EVERYTHING),
];

pub(crate) struct World {
    pub(crate) peers: Vec<Fronted>,
    pub(crate) gateway: SpawnedGateway,
}

impl World {
    /// Starts all peers side by side, and a gateway that has met all of them.
    pub(crate) async fn start(options: &Options) -> Self {
        let peers: Vec<_> = thread::scope(|scope| {
            let started = ALL.map(|(name, kind, revision, expected)| {
                scope.spawn(move || {
                    let peer = Peer::start(kind, options).unwrap_or_else(|problem| panic!("{problem:#}"));
                    Fronted { name, peer, revision, expected }
                })
            });
            started.map(|peer| peer.join().expect("the peer starts")).into()
        });
        let gateway = gateway_before_all(&peers, policy(&[])).await;
        Self { peers, gateway }
    }

    pub(crate) fn ours(&self) -> impl Iterator<Item = &Fronted> {
        self.peers.iter().filter(|fronted| fronted.expected.is_ours)
    }

    /// A caller of the gateway with a token without scopes, in this revision.
    pub(crate) async fn voice(&self, revision: &'static str) -> Voice {
        voice_with(&self.gateway, revision, &[]).await
    }

    /// For whoever looks for the cause of a failure.
    pub(crate) fn what_peers_said(&self) -> String {
        let said = |fronted: &Fronted| format!("{} said last:\n{}", fronted.name, fronted.peer.said());
        self.peers.iter().map(said).collect::<Vec<_>>().join("\n\n")
    }
}

impl Fronted {
    /// As the gateway calls a tool of it.
    pub(crate) fn tool(&self, tool: &str) -> String {
        format!("{}__{tool}", self.name)
    }

    /// The test itself as its client, in the revision in which the gateway is one.
    pub(crate) async fn voice(&self) -> Voice {
        Voice::at_upstream(self.peer.address(), self.revision).await
    }
}

/// How a configuration names the peers.
pub(crate) fn upstreams(peers: &[Fronted]) -> Vec<UpstreamConfig> {
    peers.iter().map(|fronted| upstream(fronted.name, fronted.peer.url())).collect()
}

/// An upstream whose calls may take ten seconds.
pub(crate) fn upstream(name: &str, url: String) -> UpstreamConfig {
    UpstreamConfig { name: name.to_owned(), url, timeout_seconds: 10 }
}

/// A gateway before these upstreams; it may not have met them.
pub(crate) async fn gateway_before(upstreams: &[UpstreamConfig], policy: GatewayPolicy) -> SpawnedGateway {
    let mut options = GatewayOptions { policy, ..GatewayOptions::default() };
    options.config.upstreams = upstreams.to_vec();
    spawn_gateway(options).await
}

/// A gateway that has met all peers.
pub(crate) async fn gateway_before_all(peers: &[Fronted], policy: GatewayPolicy) -> SpawnedGateway {
    let gateway = gateway_before(&upstreams(peers), policy).await;
    let names: Vec<_> = peers.iter().map(|fronted| fronted.name).collect();
    met(&gateway, &names).await;
    gateway
}

/// Waits until each of these is ready, or is known to fail.
pub(crate) async fn met(gateway: &SpawnedGateway, names: &[&str]) {
    eventually("every upstream was looked at", async || {
        let report = gateway.client.admin("/report").await.json();
        let all = report["upstreams"].as_array().unwrap();
        let mut waited_for = all.iter().filter(|one| names.iter().any(|name| one["name"] == *name));
        waited_for.all(|one| one["ready"] == true || one["lastError"].is_string()).then_some(())
    })
    .await;
}

/// A caller of this gateway with a token of these scopes.
pub(crate) async fn voice_with(gateway: &SpawnedGateway, revision: &'static str, scopes: &[&str]) -> Voice {
    let token = gateway.issuer.token(scopes, PUBLIC_URL);
    Voice::at_gateway(&gateway.client, revision, token).await
}
