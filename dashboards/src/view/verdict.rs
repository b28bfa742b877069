//! A verdict, and a page of them, as the API shows them: what its judgement says, read and not
//! computed.

use model::{
    ids::{SectionKey, StationId},
    quantity::Decimal,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use store::VerdictRow;
use utoipa::ToSchema;

use crate::number::Exact;

/// What a period is, with the arithmetic that shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Verdict)]
pub struct VerdictView {
    /// The river reach.
    #[schema(example = "dam")]
    pub section: String,
    /// The period's first moment.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// The moment after it.
    #[schema(value_type = String, format = DateTime)]
    pub to: Timestamp,
    /// `met`, `short`, `exempt` or `indeterminate`; null for an hour of a rule that judges days
    /// alone, and where what was said is withdrawn.
    pub verdict: Option<String>,
    /// `enough`, `below`, `excused`, `too_little_known`; or `withdrawn`: under the registry in force
    /// this is no period any more, and what follows is null.
    pub because: String,
    /// The mean that had to be released, m³/s, rounded up; null where all of it is exempt.
    #[schema(value_type = Option<f64>, example = 1.2)]
    pub required: Option<Exact>,
    /// The mean that is known to have been released, m³/s, rounded down; null where nothing is.
    #[schema(value_type = Option<f64>, example = 1.19)]
    pub observed: Option<Exact>,
    /// `lower` where an outlet was missing for a time, so that at least this much was released.
    pub bound: Option<String>,
    /// The share of the time for which every outlet's value stood fresh, rounded down.
    #[schema(value_type = Option<f64>, example = 0.75)]
    pub coverage: Option<Exact>,
    /// What was missing while every outlet's value stood, m³.
    #[schema(value_type = Option<f64>)]
    pub deficit_m3: Option<Exact>,
    /// The document that demands it.
    pub document: Option<String>,
    /// The rule that judges.
    pub rule: Option<String>,
    /// What of the period is compared: `hourly_mean` and so on.
    pub statistic: Option<String>,
    /// The share of the mandated flow that is enough.
    #[schema(value_type = Option<f64>)]
    pub factor: Option<Exact>,
    /// Of a day whose hours are judged: how many are what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<HoursView>,
    /// 0 while the period is open; from 1 on, one more wherever the outcome changed.
    pub version: u32,
    /// Whether the period is open, so that this is overwritten.
    pub provisional: bool,
    /// Whether this version came after the close of its month.
    pub late: bool,
    /// When it was judged.
    #[schema(value_type = String, format = DateTime)]
    pub judged_at: Timestamp,
    /// The entry of the journal that names it; null while it is provisional.
    pub entry: Option<i64>,
}

/// How many hours of a day are what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = VerdictHours)]
pub struct HoursView {
    /// Met.
    pub met: u32,
    /// Short.
    pub short: u32,
    /// Exempt.
    pub exempt: u32,
    /// Not to be told.
    pub indeterminate: u32,
}

/// A page of a station's verdicts, by period and version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Verdicts)]
pub struct VerdictsView {
    /// The station.
    #[schema(value_type = String, example = "BF-620721-04")]
    pub station: StationId,
    /// `hour` or `day`.
    #[schema(value_type = String)]
    pub by: &'static str,
    /// The verdicts.
    pub verdicts: Vec<VerdictView>,
    /// `cursor` of the next page; null at the end.
    #[schema(required = true)]
    pub next: Option<String>,
}

/// A stored judgement that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("the verdict from {from}, version {version}, cannot be read: {problem}")]
pub struct Unreadable {
    from: Timestamp,
    version: u32,
    problem: String,
}

#[derive(Deserialize)]
struct Judgement {
    because: String,
    document: Option<String>,
    rule: Option<String>,
    statistic: Option<String>,
    factor: Option<String>,
    required: Option<String>,
    observed: Option<String>,
    bound: Option<String>,
    coverage: Option<String>,
    deficit_m3: Option<String>,
    hours: Option<HoursView>,
}

impl VerdictView {
    /// A stored verdict of `section` as it is shown.
    pub fn of(section: &SectionKey, row: &VerdictRow) -> Result<Self, Unreadable> {
        let unreadable =
            |problem| Unreadable { from: row.span.from, version: row.version, problem };
        let read: Judgement =
            serde_json::from_slice(&row.bytes).map_err(|error| unreadable(error.to_string()))?;
        let exact = |text: &str| match text.parse::<Decimal>() {
            Ok(decimal) => Ok(Exact::new(decimal)),
            Err(error) => Err(unreadable(error.to_string())),
        };
        let number = |text: &Option<String>| text.as_deref().map(exact).transpose();
        Ok(Self {
            section: section.section.to_string(),
            from: row.span.from,
            to: row.span.to,
            verdict: row.verdict.map(|verdict| verdict.word().to_owned()),
            required: number(&read.required)?,
            observed: number(&read.observed)?,
            coverage: number(&read.coverage)?,
            deficit_m3: number(&read.deficit_m3)?,
            factor: number(&read.factor)?,
            because: read.because,
            bound: read.bound,
            document: read.document,
            rule: read.rule,
            statistic: read.statistic,
            hours: read.hours,
            version: row.version,
            provisional: row.version == 0,
            late: row.is_late,
            judged_at: row.judged_at,
            entry: row.entry,
        })
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use model::{
        time::Span,
        verdict::{Length, Verdict},
    };

    use super::*;

    #[test]
    fn a_verdict_shows_what_its_judgement_says() {
        let bytes = r#"{"v":1,"station":"S","section":"dam","by":"day","from":"2026-03-31T16:00:00Z","to":"2026-04-01T16:00:00Z","verdict":"short","because":"below","document":"示例文号 1","rule":"r","statistic":"hourly_mean","factor":"1","required":"1.2","observed":"1.199999","bound":"lower","coverage":"0.7499","deficit_m3":null,"hours":{"met":21,"short":3,"exempt":0,"indeterminate":0},"sums":{}}"#;
        let row = VerdictRow {
            by: Length::Day,
            span: Span {
                from: "2026-03-31T16:00:00Z".parse().unwrap(),
                to: "2026-04-01T16:00:00Z".parse().unwrap(),
            },
            version: 2,
            verdict: Some(Verdict::Short),
            is_withdrawn: false,
            judged_at: "2026-04-02T00:00:00Z".parse().unwrap(),
            is_late: false,
            entry: Some(7),
            bytes: bytes.as_bytes().to_vec(),
        };
        let section = SectionKey { station: "S".parse().unwrap(), section: "dam".parse().unwrap() };
        let shown = serde_json::to_string(&VerdictView::of(&section, &row).unwrap()).unwrap();
        expect![[r#"{"section":"dam","from":"2026-03-31T16:00:00Z","to":"2026-04-01T16:00:00Z","verdict":"short","because":"below","required":1.2,"observed":1.199999,"bound":"lower","coverage":0.7499,"deficit_m3":null,"document":"示例文号 1","rule":"r","statistic":"hourly_mean","factor":1,"hours":{"met":21,"short":3,"exempt":0,"indeterminate":0},"version":2,"provisional":false,"late":false,"judged_at":"2026-04-02T00:00:00Z","entry":7}"#]]
        .assert_eq(&shown);
        let bytes = r#"{"v":1,"station":"S","section":"dam","by":"day","from":"2026-03-31T16:00:00Z","to":"2026-04-01T16:00:00Z","verdict":null,"because":"withdrawn"}"#;
        let bytes = bytes.as_bytes().to_vec();
        let withdrawn = VerdictRow { verdict: None, is_withdrawn: true, bytes, ..row.clone() };
        let shown = VerdictView::of(&section, &withdrawn).unwrap();
        assert_eq!((shown.because.as_str(), shown.document), ("withdrawn", None));
        let damaged = VerdictRow { bytes: b"{}".to_vec(), ..row };
        assert!(VerdictView::of(&section, &damaged).is_err());
    }
}
