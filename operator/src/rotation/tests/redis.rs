//! Credentials of a Redis.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::{Record, Wish, at, wish};
use crate::rotation::redis::{Plan, Seen, plan};

/// What is in the cluster.
#[derive(Clone, Debug, Default)]
struct World {
    wish: Wish,
    secrets: BTreeSet<u32>,
    record: Record,
    /// Of the StatefulSet.
    template: Option<BTreeSet<u32>>,
    /// What the process of the Redis has read; `None` while it is down.
    process: Option<BTreeSet<u32>>,
    /// Of the Deployment.
    gateway: Option<u32>,
    pods: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
enum Move {
    /// A run that dies after so many writes.
    Run(usize),
    /// The StatefulSet's controller and the kubelet do one thing.
    Redis,
    /// The Redis ends by itself.
    Crash,
    /// The Deployment's controller does one thing.
    Gateway,
    /// Somebody asks.
    Ask(u8),
}

const PODS: usize = 3;

type Write = Box<dyn FnOnce(&mut World)>;

impl World {
    fn seen(&self) -> Seen {
        Seen {
            record: self.record.clone(),
            lines: self.template.clone(),
            runs: self.process.is_some() && self.process == self.template,
            gateway: self.gateway,
            pods: self.pods.iter().copied().map(Some).collect(),
            rolled_out: self.gateway.is_some_and(|gateway| self.pods.iter().all(|pod| *pod == gateway)),
        }
    }

    /// The writes of a run in their order; the first `writes` of them arrive.
    fn run(&mut self, writes: usize) {
        let Plan { record, accepted, gateway, retired } = plan(&self.seen(), &self.wish, at(0));
        let mut all: Vec<Write> = Vec::new();
        for revision in retired {
            all.push(Box::new(move |world| {
                world.secrets.remove(&revision);
            }));
        }
        all.push(Box::new(move |world| world.record = record));
        for revision in accepted.clone() {
            all.push(Box::new(move |world| {
                world.secrets.insert(revision);
            }));
        }
        all.push(Box::new(move |world| world.template = Some(accepted)));
        all.push(Box::new(move |world| world.gateway = Some(gateway)));
        for write in all.into_iter().take(writes) {
            write(self);
        }
    }

    fn redis(&mut self) {
        match (&self.process, &self.template) {
            (Some(process), Some(template)) if process != template => self.process = None,
            // A pod whose Secret is not there does not start.
            (None, Some(template)) if template.is_subset(&self.secrets) => self.process = Some(template.clone()),
            _ => {}
        }
    }

    /// One more, then one less.
    fn roll(&mut self) {
        let Some(gateway) = self.gateway else { return };
        if self.pods.len() > PODS {
            let former = self.pods.iter().position(|pod| *pod != gateway).unwrap_or(0);
            self.pods.remove(former);
        } else if self.pods.len() < PODS || self.pods.iter().any(|pod| *pod != gateway) {
            self.pods.push(gateway);
        }
    }

    fn take(&mut self, next: Move) {
        match next {
            Move::Run(writes) => self.run(writes),
            Move::Redis => self.redis(),
            Move::Crash => self.process = None,
            Move::Gateway => self.roll(),
            Move::Ask(number) => self.wish = wish(number),
        }
    }

    /// Every pod gets in now if the Redis runs, and will when it starts again; and its Secret is there for a restart.
    fn check(&self) {
        for pod in &self.pods {
            assert!(self.secrets.contains(pod), "the Secret of a pod is gone: {self:?}");
            for lines in [&self.process, &self.template].into_iter().flatten() {
                assert!(lines.contains(pod), "a pod is not let in: {self:?}");
            }
        }
        assert!(self.secrets.is_subset(&self.record.revisions), "a Secret is forgotten: {self:?}");
    }

    fn come_to_rest(&mut self) {
        for _ in 0..60 {
            self.run(usize::MAX);
            self.check();
            self.redis();
            self.roll();
            self.check();
        }
    }
}

fn any_move() -> impl Strategy<Value = Move> {
    prop_oneof![
        4 => (0..9_usize).prop_map(Move::Run),
        3 => Just(Move::Redis),
        1 => Just(Move::Crash),
        4 => Just(Move::Gateway),
        1 => (0..4_u8).prop_map(Move::Ask),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Source: operator.md, `crash-in-rotation` and `unseen-double-rotation`.
    #[test]
    fn at_every_instant_every_pod_gets_in_and_all_comes_to_rest(moves in prop::collection::vec(any_move(), 0..60)) {
        let mut world = World::default();
        for next in moves {
            world.take(next);
            world.check();
        }
        world.come_to_rest();
        let newest = world.gateway.unwrap();
        prop_assert_eq!(&world.secrets, &BTreeSet::from([newest]));
        prop_assert_eq!(&world.record.revisions, &world.secrets);
        prop_assert_eq!(world.process.as_ref(), Some(&world.secrets));
        prop_assert_eq!(world.pods.clone(), vec![newest; PODS]);
        let rest = plan(&world.seen(), &world.wish, at(0));
        prop_assert_eq!(rest.record, world.record);
    }
}

#[test]
fn a_rotation_takes_the_steps_that_are_drawn() {
    let mut world = World::default();
    world.come_to_rest();
    world.wish = wish(1);
    let mut steps = Vec::new();
    for _ in 0..60 {
        world.run(usize::MAX);
        let step = format!(
            "noted {:?} lines {:?} gateway {}",
            world.record.revisions,
            world.template.as_ref().unwrap(),
            world.gateway.unwrap()
        );
        if steps.last() != Some(&step) {
            steps.push(step);
        }
        world.redis();
        world.roll();
    }
    expect_test::expect![[r"
        noted {1, 2} lines {1, 2} gateway 1
        noted {1, 2} lines {1, 2} gateway 2
        noted {1, 2} lines {2} gateway 2
        noted {2} lines {2} gateway 2"]]
    .assert_eq(&steps.join("\n"));
}

#[test]
fn a_record_that_was_deleted_by_hand_is_made_again_from_what_is_mounted() {
    let mut world = World::default();
    world.come_to_rest();
    world.wish = wish(1);
    world.come_to_rest();
    assert_eq!(world.gateway, Some(2));
    // What is noted is gone, and with it that the wish was answered.
    world.record = Record::default();
    let next = plan(&world.seen(), &wish(0), at(0));
    assert_eq!((next.record.revisions, next.gateway, next.accepted), ([2].into(), 2, [2].into()));
}
