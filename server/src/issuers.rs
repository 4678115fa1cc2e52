//! Runs the authenticator, and replaces it when a mounted CA bundle changes.
//!
//! A CA ConfigMap that comes late, or that is renewed, takes effect without a rollout. The authenticator
//! in force goes on until its successor has fetched keys with what changed; a bundle that becomes unusable takes nothing away.

use std::{sync::Arc, time::Duration};

use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{app::App, auth::Authenticator, config::CaFile, files::Reader};

/// How often the files are looked at. Chosen: the kubelet itself takes up to a minute to bring a change.
const INTERVAL: Duration = Duration::from_secs(2);

/// Starts `first`, and looks at the files until `shutdown`.
pub async fn run(app: App, first: Arc<Authenticator>, tasks: TaskTracker, shutdown: CancellationToken) {
    let mut current = Running::start(first, |first, stop| first.run(&tasks, stop), &shutdown);
    let mut trusted = app.cas().to_vec();
    let mut successor = None;
    let reader = Reader::new();
    while shutdown.run_until_cancelled(tokio::time::sleep(INTERVAL)).await.is_some() {
        let files = app.clone();
        let read = reader.read(move || files.config().read_cas());
        let Some(found) = shutdown.run_until_cancelled(read).await else { return };
        let found = found.unwrap_or_else(|| app.config().cas_not_in_time());
        if let Some(next) = look(&app, found, &mut trusted) {
            // While there are no keys at all, those of the process before this one are better than none.
            let alone = !current.authenticator.ready();
            let run = |next: &Authenticator, stop| {
                if alone { next.run(&tasks, stop) } else { next.run_as_successor(&tasks, stop) }
            };
            successor = Some(Running::start(next, run, &shutdown));
        }
        let is_due = |next: &Running| next.authenticator.ready() || !current.authenticator.ready();
        if let Some(next) = successor.take_if(|next| is_due(next)) {
            app.put_authenticator_into_force(Arc::clone(&next.authenticator));
            current = next;
            tracing::info!("the issuers' CA bundles of this moment are trusted");
        }
    }
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
            if let Some(current) = app.authenticator() {
                authenticator.inherit(&current, |index| trusted.get(index) == next.get(index));
            }
            *trusted = next;
            Some(Arc::new(authenticator))
        }
        Err(problem) => {
            tracing::error!("the changed CA bundles are not trusted: {problem}");
            None
        }
    }
}

/// An authenticator whose refresh tasks end with it.
struct Running {
    authenticator: Arc<Authenticator>,
    _stop: tokio_util::sync::DropGuard,
}

impl Running {
    fn start(
        authenticator: Arc<Authenticator>,
        run: impl FnOnce(&Authenticator, CancellationToken),
        shutdown: &CancellationToken,
    ) -> Self {
        let stop = shutdown.child_token();
        run(&authenticator, stop.clone());
        Self { authenticator, _stop: stop.drop_guard() }
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
