//! Long lists of small numbers in little memory: one to three bytes each instead of eight.

/// Numbers in blocks of this many bytes, so that growing never copies and wastes at most a block.
const BLOCK: usize = 4096;
/// The longest encoding of a number.
const LONGEST: usize = 10;

/// An append-only list of numbers, seven bits to a byte, the low ones first.
#[derive(Clone, Debug, Default)]
pub(super) struct NumberLog {
    blocks: Vec<Vec<u8>>,
}

impl NumberLog {
    pub(super) fn push(&mut self, mut value: u64) {
        if self.blocks.last().is_none_or(|block| block.len() + LONGEST > BLOCK) {
            self.blocks.push(Vec::with_capacity(if self.blocks.is_empty() { 256 } else { BLOCK }));
        }
        let Some(block) = self.blocks.last_mut() else { return };
        while value >= 0x80 {
            block.push(value as u8 | 0x80);
            value >>= 7;
        }
        block.push(value as u8);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = u64> {
        let mut bytes = self.blocks.iter().flatten();
        std::iter::from_fn(move || {
            let mut value = 0;
            let mut shift = 0;
            loop {
                let byte = *bytes.next()?;
                value |= u64::from(byte & 0x7f) << shift;
                shift += 7;
                if byte & 0x80 == 0 {
                    return Some(value);
                }
            }
        })
    }

    /// Bytes of memory in use.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.blocks.iter().map(Vec::capacity).sum()
    }
}

/// An append-only list of signed numbers of which many in a row are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct RunLog {
    closed: NumberLog,
    closed_runs: u64,
    /// The run that may still grow: its length and value.
    open: Option<(u64, i64)>,
}

impl RunLog {
    pub(super) fn push(&mut self, value: i64) {
        match &mut self.open {
            Some((count, last)) if *last == value => *count += 1,
            open => {
                if let Some((count, last)) = open.replace((1, value)) {
                    self.closed.push(count);
                    self.closed.push((last << 1 ^ last >> 63) as u64);
                    self.closed_runs += 1;
                }
            }
        }
    }

    /// The last value is another one after all.
    pub(super) fn amend(&mut self, value: i64) {
        if let Some((count, _)) = &mut self.open {
            *count -= 1;
            if *count == 0 {
                self.open = None;
            }
            self.push(value);
        }
    }

    /// How many runs there are.
    pub(super) fn len(&self) -> u64 {
        self.closed_runs + u64::from(self.open.is_some())
    }

    /// Every run: its length and value.
    pub(super) fn runs(&self) -> impl Iterator<Item = (u64, i64)> {
        let mut numbers = self.closed.iter();
        let closed = std::iter::from_fn(move || {
            let count = numbers.next()?;
            let folded = numbers.next()?;
            Some((count, (folded >> 1) as i64 ^ -((folded & 1) as i64)))
        });
        closed.chain(self.open)
    }

    /// Bytes of memory in use.
    #[cfg(test)]
    pub(super) fn memory(&self) -> usize {
        self.closed.memory()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn numbers_come_back(values in proptest::collection::vec(any::<u64>().prop_flat_map(|v| (0u32..64).prop_map(move |s| v >> s)), 0..3000)) {
            let mut log = NumberLog::default();
            for value in &values {
                log.push(*value);
            }
            prop_assert_eq!(log.iter().collect::<Vec<_>>(), values);
        }

        #[test]
        fn runs_come_back(values in proptest::collection::vec((1usize..5, prop_oneof![Just(0i64), -3i64..3, any::<i64>()]), 0..500)) {
            let mut log = RunLog::default();
            let flat: Vec<i64> = values.iter().flat_map(|(count, value)| vec![*value; *count]).collect();
            for value in &flat {
                log.push(*value);
            }
            let runs: Vec<_> = log.runs().collect();
            prop_assert_eq!(runs.len() as u64, log.len());
            prop_assert!(runs.windows(2).all(|pair| pair[0].1 != pair[1].1), "neighbouring runs differ");
            prop_assert_eq!(runs.into_iter().flat_map(|(count, value)| vec![value; count as usize]).collect::<Vec<_>>(), flat);
        }
    }
}
