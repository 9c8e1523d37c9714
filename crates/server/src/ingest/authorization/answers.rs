//! What was answered a moment ago.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::Verdict;

/// Answers that are remembered at most.
const ANSWERS_MAX: usize = 4_096;

/// What a question is known by: a hash, for there are secrets in it.
pub(super) type Question = [u8; 32];

/// Answers that still hold.
#[derive(Debug)]
pub(super) struct Answers {
    /// How long each holds.
    lifetime: Duration,
    known: BTreeMap<Question, (Instant, Verdict)>,
}

impl Answers {
    /// Each holds for `lifetime`; none, when that is zero.
    pub(super) fn new(lifetime: Duration) -> Self {
        Self { lifetime, known: BTreeMap::new() }
    }

    /// What was answered, if that still holds.
    pub(super) fn find(&self, question: &Question, now: Instant) -> Option<Verdict> {
        let (at, verdict) = self.known.get(question)?;
        (now.saturating_duration_since(*at) < self.lifetime).then(|| verdict.clone())
    }

    /// Remembers an answer, unless there are too many that still hold.
    pub(super) fn keep(&mut self, question: Question, verdict: Verdict, now: Instant) {
        if self.lifetime.is_zero() {
            return;
        }
        if self.known.len() >= ANSWERS_MAX {
            let lifetime = self.lifetime;
            self.known.retain(|_, (at, _)| now.saturating_duration_since(*at) < lifetime);
        }
        if self.known.len() < ANSWERS_MAX || self.known.contains_key(&question) {
            self.known.insert(question, (now, verdict));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::authorization::Reason;

    #[test]
    fn an_answer_holds_for_a_while_and_not_longer() {
        let (begin, s) = (Instant::now(), Duration::from_secs);
        let mut answers = Answers::new(s(5));
        answers.keep([1; 32], Ok(()), begin);
        answers.keep([2; 32], Err(Reason::Refused.into()), begin);
        assert_eq!(answers.find(&[1; 32], begin + Duration::from_millis(4_999)), Some(Ok(())));
        assert_eq!(answers.find(&[2; 32], begin), Some(Err(Reason::Refused.into())));
        assert_eq!(answers.find(&[1; 32], begin + s(5)), None);
        assert_eq!(answers.find(&[3; 32], begin), None);
        let mut none = Answers::new(Duration::ZERO);
        none.keep([1; 32], Ok(()), begin);
        assert_eq!(none.find(&[1; 32], begin), None);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_the_old_makes_room() {
        let (begin, s) = (Instant::now(), Duration::from_secs);
        let question = |number: usize| {
            let mut question = [0; 32];
            question[..8].copy_from_slice(&number.to_be_bytes());
            question
        };
        let mut answers = Answers::new(s(5));
        for number in 0..ANSWERS_MAX + 100 {
            answers.keep(question(number), Ok(()), begin);
        }
        assert_eq!(answers.known.len(), ANSWERS_MAX);
        answers.keep(question(0), Err(Reason::Refused.into()), begin + s(1));
        assert_eq!(answers.find(&question(0), begin + s(1)), Some(Err(Reason::Refused.into())));
        answers.keep(question(1 << 20), Ok(()), begin + s(5));
        assert_eq!(answers.known.len(), 2, "the newer one and this");
    }
}
