//! Which of its gauges a batch has set aside, where it says so itself: a flag for each, since their
//! names stand in its payload; and from which moment on, where the points before are admitted.

use std::collections::BTreeMap;

use model::{
    ids::GaugeId,
    time::{TimeError, Timestamp},
    wire::runs::{self, Runs},
};

use super::read_samples::damaged;
use crate::{
    admission::{AsideGauges, Kind, SetAside},
    facts::StoredBatch,
    points::Decoded,
    shell::error::StoreError,
};

/// The flag of a gauge that is not set aside.
const ADMITTED: u64 = 0;
/// Of one that is, with all that the payload says of it. A higher flag is a moment in ms: what is
/// after it is set aside.
const WHOLE: u64 = 1;

/// Pairs of (flag, repeats) over the payload's gauges, by station and name.
pub(super) fn flags(
    (batch, kind): (i64, Kind),
    bytes: &[u8],
    aside: &[&SetAside],
) -> Result<Vec<u8>, StoreError> {
    let wrong = |source| StoreError::Points { batch, source };
    let gauges = Decoded::new(kind, bytes).map_err(wrong)?.gauges();
    let aside: BTreeMap<&str, Option<Timestamp>> =
        aside.iter().map(|part| (part.gauge.as_str(), part.after)).collect();
    let flag = |gauge: &GaugeId| {
        aside.get(gauge.to_string().as_str()).map_or(ADMITTED, |after| flag(*after))
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
                let after = after(flag).map_err(|_no_moment| {
                    damaged(format!("parked batch {batch} has a flag that is no moment: {flag}"))
                })?;
                aside.insert(gauge.to_string(), after);
            }
            Ok(None) | Err(runs::Malformed) => {
                return Err(damaged(format!("parked batch {batch} has flags for other gauges")));
            }
        }
    }
    Ok(aside)
}

/// The flag of a gauge of which what is after this moment is set aside. One that no admitted point
/// can have is as good as none: what is told again is a repetition.
fn flag(after: Option<Timestamp>) -> u64 {
    let ms = after.and_then(|after| u64::try_from(after.as_ms()).ok());
    ms.map_or(WHOLE, |ms| ms.max(WHOLE))
}

fn after(flag: u64) -> Result<Option<Timestamp>, TimeError> {
    if flag == WHOLE {
        return Ok(None);
    }
    Timestamp::from_ms(i64::try_from(flag).unwrap_or(i64::MAX)).map(Some)
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
        use model::wire::refused_v1::Reason;

        let part = SetAside::new(format!("A/{name}"), Reason::Time, String::new());
        SetAside { after: after.map(Timestamp::clamped), ..part }
    }

    /// The parts as flags, and what is read of those.
    fn told(parts: &[SetAside]) -> (Vec<u8>, String) {
        let stored = three();
        let parts: Vec<&SetAside> = parts.iter().collect();
        let flags = flags((7, Kind::Json), &stored.bytes, &parts).unwrap();
        let read = read(&stored, &flags).unwrap();
        let read = read.iter().map(|(gauge, after)| match after {
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
        assert_eq!(flags.len(), 6 + 1 + 2, "gauges of one moment share it");
        // What no reading can have waits whole, be it admitted twice.
        let (_, read) = told(&[part("a", Some(-5)), part("c", Some(1))]);
        assert_eq!(read, "A/a, A/c");
    }

    #[test]
    fn flags_that_do_not_fit_the_payload_are_damage() {
        let fault = |flags: &[u8]| read(&three(), flags).unwrap_err().to_string();
        let other = "parked batch 7 has flags for other gauges";
        assert!(fault(&[1, 2]).contains(other), "{}", fault(&[1, 2]));
        assert!(fault(&[0x80]).contains(other));
        let no_moment = [[0xff; 9].as_slice(), &[1, 3]].concat();
        assert!(fault(&no_moment).contains("no moment"), "{}", fault(&no_moment));
    }
}
