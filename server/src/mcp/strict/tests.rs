use std::fmt::Write as _;

use proptest::prelude::*;
use serde_json::Value;

use super::*;

fn problem(text: &str) -> Option<String> {
    check(text).err().map(|error| format!("{} {}", error.code.as_str(), error.message))
}

#[test]
fn plain_json_passes() {
    for text in ["{}", " [1, 2.5e3, true, null, \"a\\u00e9\"] ", r#"{"a":{"a":1},"b":[{"a":1},{"a":2}]}"#] {
        assert_eq!(problem(text), None, "{text}");
    }
}

#[test]
fn equal_names_are_found_among_many() {
    for count in [2, SCAN_UP_TO, SCAN_UP_TO + 1, 1_000] {
        let mut text = String::from("{");
        for n in 0..count {
            write!(text, r#""m{n}":0,"#).unwrap();
        }
        assert_eq!(problem(&format!(r#"{text}"last":0}}"#)), None, "{count}");
        for twin in [0, count - 1] {
            let message = "-32600 two members of one object have the same name";
            assert_eq!(problem(&format!(r#"{text}"m{twin}":0}}"#)).as_deref(), Some(message));
        }
    }
}

#[test]
fn an_escaped_name_is_the_name_it_stands_for() {
    assert!(problem(r#"{"ab":1,"\u0061b":2}"#).is_some());
}

#[test]
fn a_document_nests_up_to_the_bound() {
    let nested = |levels: usize| "[".repeat(levels) + &"]".repeat(levels);
    assert_eq!(problem(&nested(MAX_DEPTH)), None);
    let message = "-32600 the body nests deeper than 64 levels";
    assert_eq!(problem(&nested(MAX_DEPTH + 1)).as_deref(), Some(message));
    assert_eq!(problem(&"[".repeat(1_000_000)).as_deref(), Some(message));
}

/// Plain JSON, as serde writes it: no name twice.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Null), any::<i32>().prop_map(Value::from), ".{0,5}".prop_map(Value::from)];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(".{0,3}", inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_serde_writes_passes(value in json()) {
        prop_assert_eq!(problem(&value.to_string()), None);
    }

    #[test]
    fn whatever_passes_is_json(text in "[\\[\\]{}\",:a1 .e-]{0,24}") {
        if check(&text).is_ok() {
            prop_assert!(serde_json::from_str::<Value>(&text).is_ok());
        }
    }
}
