//! Runs the authenticator, and replaces it when a mounted CA bundle changes.
//!
//! A CA ConfigMap that comes late, or that is renewed, takes effect without a rollout. What is mounted is what is trusted: from
//! that moment keys are fetched under the new bundle alone, and those of before serve until they are too old. A bundle that
//! becomes unusable takes nothing away.

use std::{sync::Arc, time::Duration};

use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{app::App, auth::Authenticator, config::CaFile, files::Reader};

/// How often the files are looked at. Chosen: the kubelet itself takes up to a minute to bring a change.
const INTERVAL: Duration = Duration::from_secs(2);

/// Starts `first`, and looks at the files until `shutdown`.
pub async fn run(app: App, first: Arc<Authenticator>, tasks: TaskTracker, shutdown: CancellationToken) {
    // Its tasks end when another takes its place.
    let mut _running = start(&first, &tasks, &shutdown);
    let mut trusted = app.cas().to_vec();
    let reader = Reader::new();
    while shutdown.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        let files = app.clone();
        let read = reader.read(move || files.config().read_cas());
        let Some(found) = shutdown.run_until_cancelled(read).await else { return };
        let found = found.unwrap_or_else(|| app.config().cas_not_in_time());
        if let Some(next) = look(&app, found, &mut trusted) {
            if let Some(current) = app.authenticator() {
                next.inherit(&current);
            }
            _running = start(&next, &tasks, &shutdown);
            app.put_authenticator_into_force(next);
            tracing::info!("the issuers' CA bundles of this moment are trusted");
        }
    }
}

/// Runs its refresh tasks until what it answers is dropped.
fn start(authenticator: &Authenticator, tasks: &TaskTracker, shutdown: &CancellationToken) -> DropGuard {
    let stop = shutdown.child_token();
    authenticator.run(tasks, stop.clone());
    stop.drop_guard()
}

/// What follows from the files as they were found: an authenticator that trusts them, if that is a change.
fn look(app: &App, found: Vec<CaFile>, trusted: &mut Vec<CaFile>) -> Option<Arc<Authenticator>> {
    if found == *app.cas() {
        return None;
    }
    for problem in found.iter().filter_map(CaFile::problem) {
        tracing::error!("the CA bundle of an issuer {problem}; the last good one stays in force");
    }
    let next: Vec<_> = trusted.iter().zip(&found).map(|(before, now)| before.followed_by(now)).collect();
    app.found_cas(found);
    if next == *trusted {
        return None;
    }
    match Authenticator::new(app.config().issuers(&next), app.auth_deps().clone()) {
        Ok(authenticator) => {
            *trusted = next;
            Some(Arc::new(authenticator))
        }
        Err(problem) => {
            tracing::error!("the changed CA bundles are not trusted: {problem}");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestApp;

    fn unusable() -> CaFile {
        CaFile::Unusable("cannot be read: entity not found".to_owned())
    }

    #[tokio::test]
    async fn a_bundle_that_stays_is_no_change() {
        let app = TestApp::new().app;
        let mut trusted = vec![CaFile::System];
        assert!(look(&app, vec![CaFile::System], &mut trusted).is_none());
    }

    #[tokio::test]
    async fn a_bundle_that_is_gone_takes_nothing_away_and_is_reported() {
        let app = TestApp::new().app;
        let mut trusted = vec![CaFile::System];
        assert!(look(&app, vec![unusable()], &mut trusted).is_none());
        assert_eq!(trusted, [CaFile::System]);
        assert_eq!(app.file_problems(), ["auth.issuers[0].caFile cannot be read: entity not found"]);
        assert!(look(&app, vec![CaFile::System], &mut trusted).is_none());
        assert_eq!(app.file_problems(), Vec::<String>::new());
    }

    #[tokio::test]
    async fn a_bundle_that_comes_late_makes_a_new_authenticator() {
        let app = TestApp::new().app;
        app.found_cas(vec![unusable()]);
        let mut trusted = vec![unusable()];
        assert!(look(&app, vec![CaFile::System], &mut trusted).is_some());
        assert_eq!(trusted, [CaFile::System]);
    }

    #[tokio::test]
    async fn a_bundle_that_no_client_takes_changes_nothing() {
        let app = TestApp::new().app;
        let mut trusted = vec![CaFile::System];
        let broken = CaFile::Pem(b"no certificate".to_vec());
        assert!(look(&app, vec![broken], &mut trusted).is_none());
        assert_eq!(trusted, [CaFile::System]);
    }
}
