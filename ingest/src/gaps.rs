//! Which of the readings that an agent reports lost can be believed: its own, at moments that can be.

use model::{
    batch::Gap,
    ids::{AgentId, BootId, GaugeId},
    time::{AHEAD_MS, EARLIEST_MS, Timestamp},
    wire::{batch_v1::MAX_SEQUENCE, refused_v1::Reason},
};
use store::{AdmittedGap, SetAside};

use crate::{
    intake::Known,
    placing::{self, Placing},
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

/// Judges the gaps of a batch, each by itself: what is wrong with one hurts nothing else.
pub fn judge(gaps: &[Gap], agent: &AgentId, known: Known<'_>, now: Timestamp) -> Judged {
    let mut judged = Judged::default();
    for (number, gap) in (0_u32..).zip(gaps) {
        let placing = match gap.boot.map(|boot| Placing::of_boot(boot, known.anchors)) {
            None => Placing { offset_ms: 0, uncertainty_ms: 0 },
            Some(Ok(placing)) => placing,
            Some(Err(boot)) => {
                judged.wait(boot);
                continue;
            }
        };
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
        match problem(&placed, gap.gauges.len(), now) {
            None => judged.admitted.push(AdmittedGap { number, gap: placed }),
            Some(problem) => judged.refuse(format!("gap {number}: {problem}")),
        }
    }
    judged
}

impl Judged {
    fn refuse(&mut self, detail: String) {
        let gauge = String::new();
        self.set_aside.push(SetAside { gauge, reason: Reason::Gap, detail, moments: None });
    }

    /// Of several starts the batch waits for one after the other.
    fn wait(&mut self, boot: BootId) {
        if self.boot.is_none() {
            self.boot = Some(boot);
            let (gauge, detail) = (String::new(), format!("a gap: {}", placing::waiting(boot)));
            self.set_aside.push(SetAside { gauge, reason: Reason::Clock, detail, moments: None });
        }
    }
}

/// Why a gap cannot be; `gauges` is how many it named.
fn problem(gap: &Gap, gauges: usize, now: Timestamp) -> Option<String> {
    if gap.from_ms > gap.to_ms || gap.first_sequence > gap.last_sequence {
        return Some("it ends before it begins".to_owned());
    }
    if gap.last_sequence > MAX_SEQUENCE {
        return Some("a sequence above 2^63 - 1".to_owned());
    }
    // `to` is the moment after the last one
    if gap.from_ms < EARLIEST_MS || gap.to_ms > now.as_ms() + AHEAD_MS + 1 {
        return Some(format!(
            "from {} to {}, while the server's clock says {now}",
            Timestamp::clamped(gap.from_ms),
            Timestamp::clamped(gap.to_ms)
        ));
    }
    // A gauge has one reading a millisecond at most.
    let moments = u128::from(gap.to_ms.saturating_sub(gap.from_ms).cast_unsigned());
    let most = moments.saturating_mul(u128::try_from(gauges).unwrap_or(u128::MAX));
    (u128::from(gap.count) > most)
        .then(|| format!("{} readings of {gauges} gauges within {moments} ms", gap.count))
}
