//! A judged period with the arithmetic that shows it, and its canonical bytes.
//!
//! The bytes hold nothing that depends on when the data came: judged again from the same samples
//! they are the same, and so a new version is made only where they differ (`docs/formats.md` §10).

use model::{
    ids::{RuleId, SectionKey},
    quantity::{Decimal, Rounding, enough_flow, mean_flow, share_of_time, volume_m3},
    rule::{Ratio, RuleProfile, Statistic},
    section::Demand,
    time::{Span, Timestamp},
    verdict::{Length, Verdict},
    weight::Weight,
};
use serde::{Deserialize, Serialize};

use crate::{
    evaluate::{Because, Judged},
    hearing::JudgedHour,
};

/// A judged period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// Of which section.
    pub section: SectionKey,
    /// How long the period is.
    pub by: Length,
    /// The period.
    pub span: Span,
    /// What it is; `None`: an hour of a rule that judges days alone.
    pub verdict: Option<Verdict>,
    /// Why.
    pub because: Because,
    /// The document that demands it.
    pub document: String,
    /// The rule that judges.
    pub rule: RuleId,
    /// What of the period is compared.
    pub statistic: Statistic,
    /// The share of the mandated flow that is enough.
    pub factor: Decimal,
    /// The period's sums, without readings that are doubted.
    pub weight: Weight,
    /// The same with those as they were read, where that is another matter.
    pub as_read: Option<Weight>,
    /// Of a day whose hours are judged: what they are, and the share of those with an outcome that
    /// must be met.
    pub hours: Option<(Hours, Ratio)>,
}

/// How many hours of a day are what.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hours {
    /// Met.
    pub met: u32,
    /// Short.
    pub short: u32,
    /// Exempt.
    pub exempt: u32,
    /// Not to be told.
    pub indeterminate: u32,
    /// Those of them that are one thing without readings that are doubted, and another with them.
    #[serde(default, skip_serializing_if = "is_none_of_them")]
    pub doubted: u32,
    /// Those of the short ones that are so since too little is known of them.
    #[serde(default, skip_serializing_if = "is_none_of_them")]
    pub unknown: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_none_of_them(count: &u32) -> bool {
    *count == 0
}

impl Hours {
    /// Counts them.
    pub fn of(hours: &[Verdict]) -> Self {
        let mut counted = Self::default();
        for hour in hours {
            counted.count(*hour);
        }
        counted
    }

    /// Counts one more.
    pub const fn count(&mut self, hour: Verdict) {
        *match hour {
            Verdict::Met => &mut self.met,
            Verdict::Short => &mut self.short,
            Verdict::Exempt => &mut self.exempt,
            Verdict::Indeterminate => &mut self.indeterminate,
        } += 1;
    }

    /// Counts one that was judged; under a rule that judges days alone there is nothing to count.
    pub const fn note(&mut self, hour: &JudgedHour) {
        let Some(verdict) = hour.verdict else { return };
        self.count(verdict);
        if hour.is_doubted {
            self.doubted += 1;
        }
        if hour.is_unknown && matches!(verdict, Verdict::Short) {
            self.unknown += 1;
        }
    }
}

impl Judgement {
    /// Of a period that was judged by what was demanded then.
    pub fn new(
        section: SectionKey,
        (by, span): (Length, Span),
        demand: Demand<'_>,
        judged: &Judged,
    ) -> Self {
        let RuleProfile { id, statistic, factor, .. } = demand.rule;
        let is_judged = by == Length::Day || *statistic != Statistic::DailyMean;
        Self {
            section,
            by,
            span,
            verdict: is_judged.then_some(judged.verdict),
            because: judged.because,
            document: demand.mandate.document.clone(),
            rule: id.clone(),
            statistic: *statistic,
            factor: *factor,
            weight: judged.weight,
            as_read: judged.as_read,
            hours: None,
        }
    }

    /// Its canonical bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let Self { weight, .. } = self;
        let for_ms = match self.statistic {
            Statistic::BelowFor { for_ms } => Some(for_ms),
            Statistic::Instantaneous
            | Statistic::HourlyMean
            | Statistic::RunningHour
            | Statistic::DailyMean => None,
        };
        let Told { observed, bound, coverage, sums } = Told::of(weight);
        let written = Written {
            v: 1,
            station: self.section.station.as_str(),
            section: self.section.section.as_str(),
            by: self.by.word(),
            from: self.span.from,
            to: self.span.to,
            verdict: self.verdict.map(Verdict::word),
            because: self.because.word(),
            document: &self.document,
            rule: self.rule.as_str(),
            statistic: self.statistic.word(),
            below_for_ms: for_ms,
            factor: self.factor.trimmed().to_string(),
            required: shown(mean_flow(weight.required, weight.length, Rounding::Up)),
            enough: shown(enough_flow(weight.required, weight.length, self.factor)),
            observed,
            bound,
            coverage,
            deficit_m3: shown(volume_m3(weight.deficit)),
            day_hours_met: self.hours.map(|(_, ratio)| ratio.to_string()),
            hours: self.hours.map(|(hours, _)| hours),
            sums,
            as_read: self.as_read.as_ref().map(Told::of),
        };
        // every part of it is a number or a text: this cannot fail
        serde_json::to_vec(&written).unwrap_or_default()
    }
}

