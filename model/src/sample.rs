//! Readings accepted: in the gauge's unit at its stored resolution, with every doubt about them.

use std::borrow::Cow;

use crate::{
    quality::Quality, quantity::Conversion, reading::Point, station::ValueRange, time::Timestamp,
};

/// What the server's own quality control says of a sample, beside what the device said.
///
/// What is kept with a sample is what nobody can say otherwise later. Whether its value lies in its
/// gauge's range is no part of that: the registry in force says it of all samples, whenever they
/// are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct QcFlags(pub u8);

impl QcFlags {
    /// Nothing to say.
    pub const NONE: Self = Self(0);
    /// Outside the gauge's `range`, by the registry in force.
    pub const RANGE: Self = Self(1);
    /// The moment is uncertain by more than half of the column's period.
    pub const CLOCK: Self = Self(2);

    /// The doubts of both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Those of `other` taken out.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether every doubt of `other` is among these.
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

/// A reading accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// The meter's moment.
    pub at: Timestamp,
    /// In the gauge's stored resolution, where a value stands.
    pub value: Option<i64>,
    /// What the device said of it.
    pub quality: Quality,
    /// What the server says of it.
    pub qc: QcFlags,
}

impl Sample {
    /// Whether it counts as water: a value stands and neither device nor server doubts it.
    pub fn is_good(self) -> bool {
        self.quality == Quality::GOOD && self.qc == QcFlags::NONE
    }

    /// With what a gauge's range says of it: the range in force, in the resolution of the value.
    #[must_use]
    pub fn within(self, range: Option<ValueRange>) -> Self {
        let is_outside = self.value.zip(range).is_some_and(|(value, range)| !range.contains(value));
        let kept = self.qc.without(QcFlags::RANGE);
        let qc = if is_outside { kept.and(QcFlags::RANGE) } else { kept };
        Self { qc, ..self }
    }

    /// `good`, `suspect`, `bad` or `estimated`, and the reason where there is one to name.
    pub fn quality_words(self) -> (&'static str, Option<Cow<'static, str>>) {
        match self.quality {
            Quality::GOOD if self.qc == QcFlags::NONE => ("good", None),
            Quality::GOOD if self.qc.has(QcFlags::RANGE) => ("suspect", Some("range".into())),
            Quality::GOOD => ("suspect", Some("clock".into())),
            Quality::SUSPECT => ("suspect", None),
            Quality::BAD => ("bad", None),
            Quality::ESTIMATED => ("estimated", None),
            doubt if doubt.has_value() => ("suspect", Some(doubt.word())),
            defect => ("bad", Some(defect.word())),
        }
    }
}

/// A point of a UTC column as a sample, unjudged; `None` where 64 bits do not hold its value.
pub fn derive(point: Point, conversion: Conversion) -> Option<Sample> {
    let value = match point.value() {
        Some(value) => Some(conversion.apply(value)?),
        None => None,
    };
    let at = Timestamp::from_ms(point.at_ms).ok()?;
    Some(Sample { at, value, quality: point.quality, qc: QcFlags::NONE })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_defect_never_becomes_a_number() {
        let at = Timestamp::from_ms(0).unwrap();
        let sample = Sample { at, value: None, quality: Quality::TIMEOUT, qc: QcFlags::NONE };
        assert!(!sample.is_good());
        assert_eq!(sample.quality_words(), ("bad", Some(Cow::Borrowed("timeout"))));
    }

    #[test]
    fn the_range_in_force_says_what_is_outside_whatever_was_said_before() {
        let at = Timestamp::from_ms(0).unwrap();
        let sample = |value| Sample { at, value, quality: Quality::GOOD, qc: QcFlags::CLOCK };
        let narrow = Some(ValueRange { low: 0, high: 10 });
        let flags = |value, range| sample(value).within(range).qc.0;
        // the ends belong to it
        assert_eq!([-1, 0, 10, 11].map(|value| flags(Some(value), narrow)), [3, 2, 2, 3]);
        assert_eq!((flags(None, narrow), flags(Some(11), None)), (2, 2));
        let wide = Some(ValueRange { low: 0, high: 99 });
        assert_eq!(sample(Some(11)).within(narrow).within(wide), sample(Some(11)));
    }

    #[test]
    fn either_doubt_is_enough() {
        let at = Timestamp::from_ms(0).unwrap();
        let good = Sample { at, value: Some(1), quality: Quality::GOOD, qc: QcFlags::NONE };
        assert!(good.is_good());
        assert!(!Sample { qc: QcFlags::RANGE, ..good }.is_good());
        assert!(!Sample { quality: Quality::from_code(77), ..good }.is_good());
    }
}
