//! Which of its gauges a batch has set aside, where it says so itself: a flag for each, since their
//! names stand in its payload. It says why, and from which moment on, where the points before are
//! admitted.

use std::collections::BTreeMap;

use model::{
    ids::GaugeId,
    time::Timestamp,
    wire::{
        refused_v1::Reason,
        runs::{self, Runs},
    },
};

use super::read_samples::damaged;
use crate::{
    admission::{AsideGauges, Kind, SetAside, Waits},
    facts::StoredBatch,
    points::Decoded,
    shell::error::StoreError,
};

/// The flag of a gauge that is not set aside.
const ADMITTED: u64 = 0;
/// Why one is, from 1 on; a flag is that and eight times the moment, in ms, after which it is set
/// aside, or nothing where all of it is.
const WHY: [(Reason, bool); 8] = [
    (Reason::Time, true),
    (Reason::Time, false),
    (Reason::Clock, false),
    (Reason::ForeignStation, false),
    (Reason::UnknownStation, false),
    (Reason::UnknownGauge, false),
    (Reason::Unit, false),
    (Reason::Range, false),
];

/// Pairs of (flag, repeats) over the payload's gauges, by station and name.
pub(super) fn flags(
    (batch, kind): (i64, Kind),
    bytes: &[u8],
    aside: &[&SetAside],
) -> Result<Vec<u8>, StoreError> {
    let wrong = |source| StoreError::Points { batch, source };
    let gauges = Decoded::new(kind, bytes).map_err(wrong)?.gauges();
    let aside: BTreeMap<&str, Waits> =
        aside.iter().map(|part| (part.gauge.as_str(), Waits::of(part))).collect();
    let flag = |gauge: &GaugeId| {
        aside.get(gauge.to_string().as_str()).map_or(ADMITTED, |waits| flag(*waits))
    };
    let flags = gauges.iter().map(flag);
    Ok(runs::encode(flags))
}

/// The gauges that are flagged.
pub(super) fn read(stored: &StoredBatch, flags: &[u8]) -> Result<AsideGauges, StoreError> {
    let batch = stored.position;
    let wrong = |source| StoreError::Points { batch, source };
    let gauges = Decoded::new(stored.kind, &stored.bytes).map_err(wrong)?.gauges();
    let mut flags = Runs::new(flags);
    let mut aside = AsideGauges::new();
    for gauge in gauges {
        match flags.next_item() {
            Ok(Some(ADMITTED)) => {}
            Ok(Some(flag)) => {
                let waits = waits(flag).ok_or_else(|| {
                    damaged(format!("parked batch {batch} has a flag that says nothing: {flag}"))
                })?;
                aside.insert(gauge.to_string(), waits);
            }
            Ok(None) | Err(runs::Malformed) => {
                return Err(damaged(format!("parked batch {batch} has flags for other gauges")));
            }
        }
    }
    Ok(aside)
}

/// A moment that no admitted point can have is as good as none: what is told again is a repetition.
fn flag(waits: Waits) -> u64 {
    let why = WHY.iter().zip(1..).find(|(why, _)| **why == (waits.reason, waits.is_due));
    // nothing else is parked
    let code = why.map_or(1, |(_, code)| code);
    let ms = waits.after.and_then(|after| u64::try_from(after.as_ms()).ok()).unwrap_or(0);
    ms.saturating_mul(8).saturating_add(code)
}

fn waits(flag: u64) -> Option<Waits> {
    let (code, ms) = (flag.checked_sub(1)? % 8, (flag - 1) / 8);
    let (reason, is_due) = *WHY.get(usize::try_from(code).ok()?)?;
    let after = i64::try_from(ms).ok().filter(|ms| *ms > 0).map(Timestamp::from_ms).transpose();
    Some(Waits { reason, is_due, after: after.ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(readings: &str) -> StoredBatch {
        StoredBatch {
            position: 7,
            kind: Kind::Json,
            agent: "gw".parse().unwrap(),
            received_at: Timestamp::MIN,
            bytes: format!(r#"{{"readings":[{readings}]}}"#).into_bytes(),
        }
    }

    fn three() -> StoredBatch {
        let reading =
            |name| format!(r#"{{"gauge":"A/{name}","at":"2026-11-22T00:00:00Z","value":1}}"#);
        stored(&["c", "a", "b", "a"].map(reading).join(","))
    }

    fn part(name: &str, after: Option<i64>) -> SetAside {
        let part = SetAside::new(format!("A/{name}"), Reason::Time, String::new());
        let due = Some(Timestamp::clamped(1));
        SetAside { after: after.map(Timestamp::clamped), due, ..part }
    }

    /// The parts as flags, and what is read of those.
    fn told(parts: &[SetAside]) -> (Vec<u8>, String) {
        let stored = three();
        let parts: Vec<&SetAside> = parts.iter().collect();
        let flags = flags((7, Kind::Json), &stored.bytes, &parts).unwrap();
        let read = read(&stored, &flags).unwrap();
        let read = read.iter().map(|(gauge, waits)| match waits.after {
            None => gauge.clone(),
            Some(after) => format!("{gauge} after {after}"),
        });
        (flags, read.collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn a_flag_says_whether_a_gauge_waits_or_after_which_moment() {
        let at = 1_795_305_600_000;
        assert_eq!(told(&[]), (vec![0, 3], String::new()));
        assert_eq!(told(&[part("b", None)]), (vec![0, 1, 1, 1, 0, 1], "A/b".to_owned()));
        let (flags, read) = told(&[part("a", Some(at)), part("b", Some(at)), part("c", None)]);
        assert_eq!(read, "A/a after 2026-11-22T00:00:00Z, A/b after 2026-11-22T00:00:00Z, A/c");
        assert_eq!(flags.len(), 7 + 1 + 2, "gauges of one moment share it");
        // What no reading can have waits whole, be it admitted twice.
        let (_, read) = told(&[part("a", Some(-5)), part("c", Some(0))]);
        assert_eq!(read, "A/a, A/c");
    }

    #[test]
    fn a_flag_says_why() {
        let at = 1_795_305_600_000;
        for (reason, is_due) in WHY {
            for after in [None, Some(at)] {
                let after = after.map(Timestamp::clamped);
                let due = is_due.then_some(Timestamp::MAX);
                let part = SetAside { reason, after, due, ..part("b", None) };
                let stored = three();
                let flags = flags((7, Kind::Json), &stored.bytes, &[&part]).unwrap();
                let waits = read(&stored, &flags).unwrap();
                let expected = [("A/b".to_owned(), Waits { reason, is_due, after })];
                assert_eq!(waits, AsideGauges::from(expected));
            }
        }
    }

    #[test]
    fn flags_that_do_not_fit_the_payload_are_damage() {
        let fault = |flags: &[u8]| read(&three(), flags).unwrap_err().to_string();
        let other = "parked batch 7 has flags for other gauges";
        assert!(fault(&[1, 2]).contains(other), "{}", fault(&[1, 2]));
        assert!(fault(&[0x80]).contains(other));
        let no_moment = [[0xff; 9].as_slice(), &[1, 3]].concat();
        assert!(fault(&no_moment).contains("says nothing"), "{}", fault(&no_moment));
    }
}
