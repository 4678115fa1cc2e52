//! Sealing keys.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use jiff::Timestamp;
use proptest::prelude::*;

use super::{Record, Wish, at, wish};
use crate::rotation::sealing::{Plan, Seen, plan};

const LONGEST: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug, Default)]
struct World {
    now: i64,
    wish: Wish,
    secrets: BTreeSet<u32>,
    record: Record,
    retire_at: Option<Timestamp>,
    /// Of the Deployment.
    keys: Vec<u32>,
    pods: Vec<Vec<u32>>,
    /// When each key sealed last.
    sealed: BTreeMap<u32, i64>,
}

#[derive(Clone, Copy, Debug)]
enum Move {
    /// A run that dies after so many writes.
    Run(usize),
    /// The Deployment's controller does one thing.
    Gateway,
    /// Every pod seals something, and time goes on.
    Pass(u16),
    /// Somebody asks.
    Ask(u8),
}

const PODS: usize = 3;

type Write = Box<dyn FnOnce(&mut World)>;

impl World {
    fn seen(&self) -> Seen {
        Seen {
            record: self.record.clone(),
            retire_at: self.retire_at,
            keys: self.keys.clone(),
            pods: self.pods.clone(),
            rolled_out: !self.keys.is_empty() && self.pods.iter().all(|pod| *pod == self.keys),
        }
    }

    fn plan(&self) -> Plan {
        plan(&self.seen(), &self.wish, LONGEST, at(self.now))
    }

    fn run(&mut self, writes: usize) {
        let Plan { record, retire_at, keys, retired } = self.plan();
        let mut all: Vec<Write> = Vec::new();
        for revision in retired {
            all.push(Box::new(move |world| {
                world.secrets.remove(&revision);
            }));
        }
        // One object.
        all.push(Box::new(move |world| (world.record, world.retire_at) = (record, retire_at)));
        for revision in keys.clone() {
            all.push(Box::new(move |world| {
                world.secrets.insert(revision);
            }));
        }
        all.push(Box::new(move |world| world.keys = keys));
        for write in all.into_iter().take(writes) {
            write(self);
        }
    }

    /// One more, then one less. A pod whose Secret is not there does not start.
    fn roll(&mut self) {
        let keys = self.keys.clone();
        if self.pods.len() > PODS {
            let former = self.pods.iter().position(|pod| *pod != keys).unwrap_or(0);
            self.pods.remove(former);
        } else if !keys.is_empty() && (self.pods.len() < PODS || self.pods.iter().any(|pod| *pod != keys)) {
            self.pods.push(keys);
        }
    }

    fn pass(&mut self, seconds: u16) {
        for pod in &self.pods {
            self.sealed.insert(pod[0], self.now);
        }
        self.now += i64::from(seconds);
    }

    fn take(&mut self, next: Move) {
        match next {
            Move::Run(writes) => self.run(writes),
            Move::Gateway => self.roll(),
            Move::Pass(seconds) => self.pass(seconds),
            Move::Ask(number) => self.wish = wish(number),
        }
    }

    /// Every pod opens what any pod seals now, and whatever was sealed and is not over yet; what it mounts is there.
    fn check(&self) {
        let longest = i64::try_from(LONGEST.as_secs()).unwrap();
        let fresh = self.sealed.iter().filter(|(_, last)| **last + longest > self.now).map(|(key, _)| *key);
        let needed: BTreeSet<u32> = self.pods.iter().map(|pod| pod[0]).chain(fresh).collect();
        for pod in &self.pods {
            assert!(needed.iter().all(|key| pod.contains(key)), "a pod cannot open {needed:?}: {self:?}");
            assert!(pod.iter().all(|key| self.secrets.contains(key)), "a Secret of a pod is gone: {self:?}");
        }
        assert!(self.secrets.is_subset(&self.record.revisions), "a Secret is forgotten: {self:?}");
    }

