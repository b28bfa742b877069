//! A verdict, and a page of them, as the API shows them: what its judgement says, read and not
//! computed.

use model::{
    ids::{SectionId, SectionKey, StationId},
    quantity::Decimal,
    rule::RuleProfile,
    time::Timestamp,
    verdict::Verdict,
};
use serde::{Deserialize, Serialize};
use store::VerdictRow;
use utoipa::ToSchema;

use super::compliance::DaysView;
use crate::{
    month::Month,
    number::Exact,
    tally::{assessed, outcome, rate, reaches},
};

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
    /// `enough`, `below`, `excused`, `too_little_known`, `doubted`: it is one thing without readings
    /// outside of their gauge's range, and another with them, see `as_read`; or `withdrawn`: under
    /// the registry in force this is no period any more, and what follows is null.
    pub because: String,
    /// The mean that had to be released, m³/s, rounded up; null where all of it is exempt.
    #[schema(value_type = Option<f64>, example = 1.2)]
    pub required: Option<Exact>,
    /// What of it is enough, m³/s: that times `factor`, exact while the requirement does not change
    /// within the period, else rounded up; null of a month, of which it is not asked.
    #[schema(value_type = Option<f64>, example = 1.14)]
    pub enough: Option<Exact>,
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
    /// What it would be with readings outside of their gauge's range as they were read, where that
    /// is another matter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub as_read: Option<AsReadView>,
    /// The document that demands it; null of a month, in which several may.
    pub document: Option<String>,
    /// The rule that judges; of a month the one by whose `pass_rate` its days are counted.
    pub rule: Option<String>,
    /// What of the period is compared: `hourly_mean` and so on; null of a month.
    pub statistic: Option<String>,
    /// The share of the mandated flow that is enough; null of a month.
    #[schema(value_type = Option<f64>)]
    pub factor: Option<Exact>,
    /// Of a day whose hours are judged: the share of those with an outcome that the rule asks for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "22/24")]
    pub day_hours_met: Option<String>,
    /// Of such a day: how many hours are what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<HoursView>,
    /// Of a month: how many of its days are what, which is all that it is made of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days: Option<MonthDaysView>,
    /// 0 while the period is open; from 1 on, one more wherever the outcome changed. A month is
    /// counted from its days whenever it is asked for, and has no version but 0.
    pub version: u32,
    /// Whether the period is open, so that this is overwritten.
    pub provisional: bool,
    /// Whether this version came after the close of its month; of a month, whether that of one of
    /// its days did.
    pub late: bool,
    /// When it was judged; of a month, when the last of its days was.
    #[schema(value_type = String, format = DateTime)]
    pub judged_at: Timestamp,
    /// The entry of the journal that names it; null while it is provisional, and of a month.
    pub entry: Option<i64>,
}

/// What is told of a period with doubted readings as they were read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = VerdictAsRead)]
pub struct AsReadView {
    /// As `observed` of the verdict.
    #[schema(value_type = Option<f64>, example = 1.6)]
    pub observed: Option<Exact>,
    /// As `bound` of the verdict.
    pub bound: Option<String>,
    /// As `coverage` of the verdict.
    #[schema(value_type = Option<f64>, example = 1)]
    pub coverage: Option<Exact>,
}

/// How many days of a month are what, and what follows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = VerdictDays)]
pub struct MonthDaysView {
    /// How many are what.
    #[serde(flatten)]
    pub counts: DaysView,
    /// The share of the assessed days that were met, truncated; null where none was assessed.
    #[schema(value_type = Option<f64>, example = 0.9655)]
    pub rate: Option<Exact>,
    /// Whether that is the rule's `pass_rate`, as compliance says it; null where none was assessed.
    /// The verdict of the month is `met` or `short` only where that holds whatever the days were of
    /// which too little is known.
    pub passes: Option<bool>,
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
    /// Those of them of which that is so since readings are doubted.
    #[serde(default)]
    pub doubted: u32,
}

