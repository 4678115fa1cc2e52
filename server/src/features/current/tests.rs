use std::sync::Arc;

use crds::gateway_config::AuthorizationDefault::{Authenticated, Deny};

use super::*;
use crate::features::{
    Change,
    testing::{Fake, call_of, others, policy, principal, tool},
};

fn tools(names: &[&str]) -> Offer {
    Offer { tools: names.iter().map(|name| tool(name)).collect(), ..Offer::default() }
}

fn features(fake: &Arc<Fake>) -> Features {
    Features::new(vec![Arc::clone(fake) as Arc<dyn Provider>], Changes::default()).unwrap()
}

fn names(features: &Features) -> Vec<String> {
    features.catalog().names().map(str::to_owned).collect()
}

/// Why the call may not run; `None` where it may.
fn denied(default: crds::gateway_config::AuthorizationDefault, kind: CallKind) -> Option<Denied> {
    let offer = Offer { tools: tools(&["guarded", "plain"]).tools, ..others() };
    let features = features(&Arc::new(Fake::new(offer)));
    features.call(&features.catalog(), &policy(default), &principal(), kind).err().map(|(_, denied)| denied)
}

#[test]
fn the_catalog_follows_a_change_that_was_told() {
    let fake = Arc::new(Fake::new(tools(&["a"])));
    let features = features(&fake);
    let before = features.catalog();
    assert!(Arc::ptr_eq(&before, &features.catalog()));
    fake.offer.store(Arc::new(tools(&["a", "b"])));
    assert_eq!(names(&features), ["a"]);
    features.changes().tell(Change::Tools);
    assert_eq!(names(&features), ["a", "b"]);
    // Who has it keeps it.
    assert_eq!(before.count(), 1);
}

#[test]
fn the_content_of_a_resource_is_no_change_of_a_list() {
    let fake = Arc::new(Fake::new(tools(&["a"])));
    let features = features(&fake);
    let before = features.catalog();
    features.changes().tell(Change::Resource("fixed:one".into()));
    assert!(Arc::ptr_eq(&before, &features.catalog()));
}

#[test]
fn an_offer_that_makes_no_catalog_leaves_the_last_good_one() {
    let fake = Arc::new(Fake::new(tools(&["a"])));
    let features = features(&fake);
    fake.offer.store(Arc::new(tools(&["twice", "twice"])));
    features.changes().tell(Change::Tools);
    assert_eq!(names(&features), ["a"]);
    fake.offer.store(Arc::new(tools(&["b"])));
    features.changes().tell(Change::Tools);
    assert_eq!(names(&features), ["b"]);
}

#[test]
fn what_does_not_exist_is_unknown_whoever_calls() {
    for default in [Deny, Authenticated] {
        assert_eq!(denied(default, call_of("nothing", "{}")), Some(Denied::Unknown));
        let prompt = CallKind::Prompt { name: "nothing".into(), arguments: None };
        assert_eq!(denied(default, prompt), Some(Denied::Unknown));
    }
}

#[test]
fn scopes_that_are_missing_are_named() {
    let missing = Some(Denied::MissingScopes(vec!["a".to_owned()]));
    assert_eq!(denied(Deny, call_of("guarded", "{}")), missing);
    assert_eq!(denied(Deny, call_of("plain", "{}")), Some(Denied::Hidden));
    assert_eq!(denied(Authenticated, call_of("plain", "{}")), None);
}

#[test]
fn the_default_decides_about_all_that_is_no_tool() {
    let completion =
        |reference| CallKind::Completion { reference, argument: "a".into(), value: "".into(), known: None };
    let kinds = || {
        [
            CallKind::Resource { uri: "fixed:one".into() },
            CallKind::Resource { uri: "any:1".into() },
            CallKind::Prompt { name: "greet".into(), arguments: None },
            completion(CompletionReference::Prompt("greet".into())),
            completion(CompletionReference::Resource("any:{id}".into())),
        ]
    };
    for kind in kinds() {
        assert_eq!(denied(Deny, kind.clone()), Some(Denied::Hidden), "{kind:?}");
    }
    for kind in kinds() {
        assert_eq!(denied(Authenticated, kind.clone()), None, "{kind:?}");
    }
}

#[test]
fn a_call_that_may_not_run_gives_its_arguments_back() {
    let features = features(&Arc::new(Fake::new(tools(&["plain"]))));
    let refused = features.call(&features.catalog(), &policy(Deny), &principal(), call_of("plain", r#"{"a":1}"#));
    let Err((CallKind::Tool { arguments, .. }, Denied::Hidden)) = refused else { panic!("it may not run") };
    assert_eq!(arguments.get(), r#"{"a":1}"#);
}
