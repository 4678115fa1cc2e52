//! Worlds in which runs die anywhere, controllers take their time and people ask at any moment: nothing that a pod may use is
//! ever taken away, and all of it comes to rest.

mod redis;
mod sealing;

use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn wish(number: u8) -> Wish {
    Wish { asked: (number > 0).then(|| format!("wish-{number}")), interval: None }
}

#[test]
fn a_record_is_read_as_it_was_noted() {
    let record =
        Record { revisions: [3, 4].into(), handled: Some("0123456789".to_owned()), begun: Some(at(1_763_820_000)) };
    let annotations = record.notes("key").into_iter().collect();
    let metadata = ObjectMeta { annotations: Some(annotations), ..ObjectMeta::default() };
    assert_eq!(Record::read(&metadata, "key"), record);
    assert_eq!(metadata.annotations.unwrap()["key"], "3.4");
}

#[test]
fn what_was_never_rotated_is_as_old_as_the_object_that_notes_it() {
    let metadata = ObjectMeta { creation_timestamp: Some(Time(at(100))), ..ObjectMeta::default() };
    let record = Record { revisions: [FIRST].into(), ..Record::read(&metadata, "key") };
    assert_eq!(record.notes("key"), [("key".to_owned(), "1".to_owned())]);
    let daily = Wish { asked: None, interval: Some(DAY) };
    assert!(!record.is_due(&daily, at(100 + 86_399)));
    assert!(record.is_due(&daily, at(100 + 86_400)));
    assert!(!record.is_due(&Wish::default(), at(i64::from(u32::MAX))));
}

#[test]
fn a_wish_is_answered_once_whatever_its_value() {
    let record = Record::first(&wish(0));
    assert!(record.is_due(&wish(1), at(0)));
    let begun = record.with_next(&wish(1), at(7));
    assert_eq!(begun.revisions, [1, 2].into());
    assert!(!begun.is_due(&wish(1), at(0)) && begun.is_due(&wish(2), at(0)));
    // Taken back: nothing is asked for.
    assert!(!begun.is_due(&wish(0), at(0)));
    assert!(!Record::first(&wish(1)).is_due(&wish(1), at(0)));
}

#[test]
fn numbers_are_read_whatever_stands_between_them() {
    assert_eq!(numbers("2.1"), [2, 1]);
    assert_eq!(numbers("a,3 ,,4294967296"), [3]);
    assert_eq!(text(&[2, 1]), "2.1");
}
