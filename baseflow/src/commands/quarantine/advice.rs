//! What to do about a quarantined item, for whoever is woken by it.

use std::{collections::BTreeMap, path::Path};

use model::{quantity::Unit, wire::refused_v1::Reason};
use store::{QuarantineRow, QuarantineState};

use super::parts::Part;
use crate::typed::typed;

/// So many gauges of one fault are named; a count stands for the rest.
const MAX_NAMED: usize = 4;

/// In words, with the commands to type, a line for each fault and one for what comes after them.
pub(super) fn advice(row: &QuarantineRow, parts: &[Part], config: &Path) -> Vec<String> {
    let commands = Commands::new(row.id, config);
    match row.state {
        QuarantineState::Held => held(row, parts, &commands),
        QuarantineState::Replayed => vec!["nothing: it was admitted".to_owned()],
        QuarantineState::Discarded => vec!["nothing: it was given up".to_owned()],
    }
}

/// The commands about one item, each to be pasted as it is.
struct Commands {
    import: String,
    list: String,
    replay: String,
    discard: String,
}

impl Commands {
    fn new(id: i64, config: &Path) -> Self {
        let command = |words: &str| format!("`{}`", typed(words, config));
        Self {
            import: command("registry import FILE"),
            list: command("quarantine list"),
            replay: command(&format!("quarantine replay {id}")),
            discard: command(&format!("quarantine discard {id}")),
        }
    }
}

fn held(row: &QuarantineRow, parts: &[Part], commands: &Commands) -> Vec<String> {
    let by_fault = faults(parts);
    let Commands { list, replay, discard, .. } = commands;
    let mut lines = Vec::new();
    for (fault, gauges) in &by_fault {
        lines.push(format!("{}: {}", named(gauges), of_gauges(*fault, gauges, row, commands)));
    }
    if by_fault.is_empty() {
        let reason = Reason::named(&row.reason);
        lines.extend(reason.map(|reason| of_payload(reason, row, commands)));
    }
    lines.push(match by_fault.len() {
        0 | 1 => format!("{replay} judges it again; {discard} gives it up for good"),
        _ => format!(
            "once all of these are dealt with, {replay} admits what can be; {list} shows what is left, and discarding that gives it up for good; {discard} gives up all of it"
        ),
    });
    lines
}

/// Gauges with the same thing to do.
type Fault<'a> = (Reason, Option<Units<'a>>);

/// Of a unit, what to do depends on what was sent and on what can still be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Units<'a> {
    /// None where the payload does not say.
    sent: Option<&'a str>,
    /// The gauge's own; none where the registry does not have it.
    own: Option<&'static str>,
    has_samples: bool,
}

fn faults(parts: &[Part]) -> BTreeMap<Fault<'_>, Vec<&str>> {
    let mut faults = BTreeMap::<Fault<'_>, Vec<&str>>::new();
    for Part { gauge, reason, sent, own, has_samples } in parts {
        let units = Units { sent: sent.as_deref(), own: *own, has_samples: *has_samples };
        let units = Some(units).filter(|_| *reason == Reason::Unit);
        faults.entry((*reason, units)).or_default().push(gauge);
    }
    faults
}

fn named(gauges: &[&str]) -> String {
    let first: Vec<&str> = gauges.iter().take(MAX_NAMED).copied().collect();
    match gauges.len().saturating_sub(MAX_NAMED) {
        0 => first.join(", "),
        more => format!("{} and {more} more", first.join(", ")),
    }
}

/// What to do about gauges that share a fault.
fn of_gauges(
    (reason, units): Fault<'_>,
    gauges: &[&str],
    row: &QuarantineRow,
    commands: &Commands,
) -> String {
    match reason {
        Reason::UnknownStation | Reason::UnknownGauge => unknown(gauges, row, commands),
        Reason::Unit => unit(units, row, commands),
        Reason::Undecodable
        | Reason::TooLarge
        | Reason::Version
        | Reason::AgentMismatch
        | Reason::ForeignStation
        | Reason::Fork
        | Reason::Range
        | Reason::Time
        | Reason::Clock
        | Reason::Reading
        | Reason::Gap
        | Reason::Anchor
        | Reason::Share => of_payload(reason, row, commands),
    }
}

/// Of a name that the registry does not have, either side may be wrong.
fn unknown(gauges: &[&str], row: &QuarantineRow, commands: &Commands) -> String {
    let Commands { import, .. } = commands;
    let (it, name) =
        if let [_one] = gauges { ("it is", "the name") } else { ("they are", "a name") };
    let place = place(row, "gauge");
    format!(
        "{it} not in the registry. If {name} is wrong, correct {place}: what came under a wrong name can only be discarded. If the registry lacks it, add it to the registry file, then {import}, then replay"
    )
}

