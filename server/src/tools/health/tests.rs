use KeySetState::{Expired, Pending, Ready, Stale};

use super::*;

fn issuer(state: KeySetState) -> IssuerHealth {
    IssuerHealth { state, key_age: Some(Duration::from_secs(90)), last_refresh_failed: false }
}

fn healthy() -> HealthInputs {
    HealthInputs {
        issuers: Some(vec![issuer(KeySetState::Ready)]),
        memory: MemoryHealth { used_bytes: Some(10), limit_bytes: Some(100) },
        telemetry: Some(TelemetryHealth::Exporting),
        redis: Some(RedisState::Ready),
    }
}

/// `status[: reason]` of one check.
fn text(check: &Check) -> String {
    let status = format!("{:?}", check.status).to_lowercase();
    check.reason.as_ref().map_or_else(|| status.clone(), |reason| format!("{status}: {reason}"))
}

#[test]
fn all_is_well() {
    let checks = Checks::of(&healthy());
    assert_eq!(checks.status(), HealthStatus::Passing);
    let all = [checks.auth.unwrap(), checks.redis.unwrap(), checks.memory, checks.telemetry.unwrap()];
    assert!(all.iter().all(|check| check.reason.is_none()));
}

#[test]
fn what_does_not_apply_is_absent() {
    let inputs = HealthInputs { issuers: None, telemetry: None, redis: None, ..healthy() };
    let checks = serde_json::to_string(&Checks::of(&inputs)).unwrap();
    assert_eq!(checks, r#"{"memory":{"status":"passing"}}"#);
}

#[test]
fn each_broken_thing_changes_its_own_check_and_the_status() {
    let base = Checks::of(&healthy());
    let issuers = Some(vec![issuer(KeySetState::Expired)]);
    let auth = Checks::of(&HealthInputs { issuers, ..healthy() });
    assert_eq!((&auth.memory, &auth.telemetry), (&base.memory, &base.telemetry));
    assert_eq!(auth.status(), HealthStatus::Failing);
    let full = MemoryHealth { used_bytes: Some(99), limit_bytes: Some(100) };
    let memory = Checks::of(&HealthInputs { memory: full, ..healthy() });
    assert_eq!((&memory.auth, &memory.telemetry), (&base.auth, &base.telemetry));
    assert_eq!(memory.status(), HealthStatus::Failing);
    let telemetry = Some(TelemetryHealth::Failing);
    let telemetry = Checks::of(&HealthInputs { telemetry, ..healthy() });
    assert_eq!((&telemetry.auth, &telemetry.memory), (&base.auth, &base.memory));
    assert_eq!(telemetry.status(), HealthStatus::Degraded);
}

#[test]
fn the_status_is_the_worst_of_all() {
    let inputs = HealthInputs {
        memory: MemoryHealth { used_bytes: Some(96), limit_bytes: Some(100) },
        telemetry: Some(TelemetryHealth::Failing),
        ..healthy()
    };
    assert_eq!(Checks::of(&inputs).status(), HealthStatus::Failing);
}

#[test]
fn an_issuer_without_usable_keys_is_degraded_until_none_is_left() {
    let of = |states: &[KeySetState]| text(&auth(&states.iter().copied().map(issuer).collect::<Vec<_>>()));
    assert_eq!(of(&[Ready, Pending]), "degraded: 1 of 2 issuers have no usable keys");
    assert_eq!(of(&[Expired, Pending]), "failing: no issuer has usable keys");
    assert_eq!(of(&[Ready, Stale]), "degraded: keys of 1 of 2 issuers could not be refreshed, the oldest are 90 s old");
}

#[test]
fn a_failed_refresh_shows_before_the_keys_are_stale() {
    let failed = IssuerHealth { last_refresh_failed: true, ..issuer(KeySetState::Ready) };
    assert_eq!(auth(&[failed]).status, HealthStatus::Degraded);
}

#[test]
fn the_age_is_that_of_the_keys_that_could_not_be_refreshed() {
    let age = |seconds| Some(Duration::from_secs(seconds));
    let stale = IssuerHealth { key_age: age(10), ..issuer(KeySetState::Stale) };
    let ready = IssuerHealth { key_age: age(5000), ..issuer(KeySetState::Ready) };
    assert_eq!(
        text(&auth(&[stale, ready])),
        "degraded: keys of 1 of 2 issuers could not be refreshed, the oldest are 10 s old"
    );
}

#[test]
fn authentication_without_a_single_issuer_cannot_work() {
    assert_eq!(text(&auth(&[])), "failing: no issuer has usable keys");
}

#[test]
fn memory_is_judged_against_the_limit() {
    let of = |used, limit| text(&memory(MemoryHealth { used_bytes: used, limit_bytes: limit }));
    assert_eq!(of(Some(79), Some(100)), "passing");
    assert_eq!(of(Some(80), Some(100)), "degraded: 80 % of the memory limit are in use");
    assert_eq!(of(Some(94), Some(100)), "degraded: 94 % of the memory limit are in use");
    assert_eq!(of(Some(95), Some(100)), "failing: 95 % of the memory limit are in use");
    assert_eq!(of(Some(u64::MAX), Some(1)).split(':').next(), Some("failing"));
}

#[test]
fn a_full_store_is_degraded_and_one_that_cannot_be_used_is_failing() {
    let of = |state| text(&redis(state));
    assert_eq!(of(RedisState::Ready), "passing");
    assert_eq!(of(RedisState::Pending), "degraded: the shared store was not reached yet");
    assert_eq!(of(RedisState::Full), "degraded: the shared store is full and takes nothing new");
    assert_eq!(of(RedisState::Failing), "failing: the shared store cannot be used");
    assert_eq!(of(RedisState::Refused), "failing: the shared store refuses the gateway's user, or what it may do");
    let broken = Checks::of(&HealthInputs { redis: Some(RedisState::Failing), ..healthy() });
    let base = Checks::of(&healthy());
    assert_eq!((&broken.auth, &broken.memory, &broken.telemetry), (&base.auth, &base.memory, &base.telemetry));
    assert_eq!(broken.status(), HealthStatus::Failing);
}

#[test]
fn what_cannot_be_measured_is_not_called_well() {
    let of = |used, limit| text(&memory(MemoryHealth { used_bytes: used, limit_bytes: limit }));
    assert_eq!(of(None, Some(100)), "degraded: memory use cannot be read");
    assert_eq!(of(Some(10), None), "passing: no memory limit is set");
    assert_eq!(of(Some(10), Some(0)), "passing: no memory limit is set");
    assert_eq!(text(&telemetry(TelemetryHealth::Idle)), "passing: nothing was exported yet");
}
