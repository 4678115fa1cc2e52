//! What every pod of ours has in common: no privilege of any kind.
//!
//! Pod Security «restricted», and a root file system that nobody writes.

use k8s_openapi::api::core::v1::{Capabilities, PodSecurityContext, SeccompProfile, SecurityContext};

/// User and group of the process; the number that images without a root user customarily have. Set here so that an
/// image whose user is a name, which the kubelet cannot check, still starts.
const NON_ROOT: i64 = 65532;

/// Mode of files that are for the process's group (`fsGroup`) and nobody else.
pub(super) const GROUP_READS: i32 = 0o440;

pub(super) fn non_root() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        run_as_user: Some(NON_ROOT),
        run_as_group: Some(NON_ROOT),
        // Whose group the files of Secrets belong to, so that nobody else needs to read them.
        fs_group: Some(NON_ROOT),
        seccomp_profile: Some(SeccompProfile { type_: "RuntimeDefault".to_owned(), localhost_profile: None }),
        ..PodSecurityContext::default()
    }
}

pub(super) fn no_privilege() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        privileged: Some(false),
        read_only_root_filesystem: Some(true),
        run_as_non_root: Some(true),
        capabilities: Some(Capabilities { add: None, drop: Some(vec!["ALL".to_owned()]) }),
        ..SecurityContext::default()
    }
}
