//! Hours and days of a section judged from samples: what the docket calls for, answered.

use model::{
    flow::Flow,
    release::{Duty, Outlet, hold_ms, release},
    rule::{Missing, RuleProfile, Statistic},
    section::{Section, Source},
    time::{Span, Timestamp},
    verdict::{Length, Verdict},
    weight::Weight,
};

use crate::{
    day::day,
    evaluate::{Because, Judged, evaluate, evaluate_mean},
    judgement::{Hours, Judgement},
};

/// An outlet of a section with the good samples of the time that is judged, those outside of its
/// gauge's range among them.
#[derive(Debug, Clone)]
pub struct Evidence<'a> {
    /// The outlet.
    pub source: Source<'a>,
    /// In ascending moments.
    pub samples: Vec<(Timestamp, Flow)>,
}

/// From where on samples of this outlet are needed to judge from `from` on.
pub fn needed_from(section: &Section<'_>, source: &Source<'_>, from: Timestamp) -> Timestamp {
    from.plus_ms(-section.lookback_ms().saturating_add(hold_ms(source.interval_ms)))
}

/// Judges a clock hour; `None` where nothing is demanded.
pub fn hour(section: &Section<'_>, evidence: &[Evidence<'_>], hour: Span) -> Option<Judgement> {
    let demand = section.demand_in(hour)?;
    let judged = judge(section, evidence, hour, demand.rule);
    Some(Judgement::new(section.key(), (Length::Hour, hour), demand, &judged))
}

/// Judges as much of an open hour as samples tell of. What is still missing may be on its way, so
/// too little is never `short`; `None` where nothing of the hour is known or demanded.
pub fn hour_so_far(
    section: &Section<'_>,
    evidence: &[Evidence<'_>],
    hour: Span,
) -> Option<Judgement> {
    let demand = section.demand_in(hour)?;
    let ends = evidence
        .iter()
        .filter_map(|outlet| told(&outlet.samples, outlet.source.interval_ms, hour.to));
    let to = ends.max()?.min(hour.to);
    if to <= hour.from {
        return None;
    }
    let rule = RuleProfile { missing: Missing::Indeterminate, ..demand.rule.clone() };
    let judged = judge(section, evidence, Span { to, ..hour }, &rule);
    Some(Judgement::new(section.key(), (Length::Hour, hour), demand, &judged))
}

/// Up to where an outlet's readings before `to` speak: the last of them for as long as the one
/// before it did, as the next one is expected then, and for an interval at most. Whoever measures
/// more often than an interval would have its last value count for what the river has yet to do, and
/// the next reading would take it back.
pub(crate) fn told(
    readings: &[(Timestamp, Flow)],
    interval_ms: i64,
    to: Timestamp,
) -> Option<Timestamp> {
    let before = readings.get(..readings.partition_point(|(at, _)| *at < to))?;
    let ((last, _), before) = before.split_last()?;
    let pace_ms = before.last().map_or(interval_ms, |(at, _)| last.ms_since(*at));
    Some(last.plus_ms(pace_ms.min(interval_ms)))
}

fn judge(
    section: &Section<'_>,
    evidence: &[Evidence<'_>],
    period: Span,
    rule: &RuleProfile,
) -> Judged {
    let from = period.from.plus_ms(-rule.statistic.lookback_ms());
    let reached = Span { from, to: period.to };
    let steps = section.steps(reached);
    // exemptions are filed and reviewed in a later version; until then nothing is exempt
    let duty = Duty { steps: &steps, factor: rule.factor, exempt: &[] };
    let needed = |outlet: &Evidence<'_>| {
        let needed = from.plus_ms(-hold_ms(outlet.source.interval_ms));
        let first = outlet.samples.partition_point(|(at, _)| *at < needed);
        let after = outlet.samples.partition_point(|(at, _)| *at < period.to);
        outlet.samples.get(first..after).unwrap_or_default().to_vec()
    };
    let as_read: Vec<Outlet> =
        evidence.iter().map(|outlet| outlet.source.with(needed(outlet))).collect();
    let by = |outlets: &[Outlet]| evaluate(&release(outlets, duty, reached), period, rule);
    let sources = evidence.iter().map(|outlet| outlet.source).zip(&as_read);
    let doubts = |(source, outlet): (Source<'_>, &Outlet)| {
        outlet.samples.iter().any(|(_, flow)| source.doubts(*flow))
    };
    if !sources.clone().any(doubts) {
        return by(&as_read);
    }
    let credible = sources.map(|(source, outlet)| source.with(source.credible(&outlet.samples)));
    by(&credible.collect::<Vec<_>>()).and_as_read(by(&as_read))
}

/// An hour of a day, as it was judged last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JudgedHour {
    /// When.
    pub span: Span,
    /// What it is; `None` under a rule that judges days alone.
    pub verdict: Option<Verdict>,
    /// Whether that is indeterminate since it is one thing without readings that are doubted, and
    /// another with them.
    pub is_doubted: bool,
    /// Whether it is what it is since too little is known of it.
    pub is_unknown: bool,
    /// Its sums.
    pub weight: Weight,
    /// The same with readings that are doubted, where that is another matter.
    pub as_read: Option<Weight>,
}

