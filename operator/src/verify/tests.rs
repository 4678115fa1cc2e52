//! When a run is queued, and what is remembered of whom.

use axum::{Json, Router, routing::get};
use crds::gateway_report::{GatewayReport, IssuerReport, REPORT_VERSION, RedisReport, ToolsReport};
use tokio::net::TcpListener;

use super::*;
use crate::{
    observed::{HopError, UnauthenticatedAnswer},
    validate::{
        tests::{mcp_server, settings},
        validate,
    },
};

/// A defect of ours must not leave a status standing that nobody looks after any more.
#[tokio::test]
async fn a_pod_whose_probe_panics_counts_as_unreachable_and_is_asked_again() {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let (changed, mut news) = mpsc::channel(8);
    let stop = CancellationToken::new();
    let verifier = Verifier::new(Prober::broken(), changed, stop.clone());
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], 1));
    verifier.watch(key(), plan(&[("p1", address)]));
    let news = tokio::time::timeout(Duration::from_secs(10), news.recv()).await;
    assert_eq!(news, Ok(Some(key())));
    assert_eq!(verifier.found(&key(), "p1"), Some(PodVerification::unreachable()));
    assert!(!verifier.awaits_an_answer(&key()));
    stop.cancel();
    verifier.ended().await;
}

#[tokio::test]
async fn the_first_answer_of_a_pod_queues_one_run_and_the_same_plan_asks_no_second_time() {
    let (verifier, mut changed, _stop) = verifier();
    let address = pod().await;
    let plan = plan(&[("p1", address)]);
    assert!(!verifier.awaits_an_answer(&key()));
    verifier.watch(key(), plan.clone());
    assert!(verifier.awaits_an_answer(&key()));
    assert_eq!(changed.recv().await, Some(key()));
    assert!(verifier.found(&key(), "p1").unwrap().report.is_ok());
    assert!(!verifier.awaits_an_answer(&key()));

    verifier.watch(key(), plan);
    assert!(changed.try_recv().is_err());
}

#[tokio::test]
async fn what_was_found_of_a_pod_outlives_a_new_plan_and_not_the_pod() {
    let (verifier, mut changed, _stop) = verifier();
    let address = pod().await;
    verifier.watch(key(), plan(&[("p1", address)]));
    changed.recv().await.unwrap();

    verifier.watch(key(), plan(&[("p1", address), ("p2", address)]));
    assert!(verifier.found(&key(), "p1").is_some());
    verifier.watch(key(), plan(&[("p2", address)]));
    assert!(verifier.found(&key(), "p1").is_none());
}

#[tokio::test]
async fn what_is_forgotten_is_not_asked_any_more() {
    let (verifier, mut changed, stop) = verifier();
    verifier.watch(key(), plan(&[("p1", pod().await)]));
    changed.recv().await.unwrap();
    verifier.forget(&key());
    assert!(verifier.found(&key(), "p1").is_none());
    stop.cancel();
    verifier.ended().await;
}

#[test]
fn only_a_pod_that_has_everything_in_force_is_asked_less_often() {
    let plan = plan(&[("p1", ([127, 0, 0, 1], 1).into())]);
    let good = found(&report());
    assert!(plan.is_calm(&[("p1".to_owned(), good.clone())].into()));
    assert!(!plan.is_calm(&Found::new()));

    let waiting = IssuerReport {
        issuer: "https://login".to_owned(),
        state: KeySetState::Pending,
        key_ids: Vec::new(),
        last_error: None,
    };
    let lost = RedisReport { state: RedisState::Failing, connected_once: true, last_error: None };
    for worse in [
        found(&GatewayReport { policy_revision: "former".to_owned(), ..report() }),
        found(&GatewayReport { config_revision: "former".to_owned(), ..report() }),
        found(&GatewayReport { issuers: vec![waiting], ..report() }),
        found(&GatewayReport { redis: Some(lost), ..report() }),
        PodVerification { metadata: Err(HopError::TimedOut), ..good },
    ] {
        assert!(!plan.is_calm(&[("p1".to_owned(), worse)].into()));
    }
}

