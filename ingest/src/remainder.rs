//! What of a payload that was judged before is still to be judged.

use model::{
    batch::ClockAnchor,
    ids::GaugeId,
    time::{Timestamp, is_ahead},
};
use store::AsideGauges;

/// What was set aside of a stored payload; all else of it is decided.
#[derive(Debug, Clone, Copy)]
pub struct Remainder<'a> {
    /// Its gauges, and what of them.
    pub gauges: &'a AsideGauges,
    /// When it was judged last: of gaps and anchors, what lay ahead then waits.
    pub judged_at: Timestamp,
    /// Whether something of it waits for an anchor.
    pub waits_for_anchor: bool,
}

impl Remainder<'_> {
    /// Whether something of this gauge waits.
    pub fn has_gauge(&self, gauge: &GaugeId) -> bool {
        self.gauges.contains_key(&gauge.to_string())
    }

    /// Up to which moment the gauge's points are admitted, if any are.
    pub fn after(&self, gauge: &GaugeId) -> Option<Timestamp> {
        self.gauges.get(&gauge.to_string()).and_then(|waits| waits.after)
    }

    /// Whether a point of this gauge and moment waits.
    pub fn has_point(&self, gauge: &GaugeId, at: Timestamp) -> bool {
        let found = self.gauges.get(&gauge.to_string());
        found.is_some_and(|waits| waits.after.is_none_or(|after| at > after))
    }

    /// Whether this anchor waits.
    pub fn has_anchor(&self, anchor: &ClockAnchor) -> bool {
        is_ahead(anchor.utc_at_boot_ms, self.judged_at)
    }
}