/// What was said of a period is taken back: under the law in force it is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// Of which section.
    pub section: SectionKey,
    /// How long the period was.
    pub by: Length,
    /// The period.
    pub span: Span,
}

impl Withdrawal {
    /// Its canonical bytes.
    pub fn bytes(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Written<'a> {
            v: u32,
            station: &'a str,
            section: &'a str,
            by: &'static str,
            from: Timestamp,
            to: Timestamp,
            verdict: Option<&'static str>,
            because: &'static str,
        }
        let written = Written {
            v: 1,
            station: self.section.station.as_str(),
            section: self.section.section.as_str(),
            by: self.by.word(),
            from: self.span.from,
            to: self.span.to,
            verdict: None,
            because: "withdrawn",
        };
        // every key is a text and every value a number or a text: this cannot fail
        serde_json::to_vec(&written).unwrap_or_default()
    }
}

/// What a day needs of the bytes of the hour of this span: what it is, and its sums.
pub fn read(span: Span, bytes: &[u8]) -> Result<JudgedHour, ReadError> {
    read_day(span, bytes).map(|(judged, _hours)| judged)
}

/// The same of a day, with what its hours are.
pub fn read_day(span: Span, bytes: &[u8]) -> Result<(JudgedHour, Option<Hours>), ReadError> {
    #[derive(Deserialize)]
    struct Other {
        sums: Weight,
    }
    #[derive(Deserialize)]
    struct Stored {
        v: u32,
        verdict: Option<String>,
        because: String,
        sums: Weight,
        as_read: Option<Other>,
        hours: Option<Hours>,
    }
    let read: Stored =
        serde_json::from_slice(bytes).map_err(|error| ReadError(error.to_string()))?;
    if read.v != 1 {
        return Err(ReadError(format!("version {} is not known", read.v)));
    }
    let known = |word: String| {
        let found = Verdict::WORDS.iter().find(|(known, _)| *known == word);
        found.map(|(_, verdict)| *verdict).ok_or(ReadError(format!("`{word}` is no verdict")))
    };
    let judged = JudgedHour {
        span,
        verdict: read.verdict.map(known).transpose()?,
        is_doubted: read.because == Because::Doubted.word(),
        is_unknown: read.because == Because::TooLittleKnown.word(),
        weight: read.sums,
        as_read: read.as_read.map(|as_read| as_read.sums),
    };
    Ok((judged, read.hours))
}

/// Bytes that are not a judgement's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a judgement of a period: {0}")]
pub struct ReadError(String);

impl Because {
    /// The word for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Enough => "enough",
            Self::Below => "below",
            Self::Excused => "excused",
            Self::TooLittleKnown => "too_little_known",
            Self::Doubted => "doubted",
        }
    }
}

#[derive(Serialize)]
struct Written<'a> {
    v: u32,
    station: &'a str,
    section: &'a str,
    by: &'static str,
    from: Timestamp,
    to: Timestamp,
    verdict: Option<&'static str>,
    because: &'static str,
    document: &'a str,
    rule: &'a str,
    statistic: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    below_for_ms: Option<i64>,
    factor: String,
    required: Option<String>,
    enough: Option<String>,
    observed: Option<String>,
    bound: Option<&'static str>,
    coverage: Option<String>,
    deficit_m3: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    day_hours_met: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hours: Option<Hours>,
    sums: Weight,
    #[serde(skip_serializing_if = "Option::is_none")]
    as_read: Option<Told>,
}

/// What sums tell.
#[derive(Serialize)]
struct Told {
    observed: Option<String>,
    bound: Option<&'static str>,
    coverage: Option<String>,
    sums: Weight,
}

impl Told {
    fn of(weight: &Weight) -> Self {
        let is_bound = weight.held > weight.whole;
        let water = if is_bound { weight.held_water } else { weight.whole_water };
        Self {
            observed: shown(mean_flow(water, weight.held, Rounding::Down)),
            bound: is_bound.then_some("lower"),
            coverage: shown(share_of_time(weight.covered, weight.length)),
            sums: *weight,
        }
    }
}

