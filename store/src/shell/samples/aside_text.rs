//! What is set aside as text: the reasons in words, and the gauges, one a line.

use std::collections::BTreeSet;

use super::ring::MAX_DETAIL;
use crate::admission::{AsideGauges, SetAside};

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

/// The gauges that are set aside, one a line.
pub(super) fn gauges(aside: &[&SetAside]) -> String {
    let named = aside.iter().map(|aside| aside.gauge.as_str()).filter(|gauge| !gauge.is_empty());
    let gauges: BTreeSet<&str> = named.collect();
    gauges.into_iter().collect::<Vec<_>>().join("\n")
}

/// The same as it is asked for; all of each is set aside.
pub(super) fn named(text: &str) -> AsideGauges {
    text.lines().map(|line| (line.to_owned(), None)).collect()
}
