//! What can go wrong with a Redis: what callers, status, metrics and the connection make of each.
//!
//! No sentence holds an address, a name of a file or what the server said.

use std::io::ErrorKind as Io;

use crds::gateway_report::RedisState;
use redis::{ErrorKind, RedisError, ServerError};

use crate::store::StoreError;

/// Something that went wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A mounted file cannot be read, or does not hold what it should.
    Files(FileFault),
    /// The host name has no address.
    NameUnknown,
    /// The host has no address that this process may connect to.
    AddressRefused,
    /// Nobody listens there, or there is no way to it.
    Unreachable,
    /// The other side's certificate is not trusted, or ours is not, or it does not speak TLS.
    Tls,
    /// No answer in time.
    NoAnswer,
    /// The connection ended.
    Closed,
    /// Nothing is asked for a moment, since too much has failed.
    LeftAlone,
    /// Name or password are wrong, or missing.
    Credentials,
    /// The user may not do this.
    NotPermitted,
    /// It reads its data in.
    Loading,
    /// It is a replica.
    ReadOnly,
    /// No sentinel names a master.
    NoMaster,
    /// It has no node for the key, or sends us in circles.
    ClusterDown,
    /// It is a node of a cluster, and is not configured as one.
    IsCluster,
    /// Its memory is full.
    Memory,
    /// It cannot write to its disk, and takes nothing new.
    Disk,
    /// It has fewer replicas than it wants before it takes what is new.
    Replicas,
    /// The key holds something of another type.
    WrongType,
    /// It answers what it never should.
    Unexpected,
}

/// Which mounted file is of no use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FileFault {
    /// User name or password.
    Credentials,
    /// The CA bundle.
    Ca,
    /// Certificate or key of our own.
    ClientCertificate,
    /// The disk does not answer.
    Slow,
}

