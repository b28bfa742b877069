//! One sitting: the hours of a hearing judged one after another, where the section begins, and
//! what was said of periods that are none any more taken back.

use model::{
    section::Section,
    time::{Span, Timestamp},
    verdict::Length,
};
use store::GivenPeriod;

use crate::{
    docket::{Heard, Hearing, Why},
    hearing::{self, Evidence},
    judgement::{Judgement, Withdrawal},
};

/// What is known of a section when the court sits.
#[derive(Debug, Clone, Copy)]
pub struct Before<'a> {
    /// The first hour that is judged; of a section that has not begun, the same as `closed`.
    pub begun: Timestamp,
    /// Every hour before is closed.
    pub closed: Timestamp,
    /// Of a section that has not begun: the first open hour with which it may.
    pub seen: Option<Timestamp>,
    /// Closed periods of which something stands and that reach into the hearing's time.
    pub given: &'a [GivenPeriod],
}

/// What came of a sitting.
#[derive(Debug, Clone)]
pub struct Sitting {
    /// How far it came, and where the section begins.
    pub heard: Heard,
    /// Hours that were judged.
    pub judged: Vec<Judgement>,
    /// Periods that are none any more.
    pub withdrawn: Vec<Withdrawal>,
}

/// What hours are judged by.
#[derive(Debug, Clone)]
pub enum By<'a> {
    /// Readings that reach over them.
    Readings(&'a [Evidence<'a>]),
    /// What is carried on of them: they are judged already, as their readings would have them be.
    /// So are only hours of a section that has begun, be they open or to be closed.
    Carried(Vec<Judgement>),
}

/// Hears what is called for.
pub fn sit(
    section: &Section<'_>,
    by: By<'_>,
    hearing: &Hearing,
    before: Before<'_>,
    now: Timestamp,
) -> Sitting {
    let mut sitting = Sitting {
        heard: Heard {
            why: hearing.why,
            span: hearing.span,
            is_full: hearing.is_full(),
            begun: before.begun,
            seen: before.seen,
        },
        judged: Vec::new(),
        withdrawn: Vec::new(),
    };
    match by {
        By::Carried(judged) => sitting.judged = judged,
        By::Readings(evidence) => {
            let hours = (section, evidence, hearing);
            match hearing.why {
                Why::Open => sitting.open(hours, before, now),
                Why::Begin => sitting.begin(hours),
                Why::Close | Why::Again => sitting.closed(hours, before),
            }
        }
    }
    if hearing.why != Why::Open {
        let Heard { span, begun, .. } = sitting.heard;
        let is_gone = |given: &&GivenPeriod| {
            let is_reached = given.span.from < span.to && span.from < given.span.to;
            is_reached && !is_period(section, begun, given)
        };
        let gone = before.given.iter().filter(is_gone);
        sitting.withdrawn.extend(gone.map(|given| Withdrawal {
            section: section.key(),
            by: given.by,
            span: given.span,
        }));
    }
    sitting
}

type Hours<'a> = (&'a Section<'a>, &'a [Evidence<'a>], &'a Hearing);

impl Sitting {
    /// Open hours are judged as far as they are known; before a section has begun those with which
    /// it may yet begin, and those after.
    fn open(
        &mut self,
        (section, evidence, hearing): Hours<'_>,
        before: Before<'_>,
        now: Timestamp,
    ) {
        let has_begun = before.begun < before.closed;
        for hour in &hearing.hours {
            let seen = self.heard.seen.filter(|seen| *seen <= hour.from);
            if !has_begun && seen.is_none() {
                if hour.to <= now && !is_known(section, evidence, *hour) {
                    continue;
                }
                self.heard.seen = Some(hour.from);
            }
            self.judged.extend(hearing::hour_so_far(section, evidence, *hour));
        }
    }

    /// Up to the first hour that is known well enough: that is where the section begins.
    fn begin(&mut self, (section, evidence, hearing): Hours<'_>) {
        let begins = |hour: &&Span| is_known(section, evidence, **hour);
        let Some(hour) = hearing.hours.iter().find(begins) else { return };
        self.heard = Heard {
            span: Span { to: hour.to, ..hearing.span },
            is_full: false,
            begun: hour.from,
            ..self.heard
        };
        self.judged.extend(hearing::hour(section, evidence, *hour));
    }

    /// Hours are judged for good; with one that is not known well enough no section begins.
    fn closed(&mut self, (section, evidence, hearing): Hours<'_>, before: Before<'_>) {
        let has_begun = before.begun < before.closed;
        if hearing.why == Why::Close && !has_begun {
            // what was passed over is empty
            self.heard.begun = hearing.hours.first().map_or(hearing.span.to, |hour| hour.from);
        }
        for hour in &hearing.hours {
            let is_first = hour.from == self.heard.begun && section.has_mandates();
            if is_first && !is_known(section, evidence, *hour) {
                self.heard.begun = hour.to;
                continue;
            }
            self.judged.extend(hearing::hour(section, evidence, *hour));
        }
    }
}

/// Whether enough is known of an hour for a section to begin with it: from the first value that
/// stands in it to the end of the last one is half of it. One outlet is enough: one that never spoke
/// would keep the section from ever being judged.
///
/// How much of an hour a rule asks for makes no difference, nor what a gauge can reach: a meter that
/// says too little, or what it cannot, is there, and its hours are judged. Else whoever tightens one
/// of these would undo what was short at the beginning. Of a meter that speaks less often than every
/// half hour its interval decides.
pub fn is_known(section: &Section<'_>, evidence: &[Evidence<'_>], hour: Span) -> bool {
    let has_rule = section.rule_to_begin(hour.from).is_some();
    let stand = evidence.iter().flat_map(|outlet| {
        let interval_ms = outlet.source.interval_ms;
        let first = outlet.samples.partition_point(|(at, _)| at.plus_ms(interval_ms) <= hour.from);
        let rest = outlet.samples.get(first..).unwrap_or_default();
        let within = rest.iter().map(|(at, _)| *at).take_while(|at| *at < hour.to);
        let Span { from, to } = outlet.source.in_force;
        let stands = within.map(move |at| (at.max(from), at.plus_ms(interval_ms).min(to)));
        stands.filter(|(from, to)| from < to)
    });
    let both = stand.reduce(|(from, to), (from_too, to_too)| (from.min(from_too), to.max(to_too)));
    has_rule
        && both.is_some_and(|(from, to)| {
            let known_ms = to.min(hour.to).ms_since(from.max(hour.from));
            known_ms * 2 >= hour.to.ms_since(hour.from)
        })
}

/// Whether this is a period of the section under the law in force.
fn is_period(section: &Section<'_>, begun: Timestamp, given: &GivenPeriod) -> bool {
    let GivenPeriod { by, span, .. } = given;
    let hour = section.hour_of(span.from);
    if span.from < begun || hour.from != span.from {
        return false;
    }
    match by {
        Length::Hour => hour.to == span.to && section.demand_in(hour).is_some(),
        Length::Day => section.day_of(hour).is_some_and(|hours| {
            hours.first() == Some(&hour)
                && hours.into_iter().any(|hour| section.demand_in(hour).is_some())
        }),
    }
}
