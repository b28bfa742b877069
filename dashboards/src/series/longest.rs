//! The longest of many stretches, in bounded room.

/// The longest so many of whatever was put in, the earlier one of two of one length.
#[derive(Debug)]
pub struct Longest<T> {
    capacity: usize,
    /// Length, and the place in the order in which they came.
    kept: Vec<(i64, u64, T)>,
    count: u64,
}

impl<T> Longest<T> {
    /// Room for so many.
    pub const fn new(capacity: usize) -> Self {
        Self { capacity, kept: Vec::new(), count: 0 }
    }

    /// One more of this length.
    pub fn put(&mut self, length: i64, what: T) {
        self.kept.push((length, self.count, what));
        self.count = self.count.saturating_add(1);
        // twice as many, so that they are not sorted for each one
        if self.kept.len() >= self.capacity.saturating_mul(2).max(16) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        self.kept.sort_unstable_by_key(|(length, order, _)| (std::cmp::Reverse(*length), *order));
        self.kept.truncate(self.capacity);
    }

    /// Those that are kept in the order in which they came, and how many are not.
    pub fn finish(mut self) -> (Vec<T>, u64) {
        self.cut();
        self.kept.sort_unstable_by_key(|(_, order, _)| *order);
        let kept: Vec<T> = self.kept.into_iter().map(|(_, _, what)| what).collect();
        let left_off = self.count.saturating_sub(u64::try_from(kept.len()).unwrap_or(u64::MAX));
        (kept, left_off)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_longest_are_kept_in_their_order(
            lengths in proptest::collection::vec(0_i64..20, 0..200), capacity in 0_usize..30,
        ) {
            let mut longest = Longest::new(capacity);
            for (place, length) in lengths.iter().enumerate() {
                longest.put(*length, place);
                prop_assert!(longest.kept.len() < (2 * capacity).max(16));
            }
            let (kept, left_off) = longest.finish();
            let mut expected: Vec<usize> = (0..lengths.len()).collect();
            expected.sort_by_key(|place| (std::cmp::Reverse(lengths[*place]), *place));
            expected.truncate(capacity);
            expected.sort_unstable();
            prop_assert_eq!(left_off, u64::try_from(lengths.len() - expected.len()).unwrap());
            prop_assert_eq!(kept, expected);
        }
    }
}
