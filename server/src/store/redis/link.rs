//! One request: within its deadline, not at all while the breaker is open, once more if the connection was lost and that
//! does no harm.

use std::{
    sync::{Arc, MutexGuard, PoisonError},
    time::Duration,
};

use redis::Value;
use tokio::time::{Instant, timeout};

use super::{
    RedisStore,
    breaker::{Breaker, BreakerState},
    conditions::Conditions,
    fault::Fault,
    nodes::Nodes,
    wire::Request,
};

/// For a request, with all that it waits for. Source: redis-and-degradation.md, section 5.
pub(super) const COMMAND: Duration = Duration::from_millis(250);

/// Where requests are sent.
#[derive(Clone)]
pub(super) enum Link {
    /// One is made. Requests wait for how it ends, within their deadline.
    Connecting,
    /// There is one.
    Up(Arc<Nodes>),
    /// The last attempt has failed. Requests fail at once.
    Down(Fault),
}

impl RedisStore {
    /// What `decode` makes of the reply to `request`.
    pub(super) async fn ask<T>(
        &self,
        request: &Request,
        decode: impl FnOnce(Value) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if self.breaker().state() != BreakerState::Closed {
            self.measures.failed(Fault::LeftAlone);
            return Err(Fault::LeftAlone);
        }
        let began = Instant::now();
        let answered = timeout(COMMAND, self.answer(request)).await.unwrap_or(Err(Unanswered::Sent(Fault::NoAnswer)));
        let outcome = match answered {
            Ok(reply) => decode(reply),
            Err(Unanswered::Sent(fault)) => {
                self.count(fault);
                Err(fault)
            }
            // The connection's own task knows, and counts.
            Err(Unanswered::NotSent(fault)) => Err(fault),
        };
        let fault = outcome.as_ref().err().copied();
        self.measures.took(request.operation, began.elapsed());
        if let Some(fault) = fault {
            self.measures.failed(fault);
        }
        self.note(|conditions, now| conditions.ended(request.operation, fault, now));
        outcome
    }

    async fn answer(&self, request: &Request) -> Result<Value, Unanswered> {
        let nodes = self.nodes().await.map_err(Unanswered::NotSent)?;
        let outcome = self.send(&nodes, request).await;
        match outcome {
            Err(fault) if fault.ends_connection() && request.operation.may_be_repeated() => {
                let nodes = self.nodes().await.map_err(Unanswered::NotSent)?;
                self.send(&nodes, request).await.map_err(Unanswered::Sent)
            }
            outcome => outcome.map_err(Unanswered::Sent),
        }
    }

    async fn send(&self, nodes: &Arc<Nodes>, request: &Request) -> Result<Value, Fault> {
        let outcome = nodes.send(request).await;
        if outcome.as_ref().is_err_and(|fault| fault.ends_connection()) {
            self.lose(nodes);
        }
        outcome
    }

    /// The connection of this moment; waits while one is being made.
    async fn nodes(&self) -> Result<Arc<Nodes>, Fault> {
        let mut link = self.link.subscribe();
        let settled = link.wait_for(|link| !matches!(link, Link::Connecting)).await;
        match settled.as_deref() {
            Ok(Link::Up(nodes)) => Ok(Arc::clone(nodes)),
            Ok(Link::Down(fault)) => Err(*fault),
            Ok(Link::Connecting) | Err(_) => Err(Fault::Closed),
        }
    }

    /// `lost` is of no use any more: another connection is made, unless that has begun.
    fn lose(&self, lost: &Arc<Nodes>) {
        let is_news = self.link.send_if_modified(|link| {
            let is_lost = matches!(link, Link::Up(nodes) if Arc::ptr_eq(nodes, lost));
            if is_lost {
                *link = Link::Connecting;
            }
            is_lost
        });
        if is_news {
            self.attention.notify_one();
        }
    }

    /// Whether nobody has found `nodes` lost.
    pub(super) fn is_up(&self, nodes: &Arc<Nodes>) -> bool {
        matches!(&*self.link.borrow(), Link::Up(current) if Arc::ptr_eq(current, nodes))
    }

    fn count(&self, fault: Fault) {
        let now = Instant::now();
        if fault.trips_breaker() && self.breaker().failed(now) {
            self.measures.breaker_is(BreakerState::Open { probe_at: now });
            self.note(|conditions, now| conditions.left_alone(fault, now));
            self.attention.notify_one();
        }
    }

    /// Changes what is known to be wrong.
    pub(super) fn note(&self, change: impl FnOnce(&mut Conditions, Instant)) {
        change(&mut self.conditions(), Instant::now());
    }

    /// Changes what is known to be wrong, and logs how it stands if that is news. For the background tasks: requests could
    /// bring news a thousand times in a second, and what they find a probe finds too.
    pub(super) fn note_and_say(&self, change: impl FnOnce(&mut Conditions, Instant)) {
        let news = {
            let now = Instant::now();
            let mut conditions = self.conditions();
            change(&mut conditions, now);
            conditions.news(now)
        };
        match news {
            None => {}
            Some(Ok(())) => tracing::info!("shared store: Redis answers"),
            Some(Err(fault)) => {
                tracing::warn!(error.type = fault.reason(), "shared store: {}", fault.sentence());
            }
        }
    }

    /// Whole after every statement.
    pub(super) fn conditions(&self) -> MutexGuard<'_, Conditions> {
        self.conditions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whole after every statement.
    pub(super) fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why there is no reply.
enum Unanswered {
    /// There was nothing to send it over.
    NotSent(Fault),
    /// It was sent, and failed.
    Sent(Fault),
}
