//! Which bytes of a recording's file each part of its object holds. Pure.
//!
//! ```text
//! file     ... head as it grows ... | body .......................................|
//! object   head | body: first part  | part 2 | part 3 | ... | the last, shorter or not
//! ```
//!
//! The body is cut at the same bytes whatever the head is, so that a head that changes its length at the end
//! changes part 1 and no other.

use std::ops::Range;

use livetape_mux::object::ObjectLayout;
use livetape_store::PartRules;

/// How one object is cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    head_bytes: u64,
    body: Range<u64>,
    /// Bytes of the body in part 1.
    first_bytes: u64,
    rules: PartRules,
}

/// A recording that no store of this kind can hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// The head does not fit into a part.
    #[error("its head has {head_bytes} bytes, and all parts must have {part_bytes}; a larger s3.part_size is needed")]
    Head {
        /// Bytes of the head.
        head_bytes: u64,
        /// Bytes of a part.
        part_bytes: u64,
    },
    /// There are too many parts.
    #[error(
        "it has {bytes} bytes, which is more than {parts_max} parts of {part_bytes}; a larger s3.part_size is needed"
    )]
    Parts {
        /// Bytes of the object.
        bytes: u64,
        /// Bytes of a part.
        part_bytes: u64,
        /// The most parts there may be.
        parts_max: u32,
    },
}

impl Plan {
    /// The plan of an object that is laid out like this, as far as its body goes yet.
    pub(super) fn new(layout: &ObjectLayout, rules: PartRules) -> Result<Self, PlanError> {
        let head_bytes = layout.head.len() as u64;
        let first_bytes = match rules.equal {
            true => rules.part_bytes.saturating_sub(head_bytes),
            false => rules.part_bytes,
        };
        if first_bytes == 0 {
            return Err(PlanError::Head { head_bytes, part_bytes: rules.part_bytes });
        }
        let plan = Self { head_bytes, body: layout.body.clone(), first_bytes, rules };
        match plan.parts() <= u64::from(rules.parts_max) {
            true => Ok(plan),
            false => Err(PlanError::Parts {
                bytes: plan.object_bytes(),
                part_bytes: rules.part_bytes,
                parts_max: rules.parts_max,
            }),
        }
    }

    /// Bytes of the object.
    pub(super) fn object_bytes(&self) -> u64 {
        self.head_bytes + self.body_bytes()
    }

    fn body_bytes(&self) -> u64 {
        self.body.end.saturating_sub(self.body.start)
    }

    /// Whether the object is no larger than a part.
    pub(super) fn is_single(&self) -> bool {
        self.object_bytes() <= self.rules.part_bytes
    }

    /// How many parts it has now; at least one.
    fn parts(&self) -> u64 {
        1 + self.body_bytes().saturating_sub(self.first_bytes).div_ceil(self.rules.part_bytes)
    }

    /// The numbers of its parts now.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> + use<> {
        1..=u32::try_from(self.parts()).unwrap_or(u32::MAX)
    }

    /// The bytes of the file that part `number` holds; of part 1, those behind the head. Empty behind the end.
    pub(super) fn part(&self, number: u32) -> Range<u64> {
        let whole = self.whole_part(number);
        let within = |at: u64| at.min(self.body.end);
        within(whole.start)..within(whole.end)
    }

    /// Bytes of part `number`.
    pub(super) fn part_bytes(&self, number: u32) -> u64 {
        let range = self.part(number);
        range.end - range.start + if number == 1 { self.head_bytes } else { 0 }
    }

    /// Whether part `number` will not become longer.
    pub(super) fn is_full(&self, number: u32) -> bool {
        self.whole_part(number).end <= self.body.end
    }

    fn whole_part(&self, number: u32) -> Range<u64> {
        let first_end = self.body.start.saturating_add(self.first_bytes);
        match number {
            0 | 1 => self.body.start..first_end,
            later => {
                let start = first_end.saturating_add(u64::from(later - 2).saturating_mul(self.rules.part_bytes));
                start..start.saturating_add(self.rules.part_bytes)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use proptest::prelude::*;

    use super::*;

    fn layout(head: usize, body: Range<u64>) -> ObjectLayout {
        ObjectLayout { head: Bytes::from(vec![0; head]), body }
    }

    fn rules(part_bytes: u64, equal: bool) -> PartRules {
        PartRules { part_bytes, equal, parts_max: 10_000 }
    }

    #[test]
    fn parts_are_cut_from_the_body_whatever_the_head_is() {
        let growing = Plan::new(&layout(7, 100..345), rules(100, false)).unwrap();
        let finished = Plan::new(&layout(60, 100..345), rules(100, false)).unwrap();
        for plan in [&growing, &finished] {
            assert_eq!(plan.numbers().collect::<Vec<_>>(), [1, 2, 3]);
            assert_eq!([1, 2, 3, 4].map(|number| plan.part(number)), [100..200, 200..300, 300..345, 345..345]);
            assert_eq!([1, 2, 3].map(|number| plan.is_full(number)), [true, true, false]);
        }
        assert_eq!((growing.part_bytes(1), finished.part_bytes(1)), (107, 160));
    }

    #[test]
    fn equal_parts_count_the_head() {
        let plan = Plan::new(&layout(60, 100..345), rules(100, true)).unwrap();
        assert_eq!([1, 2, 3, 4].map(|number| plan.part(number)), [100..140, 140..240, 240..340, 340..345]);
        assert_eq!([1, 2, 3, 4].map(|number| plan.part_bytes(number)), [100, 100, 100, 5]);
        let error = Plan::new(&layout(100, 100..345), rules(100, true)).unwrap_err();
        assert_eq!(error, PlanError::Head { head_bytes: 100, part_bytes: 100 });
    }

    #[test]
    fn what_fits_into_a_part_is_one_and_too_much_is_refused() {
        assert!(Plan::new(&layout(40, 0..60), rules(100, false)).unwrap().is_single());
        assert!(!Plan::new(&layout(41, 0..60), rules(100, false)).unwrap().is_single());
        let few = PartRules { parts_max: 2, ..rules(100, false) };
        assert!(Plan::new(&layout(40, 0..200), few).is_ok());
        assert!(matches!(Plan::new(&layout(40, 0..201), few), Err(PlanError::Parts { .. })));
    }

    proptest! {
        #[test]
        fn every_byte_is_in_one_part(head in 0usize..90, start in 0u64..500, len in 0u64..5_000, equal: bool) {
            let plan = Plan::new(&layout(head, start..start + len), rules(90, equal)).unwrap_or_else(|_| {
                Plan::new(&layout(0, start..start + len), rules(90, equal)).unwrap()
            });
            let mut at = start;
            for number in plan.numbers() {
                let part = plan.part(number);
                prop_assert_eq!(part.start, at);
                at = part.end;
            }
            prop_assert_eq!(at, start + len);
            let sum: u64 = plan.numbers().map(|number| plan.part_bytes(number)).sum();
            prop_assert_eq!(sum, plan.object_bytes());
        }
    }
}
