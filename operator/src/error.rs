//! Why a run of one object ended early, gathered over the stages.
//!
//! Each error knows a stable reason for logs, events and metrics, and whether trying again can help.

use std::time::Duration;

use crds::conditions::Reason;

use crate::{apply::ApplyError, requests::CallError, status::Failed};

/// Why a run ended early. What a user can change stands in status as well.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A ConfigMap that the spec refers to could not be read.
    #[error("cannot read a referenced ConfigMap")]
    ReadReference(#[source] CallError),
    /// A child is not as desired.
    #[error("cannot bring the objects to what is desired")]
    Apply(#[source] ApplyError),
    /// Status could not be written.
    #[error("cannot write status")]
    WriteStatus(#[source] CallError),
    /// The namespace is going: nothing is written.
    #[error("the namespace is going")]
    NamespaceTerminating,
    /// The Lease is lost: nothing is written.
    #[error("this process does not lead any more")]
    NotLeader,
    /// The run took longer than it may.
    #[error("the run took longer than {} s", crate::reconcile::DEADLINE.as_secs())]
    Deadline,
    /// A defect: the run panicked.
    #[error("the run panicked")]
    Panicked,
}

impl Error {
    /// For logs, events and metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Apply(error) => error.failed().reason.as_str(),
            Self::ReadReference(error) | Self::WriteStatus(error) if error.code() == 403 => {
                Reason::AccessDenied.as_str()
            }
            Self::WriteStatus(error) if error.is_permanent() => Reason::ApiRejected.as_str(),
            Self::ReadReference(_) | Self::WriteStatus(_) => Reason::ApiUnavailable.as_str(),
            Self::NamespaceTerminating => "NamespaceTerminating",
            Self::NotLeader => "NotLeader",
            Self::Deadline => Reason::DeadlineExceeded.as_str(),
            Self::Panicked => Reason::InternalError.as_str(),
        }
    }

    /// Whether only a person can change it.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Apply(error) => error.is_permanent(),
            Self::ReadReference(error) | Self::WriteStatus(error) => error.is_permanent(),
            Self::NamespaceTerminating | Self::NotLeader | Self::Deadline | Self::Panicked => false,
        }
    }

    /// How long the API server asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Apply(error) => error.call()?.retry_after(),
            Self::ReadReference(error) | Self::WriteStatus(error) => error.retry_after(),
            Self::NamespaceTerminating | Self::NotLeader | Self::Deadline | Self::Panicked => None,
        }
    }

    /// What status says of a run that wrote none itself; `None` for all others.
    pub fn interrupted(&self) -> Option<Failed> {
        let (reason, message) = match self {
            Self::Deadline => (
                Reason::DeadlineExceeded,
                format!(
                    "the run took longer than {} s; check that the Kubernetes API answers in time, the operator tries again",
                    crate::reconcile::DEADLINE.as_secs()
                ),
            ),
            Self::Panicked => (
                Reason::InternalError,
                "a defect of the operator ended the run; tell us, with the operator's log; it tries again".to_owned(),
            ),
            Self::ReadReference(_)
            | Self::Apply(_)
            | Self::WriteStatus(_)
            | Self::NamespaceTerminating
            | Self::NotLeader => return None,
        };
        Some(Failed { stage: "reconcile".to_owned(), reason, message, retry: true })
    }
}
