//! Pairs of varints (what, how often): how steps, quality codes and QC flags lie in bytes.

use prost::encoding::{decode_varint, encode_varint};

/// Appends one pair.
pub fn push(bytes: &mut Vec<u8>, what: u64, repeats: u64) {
    encode_varint(what, bytes);
    encode_varint(repeats, bytes);
}

/// The pairs of `items`, neighbours that are equal united.
pub fn encode(items: impl IntoIterator<Item = u64>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut run: Option<(u64, u64)> = None;
    for item in items {
        run = match run {
            Some((what, repeats)) if what == item => Some((what, repeats + 1)),
            other => {
                if let Some((what, repeats)) = other {
                    push(&mut bytes, what, repeats);
                }
                Some((item, 1))
            }
        };
    }
    if let Some((what, repeats)) = run {
        push(&mut bytes, what, repeats);
    }
    bytes
}

/// Reads pairs one item at a time, so that a run of any length costs nothing.
#[derive(Debug)]
pub struct Runs<'a> {
    bytes: &'a [u8],
    what: u64,
    left: u64,
}

/// Not pairs of varints, or a run of no items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

impl<'a> Runs<'a> {
    /// Over these bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, what: 0, left: 0 }
    }

    /// The next item; `None` at the end.
    pub fn next_item(&mut self) -> Result<Option<u64>, Malformed> {
        if self.left == 0 {
            if self.bytes.is_empty() {
                return Ok(None);
            }
            self.what = varint(&mut self.bytes)?;
            self.left = varint(&mut self.bytes)?;
            if self.left == 0 {
                return Err(Malformed);
            }
        }
        self.left -= 1;
        Ok(Some(self.what))
    }
}

/// The next varint of `bytes`.
pub(crate) fn varint(bytes: &mut &[u8]) -> Result<u64, Malformed> {
    decode_varint(bytes).map_err(|_cause: prost::DecodeError| Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(bytes: &[u8]) -> Result<Vec<u64>, Malformed> {
        let mut runs = Runs::new(bytes);
        let mut items = Vec::new();
        while let Some(item) = runs.next_item()? {
            items.push(item);
        }
        Ok(items)
    }

    proptest! {
        #[test]
        fn items_come_back(items in proptest::collection::vec(0_u64..3, 0..50)) {
            prop_assert_eq!(decode(&encode(items.iter().copied())), Ok(items));
        }
    }

    #[test]
    fn equal_steps_cost_three_bytes() {
        assert_eq!(encode([5000; 11]).len(), 3);
    }

    #[test]
    fn a_run_of_nothing_is_malformed() {
        assert_eq!(decode(&[1, 0]), Err(Malformed));
        assert_eq!(decode(&[1]), Err(Malformed));
    }
}
