//! A sample, and a page of them, as the API shows them.

use std::borrow::Cow;

use model::{ids::GaugeId, station::Gauge, time::Timestamp};
use serde::Serialize;
use store::{Page, StoredSample};
use utoipa::ToSchema;

use crate::number::Exact;

/// What one gauge measured at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Sample)]
pub struct SampleView {
    /// The meter's moment, in UTC.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The exact value in the gauge's unit; null where there is none, which is not zero.
    #[schema(value_type = Option<f64>, required = true)]
    pub value: Option<Exact>,
    /// `good`, `suspect`, `bad` or `estimated`; only what is good counts as water.
    #[schema(value_type = String)]
    pub quality: &'static str,
    /// Why it is not good, where there is a word for it; otherwise missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub reason: Option<Cow<'static, str>>,
}

/// A page of samples in ascending moments, each moment once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Samples)]
pub struct SamplesView {
    /// The gauge's full name.
    #[schema(value_type = String, example = "BF-620721-04/release-meter")]
    pub gauge: GaugeId,
    /// The unit of every value; null where nothing is stored yet.
    pub unit: Option<&'static str>,
    /// The samples.
    pub samples: Vec<SampleView>,
    /// `cursor` of the next page; null at the end.
    #[schema(required = true)]
    pub next: Option<String>,
}

impl SampleView {
    /// A stored sample as it is shown, with what is said of it.
    pub fn of(stored: &StoredSample) -> Self {
        let (quality, reason) = stored.sample.quality_words();
        Self { at: stored.sample.at, value: stored.decimal().map(Exact::new), quality, reason }
    }
}

impl SamplesView {
    /// A page of a gauge as it is shown, where the registry has one of this name by what that says.
    pub fn of((gauge, known): (&GaugeId, Option<&Gauge>), page: &Page) -> Self {
        let samples = page.samples.iter().map(|stored| SampleView::of(&stored.of_gauge(known)));
        Self {
            gauge: gauge.clone(),
            unit: page.unit.map(model::quantity::Unit::name),
            samples: samples.collect(),
            next: page.next.map(|next| next.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use model::{
        quality::Quality,
        sample::{QcFlags, Sample},
    };

    use super::*;

    fn check(value: Option<i64>, quality: Quality, qc: QcFlags, expected: &Expect) {
        let at = "2026-11-22T08:00:00+08:00".parse().unwrap();
        let stored = StoredSample { sample: Sample { at, value, quality, qc }, decimals: 6 };
        expected.assert_eq(&serde_json::to_string(&SampleView::of(&stored)).unwrap());
    }

    #[test]
    fn a_defect_has_no_value_and_a_reason() {
        check(
            Some(612_000),
            Quality::GOOD,
            QcFlags::NONE,
            &expect![[r#"{"at":"2026-11-22T00:00:00Z","value":0.612,"quality":"good"}"#]],
        );
        check(
            Some(9_000_000),
            Quality::GOOD,
            QcFlags::RANGE,
            &expect![[
                r#"{"at":"2026-11-22T00:00:00Z","value":9,"quality":"suspect","reason":"range"}"#
            ]],
        );
        check(
            None,
            Quality::TIMEOUT,
            QcFlags::NONE,
            &expect![[
                r#"{"at":"2026-11-22T00:00:00Z","value":null,"quality":"bad","reason":"timeout"}"#
            ]],
        );
    }
}
