//! Generated Secrets: drawn and sent in one step, by a POST that an existing Secret refuses.
//!
//! Never applied and never asked for: the answer to either would be a read of a Secret. That one exists is known by what
//! mounts it, so it is asked for only when that is about to be written, or when pods have waited for their volumes too long
//! because somebody deleted it. One that is no longer needed is deleted by its exact name, unread.

use std::{collections::BTreeMap, fmt::Write as _};

use k8s_openapi::{ByteString, api::core::v1::Secret};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, PostParams},
};
use sha2::{Digest, Sha256};

use super::{ApplyError, Writer};
use crate::{
    desired::{
        SEALING_KEY,
        redis::{Credentials, PASSWORD, USER_LINE, USERNAME, user_line, username},
    },
    requests::{Access, CallError},
};

/// As the API server says it of a name that is taken; other conflicts are not that.
const ALREADY_EXISTS: &str = "AlreadyExists";

/// Makes the Secret with a new sealing key, unless an earlier run has made it.
pub(super) async fn create_sealing_key(writer: &Writer<'_>, secret: &Secret) -> Result<(), ApplyError> {
    let key = writer.entropy.draw().map_err(ApplyError::NoEntropy)?;
    create_once(writer, secret, [(SEALING_KEY, key.expose().to_vec())]).await
}

/// Makes the Secret with a new password, unless an earlier run has made it.
pub(super) async fn create_credentials(writer: &Writer<'_>, credentials: &Credentials) -> Result<(), ApplyError> {
    let Credentials { secret, revision, key_prefix } = credentials;
    let drawn = writer.entropy.draw().map_err(ApplyError::NoEntropy)?;
    let password = hex(drawn.expose());
    let line = user_line(*revision, &hex(&Sha256::digest(password.as_bytes())), key_prefix);
    let data = [
        (USERNAME, username(*revision).into_bytes()),
        (PASSWORD, password.into_bytes()),
        (USER_LINE, line.into_bytes()),
    ];
    create_once(writer, secret, data).await
}

async fn create_once<const N: usize>(
    writer: &Writer<'_>,
    secret: &Secret,
    data: [(&str, Vec<u8>); N],
) -> Result<(), ApplyError> {
    let name = secret.name_any();
    let data: BTreeMap<_, _> = data.into_iter().map(|(key, value)| (key.to_owned(), ByteString(value))).collect();
    let whole = Secret { data: Some(data), ..secret.clone() };
    let api: Api<Secret> = Api::namespaced(writer.requests.client.clone(), writer.namespace);
    let params = PostParams { field_manager: Some(super::FIELD_MANAGER.to_owned()), ..PostParams::default() };
    match writer.requests.call(Access::WriteOnce, || api.create(&params, &whole)).await {
        Ok(_) => Ok(()),
        Err(CallError::Refused(status)) if status.code == 409 && status.reason == ALREADY_EXISTS => Ok(()),
        Err(source) => Err(ApplyError::Call { verb: "create", kind: "Secret", name, source }),
    }
}

/// Deletes the Secret `name`, if there is one. Its name holds the uid of its `McpServer`, and nobody reads whether it is ours.
pub(super) async fn delete(writer: &Writer<'_>, name: String) -> Result<(), ApplyError> {
    let api: Api<Secret> = Api::namespaced(writer.requests.client.clone(), writer.namespace);
    let params = DeleteParams::background();
    match writer.requests.call(Access::Write, || api.delete(&name, &params)).await {
        Ok(_) => Ok(()),
        Err(error) if error.code() == 404 => Ok(()),
        Err(source) => Err(ApplyError::Call { verb: "delete", kind: "Secret", name, source }),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a String cannot fail");
        text
    })
}
