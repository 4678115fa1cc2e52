use std::{sync::Arc, time::Instant};

use jiff::Timestamp;

use super::*;
use crate::{
    auth::Principal,
    clock::Clock,
    features::{Catalog, ClientCapabilities, Notes, schema::Schema},
};

struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn monotonic(&self) -> Instant {
        Instant::now()
    }
}

struct Broken;

impl HealthProbe for Broken {
    fn health(&self) -> HealthInputs {
        HealthInputs {
            issuers: Some(Vec::new()),
            memory: MemoryHealth { used_bytes: None, limit_bytes: None },
            telemetry: Some(TelemetryHealth::Failing),
            redis: None,
        }
    }
}

fn builtins(ping: bool, echo: bool, health_check: bool) -> BuiltinTools {
    BuiltinTools::new(Builtins { ping, echo, health_check }, Arc::new(Broken))
}

#[test]
fn a_disabled_built_in_does_not_exist() {
    let names = |tools: BuiltinTools| {
        let catalog = Catalog::new(&[tools.offer()]).unwrap();
        catalog.names().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names(builtins(true, true, true)), ["ping", "echo", "health_check"]);
    assert_eq!(names(builtins(false, true, false)), ["echo"]);
    assert!(names(builtins(false, false, false)).is_empty());
}

#[tokio::test]
async fn bad_news_of_health_check_is_no_error() {
    let tools = builtins(false, false, true);
    let context = CallContext {
        principal: Arc::new(Principal::anonymous()),
        correlation_id: "cid".into(),
        clock: Arc::new(Noon),
        client: ClientCapabilities::default(),
        responses: None,
        state: None,
        traceparent: None,
        notes: Notes::default(),
    };
    let arguments = RawValue::from_string("{}".to_owned()).unwrap();
    let Ok(Answer::Complete(outcome)) = tools.call_tool(&context, "health_check", &arguments).await else {
        panic!("health_check answers")
    };
    assert!(!outcome.is_error());
    let definition: serde_json::Value = serde_json::from_str(tools.offer.tools[0].definition.get()).unwrap();
    let promised = Schema::compile(&definition["outputSchema"]).unwrap();
    assert_eq!(promised.check(outcome.structured_content().unwrap()).err(), None);
    let health: serde_json::Value = serde_json::from_str(outcome.text_content().unwrap()).unwrap();
    assert_eq!(health["status"], "failing");
    assert_eq!(health["checks"]["memory"]["status"], "degraded");
}
