//! When something that failed is tried again.
//!
//! Pure: times and a random number in, a time out.

use std::time::Duration;

const SECOND: u64 = 1;
const MINUTE: u64 = 60;
const HOUR: u64 = 3600;

/// Waits after the first, second ... failed attempt to deliver an event, in seconds.
const DELIVERY_WAITS: [u64; 9] =
    [5 * SECOND, 30 * SECOND, 2 * MINUTE, 10 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 4 * HOUR, 8 * HOUR];
/// Wait after every further one.
const DELIVERY_WAIT_MAX: u64 = 12 * HOUR;
/// No attempt to deliver an event is put off longer than this.
pub const DELIVERY_WAIT_LONGEST: Duration = Duration::from_secs(DELIVERY_WAIT_MAX * 6 / 5);
/// How long the first ten attempts take together, at most.
pub(crate) const DELIVERY_FIRST_TEN: Duration = Duration::from_secs(19 * HOUR);
/// How long after a failed attempt a dead endpoint is tried again.
pub(crate) const PROBE_WAIT: Duration = Duration::from_secs(30);
/// How long an event is tried.
pub const DELIVERY_AGE_MAX: Duration = Duration::from_secs(72 * HOUR);
/// The longest a receiver's `Retry-After` can put an attempt off.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(12 * HOUR);

const UPLOAD_WAIT_FIRST: Duration = Duration::from_secs(1);
const UPLOAD_WAIT_MAX: Duration = Duration::from_secs(5 * MINUTE);

/// How long to wait after the failed attempt number `attempt` (from 1) to deliver an event that is
/// `age` old; `None` to give up.
///
/// 5 s, 30 s, 2 min, 10 min, 30 min, 1 h, 2 h, 4 h, 8 h, then every 12 h, each 20 % more or less as
/// `random` (uniform over all values) says, so that events that failed together do not come back
/// together. `retry_after` is the receiver's own wish and can only lengthen the wait, up to 12 h.
///
/// An event is tried for three days, with the last attempt at their end. Attempts, not only the
/// calendar, have to run out: an event that waited three days while this program was stopped still
/// gets the first ten.
pub fn delivery_wait(attempt: u32, age: Duration, retry_after: Option<Duration>, random: u32) -> Option<Duration> {
    let index = usize::try_from(attempt.saturating_sub(1)).unwrap_or(usize::MAX);
    let scheduled = DELIVERY_WAITS.get(index).copied();
    if scheduled.is_none() && age >= DELIVERY_AGE_MAX {
        return None;
    }
    // 80 % to 120 % in steps of a thousandth.
    let thousandths = 800 + random % 401;
    let wait = Duration::from_secs(scheduled.unwrap_or(DELIVERY_WAIT_MAX)) * thousandths / 1000;
    let wait = wait.max(retry_after.unwrap_or_default().min(RETRY_AFTER_MAX));
    match DELIVERY_AGE_MAX.checked_sub(age) {
        Some(left) if !left.is_zero() => Some(wait.min(left)),
        _ => Some(wait),
    }
}

/// How long to wait after the failed attempt number `attempt` (from 1) to put something into the
/// store: between half and all of 1 s, 2 s, 4 s ... 5 min, as `random` says. For ever: the spool has the bytes.
///
/// `slow` is for what only people can put right (rights, settings): 5 min at once.
pub fn upload_wait(attempt: u32, slow: bool, random: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    let ceiling = if slow { UPLOAD_WAIT_MAX } else { (UPLOAD_WAIT_FIRST * (1 << doublings)).min(UPLOAD_WAIT_MAX) };
    ceiling / 2 + ceiling / 2 * (random % 1001) / 1000
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MIDDLE: u32 = 200;

    #[test]
    fn an_event_is_tried_for_three_days() {
        let (mut age, mut attempt, mut waits) = (Duration::ZERO, 1, Vec::new());
        while let Some(wait) = delivery_wait(attempt, age, None, MIDDLE) {
            age += wait;
            attempt += 1;
            waits.push(wait.as_secs());
        }
        assert_eq!(waits[..9], DELIVERY_WAITS);
        assert_eq!(waits[9..13], [12 * HOUR; 4]);
        assert_eq!(age, DELIVERY_AGE_MAX, "the last attempt is at the end of the third day");
        assert_eq!(attempt, 15);
    }

    #[test]
    fn the_first_ten_attempts_are_over_when_they_are_said_to_be() {
        let waits = (1..=9).map(|attempt| delivery_wait(attempt, Duration::ZERO, None, 400).unwrap());
        let all: Duration = waits.sum();
        assert!(all < DELIVERY_FIRST_TEN && DELIVERY_FIRST_TEN < all + Duration::from_secs(HOUR), "{all:?}");
    }

    #[test]
    fn an_event_that_was_old_before_its_first_attempt_still_gets_ten() {
        let old = DELIVERY_AGE_MAX * 3;
        for attempt in 1..=9 {
            assert!(delivery_wait(attempt, old, None, MIDDLE).is_some(), "{attempt}");
        }
        assert_eq!(delivery_wait(10, old, None, MIDDLE), None);
    }

    #[test]
    fn a_receiver_can_ask_for_more_time_but_not_for_less_and_not_for_ever() {
        let wait = |seconds| delivery_wait(2, Duration::ZERO, Some(Duration::from_secs(seconds)), MIDDLE).unwrap();
        assert_eq!(wait(0).as_secs(), 30);
        assert_eq!(wait(45).as_secs(), 45);
        assert_eq!(wait(u64::MAX).as_secs(), 12 * HOUR);
    }

    #[test]
    fn uploads_back_off_to_five_minutes() {
        let most = |attempt| upload_wait(attempt, false, 1000).as_secs();
        assert_eq!((1..=11).map(most).collect::<Vec<_>>(), [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(upload_wait(1, true, 1000), UPLOAD_WAIT_MAX);
    }

    proptest! {
        #[test]
        fn waits_stay_within_their_bounds(attempt: u32, age_s in 0u64..400_000, random: u32, slow: bool) {
            if let Some(wait) = delivery_wait(attempt, Duration::from_secs(age_s), None, random) {
                prop_assert!(wait > Duration::ZERO && wait <= Duration::from_secs(DELIVERY_WAIT_MAX) * 6 / 5);
            }
            let wait = upload_wait(attempt, slow, random);
            prop_assert!(wait >= UPLOAD_WAIT_FIRST / 2 && wait <= UPLOAD_WAIT_MAX);
        }
    }
}