impl JudgedHour {
    /// As it is judged.
    pub fn of(judgement: &Judgement) -> Self {
        let Judgement { span, verdict, because, weight, as_read, .. } = judgement;
        let is_doubted = *because == Because::Doubted;
        let is_unknown = *because == Because::TooLittleKnown;
        Self {
            span: *span,
            verdict: *verdict,
            is_doubted,
            is_unknown,
            weight: *weight,
            as_read: *as_read,
        }
    }
}

/// Hours of a day that have been judged, in order, put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Together {
    /// From the first of them to the end of the last.
    pub span: Span,
    weight: Weight,
    /// The same with readings that are doubted.
    as_read: Weight,
    hours: Hours,
}

impl Together {
    /// One of them.
    pub fn of(hour: &JudgedHour) -> Self {
        let mut hours = Hours::default();
        hours.note(hour);
        let as_read = hour.as_read.unwrap_or(hour.weight);
        Self { span: hour.span, weight: hour.weight, as_read, hours }
    }

    /// And the next.
    #[must_use]
    pub fn and(mut self, hour: &JudgedHour) -> Self {
        self.hours.note(hour);
        let span = Span { to: hour.span.to, ..self.span };
        let as_read = self.as_read + hour.as_read.unwrap_or(hour.weight);
        Self { span, weight: self.weight + hour.weight, as_read, ..self }
    }

    /// All of them; `None` where there are none.
    pub fn all(hours: &[JudgedHour]) -> Option<Self> {
        let (first, rest) = hours.split_first()?;
        Some(rest.iter().fold(Self::of(first), Self::and))
    }
}

/// Judges `day` by those of its hours that have been judged. Before a section's first hour there
/// are none, and nothing is missing; the day keeps its name, whatever comes to light of it later.
/// Where it `is_open`, too little is never `short`.
pub fn day_of(
    section: &Section<'_>,
    day_span: Span,
    together: &Together,
    is_open: bool,
) -> Option<Judgement> {
    let Together { span: period, weight, as_read, hours } = *together;
    let demand = section.demand_at(period.from)?;
    let missing = if is_open { Missing::Indeterminate } else { demand.rule.missing };
    let rule = RuleProfile { missing, ..demand.rule.clone() };
    let by = (Length::Day, day_span);
    if rule.statistic == Statistic::DailyMean {
        // an open day reaches as far as it is known, as its open hour does; what a decision excuses
        // of it is told when it is over
        let known_to = period.from.plus_ms(i64::try_from(weight.length).unwrap_or(0));
        let period = if is_open { Span { to: known_to, ..period } } else { period };
        let judged_by = |weight| evaluate_mean(weight, period, &rule);
        let judged = judged_by(weight).and_as_read(judged_by(as_read));
        return Some(Judgement::new(section.key(), by, demand, &judged));
    }
    let as_read = (as_read != weight).then_some(as_read);
    let (verdict, because) = match day(hours, &rule) {
        Some(verdict) => (verdict, why(verdict, hours, &rule)),
        None => (Verdict::Indeterminate, Because::Doubted),
    };
    let judged = Judged { verdict, because, weight, as_read };
    let judgement = Judgement::new(section.key(), by, demand, &judged);
    Some(Judgement { hours: Some((hours, rule.day_hours_met)), ..judgement })
}

fn why(verdict: Verdict, hours: Hours, rule: &RuleProfile) -> Because {
    let judged = hours.met + hours.short;
    match verdict {
        Verdict::Met => Because::Enough,
        Verdict::Exempt => Because::Excused,
        Verdict::Indeterminate => Because::TooLittleKnown,
        // so it is for want of data where it would be met if those hours were that lack them
        Verdict::Short
            if rule.day_hours_met.is_reached_by(hours.met + hours.unknown, judged)
                || judged == 0 =>
        {
            Because::TooLittleKnown
        }
        Verdict::Short => Because::Below,
    }
}

/// Whether a change that is made at `now` to a period comes after the month of its begin was
/// closed: on the rule's `late_close_day` of the next month, in the station's zone. Of what is
/// taken back since no rule judges it any more, the next one counts, else the last.
pub fn is_late(section: &Section<'_>, period: Span, now: Timestamp) -> bool {
    let Some(rule) = section.rule_to_begin(period.from) else { return false };
    let zone = &section.station().zone;
    let month = zone.date_of(period.from);
    let day = i8::try_from(rule.late_close_day).unwrap_or(28);
    let next = month.last_of_month().tomorrow().and_then(|next| next.with().day(day).build());
    next.is_ok_and(|closes| zone.start_of_day(closes) <= now)
}

#[cfg(test)]
#[path = "hearing/tests.rs"]
mod tests;
