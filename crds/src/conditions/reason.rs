//! Why a condition has its status: a closed set.
//!
//! Frozen once released: scripts, alerts and dashboards match on these words. Conditions, events and
//! metrics use the same ones. Add at the end of a group; never rename.

use std::fmt;

/// Why a condition has its status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    // Summary and upkeep.
    /// Every hop was seen to work.
    Verified,
    /// On the way, nothing is wrong so far.
    Progressing,
    /// `False` of a condition that speaks of trouble: there is none.
    AsExpected,
    /// `spec.replicas` is 0: nobody is served, as asked for.
    ScaledToZero,
    // The spec and its references.
    /// The spec can be run.
    Valid,
    /// A field's value cannot be run, and the CRD's rules did not catch it.
    InvalidSpec,
    /// A referenced ConfigMap does not exist.
    MissingConfigMap,
    /// A referenced ConfigMap lacks the key.
    MissingConfigMapKey,
    /// A CA bundle holds no certificate that can be read.
    InvalidCaBundle,
    /// An older `McpServer` has the same host and path.
    RouteConflict,
    /// An object with the name of a child belongs to somebody else; nothing is overwritten.
    NameConflict,
    /// Children of a deleted `McpServer` of the same name are not gone yet.
    PredecessorRemains,
    /// Not looked at, since the spec is rejected; what was accepted last is held.
    SpecRejected,
    /// The issuer of preset `kubernetes` is not the API server's.
    WrongServiceAccountIssuer,
    /// The API server publishes no keys for ServiceAccount tokens that can be used.
    ServiceAccountKeysUnavailable,
    /// The operator's host policy does not let the namespace use the host.
    HostNotAllowed,
    // Writing to the API server.
    /// Not looked at, since the objects could not be written.
    NotApplied,
    /// The API server forbids a call: the operator's role lacks a rule, or a quota or a policy refuses.
    AccessDenied,
    /// The API server refuses an object as invalid.
    ApiRejected,
    /// The API server does not answer, or asks to wait.
    ApiUnavailable,
    /// Another writer was faster; tried again.
    WriteConflict,
    /// The run took longer than it may; tried again.
    DeadlineExceeded,
    /// A defect of the operator; tried again, and others are not affected.
    InternalError,
    // Pods.
    /// As many pods as wanted are available, all of this revision.
    Available,
    /// The spec is rejected or not applied; pods of the last accepted one serve.
    LastAcceptedSpecServes,
    /// No pod is ready.
    NothingServes,
    /// The image cannot be pulled.
    ImagePullFailed,
    /// The gateway starts and ends again.
    PodsCrashing,
    /// The kubelet cannot create the container.
    ContainerCannotStart,
    /// No node takes a pod.
    Unschedulable,
    /// The API server refuses pods: quota or admission.
    PodsCannotBeCreated,
    /// A rollout has not moved for too long.
    ProgressDeadlineExceeded,
    /// A ready pod does not answer on its admin port: no evidence.
    ReportUnavailable,
    /// A pod's report cannot be read, or lacks what was configured.
    ReportUnreadable,
    /// A pod cannot use a mounted file.
    MountedFileProblem,
    // Authentication.
    /// Every pod has the keys of every issuer, and answers as RFC 9728 asks.
    KeysLoaded,
    /// Keys are loaded, but refreshing them fails.
    StaleKeys,
    /// Keys could not be refreshed for so long that they are no longer used.
    KeysExpired,
    /// A pod could not fetch the keys of an issuer yet.
    IssuerUnavailable,
    /// `auth.mode: None`: everybody is served. A warning.
    AuthenticationDisabled,
    /// A pod served a request without a token. An alarm.
    AuthenticationNotEnforced,
    /// A ready pod does not answer on its public port.
    EndpointUnavailable,
    /// A pod answers a request without a token in another way than it should.
    UnexpectedAnswer,
    /// The `WWW-Authenticate` of a refusal does not lead to the metadata.
    WrongChallenge,
    /// The metadata's `resource` is not the `publicUrl`.
    WrongResource,
    // Upstreams, and what older clients are offered.
    /// Every pod is connected to every upstream.
    Connected,
    /// A pod cannot call an upstream's tools.
    UpstreamUnavailable,
    /// One pod serves, so that it can remember.
    OneReplica,
    /// Several pods serve, and none knows what another remembers.
    SeveralReplicas,
    // Policy and route.
    /// Every pod that serves has the policy of this spec in force.
    InForce,
    /// Written; it cannot say whether it works.
    Applied,
    // The Redis that pods share.
    /// Every pod has reached it, and it takes what is written.
    RedisReached,
    /// A managed one is on its way; no pod has reached it yet.
    RedisProvisioning,
    /// A pod cannot use it: it does not run, cannot be reached, or does not answer.
    RedisUnavailable,
    /// It refuses name or password, or what its user may do.
    RedisRefused,
    /// Its memory is full: it refuses new state, and keeps what it has. A warning event.
    RedisFull,
    /// Pods share what one must remember, so that any of them can serve.
    SharedRedis,
}

