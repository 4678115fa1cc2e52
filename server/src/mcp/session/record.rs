//! What a session id says, sealed: revision, what the client can do, until when, and which session it is.
//!
//! Bound to issuer, subject and client, so that an id is worth nothing in other hands. 24 bytes, and 78 characters of
//! visible ASCII when sealed. Source: design.md, "The path of a request".

use jiff::Timestamp;

use crate::{
    auth::Principal,
    features::ClientCapabilities,
    protocol::ProtocolVersion,
    seal::{KeyRing, Purpose},
};

/// Length of what is sealed: revision, capabilities, expiry, name.
const BYTES: usize = 1 + 1 + 8 + 16;

/// A session as its id describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mcp) struct SessionRecord {
    pub(in crate::mcp) version: ProtocolVersion,
    pub(in crate::mcp) client: ClientCapabilities,
    /// Seconds since 1970; the session is over then, whatever its use.
    pub(in crate::mcp) expires: i64,
    /// Tells sessions apart.
    pub(in crate::mcp) name: [u8; 16],
}

impl SessionRecord {
    /// The id that clients carry.
    pub(in crate::mcp) fn seal(&self, keys: &KeyRing, principal: &Principal) -> String {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.push(version_byte(self.version));
        bytes.push(capability_bits(self.client));
        bytes.extend_from_slice(&self.expires.to_be_bytes());
        bytes.extend_from_slice(&self.name);
        keys.seal(Purpose::Session, &binding(principal), &bytes)
    }

    /// The session of this id, if it is one of ours, of this principal, and not over.
    pub(in crate::mcp) fn open(keys: &KeyRing, principal: &Principal, id: &str, now: Timestamp) -> Option<Self> {
        let bytes = keys.open(Purpose::Session, &binding(principal), id)?;
        let bytes: [u8; BYTES] = bytes.try_into().ok()?;
        let [version, bits, rest @ ..] = bytes;
        let (expires, name) = rest.split_first_chunk::<8>()?;
        let record = Self {
            version: ProtocolVersion::ALL.into_iter().find(|known| version_byte(*known) == version)?,
            client: capabilities(bits),
            expires: i64::from_be_bytes(*expires),
            name: name.try_into().ok()?,
        };
        (now.as_second() < record.expires).then_some(record)
    }
}

/// Who a handle belongs to. A token of the same person from another client is another one.
pub(in crate::mcp) fn binding(principal: &Principal) -> Vec<u8> {
    let parts = [principal.issuer(), principal.subject(), principal.client_id().unwrap_or_default()];
    let mut bytes = Vec::new();
    for part in parts {
        bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bytes.extend_from_slice(part.as_bytes());
    }
    bytes
}

/// Never changes for a revision, since ids outlive processes.
fn version_byte(version: ProtocolVersion) -> u8 {
    match version {
        ProtocolVersion::V2025_03_26 => 1,
        ProtocolVersion::V2025_06_18 => 2,
        ProtocolVersion::V2025_11_25 => 3,
        ProtocolVersion::V2026_07_28 => 4,
    }
}

fn capability_bits(client: ClientCapabilities) -> u8 {
    let ClientCapabilities { elicitation, elicitation_url, sampling, sampling_tools, roots } = client;
    let bits = [elicitation, elicitation_url, sampling, sampling_tools, roots];
    bits.into_iter().enumerate().map(|(position, bit)| u8::from(bit) << position).sum()
}

fn capabilities(bits: u8) -> ClientCapabilities {
    let bit = |position: u8| bits >> position & 1 == 1;
    ClientCapabilities {
        elicitation: bit(0),
        elicitation_url: bit(1),
        sampling: bit(2),
        sampling_tools: bit(3),
        roots: bit(4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(subject: &str, client: Option<&str>) -> Principal {
        Principal::new("https://issuer.example", subject).through(client)
    }

    #[test]
    fn an_id_opens_for_its_principal_until_it_expires() {
        let keys = KeyRing::of_process();
        let client = ClientCapabilities { elicitation: true, roots: true, ..ClientCapabilities::default() };
        let record = SessionRecord { version: ProtocolVersion::V2025_06_18, client, expires: 100, name: [7; 16] };
        let (me, now) = (principal("me", Some("app")), |second| Timestamp::from_second(second).unwrap());
        let id = record.seal(&keys, &me);
        assert!(id.len() <= 1024 && id.bytes().all(|byte| (0x21..=0x7e).contains(&byte)), "{id}");
        assert_eq!(SessionRecord::open(&keys, &me, &id, now(99)), Some(record));
        assert_eq!(SessionRecord::open(&keys, &me, &id, now(100)), None);
        for other in [principal("you", Some("app")), principal("me", None), principal("me", Some("other"))] {
            assert_eq!(SessionRecord::open(&keys, &other, &id, now(0)), None);
        }
        assert_eq!(SessionRecord::open(&KeyRing::of_process(), &me, &id, now(0)), None);
    }
}
