//! What all tests share: one Keycloak, and a gateway under the URL at which it really is.

use std::net::{IpAddr, Ipv4Addr};

use crds::gateway_config::{
    AuthorizationDefault, AuthorizationPolicy, AuthorizationRule, GatewayPolicy, PrincipalKind,
};
use tests::{
    cluster::{Options, TestCa},
    keycloak::Keycloak,
};

use crate::{
    gateway::Gateway,
    it::support::{
        client::PUBLIC_URL,
        in_process::{free_socket, install_crypto},
    },
};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(crate) struct World {
    pub(crate) keycloak: Keycloak,
    /// For clients that are told nothing but a URL.
    pub(crate) found_at: String,
    /// Serves at `found_at`; never dropped before the last test.
    _found: Gateway,
    pub(crate) options: Options,
}

impl World {
    /// Starts both. The realm knows two endpoints, so that each token names two audiences.
    pub(crate) async fn start(options: &Options) -> Self {
        install_crypto();
        let ca = TestCa::generate().unwrap();
        let socket = free_socket().await;
        let found_at = format!("http://{}/mcp", socket.local_addr().unwrap());
        let keycloak = Keycloak::start(LOOPBACK, &ca, &[PUBLIC_URL, &found_at], options).await;
        let keycloak = keycloak.unwrap_or_else(|problem| panic!("{problem:#}"));
        let found = Gateway::start(&keycloak, socket, &found_at).await;
        Self { keycloak, found_at, _found: found, options: options.clone() }
    }

    /// A gateway of a test's own whose `ping` is for this kind of callers alone.
    pub(crate) async fn gateway_for(&self, kind: PrincipalKind) -> Gateway {
        let rule =
            AuthorizationRule { principal_kinds: vec![kind], ..AuthorizationRule::scopes(["ping"], ["tools:ping"]) };
        let policy = GatewayPolicy::of(AuthorizationPolicy::new(AuthorizationDefault::Deny, vec![rule]));
        Gateway::under(policy, &self.keycloak, free_socket().await, PUBLIC_URL).await
    }

    /// A gateway of a test's own, at [`PUBLIC_URL`].
    pub(crate) async fn gateway(&self) -> Gateway {
        Gateway::start(&self.keycloak, free_socket().await, PUBLIC_URL).await
    }
}