/// A page of a station's verdicts, by period and version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Verdicts)]
pub struct VerdictsView {
    /// The station.
    #[schema(value_type = String, example = "BF-620721-04")]
    pub station: StationId,
    /// `hour`, `day` or `month`.
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

impl Unreadable {
    /// Of this row.
    pub(crate) const fn of(row: &VerdictRow, problem: String) -> Self {
        Self { from: row.span.from, version: row.version, problem }
    }
}

#[derive(Deserialize)]
struct Judgement {
    because: String,
    document: Option<String>,
    rule: Option<String>,
    statistic: Option<String>,
    factor: Option<String>,
    required: Option<String>,
    enough: Option<String>,
    observed: Option<String>,
    bound: Option<String>,
    coverage: Option<String>,
    deficit_m3: Option<String>,
    day_hours_met: Option<String>,
    hours: Option<HoursView>,
    as_read: Option<AsRead>,
}

#[derive(Deserialize)]
struct AsRead {
    observed: Option<String>,
    bound: Option<String>,
    coverage: Option<String>,
}

/// The rule by which a period was judged.
pub fn rule_of(row: &VerdictRow) -> Result<Option<String>, Unreadable> {
    #[derive(Deserialize)]
    struct Judged {
        rule: Option<String>,
    }
    let read: Result<Judged, _> = serde_json::from_slice(&row.bytes);
    read.map(|read| read.rule).map_err(|error| Unreadable::of(row, error.to_string()))
}

impl VerdictView {
    /// A stored verdict of `section` as it is shown.
    pub fn of(section: &SectionKey, row: &VerdictRow) -> Result<Self, Unreadable> {
        let unreadable = |problem| Unreadable::of(row, problem);
        let read: Judgement =
            serde_json::from_slice(&row.bytes).map_err(|error| unreadable(error.to_string()))?;
        let exact = |text: &str| match text.parse::<Decimal>() {
            Ok(decimal) => Ok(Exact::new(decimal)),
            Err(error) => Err(unreadable(error.to_string())),
        };
        let number = |text: &Option<String>| text.as_deref().map(exact).transpose();
        let as_read = match read.as_read {
            Some(AsRead { observed, bound, coverage }) => {
                let (observed, coverage) = (number(&observed)?, number(&coverage)?);
                Some(AsReadView { observed, bound, coverage })
            }
            None => None,
        };
        Ok(Self {
            section: section.section.to_string(),
            from: row.span.from,
            to: row.span.to,
            verdict: row.verdict.map(|verdict| verdict.word().to_owned()),
            required: number(&read.required)?,
            enough: number(&read.enough)?,
            observed: number(&read.observed)?,
            coverage: number(&read.coverage)?,
            deficit_m3: number(&read.deficit_m3)?,
            factor: number(&read.factor)?,
            because: read.because,
            bound: read.bound,
            as_read,
            document: read.document,
            rule: read.rule,
            statistic: read.statistic,
            day_hours_met: read.day_hours_met,
            hours: read.hours,
            days: None,
            version: row.version,
            provisional: row.version == 0,
            late: row.is_late,
            judged_at: row.judged_at,
            entry: row.entry,
        })
    }

    /// A month of a section that is closed until then, by the rule that counts its days.
    pub fn of_month(
        section: &SectionId,
        month: &Month,
        rule: Option<&RuleProfile>,
        closed_until: Timestamp,
    ) -> Self {
        let days = &month.days;
        let outcome = rule.and_then(|rule| outcome(days, rule.pass_rate));
        let exact = |number: Option<Decimal>| number.map(Exact::new);
        let because = outcome.map_or("too_little_known", |(_, because)| because);
        Self {
            section: section.to_string(),
            from: month.span.from,
            to: month.span.to,
            verdict: outcome.map(|(verdict, _)| Verdict::word(verdict).to_owned()),
            because: because.to_owned(),
            required: exact(month.required()),
            enough: None,
            observed: exact(month.observed()),
            bound: month.is_bound().then(|| "lower".to_owned()),
            coverage: exact(month.coverage()),
            deficit_m3: exact(month.deficit_m3()),
            as_read: None,
            document: None,
            rule: rule.map(|rule| rule.id.to_string()),
            statistic: None,
            factor: None,
            day_hours_met: None,
            hours: None,
            days: Some(MonthDaysView {
                counts: DaysView::of(*days),
                rate: rate(days.met, assessed(days)),
                passes: rule.and_then(|rule| reaches(days.met, assessed(days), rule.pass_rate)),
            }),
            version: 0,
            provisional: month.is_open(closed_until),
            late: month.is_late,
            judged_at: month.judged_at,
            entry: None,
        }
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
        let bytes = r#"{"v":1,"station":"S","section":"dam","by":"day","from":"2026-03-31T16:00:00Z","to":"2026-04-01T16:00:00Z","verdict":"short","because":"below","document":"示例文号 1","rule":"r","statistic":"hourly_mean","factor":"0.95","required":"1.2","enough":"1.14","observed":"1.199999","bound":"lower","coverage":"0.7499","deficit_m3":null,"day_hours_met":"22/24","hours":{"met":21,"short":3,"exempt":0,"indeterminate":0},"sums":{}}"#;
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
        expect![[r#"{"section":"dam","from":"2026-03-31T16:00:00Z","to":"2026-04-01T16:00:00Z","verdict":"short","because":"below","required":1.2,"enough":1.14,"observed":1.199999,"bound":"lower","coverage":0.7499,"deficit_m3":null,"document":"示例文号 1","rule":"r","statistic":"hourly_mean","factor":0.95,"day_hours_met":"22/24","hours":{"met":21,"short":3,"exempt":0,"indeterminate":0,"doubted":0},"version":2,"provisional":false,"late":false,"judged_at":"2026-04-02T00:00:00Z","entry":7}"#]]
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
