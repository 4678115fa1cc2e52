//! Keys that change while everybody calls: no valid call is refused, and a key that has left is refused after one refresh.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};

use futures::future::{join, join_all};
use tests::keycloak::Keycloak;

use crate::{
    gateway::{Gateway, assert_invalid, assert_pong},
    it::support::{Era, eventually},
    world::World,
};

const CALLERS: usize = 4;

/// With each access token, before the next one is fetched.
const CALLS_A_TOKEN: usize = 5;

/// Of each caller, between two changes of keys.
const CALLS_A_PHASE: usize = 25;

/// Unknown keys cause one refresh in this time.
const REFRESH_INTERVAL: Duration = Duration::from_secs(30);

pub(crate) async fn a_rotation_under_load_refuses_no_valid_call(world: &mut World) {
    let gateway = world.gateway().await;
    let keycloak = &world.keycloak;
    let old = keycloak.client_credentials(&["tools:ping"]).await.unwrap();
    let load = Load::default();
    let callers = join_all((0..CALLERS).map(|index| load.caller(index, keycloak, &gateway)));
    let changes = async {
        load.phase().await;
        keycloak.rotate_keys().await.unwrap();
        load.phase().await;
        keycloak.remove_old_keys().await.unwrap();
        load.phase().await;
        load.is_over.store(true, Ordering::SeqCst);
    };
    join(callers, changes).await;
    println!("        {} calls, {CALLERS} at a time", load.counts().iter().sum::<usize>());
    let new = keycloak.client_credentials(&["tools:ping"]).await.unwrap();
    assert_ne!(new.key_id(), old.key_id());

    // The old key has left the issuer. The gateway learns of it when it next fetches the keys: in an hour, or when a token
    // comes that has yet another key.
    assert_pong(&gateway.ping(Era::Modern, &old.access_token).await);
    gateway.forward(REFRESH_INTERVAL);
    keycloak.rotate_keys().await.unwrap();
    let newest = keycloak.client_credentials(&["tools:ping"]).await.unwrap();
    assert_ne!(newest.key_id(), new.key_id());
    assert_pong(&gateway.ping(Era::Modern, &newest.access_token).await);
    assert_invalid(
        &gateway.ping(Era::Modern, &old.access_token).await,
        "the access token is signed with an unknown key",
    );
    assert_pong(&gateway.ping(Era::Modern, &new.access_token).await);
}

#[derive(Default)]
struct Load {
    is_over: AtomicBool,
    calls: [AtomicUsize; CALLERS],
}

impl Load {
    /// A person who signs in once, and has each access token replaced after a few calls.
    async fn caller(&self, index: usize, keycloak: &Keycloak, gateway: &Gateway) {
        let mut tokens = keycloak.code_flow(&["tools:ping"]).await.unwrap();
        while !self.is_over.load(Ordering::SeqCst) {
            for _ in 0..CALLS_A_TOKEN {
                // Asked once: a 503 is a refusal too.
                assert_pong(&gateway.ping_once(Era::Modern, &tokens.access_token).await);
                self.calls[index].fetch_add(1, Ordering::SeqCst);
            }
            tokens = keycloak.refresh(&tokens.refresh_token.unwrap()).await.unwrap();
        }
    }

    /// Until each caller has made so many calls more.
    async fn phase(&self) {
        let before = self.counts();
        for more in 1..=CALLS_A_PHASE {
            eventually("every caller goes on", async || {
                let counts = self.counts();
                counts.iter().zip(&before).all(|(now, before)| now - before >= more).then_some(())
            })
            .await;
        }
    }

    fn counts(&self) -> [usize; CALLERS] {
        std::array::from_fn(|index| self.calls[index].load(Ordering::SeqCst))
    }
}
