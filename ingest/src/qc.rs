//! The server's own doubt about readings as the store keeps it, beside what the device said: whether
//! their moments are certain. Whether a value lies in its gauge's range is not kept: that is for the
//! registry in force to say, of all samples, whenever they are looked at.

use model::{sample::QcFlags, wire::runs};

/// One doubt about every point of a column, as the store keeps it; `None` where there is none.
pub fn encode(doubt: QcFlags, points: usize) -> Option<Vec<u8>> {
    let flags = std::iter::repeat_n(u64::from(doubt.0), points);
    (doubt != QcFlags::NONE).then(|| runs::encode(flags))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unflagged_column_costs_nothing() {
        assert_eq!(encode(QcFlags::NONE, 9), None);
        assert_eq!(encode(QcFlags::CLOCK, 9), Some(vec![2, 9]));
    }
}