/// What is parked keeps the unit that it was sent with: only a gauge that can be had from that
/// unit admits it.
fn unit(units: Option<Units<'_>>, row: &QuarantineRow, commands: &Commands) -> String {
    let place = place(row, "unit");
    let known = units.and_then(|units| Some((units, units.sent?)));
    let Some((Units { own, has_samples, .. }, sent)) = known else {
        return format!(
            "correct {place}, for what comes from then on; what is here keeps the unit that it was sent with and can only be discarded"
        );
    };
    let to = own.map_or_else(String::new, |own| {
        format!(" to one that can become `{own}`, the gauge's own")
    });
    let from_now = format!(
        "correct {place}{to}, for what comes from then on; what is here keeps the unit that it was sent with"
    );
    if Unit::named(sent).is_none() {
        return format!("{from_now}, `{sent}`, which no gauge can have: it can only be discarded");
    }
    if has_samples {
        return format!(
            "{from_now}, `{sent}`, and the gauge has samples, so that its own unit stays for ever: it can only be discarded"
        );
    }
    let Commands { import, .. } = commands;
    format!(
        "if the registry is right, {from_now}, `{sent}`, and can only be discarded. If the registry is wrong and `{sent}` is what is measured: the gauge has no samples yet, so take it out of the registry file, {import}, write it again with a quantity and a unit that `{sent}` can become, import again, then replay"
    )
}

/// Where a sender gets a name or a unit from.
fn place(row: &QuarantineRow, key: &str) -> String {
    let agent = &row.agent;
    if row.topic.ends_with("/json") {
        format!("what {agent} sends")
    } else {
        format!("`{key}` of the register in {agent}'s settings (edge.toml)")
    }
}

