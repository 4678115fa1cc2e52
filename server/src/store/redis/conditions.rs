//! What is wrong with a Redis at this moment, and how it stands in all. Pure: the time comes in as an argument.
//!
//! A success takes away only what it disproves: an answer to a read says nothing about a full disk.

use std::{collections::BTreeMap, time::Duration};

use crds::gateway_report::RedisState;
use tokio::time::Instant;

use super::{fault::Fault, wire::Operation};
use crate::store::Standing;

/// How long a command counts as forbidden after it was refused. Chosen: whoever mends an ACL sees it within a scrape or two,
/// also when nobody uses the command again.
const FORBIDDEN: Duration = Duration::from_secs(30);

/// All that is wrong, by the part that shows it.
#[derive(Debug, Default)]
pub(super) struct Conditions {
    wrong: BTreeMap<Part, (Fault, Instant)>,
    /// Whether an attempt to connect has ended.
    tried: bool,
    connected_once: bool,
    /// What was logged last. `None`: nothing yet.
    said: Option<Result<(), Fault>>,
}

/// What can be wrong by itself. In the order in which one of several is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    Connection,
    Answers,
    Writing,
    Operation(Operation),
    Listening,
}

impl Conditions {
    /// A connection was made, and has answered.
    pub(super) fn connected(&mut self) {
        (self.tried, self.connected_once) = (true, true);
        // Another connection may be another user's, and to another server.
        self.wrong.retain(|part, _| matches!(part, Part::Writing | Part::Listening));
    }

    /// There is no connection.
    pub(super) fn unconnected(&mut self, fault: Fault, now: Instant) {
        self.tried = true;
        self.wrong.insert(Part::Connection, (fault, now));
    }

    /// Too many requests have failed like this one.
    pub(super) fn left_alone(&mut self, fault: Fault, now: Instant) {
        self.wrong.insert(Part::Answers, (fault, now));
    }

    /// It has answered again.
    pub(super) fn answers(&mut self) {
        self.wrong.remove(&Part::Answers);
    }

    /// How the subscription is.
    pub(super) fn listening(&mut self, fault: Option<Fault>, now: Instant) {
        match fault {
            Some(fault) => drop(self.wrong.insert(Part::Listening, (fault, now))),
            None => drop(self.wrong.remove(&Part::Listening)),
        }
    }

    /// A request has ended.
    pub(super) fn ended(&mut self, operation: Operation, fault: Option<Fault>, now: Instant) {
        match fault {
            None => {
                self.wrong.remove(&Part::Operation(operation));
                if operation.writes() {
                    self.wrong.remove(&Part::Writing);
                }
            }
            Some(fault) if fault.is_about_writing() => drop(self.wrong.insert(Part::Writing, (fault, now))),
            Some(Fault::NotPermitted) => {
                self.wrong.insert(Part::Operation(operation), (Fault::NotPermitted, now));
            }
            // Seen by the connection, or by nobody but the caller.
            Some(_) => {}
        }
    }

    /// How it stands.
    pub(super) fn standing(&self, now: Instant) -> Standing {
        let (state, fault) = self.worst(now);
        let last_error = fault.map(|fault| fault.sentence().to_owned());
        Standing::Shared { state, connected_once: self.connected_once, last_error }
    }

    /// What is worst, if that is something else than what this answered last; nothing before the first attempt has ended.
    pub(super) fn news(&mut self, now: Instant) -> Option<Result<(), Fault>> {
        let (state, worst) = self.worst(now);
        let news = worst.map_or(Ok(()), Err);
        if state == RedisState::Pending || self.said == Some(news) {
            return None;
        }
        self.said = Some(news);
        self.said
    }

