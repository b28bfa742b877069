//! How a section stands: what it lets out and must, as of its newest data, and its day so far.

use model::{
    flow::Flow,
    ids::SectionKey,
    quantity::{Decimal, share_of_time},
    rule::Statistic,
    section::{Section, Source},
    standing::Standing,
    time::{Span, Timestamp},
    verdict::Verdict,
    weight::Weight,
};
use serde::Serialize;
use store::StandingRow;

use crate::{hearing::Evidence, judgement::Hours};

/// How long after it fell silent a section is looked at again: its day so far grows less complete.
pub const SILENT_PERIOD_MS: i64 = 600_000;
/// What came so shortly before the newest value of one that speaks may not have been judged yet.
const UNJUDGED_MS: i64 = 60_000;
/// An outlet is silent once nothing has come of it for so long, and for three intervals.
const SILENT_MS: i64 = 120_000;

/// How a section stands, and when that may be otherwise without anything having come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// How.
    pub state: Standing,
    /// As of when: of its newest data, or when they fell silent.
    pub as_of: Timestamp,
    /// What its outlets are known to let out then.
    pub released: Option<Released>,
    /// What must be, by which document.
    pub required: Option<(Flow, String)>,
    /// When an outlet falls silent.
    pub until: Option<Timestamp>,
}

/// What outlets let out together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    /// The sum of those that are known.
    pub value: Flow,
    /// The newest moment that it comes of.
    pub at: Timestamp,
    /// Whether an outlet is missing.
    pub is_bound: bool,
    /// Whether a value is older than its interval: a later one is missing or on its way.
    pub is_estimated: bool,
}

/// A day that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Today {
    /// The rule's day.
    pub span: Span,
    /// What it would be, were it over now.
    pub verdict: Option<Verdict>,
    /// What its hours are, unless the rule judges days alone.
    pub hours: Option<Hours>,
    /// Its sums so far.
    pub weight: Weight,
}

/// How long after its last value an outlet counts as silent.
pub fn silent_after_ms(source: &Source<'_>) -> i64 {
    source.interval_ms.saturating_mul(3).max(SILENT_MS)
}

