//! Which UTC a batch's moments are: as they stand, or moved by the anchor of the gateway's start.

use std::collections::BTreeMap;

use model::{
    batch::{BatchClock, ClockAnchor},
    ids::BootId,
    time::{EARLIEST_MS, Timestamp, due, is_ahead},
    wire::refused_v1::Reason,
};
use store::SetAside;

/// The anchors that stand for an agent's gateway.
pub type Anchors = BTreeMap<BootId, ClockAnchor>;

/// What makes UTC of moments, and to within how much.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placing {
    /// To be added to each moment; 0 where they are UTC.
    pub offset_ms: i64,
    /// The moment's uncertainty.
    pub uncertainty_ms: u32,
}

impl Placing {
    /// That of a batch's moments, or the start whose anchor has not come.
    pub fn of(clock: BatchClock, anchors: &Anchors) -> Result<Self, BootId> {
        match clock {
            BatchClock::Utc { uncertainty_ms } => Ok(Self { offset_ms: 0, uncertainty_ms }),
            BatchClock::Boot { boot_id } => Self::of_boot(boot_id, anchors),
        }
    }

    /// That of moments since this start, if its anchor has come.
    pub fn of_boot(boot: BootId, anchors: &Anchors) -> Result<Self, BootId> {
        let anchor = anchors.get(&boot).ok_or(boot)?;
        Ok(Self { offset_ms: anchor.utc_at_boot_ms, uncertainty_ms: anchor.uncertainty_ms })
    }

    /// The moment in UTC.
    pub const fn utc_ms(self, at_ms: i64) -> i64 {
        at_ms.saturating_add(self.offset_ms)
    }

    /// Whether a moment is uncertain by more than half of this period; of no period nothing is.
    pub fn is_uncertain(self, period_ms: u32) -> bool {
        period_ms > 0 && u64::from(self.uncertainty_ms) * 2 > u64::from(period_ms)
    }
}

/// Why something waits for the anchor of a start.
pub fn waiting(boot: BootId) -> String {
    format!("moments since boot {boot}, for which no anchor has come")
}

/// The anchors that are taken, and what becomes of the others: no gateway that sends started before
/// the year 2000; one that started after now has a clock that is ahead, or the server's is behind.
pub fn sound(
    anchors: impl IntoIterator<Item = ClockAnchor>,
    now: Timestamp,
) -> (Vec<ClockAnchor>, Vec<SetAside>) {
    let (mut sound, mut others) = (Vec::new(), Vec::new());
    for anchor in anchors {
        let began_at = Timestamp::clamped(anchor.utc_at_boot_ms);
        let detail = format!(
            "the anchor of boot {} says that it began at {began_at}, while the server's clock says {now}",
            anchor.boot_id
        );
        if anchor.utc_at_boot_ms < EARLIEST_MS {
            others.push(SetAside::new(String::new(), Reason::Anchor, detail));
        } else if is_ahead(anchor.utc_at_boot_ms, now) {
            let waits = SetAside::new(String::new(), Reason::Time, detail);
            others.push(SetAside { due: Some(due(anchor.utc_at_boot_ms)), ..waits });
        } else {
            sound.push(anchor);
        }
    }
    (sound, others)
}

#[cfg(test)]
mod tests {
    use model::time::AHEAD_MS;

    use super::*;

    #[test]
    fn half_a_period_is_certain_enough() {
        let within = |uncertainty_ms| Placing { offset_ms: 0, uncertainty_ms };
        assert!(!within(2_500).is_uncertain(5_000) && within(2_501).is_uncertain(5_000));
        assert!(!within(u32::MAX).is_uncertain(0));
        assert!(within(u32::MAX).is_uncertain(u32::MAX));
    }

    #[test]
    fn a_start_in_another_century_is_none_and_one_in_the_future_waits() {
        let now: Timestamp = "2026-11-22T00:00:00Z".parse().unwrap();
        let anchor = |utc_at_boot_ms| ClockAnchor {
            boot_id: BootId(1),
            utc_at_boot_ms,
            uncertainty_ms: 2,
            source: 1,
        };
        let sent = [anchor(0), anchor(now.as_ms()), anchor(now.as_ms() + AHEAD_MS + 1)];
        let (sound, refused) = sound(sent, now);
        assert_eq!(sound, [anchor(now.as_ms())]);
        let told: Vec<_> = refused.iter().map(|part| (part.reason, part.due)).collect();
        let later = Timestamp::clamped(now.as_ms() + 1);
        assert_eq!(told, [(Reason::Anchor, None), (Reason::Time, Some(later))]);
        assert_eq!(
            refused[0].detail,
            "the anchor of boot 00000000000000000000000000000001 says that it began at 1970-01-01T00:00:00Z, while the server's clock says 2026-11-22T00:00:00Z"
        );
    }
}