    /// The first of the worst that is wrong, and what it makes of the whole.
    fn worst(&self, now: Instant) -> (RedisState, Option<Fault>) {
        let is_over =
            |part: &Part, since: Instant| matches!(part, Part::Operation(_)) && now.duration_since(since) >= FORBIDDEN;
        let wrong = self.wrong.iter().filter(|(part, (_, since))| !is_over(part, *since)).map(|(_, (fault, _))| *fault);
        let worst = wrong.rev().max_by_key(|fault| severity(fault.state()));
        let state = match worst {
            Some(fault) => fault.state(),
            None if self.tried => RedisState::Ready,
            None => RedisState::Pending,
        };
        (state, worst)
    }
}

fn severity(state: RedisState) -> u8 {
    match state {
        RedisState::Ready | RedisState::Pending => 0,
        RedisState::Full => 1,
        RedisState::Failing => 2,
        RedisState::Refused => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(conditions: &Conditions, now: Instant) -> RedisState {
        let Standing::Shared { state, last_error, .. } = conditions.standing(now) else { panic!("it is shared") };
        assert_eq!(last_error.is_none(), matches!(state, RedisState::Ready | RedisState::Pending));
        state
    }

    #[test]
    fn it_is_pending_until_the_first_attempt_has_ended() {
        let (mut conditions, now) = (Conditions::default(), Instant::now());
        assert_eq!(state(&conditions, now), RedisState::Pending);
        conditions.unconnected(Fault::Unreachable, now);
        assert_eq!(state(&conditions, now), RedisState::Failing);
        conditions.connected();
        assert_eq!(state(&conditions, now), RedisState::Ready);
        conditions.unconnected(Fault::Credentials, now);
        assert_eq!(state(&conditions, now), RedisState::Refused);
        let Standing::Shared { connected_once, .. } = conditions.standing(now) else { panic!("it is shared") };
        assert!(connected_once, "it never goes back");
    }

    #[test]
    fn only_a_write_shows_that_there_is_room_again() {
        let (mut conditions, now) = (Conditions::default(), Instant::now());
        conditions.connected();
        for fault in [Fault::Memory, Fault::Disk, Fault::Replicas] {
            conditions.ended(Operation::Put, Some(fault), now);
            conditions.ended(Operation::Get, None, now);
            conditions.connected();
            assert_eq!(state(&conditions, now), fault.state());
            conditions.ended(Operation::Probe, None, now);
            assert_eq!(state(&conditions, now), RedisState::Ready);
        }
    }

    #[test]
    fn a_forbidden_command_counts_until_it_works_or_for_half_a_minute() {
        let (mut conditions, now) = (Conditions::default(), Instant::now());
        conditions.connected();
        conditions.ended(Operation::Take, Some(Fault::NotPermitted), now);
        conditions.ended(Operation::Get, None, now);
        assert_eq!(state(&conditions, now), RedisState::Refused);
        assert_eq!(state(&conditions, now + FORBIDDEN), RedisState::Ready);
        conditions.ended(Operation::Take, None, now);
        assert_eq!(state(&conditions, now), RedisState::Ready);
    }

    #[test]
    fn what_was_said_is_not_said_again() {
        let (mut conditions, now) = (Conditions::default(), Instant::now());
        assert_eq!(conditions.news(now), None);
        conditions.unconnected(Fault::Unreachable, now);
        assert_eq!(conditions.news(now), Some(Err(Fault::Unreachable)));
        conditions.unconnected(Fault::Unreachable, now);
        assert_eq!(conditions.news(now), None);
        conditions.connected();
        assert_eq!(conditions.news(now), Some(Ok(())));
        assert_eq!(conditions.news(now), None);
    }

    #[test]
    fn the_worst_is_reported_and_of_several_the_connection() {
        let (mut conditions, now) = (Conditions::default(), Instant::now());
        conditions.ended(Operation::Put, Some(Fault::Memory), now);
        conditions.listening(Some(Fault::Closed), now);
        conditions.unconnected(Fault::Tls, now);
        let Standing::Shared { last_error, .. } = conditions.standing(now) else { panic!("it is shared") };
        assert_eq!(last_error.as_deref(), Some(Fault::Tls.sentence()));
    }
}