/// How a section stands at `now`, by the last good samples of its outlets. `near` is the share of
/// the requirement below which enough is little.
///
/// An outlet counts with its last value until it is silent: what one outlet says comes together
/// with, or a little after, what another does.
pub fn find(
    section: &Section<'_>,
    evidence: &[Evidence<'_>],
    near: Decimal,
    now: Timestamp,
) -> Found {
    let counts = |source: &Source<'_>| source.in_force.from <= now && now < source.in_force.to;
    let outlets = evidence.iter().filter(|outlet| counts(&outlet.source));
    let voices: Vec<Voice> = outlets.clone().filter_map(Voice::of).collect();
    let count = outlets.count();
    let speaking: Vec<Voice> =
        voices.iter().copied().filter(|voice| voice.silent_at > now).collect();
    let Some(at) = speaking.iter().map(|voice| voice.at).max() else {
        let last = voices.iter().map(|voice| voice.at).max();
        let spoke = voices.iter().copied().filter(|voice| last < Some(voice.silent_at));
        return Found {
            state: Standing::Stale,
            as_of: voices.iter().map(|voice| voice.silent_at).max().unwrap_or(now),
            released: released(&spoke.collect::<Vec<_>>(), count),
            required: required(section, last.unwrap_or(now)),
            until: None,
        };
    };
    let (released, required) = (released(&speaking, count), required(section, at));
    let factor = section.demand_at(at).map_or(WHOLE, |demand| demand.rule.factor);
    let state = match (&released, &required) {
        (None, _) => Standing::Stale,
        (Some(_), None) => Standing::Ok,
        (Some(released), Some((flow, _))) => {
            let is_enough = |share| reaches(released.value, *flow, share);
            match (is_enough(factor), is_enough(near)) {
                (true, true) => Standing::Ok,
                (true, false) => Standing::Near,
                (false, _) if released.is_bound => Standing::Stale,
                (false, _) => Standing::Breach,
            }
        }
    };
    let until = speaking.iter().map(|voice| voice.silent_at).min();
    Found { state, as_of: at, released, required, until }
}

/// What an outlet said last.
#[derive(Debug, Clone, Copy)]
struct Voice {
    at: Timestamp,
    flow: Flow,
    interval_ms: i64,
    /// When it counts as silent.
    silent_at: Timestamp,
}

impl Voice {
    fn of(outlet: &Evidence<'_>) -> Option<Self> {
        // what is doubted is no word of it: it counts with what it said before, until it is silent
        let mut newest = outlet.samples.iter().rev();
        let (at, flow) = *newest.find(|(_, flow)| !outlet.source.doubts(*flow))?;
        let silent_at = at.plus_ms(silent_after_ms(&outlet.source));
        Some(Self { at, flow, interval_ms: outlet.source.interval_ms, silent_at })
    }
}

const WHOLE: Decimal = Decimal { units: 1, decimals: 0 };

/// Whether a flow is at least a share of what is required, without a division.
fn reaches(flow: Flow, required: Flow, share: Decimal) -> bool {
    let scale = 10_i128.pow(u32::from(share.decimals));
    let enough = i128::from(required.as_ml_per_s()) * i128::from(share.units);
    i128::from(flow.as_ml_per_s()) * scale >= enough
}

fn required(section: &Section<'_>, at: Timestamp) -> Option<(Flow, String)> {
    let mandate = section.demand_at(at)?.mandate;
    let date = section.station().zone.date_of(at);
    Some((mandate.seasons.flow_on(date), mandate.document.clone()))
}

/// What these outlets of so many said, added up; `None` where none did.
fn released(voices: &[Voice], count: usize) -> Option<Released> {
    let at = voices.iter().map(|voice| voice.at).max()?;
    // a meter's zero may drift below nothing; water does not
    let flows = voices.iter().map(|voice| voice.flow.as_ml_per_s().max(0));
    Some(Released {
        value: Flow::from_ml_per_s(flows.fold(0, i64::saturating_add)),
        at,
        is_bound: voices.len() < count,
        is_estimated: voices.iter().any(|voice| at.ms_since(voice.at) >= voice.interval_ms),
    })
}

impl Today {
    /// A day of which nobody has said anything; `None` where it is not judged.
    pub fn unsaid(section: &Section<'_>, span: Span) -> Option<Self> {
        let statistic = section.demand_at(span.from)?.rule.statistic;
        let hours = (statistic != Statistic::DailyMean).then(Hours::default);
        Some(Self { span, verdict: None, hours, weight: Weight::default() })
    }

    /// How much of it was to be known by then, and at least what was judged.
    fn length_by(&self, section: &Section<'_>, then: Timestamp) -> i128 {
        let hours = section.day_of(section.hour_of(self.span.from)).unwrap_or_default();
        let begun = hours.iter().filter(|hour| hour.from < then);
        let demanded = begun.filter(|hour| section.demand_in(**hour).is_some());
        let length = demanded.map(|hour| i128::from(then.min(hour.to).ms_since(hour.from))).sum();
        self.weight.length.max(length)
    }
}

/// The row of a section that is found so at `now`, and was as `before` says.
pub fn row(
    section: &Section<'_>,
    (found, now): (&Found, Timestamp),
    today: Option<&Today>,
    before: Option<&StandingRow>,
) -> StandingRow {
    // of who is silent whatever follows is missing
    let known_by = if found.until.is_none() { now } else { found.as_of.plus_ms(-UNJUDGED_MS) };
    let same = before.filter(|before| before.state == found.state);
    let since = same.map_or(found.as_of, |before| before.since);
    let key = section.key();
    let written = Written {
        v: 1,
        station: key.station.as_str(),
        section: key.section.as_str(),
        state: found.state.word(),
        since,
        released: found.released.map(|released| WrittenReleased {
            value: released.value.decimal().to_string(),
            at: released.at,
            bound: released.is_bound.then_some("lower"),
            quality: if released.is_estimated { "estimated" } else { "good" },
        }),
        required: found.required.as_ref().map(|(flow, document)| WrittenRequired {
            value: flow.decimal().to_string(),
            document,
        }),
        today: today.map(|today| {
            let length = today.length_by(section, known_by);
            WrittenToday {
                from: today.span.from,
                to: today.span.to,
                verdict: today.verdict.map(Verdict::word),
                hours: today.hours,
                completeness: share(today.weight.covered, length),
                online: share(today.weight.partly_covered, length),
            }
        }),
    };
    // every key is a text and every value a number or a text: this cannot fail
    let bytes = serde_json::to_vec(&written).unwrap_or_default();
    StandingRow { key, state: found.state, since, bytes }
}

/// What is written of a section whose station is out of service since then.
pub fn exited(key: &SectionKey, since: Timestamp) -> Vec<u8> {
    let written = Written {
        v: 1,
        station: key.station.as_str(),
        section: key.section.as_str(),
        state: Standing::OutOfService.word(),
        since,
        released: None,
        required: None,
        today: None,
    };
    // every key is a text and every value a number or a text: this cannot fail
    serde_json::to_vec(&written).unwrap_or_default()
}

fn share(part: i128, whole: i128) -> Option<String> {
    share_of_time(part, whole).map(|share| share.to_string())
}

#[derive(Serialize)]
struct Written<'a> {
    v: u32,
    station: &'a str,
    section: &'a str,
    state: &'static str,
    since: Timestamp,
    released: Option<WrittenReleased>,
    required: Option<WrittenRequired<'a>>,
    today: Option<WrittenToday>,
}

#[derive(Serialize)]
struct WrittenReleased {
    value: String,
    at: Timestamp,
    bound: Option<&'static str>,
    quality: &'static str,
}

#[derive(Serialize)]
struct WrittenRequired<'a> {
    value: String,
    document: &'a str,
}

#[derive(Serialize)]
struct WrittenToday {
    from: Timestamp,
    to: Timestamp,
    verdict: Option<&'static str>,
    hours: Option<Hours>,
    completeness: Option<String>,
    online: Option<String>,
}

#[cfg(test)]
#[path = "standing/tests.rs"]
mod tests;