    fn come_to_rest(&mut self) {
        for _ in 0..80 {
            self.run(usize::MAX);
            self.check();
            self.roll();
            self.check();
            self.pass(300);
            self.check();
        }
    }
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => (0..6_usize).prop_map(Move::Run),
        5 => Just(Move::Gateway),
        2 => (0..4000_u16).prop_map(Move::Pass),
        1 => (0..4_u8).prop_map(Move::Ask),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Source: operator.md, `crash-in-rotation`.
    #[test]
    fn whatever_is_sealed_can_be_opened_by_every_pod_until_it_is_over(moves in prop::collection::vec(any_move(), 0..80)) {
        let mut world = World::default();
        for next in moves {
            world.take(next);
            world.check();
        }
        world.come_to_rest();
        let newest = world.keys[0];
        prop_assert_eq!(&world.keys, &vec![newest]);
        prop_assert_eq!(&world.secrets, &BTreeSet::from([newest]));
        prop_assert_eq!(&world.record.revisions, &world.secrets);
        prop_assert_eq!(world.retire_at, None);
        prop_assert_eq!(world.plan().record, world.record);
    }
}

#[test]
fn a_rotation_takes_the_steps_that_are_drawn() {
    let mut world = World::default();
    world.come_to_rest();
    world.wish = wish(1);
    let (mut steps, begun) = (Vec::new(), world.now);
    for _ in 0..80 {
        world.run(usize::MAX);
        let step = format!("noted {:?} keys {:?}", world.record.revisions, world.keys);
        if steps.last() != Some(&step) {
            steps.push(step);
        }
        world.roll();
        world.pass(300);
    }
    expect_test::expect![[r"
        noted {1, 2} keys [1, 2]
        noted {1, 2} keys [2, 1]
        noted {1, 2} keys [2]
        noted {2} keys [2]"]]
    .assert_eq(&steps.join("\n"));
    assert!(world.now > begun + 3600);
}

/// Noted first, then given up by the Deployment.
#[test]
fn a_run_that_dies_in_a_retirement_does_not_begin_the_time_of_the_former_key_anew() {
    let over = Some(at(3650));
    let mut world = World {
        now: 3650,
        record: Record { revisions: [1, 2].into(), ..Record::default() },
        retire_at: over,
        keys: vec![2, 1],
        pods: vec![vec![2, 1]; PODS],
        ..World::default()
    };
    world.run(1);
    assert_eq!((world.retire_at, &world.keys), (over, &vec![2, 1]));
    world.run(usize::MAX);
    assert_eq!((world.retire_at, &world.keys), (over, &vec![2]));
    assert_eq!(world.plan().wakes_at(&Wish::default()), None);
    world.run(usize::MAX);
    assert_eq!(world.retire_at, None);
}

#[test]
fn the_time_of_a_former_key_begins_when_no_pod_seals_with_it_and_is_half_an_hour_at_least() {
    let promoted = |pods: Vec<Vec<u32>>| Seen {
        record: Record { revisions: [1, 2].into(), ..Record::default() },
        keys: vec![2, 1],
        rolled_out: pods.iter().all(|pod| *pod == [2, 1]),
        pods,
        retire_at: None,
    };
    let plan_of =
        |seen: &Seen, longest: u64, now: i64| plan(seen, &Wish::default(), Duration::from_secs(longest), at(now));
    let waiting = plan_of(&promoted(vec![vec![2, 1], vec![1, 2]]), 3600, 50);
    assert_eq!((waiting.retire_at, waiting.wakes_at(&Wish::default())), (None, None));
    let mut all = promoted(vec![vec![2, 1]; 2]);
    let begun = plan_of(&all, 3600, 50);
    assert_eq!((begun.retire_at, begun.keys), (Some(at(3650)), vec![2, 1]));
    assert_eq!(plan_of(&all, 60, 50).retire_at, Some(at(1850)));

    // What was noted stays, whatever becomes of the setting.
    all.retire_at = Some(at(3650));
    let kept = plan_of(&all, 60, 3649);
    assert_eq!((kept.retire_at, kept.wakes_at(&Wish::default())), (Some(at(3650)), Some(at(3650))));
    assert_eq!(plan_of(&all, 86_400, 3650).keys, [2]);
}
