//! What is set aside as text: the reasons in words, and the gauges, one a line.

use std::collections::BTreeSet;

use model::wire::refused_v1::Reason;

use super::ring::MAX_DETAIL;
use crate::admission::{AsideGauges, SetAside, Waits};

/// In place of the reason's word where the clock alone keeps a gauge out.
const DUE: &str = "due";

/// What is wrong, in words: each detail once, cut where it grows too long.
pub(super) fn detail(aside: &[&SetAside]) -> String {
    let details: BTreeSet<&str> = aside.iter().map(|aside| aside.detail.as_str()).collect();
    let mut text = String::new();
    for detail in details {
        if !text.is_empty() {
            text.push_str("; ");
        }
        text.push_str(detail);
        if let Some((cut, _)) = text.char_indices().nth(MAX_DETAIL) {
            text.truncate(cut);
            text.push('…');
            break;
        }
    }
    text
}

/// The word for why a part is set aside; it tells what the clock alone keeps out from the rest.
pub(super) fn why(part: &SetAside) -> &'static str {
    if part.due.is_some() { DUE } else { part.reason.word() }
}

/// The gauges that are set aside, one a line, each with why.
pub(super) fn gauges(aside: &[&SetAside]) -> String {
    let named = aside.iter().filter(|part| !part.gauge.is_empty());
    let lines: BTreeSet<(&str, &str)> =
        named.map(|part| (part.gauge.as_str(), why(part))).collect();
    let lines = lines.into_iter().map(|(gauge, why)| [gauge, why].join(" "));
    lines.collect::<Vec<_>>().join("\n")
}

/// The gauge of a line.
pub(super) fn name(line: &str) -> &str {
    line.split_once(' ').map_or(line, |(gauge, _)| gauge)
}

/// The same as it is asked for; all of each is set aside.
pub(super) fn named(text: &str) -> AsideGauges {
    let waits = |line: &str| {
        let (gauge, why) = line.split_once(' ')?;
        let is_due = why == DUE;
        let reason = if is_due { Reason::Time } else { Reason::named(why)? };
        Some((gauge.to_owned(), Waits { reason, is_due, after: None }))
    };
    text.lines().filter_map(waits).collect()
}

#[cfg(test)]
mod tests {
    use model::time::Timestamp;

    use super::*;

    #[test]
    fn what_is_written_of_gauges_is_read() {
        let unknown = SetAside::new("S/b".to_owned(), Reason::UnknownGauge, String::new());
        let absurd = SetAside::new("S/c".to_owned(), Reason::Time, String::new());
        let due = Some(Timestamp::clamped(5));
        let ahead = SetAside { gauge: "S/a".to_owned(), due, ..absurd.clone() };
        let gap = SetAside { gauge: String::new(), ..ahead.clone() };
        let text = gauges(&[&unknown, &gap, &absurd, &ahead]);
        assert_eq!(text, "S/a due\nS/b unknown_gauge\nS/c time");
        assert_eq!(text.lines().map(name).collect::<Vec<_>>(), ["S/a", "S/b", "S/c"]);
        let parts = [ahead, unknown, absurd].map(|part| (part.gauge.clone(), Waits::of(&part)));
        assert_eq!(named(&text), AsideGauges::from(parts));
    }
}