impl Reason {
    /// Every reason, in the order of their declaration.
    pub const ALL: &[Self] = &[
        Self::Verified,
        Self::Progressing,
        Self::AsExpected,
        Self::ScaledToZero,
        Self::Valid,
        Self::InvalidSpec,
        Self::MissingConfigMap,
        Self::MissingConfigMapKey,
        Self::InvalidCaBundle,
        Self::RouteConflict,
        Self::NameConflict,
        Self::PredecessorRemains,
        Self::SpecRejected,
        Self::WrongServiceAccountIssuer,
        Self::ServiceAccountKeysUnavailable,
        Self::HostNotAllowed,
        Self::NotApplied,
        Self::AccessDenied,
        Self::ApiRejected,
        Self::ApiUnavailable,
        Self::WriteConflict,
        Self::DeadlineExceeded,
        Self::InternalError,
        Self::Available,
        Self::LastAcceptedSpecServes,
        Self::NothingServes,
        Self::ImagePullFailed,
        Self::PodsCrashing,
        Self::ContainerCannotStart,
        Self::Unschedulable,
        Self::PodsCannotBeCreated,
        Self::ProgressDeadlineExceeded,
        Self::ReportUnavailable,
        Self::ReportUnreadable,
        Self::MountedFileProblem,
        Self::KeysLoaded,
        Self::StaleKeys,
        Self::KeysExpired,
        Self::IssuerUnavailable,
        Self::AuthenticationDisabled,
        Self::AuthenticationNotEnforced,
        Self::EndpointUnavailable,
        Self::UnexpectedAnswer,
        Self::WrongChallenge,
        Self::WrongResource,
        Self::Connected,
        Self::UpstreamUnavailable,
        Self::OneReplica,
        Self::SeveralReplicas,
        Self::InForce,
        Self::Applied,
        Self::RedisReached,
        Self::RedisProvisioning,
        Self::RedisUnavailable,
        Self::RedisRefused,
        Self::RedisFull,
        Self::SharedRedis,
    ];