fn shown(number: Option<Decimal>) -> Option<String> {
    number.map(|number| number.to_string())
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    fn weight() -> Weight {
        Weight {
            length: 3_600_000,
            whole: 3_000_000,
            whole_water: 3_000_000 * 1_199_999 + 1,
            held: 3_600_000,
            held_water: 3_600_000 * 1_199_999 + 3_599_999,
            covered: 2_699_999,
            partly_covered: 3_600_000,
            required: 3_600_000 * 1_200_000,
            deficit: 3_000_000,
        }
    }

    fn judgement(statistic: Statistic, by: Length) -> Judgement {
        Judgement {
            section: SectionKey {
                station: "BF-620721-04".parse().unwrap(),
                section: "dam".parse().unwrap(),
            },
            by,
            span: Span {
                from: "2026-04-01T00:00:00+08:00".parse().unwrap(),
                to: "2026-04-01T01:00:00+08:00".parse().unwrap(),
            },
            verdict: Some(Verdict::Short),
            because: Because::Below,
            document: "示例文号 1".to_owned(),
            rule: "hourly-mean-80".parse().unwrap(),
            statistic,
            factor: Decimal { units: 100, decimals: 2 },
            weight: weight(),
            as_read: None,
            hours: None,
        }
    }

    fn text(judgement: &Judgement) -> String {
        String::from_utf8(judgement.bytes()).unwrap()
    }

    #[test]
    fn a_judgement_has_one_spelling_for_ever() {
        expect![[r#"{"v":1,"station":"BF-620721-04","section":"dam","by":"hour","from":"2026-03-31T16:00:00Z","to":"2026-03-31T17:00:00Z","verdict":"short","because":"below","document":"示例文号 1","rule":"hourly-mean-80","statistic":"hourly_mean","factor":"1","required":"1.2","enough":"1.2","observed":"1.199999","bound":"lower","coverage":"0.7499","deficit_m3":"0.003","sums":{"length":"3600000","whole":"3000000","whole_water":"3599997000001","held":"3600000","held_water":"4319999999999","covered":"2699999","partly_covered":"3600000","required":"4320000000000","deficit":"3000000"}}"#]]
        .assert_eq(&text(&judgement(Statistic::HourlyMean, Length::Hour)));
        let day = Judgement {
            verdict: None,
            hours: Some((
                Hours::of(&[Verdict::Met, Verdict::Short, Verdict::Met]),
                "22/24".parse().unwrap(),
            )),
            weight: Weight::default(),
            ..judgement(Statistic::BelowFor { for_ms: 1_800_000 }, Length::Day)
        };
        expect![[r#"{"v":1,"station":"BF-620721-04","section":"dam","by":"day","from":"2026-03-31T16:00:00Z","to":"2026-03-31T17:00:00Z","verdict":null,"because":"below","document":"示例文号 1","rule":"hourly-mean-80","statistic":"below_for","below_for_ms":1800000,"factor":"1","required":null,"enough":null,"observed":null,"bound":null,"coverage":null,"deficit_m3":"0","day_hours_met":"22/24","hours":{"met":2,"short":1,"exempt":0,"indeterminate":0},"sums":{"length":"0","whole":"0","whole_water":"0","held":"0","held_water":"0","covered":"0","partly_covered":"0","required":"0","deficit":"0"}}"#]]
        .assert_eq(&text(&day));
    }

    #[test]
    fn a_withdrawal_has_one_spelling_for_ever() {
        let Judgement { section, by, span, .. } = judgement(Statistic::HourlyMean, Length::Hour);
        let bytes = Withdrawal { section, by, span }.bytes();
        expect![[r#"{"v":1,"station":"BF-620721-04","section":"dam","by":"hour","from":"2026-03-31T16:00:00Z","to":"2026-03-31T17:00:00Z","verdict":null,"because":"withdrawn"}"#]]
        .assert_eq(&String::from_utf8(bytes).unwrap());
    }

    #[test]
    fn what_a_day_needs_is_read_back() {
        let hour = judgement(Statistic::HourlyMean, Length::Hour);
        assert_eq!(read(hour.span, &hour.bytes()), Ok(JudgedHour::of(&hour)));
        let doubted = Judgement {
            verdict: Some(Verdict::Indeterminate),
            because: Because::Doubted,
            as_read: Some(Weight { covered: 3_000_000, ..weight() }),
            ..hour
        };
        let read_back = read(doubted.span, &doubted.bytes()).unwrap();
        assert_eq!(read_back, JudgedHour::of(&doubted));
        assert!(read_back.is_doubted);
        assert!(read(doubted.span, br#"{"v":2}"#).is_err() && read(doubted.span, b"").is_err());
    }
}
