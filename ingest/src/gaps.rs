//! Which of the readings that an agent reports lost can be believed: its own, at moments that can be.

use model::{
    batch::Gap,
    ids::{BootId, GaugeId},
    time::{EARLIEST_MS, Timestamp, due, is_ahead},
    wire::{batch_v1::MAX_SEQUENCE, refused_v1::Reason},
};
use store::{AdmittedGap, SetAside};

use crate::{
    intake::{Arrival, Known},
    placing::{self, Placing},
    remainder::Remainder,
};

/// What becomes of a batch's gaps.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judged {
    /// Accepted, in UTC, each for the gauges that the agent may speak of.
    pub admitted: Vec<AdmittedGap>,
    /// What is not, and the start for whose anchor some wait.
    pub set_aside: Vec<SetAside>,
    /// That start.
    pub boot: Option<BootId>,
}

/// Judges the gaps of a batch, each by itself: what is wrong with one hurts nothing else. Of a
/// batch that was judged before only those count that wait.
pub fn judge(gaps: &[Gap], arrival: Arrival<'_>, known: Known<'_>) -> Judged {
    let (agent, now) = (arrival.agent, arrival.received_at);
    let mut judged = Judged::default();
    for (number, gap) in (0_u32..).zip(gaps) {
        let has_boot = gap.boot.is_some();
        let placing = match gap.boot.map(|boot| Placing::of_boot(boot, known.anchors)) {
            None => Placing { offset_ms: 0, uncertainty_ms: 0 },
            Some(Ok(placing)) => placing,
            Some(Err(boot)) => {
                judged.wait(boot);
                continue;
            }
        };
        // `to` is the moment after the last one
        let last_ms = gap.from_ms.max(gap.to_ms.saturating_sub(1));
        let last_ms = placing.utc_ms(last_ms);
        let waits = |remainder: Remainder<'_>| {
            (has_boot && remainder.waits_for_anchor) || is_ahead(last_ms, remainder.judged_at)
        };
        if !arrival.remainder.is_none_or(waits) {
            continue;
        }
        let (own, foreign): (Vec<GaugeId>, Vec<GaugeId>) =
            gap.gauges.iter().cloned().partition(|gauge| !known.is_foreign(gauge, agent));
        if let Some(first) = foreign.first() {
            let others = match foreign.len() {
                1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            judged.refuse(format!(
                "gap {number}: this agent does not speak for the station of `{first}`{others}"
            ));
        }
        if own.is_empty() && !foreign.is_empty() {
            continue;
        }
        let placed = Gap {
            gauges: own,
            boot: None,
            from_ms: placing.utc_ms(gap.from_ms),
            to_ms: placing.utc_ms(gap.to_ms),
            ..gap.clone()
        };
        match problem(&placed, gap.gauges.len()) {
            Some(problem) => judged.refuse(format!("gap {number}: {problem}")),
            None if is_ahead(last_ms, now) => judged.defer(number, &placed, now, due(last_ms)),
            None => judged.admitted.push(AdmittedGap { number, gap: placed }),
        }
    }
    judged
}

impl Judged {
    fn refuse(&mut self, detail: String) {
        self.set_aside.push(SetAside::new(String::new(), Reason::Gap, detail));
    }

    /// It lies ahead of the clock, which will have reached it at `due`.
    fn defer(&mut self, number: u32, gap: &Gap, now: Timestamp, due: Timestamp) {
        let detail = format!("gap {number}: {}, while the server's clock says {now}", moments(gap));
        let waits = SetAside::new(String::new(), Reason::Time, detail);
        self.set_aside.push(SetAside { due: Some(due), ..waits });
    }

    /// Of several starts the batch waits for one after the other.
    fn wait(&mut self, boot: BootId) {
        if self.boot.is_none() {
            self.boot = Some(boot);
            let detail = format!("a gap: {}", placing::waiting(boot));
            self.set_aside.push(SetAside::new(String::new(), Reason::Clock, detail));
        }
    }
}

/// Why a gap cannot be; `gauges` is how many it named.
fn problem(gap: &Gap, gauges: usize) -> Option<String> {
    if gap.from_ms > gap.to_ms || gap.first_sequence > gap.last_sequence {
        return Some("it ends before it begins".to_owned());
    }
    if gap.last_sequence > MAX_SEQUENCE {
        return Some("a sequence above 2^63 - 1".to_owned());
    }
    if gap.from_ms < EARLIEST_MS {
        return Some(format!("{}, before the year 2000", moments(gap)));
    }
    // A gauge has one reading a millisecond at most.
    let moments = u128::from(gap.to_ms.saturating_sub(gap.from_ms).cast_unsigned());
    let most = moments.saturating_mul(u128::try_from(gauges).unwrap_or(u128::MAX));
    (u128::from(gap.count) > most)
        .then(|| format!("{} readings of {gauges} gauges within {moments} ms", gap.count))
}

fn moments(gap: &Gap) -> String {
    let (from, to) = (Timestamp::clamped(gap.from_ms), Timestamp::clamped(gap.to_ms));
    format!("from {from} to {to}")
}