    /// As it stands in `status.conditions[].reason`, events and metric labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verified => "Verified",
            Self::Progressing => "Progressing",
            Self::AsExpected => "AsExpected",
            Self::ScaledToZero => "ScaledToZero",
            Self::Valid => "Valid",
            Self::InvalidSpec => "InvalidSpec",
            Self::MissingConfigMap => "MissingConfigMap",
            Self::MissingConfigMapKey => "MissingConfigMapKey",
            Self::InvalidCaBundle => "InvalidCaBundle",
            Self::RouteConflict => "RouteConflict",
            Self::NameConflict => "NameConflict",
            Self::PredecessorRemains => "PredecessorRemains",
            Self::SpecRejected => "SpecRejected",
            Self::WrongServiceAccountIssuer => "WrongServiceAccountIssuer",
            Self::ServiceAccountKeysUnavailable => "ServiceAccountKeysUnavailable",
            Self::HostNotAllowed => "HostNotAllowed",
            Self::NotApplied => "NotApplied",
            Self::AccessDenied => "AccessDenied",
            Self::ApiRejected => "ApiRejected",
            Self::ApiUnavailable => "ApiUnavailable",
            Self::WriteConflict => "WriteConflict",
            Self::DeadlineExceeded => "DeadlineExceeded",
            Self::InternalError => "InternalError",
            Self::Available => "Available",
            Self::LastAcceptedSpecServes => "LastAcceptedSpecServes",
            Self::NothingServes => "NothingServes",
            Self::ImagePullFailed => "ImagePullFailed",
            Self::PodsCrashing => "PodsCrashing",
            Self::ContainerCannotStart => "ContainerCannotStart",
            Self::Unschedulable => "Unschedulable",
            Self::PodsCannotBeCreated => "PodsCannotBeCreated",
            Self::ProgressDeadlineExceeded => "ProgressDeadlineExceeded",
            Self::ReportUnavailable => "ReportUnavailable",
            Self::ReportUnreadable => "ReportUnreadable",
            Self::MountedFileProblem => "MountedFileProblem",
            Self::KeysLoaded => "KeysLoaded",
            Self::StaleKeys => "StaleKeys",
            Self::KeysExpired => "KeysExpired",
            Self::IssuerUnavailable => "IssuerUnavailable",
            Self::AuthenticationDisabled => "AuthenticationDisabled",
            Self::AuthenticationNotEnforced => "AuthenticationNotEnforced",
            Self::EndpointUnavailable => "EndpointUnavailable",
            Self::UnexpectedAnswer => "UnexpectedAnswer",
            Self::WrongChallenge => "WrongChallenge",
            Self::WrongResource => "WrongResource",
            Self::Connected => "Connected",
            Self::UpstreamUnavailable => "UpstreamUnavailable",
            Self::OneReplica => "OneReplica",
            Self::SeveralReplicas => "SeveralReplicas",
            Self::InForce => "InForce",
            Self::Applied => "Applied",
            Self::RedisReached => "RedisReached",
            Self::RedisProvisioning => "RedisProvisioning",
            Self::RedisUnavailable => "RedisUnavailable",
            Self::RedisRefused => "RedisRefused",
            Self::RedisFull => "RedisFull",
            Self::SharedRedis => "SharedRedis",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::Reason;

    #[test]
    fn every_reason_is_spelled_as_its_variant() {
        for reason in Reason::ALL {
            assert_eq!(reason.as_str(), format!("{reason:?}"));
        }
    }

    /// A difference here is a change of a public interface: old words must stay.
    #[test]
    fn the_words_are_frozen() {
        let words: Vec<&str> = Reason::ALL.iter().map(|reason| reason.as_str()).collect();
        expect![[r"
            Verified
            Progressing
            AsExpected
            ScaledToZero
            Valid
            InvalidSpec
            MissingConfigMap
            MissingConfigMapKey
            InvalidCaBundle
            RouteConflict
            NameConflict
            PredecessorRemains
            SpecRejected
            WrongServiceAccountIssuer
            ServiceAccountKeysUnavailable
            HostNotAllowed
            NotApplied
            AccessDenied
            ApiRejected
            ApiUnavailable
            WriteConflict
            DeadlineExceeded
            InternalError
            Available
            LastAcceptedSpecServes
            NothingServes
            ImagePullFailed
            PodsCrashing
            ContainerCannotStart
            Unschedulable
            PodsCannotBeCreated
            ProgressDeadlineExceeded
            ReportUnavailable
            ReportUnreadable
            MountedFileProblem
            KeysLoaded
            StaleKeys
            KeysExpired
            IssuerUnavailable
            AuthenticationDisabled
            AuthenticationNotEnforced
            EndpointUnavailable
            UnexpectedAnswer
            WrongChallenge
            WrongResource
            Connected
            UpstreamUnavailable
            OneReplica
            SeveralReplicas
            InForce
            Applied
            RedisReached
            RedisProvisioning
            RedisUnavailable
            RedisRefused
            RedisFull
            SharedRedis"]]
        .assert_eq(&words.join("\n"));
    }
}
