//! What the gateway's NetworkPolicy opens for a Redis, while pods of two configurations are there.
//!
//! A change of `spec.redis` must cost no pod of before its Redis: what was open stays open until they are gone. It is noted on
//! the NetworkPolicy, so that a restart of the operator forgets nothing. Only ever wider than asked for while pods need it.

use std::collections::BTreeSet;

use crate::{
    desired::annotation,
    observed::{ChildKind, Observed},
};

const MANAGED: &str = "managed";

/// Which Redis pods may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RedisOutbound {
    /// The one that the operator makes for this `McpServer`.
    pub managed: bool,
    /// TCP ports of the user's own.
    pub ports: BTreeSet<u16>,
}

impl RedisOutbound {
    /// As it is noted; `None` for nothing at all.
    pub fn noted(&self) -> Option<String> {
        let ports = self.ports.iter().map(u16::to_string);
        let words: Vec<String> = ports.chain(self.managed.then(|| MANAGED.to_owned())).collect();
        (!words.is_empty()).then(|| words.join(","))
    }

    /// What was noted. A word that nobody knows opens nothing.
    fn read(noted: &str) -> Self {
        Self {
            managed: noted.split(',').any(|word| word == MANAGED),
            ports: noted.split(',').filter_map(|word| word.parse().ok()).filter(|port| *port > 0).collect(),
        }
    }

    /// Together with what pods of a former configuration may still need. `config_revision` is the one asked for.
    pub(in crate::validate) fn with_former(self, observed: &Observed, name: &str, config_revision: &str) -> Self {
        if observed.former_pods_are_gone(config_revision) {
            return self;
        }
        let policy = observed.child(ChildKind::NetworkPolicy, name);
        let annotations = policy.and_then(|policy| policy.metadata.annotations.as_ref());
        let noted = annotations.and_then(|annotations| annotations.get(annotation::REDIS_OUTBOUND));
        let Self { managed, mut ports } = noted.map(|noted| Self::read(noted)).unwrap_or_default();
        ports.extend(&self.ports);
        Self { managed: managed || self.managed, ports }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read_again_and_unknown_words_open_nothing() {
        for (managed, ports) in [(false, vec![]), (true, vec![]), (false, vec![6379]), (true, vec![6379, 26379])] {
            let outbound = RedisOutbound { managed, ports: ports.into_iter().collect() };
            assert_eq!(RedisOutbound::read(&outbound.noted().unwrap_or_default()), outbound);
        }
        assert_eq!(RedisOutbound::default().noted(), None);
        assert_eq!(RedisOutbound::read("0,all,*,65536,-1,Managed, 22"), RedisOutbound::default());
    }
}
