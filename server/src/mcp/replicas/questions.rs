//! A request to the client whose answer comes to another replica.
//!
//! The replica that asks leaves a question; the one that gets the answer finds it, leaves the answer and says so. Nobody who
//! was not asked can answer: the question is bound to the session, and gone once it is answered.

use std::time::Duration;

use bytes::Bytes;
use serde_json::value::RawValue;

use super::{LOOK_AGAIN, Message, Place, Replicas};
use crate::{
    mcp::session::Session,
    store::{Key, KeyKind, StoreError},
};

/// How long an answer is kept for the replica that asked. Chosen: it looks every [`LOOK_AGAIN`].
const ANSWER_KEPT: Duration = Duration::from_secs(60);

/// What an answer begins with: a result follows, or nothing after an error.
const RESULT: u8 = 1;
const ERROR: u8 = 0;

/// What became of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::mcp) enum Passed {
    /// The replica that asked will find it.
    On,
    /// Nobody has asked.
    NotAsked,
}

impl Replicas {
    /// Says that this replica has asked `question`, for as long as it waits. One that cannot be said is answered here alone.
    pub(in crate::mcp) async fn asks(&self, session: &Session, question: u64, patience: Duration) {
        let key = question_key(session, question);
        let value = self.seal(&Place { key: &key, owner: &session.owner, number: 0 }, &[]);
        if let Err(problem) = self.store.put(&key, value, patience).await {
            tracing::debug!("a request to a client can be answered here alone: {problem}");
        }
    }

    /// Nobody waits any more.
    pub(in crate::mcp) async fn asks_no_more(&self, session: &Session, question: u64) {
        // Else it ends by itself.
        let _ = self.store.take(&question_key(session, question)).await;
    }

    /// Gives an answer of the client to the replica that asked. `None` for an error.
    pub(in crate::mcp) async fn pass_on(
        &self,
        session: &Session,
        question: u64,
        result: Option<&RawValue>,
    ) -> Result<Passed, StoreError> {
        let (asked, answer) = (question_key(session, question), answer_key(session, question));
        let Some(sealed) = self.store.get(&asked).await? else { return Ok(Passed::NotAsked) };
        if self.open(&Place { key: &asked, owner: &session.owner, number: 0 }, &sealed).is_none() {
            return Ok(Passed::NotAsked);
        }
        let mut content = vec![if result.is_some() { RESULT } else { ERROR }];
        content.extend_from_slice(result.map(|result| result.get().as_bytes()).unwrap_or_default());
        let value: Bytes = self.seal(&Place { key: &answer, owner: &session.owner, number: 0 }, &content);
        self.store.put(&answer, value, ANSWER_KEPT).await?;
        self.store.take(&asked).await?;
        self.tell(&Message::Answered { session: session.record.name, question }).await;
        Ok(Passed::On)
    }

    /// Gives an answer that another replica left to whoever waits here.
    pub(super) async fn take_answer(&self, session: &Session, question: u64) {
        let key = answer_key(session, question);
        let Ok(Some(sealed)) = self.store.get(&key).await else { return };
        let Some(content) = self.open(&Place { key: &key, owner: &session.owner, number: 0 }, &sealed) else { return };
        match content.split_first() {
            Some((&RESULT, json)) => {
                if let Ok(result) = serde_json::from_slice::<Box<RawValue>>(json) {
                    session.answered(question, Some(&result));
                }
            }
            Some((&ERROR, [])) => {
                session.answered(question, None);
            }
            _ => {}
        }
        // Only now: an answer that is taken and lost on the way would be lost for good. Else it ends by itself.
        let _ = self.store.take(&key).await;
    }

    /// Looks for the answers to `questions` now and then, for as long as it is polled.
    pub(in crate::mcp) async fn look_for_answers(&self, session: &Session, questions: &[u64]) {
        loop {
            tokio::time::sleep(LOOK_AGAIN).await;
            for question in questions.iter().filter(|question| session.waits_for(**question)) {
                self.take_answer(session, *question).await;
            }
        }
    }
}

fn question_key(session: &Session, question: u64) -> Key {
    Key::new(KeyKind::Question, &[&session.record.name, &question.to_be_bytes()])
}

fn answer_key(session: &Session, question: u64) -> Key {
    Key::new(KeyKind::Answer, &[&session.record.name, &question.to_be_bytes()])
}
