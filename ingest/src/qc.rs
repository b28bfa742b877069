//! The server's own doubt about values, beside what the device said: today the gauge's range.

use model::{sample::QcFlags, station::ValueRange, wire::runs};

/// What to say of one value.
pub fn flags(value: Option<i64>, range: Option<ValueRange>) -> QcFlags {
    match (value, range) {
        (Some(value), Some(range)) if !range.contains(value) => QcFlags::RANGE,
        _ => QcFlags::NONE,
    }
}

/// The flags of a column as the store keeps them; `None` where no point is flagged.
pub fn encode(flags: &[QcFlags]) -> Option<Vec<u8>> {
    let is_flagged = flags.iter().any(|flag| *flag != QcFlags::NONE);
    is_flagged.then(|| runs::encode(flags.iter().map(|flag| u64::from(flag.0))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_range_belong_to_it() {
        let range = Some(ValueRange { low: 0, high: 10 });
        let flagged = |value| flags(value, range) == QcFlags::RANGE;
        assert_eq!([-1, 0, 10, 11].map(|value| flagged(Some(value))), [true, false, false, true]);
        assert!(!flagged(None));
    }

    #[test]
    fn an_unflagged_column_costs_nothing() {
        assert_eq!(encode(&[QcFlags::NONE; 9]), None);
        assert_eq!(encode(&[QcFlags::NONE, QcFlags::RANGE]), Some(vec![0, 1, 1, 1]));
    }
}
