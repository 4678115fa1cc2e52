//! The official TypeScript SDK with its own OAuth flow: from the endpoint's URL to a tool's answer, without a token of ours.
//!
//! Discovery, registration, PKCE and the token request are the SDK's. Our script keeps what it is given and plays the browser
//! at Keycloak's login and consent pages. Where the program runs is the caller's business: it comes as the command to extend.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::{
    cluster::{Options, prerequisites::ensure_packages},
    command::{output, repository},
    packages::{NPM, installed, npm},
};

/// How it can be told what to speak, and the revision that it must arrive at. `v1` is version 1 of the SDK.
pub const MODES: [(&str, &str); 3] = [("v1", "2025-11-25"), ("legacy", "2025-11-25"), ("2026-07-28", "2026-07-28")];

/// Where one run goes, and as whom.
pub struct Run<'a> {
    /// The URL of the MCP endpoint; all that the SDK is told.
    pub endpoint: &'a str,
    /// One of [`MODES`].
    pub mode: &'a str,
    /// What to call: an array of `name` and `arguments`.
    pub calls: &'a Value,
    /// What it must trust, beside what the machine trusts.
    pub ca_file: &'a Path,
    /// Name and password.
    pub person: (&'a str, &'a str),
}

/// The SDK, installed.
pub struct SdkOAuth {
    folder: PathBuf,
}

impl SdkOAuth {
    /// Installs it unless it was before: the same packages that the end-to-end tests use.
    pub fn installed(options: &Options) -> Result<Self> {
        ensure_packages(&NPM, options)?;
        let source = repository().join("tests").join("cluster").join("clients").join("typescript");
        Ok(Self { folder: installed("clients/typescript", &source, &["package-lock.json"], npm)? })
    }

    /// Runs it by `launcher`, such as `timeout 60`; answers what it printed.
    pub fn run(&self, mut launcher: Command, run: &Run<'_>) -> Result<Value> {
        launcher.arg("node").arg(self.folder.join("oauth.mjs")).args([run.endpoint, run.mode]);
        launcher.arg(run.calls.to_string());
        for variable in ["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"] {
            launcher.env_remove(variable);
        }
        launcher.env("NODE_EXTRA_CA_CERTS", run.ca_file);
        launcher.env("PERSON", run.person.0).env("PASSWORD", run.person.1);
        let said = output(&mut launcher)?;
        let line = said.lines().last().with_context(|| format!("the SDK printed nothing as {}", run.mode))?;
        serde_json::from_str(line).with_context(|| format!("the SDK printed `{line}` as {}", run.mode))
    }
}

/// Checks that nothing was told to the SDK but the URL: each step of its walk is where the one before said.
pub fn ensure_walked(answer: &Value, endpoint: &str, discovery: &Value) -> Result<()> {
    let steps = answer["walk"].as_array().context("it took no step")?;
    let step = |method: &str, url: &str| {
        let found = steps.iter().find(|step| step["method"] == method && step["url"] == url);
        found.with_context(|| format!("no {method} {url}"))
    };
    let url = |member: &str| discovery[member].as_str().context("an endpoint of the authorization server");
    let metadata = endpoint.replace("/mcp", "/.well-known/oauth-protected-resource/mcp");
    let refused = step("POST", endpoint)?;
    ensure!(refused["status"] == 401, "the first request is answered with 401");
    ensure!(refused["challenge"].as_str().is_some_and(|challenge| challenge.contains(&metadata)), "{refused}");
    ensure!(step("GET", &metadata)?["status"] == 200, "the metadata is there");
    ensure!(step("POST", url("registration_endpoint")?)?["status"] == 201, "the SDK registered itself");
    let authorization = &answer["authorization"];
    ensure!(authorization["code_challenge_method"] == "S256", "PKCE: {authorization}");
    ensure!(authorization["resource"] == endpoint, "the resource was named: {authorization}");
    let token = step("POST", url("token_endpoint")?)?;
    ensure!(token["status"] == 200, "a token: {token}");
    ensure!(token["form"]["grant_type"] == "authorization_code", "for the code: {token}");
    ensure!(token["form"]["resource"] == endpoint, "for the resource: {token}");
    Ok(())
}