impl Fault {
    /// From a closed set, for metrics.
    pub(super) fn reason(self) -> &'static str {
        match self {
            Self::Files(_) => "files",
            Self::NameUnknown => "name_unknown",
            Self::AddressRefused => "address_refused",
            Self::Unreachable => "unreachable",
            Self::Tls => "tls",
            Self::NoAnswer => "no_answer",
            Self::Closed => "closed",
            Self::LeftAlone => "left_alone",
            Self::Credentials => "credentials",
            Self::NotPermitted => "not_permitted",
            Self::Loading => "loading",
            Self::ReadOnly => "read_only",
            Self::NoMaster => "no_master",
            Self::ClusterDown => "cluster_down",
            Self::IsCluster => "is_cluster",
            Self::Memory => "memory_full",
            Self::Disk => "disk_full",
            Self::Replicas => "replicas",
            Self::WrongType => "wrong_type",
            Self::Unexpected => "unexpected",
        }
    }

    /// Every [`Self::reason`].
    pub(super) const REASONS: [&str; 20] = [
        "files",
        "name_unknown",
        "address_refused",
        "unreachable",
        "tls",
        "no_answer",
        "closed",
        "left_alone",
        "credentials",
        "not_permitted",
        "loading",
        "read_only",
        "no_master",
        "cluster_down",
        "is_cluster",
        "memory_full",
        "disk_full",
        "replicas",
        "wrong_type",
        "unexpected",
    ];

    /// For reports: what is wrong, and where to look.
    pub(super) fn sentence(self) -> &'static str {
        match self {
            Self::Files(FileFault::Credentials) => {
                "the mounted file with the user name or the password of Redis cannot be used; check the keys of its Secret"
            }
            Self::Files(FileFault::Ca) => {
                "the mounted CA bundle for Redis holds no usable certificate; check the ConfigMap that it comes from"
            }
            Self::Files(FileFault::ClientCertificate) => {
                "the mounted client certificate for Redis or its key cannot be used; check the Secret that they come from"
            }
            Self::Files(FileFault::Slow) => "the mounted files for Redis cannot be read in time; check the node's disk",
            Self::NameUnknown => "the host name of Redis has no address; check its spelling, and the cluster's DNS",
            Self::AddressRefused => {
                "the host of Redis has no address that the gateway may connect to; link-local, metadata and loopback \
                 addresses and the API server are never connected to"
            }
            Self::Unreachable => {
                "Redis cannot be reached; check that it runs, its port, and that network policies let the gateway through"
            }
            Self::Tls => {
                "no encrypted connection to Redis comes about; check that it speaks TLS on this port, that its \
                 certificate names the configured host, the CA bundle, and the client certificate if it asks for one"
            }
            Self::NoAnswer => "Redis does not answer in time; check its load, its node, and the network between",
            Self::Closed => "the connection to Redis ended; check whether it restarts, and its limit of clients",
            Self::LeftAlone => "Redis is left alone for a moment, since several requests have failed",
            Self::Credentials => "Redis refuses the user name or the password; check the Secret and Redis' ACL",
            Self::NotPermitted => {
                "Redis does not permit its user what the gateway needs; check the ACL: commands, keys and channel"
            }
            Self::Loading => "Redis is loading its data; it answers when that is done",
            Self::ReadOnly => "Redis is a read-only replica; check that the address leads to the master",
            Self::NoMaster => "no sentinel names a master; check the sentinels, and the name of the master",
            Self::ClusterDown => "the Redis cluster has no node for a key; check that all of its slots are served",
            Self::IsCluster => "Redis is a node of a cluster; set the topology to Cluster",
            Self::Memory => "the memory of Redis is full, it takes nothing new; give it more, or look at what fills it",
            Self::Disk => "Redis cannot write to its disk and takes nothing new; check its volume and its log",
            Self::Replicas => {
                "Redis has too few replicas to take anything new; check them, and its `min-replicas-to-write`"
            }
            Self::WrongType => {
                "a key of the gateway holds another type in Redis; check who else writes under its prefix"
            }
            Self::Unexpected => {
                "Redis answers what it should not; check that the address leads to a Redis of 7.0 or newer"
            }
        }
    }

    /// What the caller is told.
    pub(super) fn to_store_error(self) -> StoreError {
        match self {
            Self::Memory => StoreError::Full,
            Self::Credentials | Self::NotPermitted | Self::WrongType | Self::Unexpected => StoreError::Refused,
            Self::Files(_)
            | Self::NameUnknown
            | Self::AddressRefused
            | Self::Unreachable
            | Self::Tls
            | Self::NoAnswer
            | Self::Closed
            | Self::LeftAlone
            | Self::Loading
            | Self::ReadOnly
            | Self::NoMaster
            | Self::ClusterDown
            | Self::IsCluster
            | Self::Disk
            | Self::Replicas => StoreError::Unavailable,
        }
    }

    /// What it makes of the store, for reports.
    pub(super) fn state(self) -> RedisState {
        match self {
            Self::Memory => RedisState::Full,
            Self::Credentials | Self::NotPermitted => RedisState::Refused,
            _ => RedisState::Failing,
        }
    }

    /// Whether the connection is of no use any more: another one is made, to whatever address counts then.
    pub(super) fn ends_connection(self) -> bool {
        matches!(self, Self::Closed | Self::Loading | Self::ReadOnly | Self::Credentials | Self::IsCluster)
    }

    /// Whether it takes nothing new, and goes on with what is there.
    pub(super) fn is_about_writing(self) -> bool {
        matches!(self, Self::Memory | Self::Disk | Self::Replicas)
    }

    /// Whether the breaker counts it: what is slow, or answers nothing of use to anybody.
    pub(super) fn trips_breaker(self) -> bool {
        let is_unavailable = self.to_store_error() == StoreError::Unavailable;
        is_unavailable && self != Self::LeftAlone && !self.is_about_writing()
    }

    /// What happened to a connection that was being made.
    pub(super) fn of_io(problem: &std::io::Error) -> Self {
        match problem.kind() {
            Io::InvalidData | Io::InvalidInput => Self::Tls,
            Io::TimedOut => Self::NoAnswer,
            Io::UnexpectedEof => Self::Closed,
            _ => Self::Unreachable,
        }
    }

    /// What the library says.
    pub(super) fn of_redis(error: RedisError) -> Self {
        match error.kind() {
            ErrorKind::Io => Self::of_lost_connection(&error),
            // What is no reply at all: the library ends the connection then.
            ErrorKind::Parse => Self::Closed,
            ErrorKind::AuthenticationFailed => Self::Credentials,
            _ => error.into_server_errors().map_or(Self::Unexpected, |errors| Self::of_all(&errors)),
        }
    }

    /// A server that does not like our certificate says so only after the handshake.
    fn of_lost_connection(error: &RedisError) -> Self {
        let problem = std::error::Error::source(error).and_then(|source| source.downcast_ref::<std::io::Error>());
        match problem.map(std::io::Error::kind) {
            Some(Io::InvalidData) => Self::Tls,
            Some(Io::TimedOut) => Self::NoAnswer,
            _ => Self::Closed,
        }
    }

    /// Of a transaction: the command's own error says more than that it was given up.
    fn of_all(errors: &[(usize, ServerError)]) -> Self {
        let own = errors.iter().map(|(_, error)| error).find(|error| error.code() != "EXECABORT");
        own.map_or(Self::Unexpected, Self::of_server)
    }

    /// What the server says.
    pub(super) fn of_server(error: &ServerError) -> Self {
        match error.code() {
            "NOAUTH" | "WRONGPASS" => Self::Credentials,
            "NOPERM" => Self::NotPermitted,
            "OOM" => Self::Memory,
            "MISCONF" => Self::Disk,
            "LOADING" | "BUSY" => Self::Loading,
            "READONLY" | "MASTERDOWN" => Self::ReadOnly,
            "NOREPLICAS" => Self::Replicas,
            "CLUSTERDOWN" | "TRYAGAIN" => Self::ClusterDown,
            "MOVED" | "ASK" => Self::IsCluster,
            "WRONGTYPE" => Self::WrongType,
            "ERR" if error.details().is_some_and(|details| details.starts_with("max number of clients")) => {
                Self::Closed
            }
            _ => Self::Unexpected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Fault; 23] = [
        Fault::Files(FileFault::Credentials),
        Fault::Files(FileFault::Ca),
        Fault::Files(FileFault::ClientCertificate),
        Fault::Files(FileFault::Slow),
        Fault::NameUnknown,
        Fault::AddressRefused,
        Fault::Unreachable,
        Fault::Tls,
        Fault::NoAnswer,
        Fault::Closed,
        Fault::LeftAlone,
        Fault::Credentials,
        Fault::NotPermitted,
        Fault::Loading,
        Fault::ReadOnly,
        Fault::NoMaster,
        Fault::ClusterDown,
        Fault::IsCluster,
        Fault::Memory,
        Fault::Disk,
        Fault::Replicas,
        Fault::WrongType,
        Fault::Unexpected,
    ];

    fn said(line: &str) -> Fault {
        let value = redis::parse_redis_value(format!("-{line}\r\n").as_bytes()).unwrap();
        Fault::of_redis(value.extract_error().unwrap_err())
    }

    #[test]
    fn each_answer_of_a_server_has_its_meaning() {
        for (line, fault) in [
            ("NOAUTH Authentication required.", Fault::Credentials),
            ("WRONGPASS invalid username-password pair or user is disabled.", Fault::Credentials),
            ("NOPERM this user has no permissions to run the 'set' command", Fault::NotPermitted),
            ("OOM command not allowed when used memory > 'maxmemory'.", Fault::Memory),
            ("MISCONF Redis is configured to save RDB snapshots, but it's unable to persist to disk.", Fault::Disk),
            ("LOADING Redis is loading the dataset in memory", Fault::Loading),
            ("READONLY You can't write against a read only replica.", Fault::ReadOnly),
            ("NOREPLICAS Not enough good replicas to write.", Fault::Replicas),
            ("CLUSTERDOWN The cluster is down", Fault::ClusterDown),
            ("MOVED 1 127.0.0.1:1", Fault::IsCluster),
            ("WRONGTYPE Operation against a key holding the wrong kind of value", Fault::WrongType),
            ("ERR max number of clients reached", Fault::Closed),
            ("ERR unknown command", Fault::Unexpected),
            ("", Fault::Unexpected),
        ] {
            assert_eq!(said(line), fault, "{line}");
        }
    }

    #[test]
    fn every_reason_is_in_the_set_and_every_sentence_fits_a_report() {
        for fault in ALL {
            assert!(Fault::REASONS.contains(&fault.reason()), "{fault:?}");
            assert!(fault.sentence().len() <= crds::gateway_report::MAX_TEXT_BYTES, "{fault:?}");
        }
    }

    #[test]
    fn a_full_disk_is_unavailable_and_takes_nothing_else_away() {
        for fault in [Fault::Disk, Fault::Replicas] {
            assert_eq!(fault.to_store_error(), StoreError::Unavailable);
            assert!(!fault.trips_breaker() && !fault.ends_connection());
        }
    }
}