/// It may serve for long, if the rollout hangs.
#[test]
fn a_pod_of_before_is_asked_less_often_once_it_has_the_policy() {
    let mut plan = plan(&[("p1", ([127, 0, 0, 1], 1).into())]);
    plan.pods.values_mut().for_each(|asked| asked.current = false);
    let of_before = GatewayReport { config_revision: "former".to_owned(), ..report() };
    assert!(plan.is_calm(&[("p1".to_owned(), found(&of_before))].into()));
    let loose = GatewayReport { policy_revision: "former".to_owned(), ..of_before };
    assert!(!plan.is_calm(&[("p1".to_owned(), found(&loose))].into()));
}

#[test]
fn whoever_can_say_something_is_asked() {
    let spec = "{ auth: { issuers: [{ issuer: https://login }] } }";
    let valid = validate(&mcp_server(spec), &Observed::default(), &settings()).unwrap();
    let pod = |uid: &str, revision: &str, ready: bool| ObservedPod {
        uid: uid.to_owned(),
        ip: Some("10.0.0.7".to_owned()),
        config_revision: Some(revision.to_owned()),
        ready,
        ..ObservedPod::default()
    };
    let current = &valid.config_revision;
    let pods = vec![
        pod("serves", current, true),
        pod("starts", current, false),
        pod("of-before", "former", true),
        pod("of-before-and-broken", "former", false),
        ObservedPod { deleting: true, ..pod("goes", current, true) },
        ObservedPod { ip: None, ..pod("nowhere", current, false) },
    ];
    let plan = Plan::of(&valid, &Observed { pods, ..Observed::default() });
    assert_eq!(plan.pods.keys().map(String::as_str).collect::<Vec<_>>(), ["of-before", "serves", "starts"]);
    assert!(plan.pods["serves"].current && !plan.pods["of-before"].current);
}

fn verifier() -> (Arc<Verifier>, mpsc::Receiver<ObjectRef<McpServer>>, CancellationToken) {
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let (sender, receiver) = mpsc::channel(8);
    let stop = CancellationToken::new();
    (Verifier::new(Prober::new().unwrap(), sender, stop.clone()), receiver, stop)
}

async fn pod() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new().route("/report", get(async || Json(report())));
    // Ends with the runtime of the test.
    TaskTracker::new().spawn(async move { axum::serve(listener, router).await });
    address
}

fn key() -> ObjectRef<McpServer> {
    ObjectRef::new("tools").within("demo")
}

fn plan(pods: &[(&str, std::net::SocketAddr)]) -> Plan {
    Plan {
        questions: Questions { host: "mcp.example.com".to_owned(), path: "/mcp".to_owned(), metadata_path: None },
        config_revision: "abc".to_owned(),
        policy_revision: "def".to_owned(),
        redis_runs: false,
        pods: pods.iter().map(|(uid, at)| ((*uid).to_owned(), asked(*at))).collect(),
    }
}

fn asked(at: std::net::SocketAddr) -> Asked {
    Asked { address: PodAddress { public: at, admin: at }, current: true, ready: true }
}

fn found(report: &GatewayReport) -> PodVerification {
    let unauthenticated = UnauthenticatedAnswer { status: 401, www_authenticate: None };
    PodVerification { report: Ok(report.clone()), unauthenticated: Ok(unauthenticated), metadata: Ok(None) }
}

fn report() -> GatewayReport {
    GatewayReport {
        version: REPORT_VERSION,
        config_revision: "abc".to_owned(),
        policy_revision: "def".to_owned(),
        server_version: "0.1.0".to_owned(),
        eras: vec!["2026-07-28".to_owned()],
        tools: ToolsReport { count: 3, digest: "d".to_owned() },
        issuers: Vec::new(),
        upstreams: Vec::new(),
        redis: None,
        file_problems: Vec::new(),
        draining: false,
    }
}