/// What to do about a payload, whatever gauges it names.
fn of_payload(reason: Reason, row: &QuarantineRow, commands: &Commands) -> String {
    let agent = &row.agent;
    let Commands { import, .. } = commands;
    match reason {
        Reason::UnknownStation | Reason::UnknownGauge => unknown(&[], row, commands),
        Reason::Unit => unit(None, row, commands),
        Reason::ForeignStation => format!(
            "if the station has moved to this gateway, write `agent = \"{agent}\"` at it in the registry file, then {import}, then replay; else find out why {agent} sends it"
        ),
        Reason::Range => format!(
            "correct `scale`, `decimals` or `type` of the register in {agent}'s settings, for what it sends from then on; what is here cannot be stored and can only be discarded"
        ),
        Reason::Time => row.due.map_or_else(
            || format!("set the clock of {agent}; a moment before the year 2000 stays refused and can only be discarded"),
            |due| format!(
                "look which clock is wrong, that of the server or that of {agent}, and set it; as the server's comes to {due} and beyond, this is admitted by itself"
            ),
        ),
        Reason::Clock => format!(
            "nothing, if {agent} runs and will set its clock: it then sends where that stood, and this is placed by itself; of a start that ended before, nobody knows when it was, and it can only be discarded"
        ),
        Reason::Version => format!("bring this server to the version of {agent}, then replay"),
        Reason::Undecodable | Reason::TooLarge | Reason::AgentMismatch => format!(
            "find out what sends this as {agent}, and correct it there; nothing of it can be admitted as it is"
        ),
        Reason::Fork => format!(
            "two agents use the name {agent}, or a spool was copied: stop one, and give it a name and an account of its own; whoever was refused sends it again under a new identity, so this is a copy"
        ),
        Reason::Reading => {
            "have the sender correct the readings and send them again; if the registry was wrong, correct it, then replay".to_owned()
        }
        Reason::Gap | Reason::Anchor => "find out why it was refused".to_owned(),
        Reason::Share => format!(
            "nobody has looked at it, since so much of {agent} was refused just before: see why in its other items, and correct {agent} or the registry; then replay"
        ),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use model::{time::Timestamp, wire::refused_v1::Kept};

    use super::*;

    fn row(reason: &str, state: QuarantineState) -> QuarantineRow {
        let at = Timestamp::clamped(0);
        QuarantineRow {
            id: 7,
            kind: Kept::Parked,
            entry: None,
            state,
            agent: "gw-luming".parse().unwrap(),
            topic: String::new(),
            received_at: at,
            last_at: at,
            batches: 1,
            waiting: 1,
            bytes: 1,
            digest: [0; 32],
            reason: reason.to_owned(),
            detail: String::new(),
            gauges: Vec::new(),
            gauge_count: 0,
            moments: None,
            boot: None,
            due: None,
        }
    }

    fn part(gauge: &str, reason: Reason, sent: Option<&str>, has_samples: bool) -> Part {
        let (gauge, sent) = (gauge.to_owned(), sent.map(str::to_owned));
        Part { gauge, reason, sent, own: Some("m3/s"), has_samples }
    }

    fn check(parts: &[Part], expected: &Expect) {
        let row = row("unknown_gauge", QuarantineState::Held);
        expected.assert_eq(&advice(&row, parts, Path::new("b.toml")).join("\n"));
    }

    #[test]
    fn whatever_is_held_has_a_command_to_paste() {
        let later = "a_reason_of_a_later_version";
        for reason in Reason::ALL.into_iter().map(Reason::word).chain([later]) {
            let row = row(reason, QuarantineState::Held);
            let text = advice(&row, &[], Path::new("b.toml")).join("\n");
            for command in ["replay", "discard"] {
                let line = format!("`baseflow quarantine {command} 7 --config b.toml`");
                assert!(text.contains(&line), "{reason}: {text}");
            }
        }
        let gone = advice(&row("unit", QuarantineState::Discarded), &[], Path::new("b.toml"));
        assert_eq!(gone, ["nothing: it was given up"]);
    }

    #[test]
    fn a_name_that_the_registry_lacks_may_be_wrong_on_either_side() {
        check(
            &[part("S/q", Reason::UnknownGauge, Some("m"), false)],
            &expect![[r#"
            S/q: it is not in the registry. If the name is wrong, correct `gauge` of the register in gw-luming's settings (edge.toml): what came under a wrong name can only be discarded. If the registry lacks it, add it to the registry file, then `baseflow registry import FILE --config b.toml`, then replay
            `baseflow quarantine replay 7 --config b.toml` judges it again; `baseflow quarantine discard 7 --config b.toml` gives it up for good"#]],
        );
    }

    #[test]
    fn a_unit_is_corrected_for_what_comes_and_what_is_parked_keeps_its_own() {
        check(
            &[part("S/q", Reason::Unit, Some("V"), false)],
            &expect![[r#"
            S/q: if the registry is right, correct `unit` of the register in gw-luming's settings (edge.toml) to one that can become `m3/s`, the gauge's own, for what comes from then on; what is here keeps the unit that it was sent with, `V`, and can only be discarded. If the registry is wrong and `V` is what is measured: the gauge has no samples yet, so take it out of the registry file, `baseflow registry import FILE --config b.toml`, write it again with a quantity and a unit that `V` can become, import again, then replay
            `baseflow quarantine replay 7 --config b.toml` judges it again; `baseflow quarantine discard 7 --config b.toml` gives it up for good"#]],
        );
        check(
            &[part("S/q", Reason::Unit, Some("V"), true)],
            &expect![[r#"
            S/q: correct `unit` of the register in gw-luming's settings (edge.toml) to one that can become `m3/s`, the gauge's own, for what comes from then on; what is here keeps the unit that it was sent with, `V`, and the gauge has samples, so that its own unit stays for ever: it can only be discarded
            `baseflow quarantine replay 7 --config b.toml` judges it again; `baseflow quarantine discard 7 --config b.toml` gives it up for good"#]],
        );
        check(
            &[part("S/q", Reason::Unit, Some("furlong"), false)],
            &expect![[r#"
            S/q: correct `unit` of the register in gw-luming's settings (edge.toml) to one that can become `m3/s`, the gauge's own, for what comes from then on; what is here keeps the unit that it was sent with, `furlong`, which no gauge can have: it can only be discarded
            `baseflow quarantine replay 7 --config b.toml` judges it again; `baseflow quarantine discard 7 --config b.toml` gives it up for good"#]],
        );
    }

    #[test]
    fn every_fault_of_an_item_is_named_with_what_to_do() {
        let unknown = |gauge| part(gauge, Reason::UnknownGauge, None, false);
        check(
            &[
                unknown("S/a"),
                part("S/q", Reason::Unit, Some("V"), true),
                unknown("S/b"),
                unknown("S/c"),
                unknown("S/d"),
                unknown("S/e"),
                unknown("S/f"),
            ],
            &expect![[r#"
                S/a, S/b, S/c, S/d and 2 more: they are not in the registry. If a name is wrong, correct `gauge` of the register in gw-luming's settings (edge.toml): what came under a wrong name can only be discarded. If the registry lacks it, add it to the registry file, then `baseflow registry import FILE --config b.toml`, then replay
                S/q: correct `unit` of the register in gw-luming's settings (edge.toml) to one that can become `m3/s`, the gauge's own, for what comes from then on; what is here keeps the unit that it was sent with, `V`, and the gauge has samples, so that its own unit stays for ever: it can only be discarded
                once all of these are dealt with, `baseflow quarantine replay 7 --config b.toml` admits what can be; `baseflow quarantine list --config b.toml` shows what is left, and discarding that gives it up for good; `baseflow quarantine discard 7 --config b.toml` gives up all of it"#]],
        );
    }
}
