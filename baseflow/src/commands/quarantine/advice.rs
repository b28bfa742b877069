//! What to do about a quarantined item, for whoever is woken by it.

use model::wire::refused_v1::Reason;
use store::{QuarantineRow, QuarantineState};

/// In words, with the commands to type.
pub(super) fn advice(row: &QuarantineRow) -> String {
    match row.state {
        QuarantineState::Held => {
            Reason::named(&row.reason).map_or_else(|| replay(row.id), |reason| held(reason, row))
        }
        QuarantineState::Replayed => "nothing: it was admitted".to_owned(),
        QuarantineState::Discarded => "nothing: it was given up".to_owned(),
    }
}

fn held(reason: Reason, row: &QuarantineRow) -> String {
    let (id, agent) = (row.id, &row.agent);
    let replay = replay(id);
    let discard = format!("`baseflow quarantine discard {id}` gives it up for good");
    match reason {
        Reason::UnknownStation | Reason::UnknownGauge => format!(
            "write what is missing into the registry file and import it (`baseflow registry import FILE`), then {replay}; {discard}"
        ),
        Reason::ForeignStation => format!(
            "if the station has moved to this gateway, write `agent = \"{agent}\"` at it in the registry file and import it, then {replay}; else find out why {agent} sends it; {discard}"
        ),
        Reason::Unit => format!(
            "correct `unit` of the register in {agent}'s settings, or of a gauge that has no samples yet in the registry file, and then {replay}; {discard}"
        ),
        Reason::Range => format!(
            "correct `scale`, `decimals` or `type` of the register in {agent}'s settings, for what it sends from here on; what is here cannot be stored: {discard}"
        ),
        Reason::Time => row.due.map_or_else(
            || format!("set the clock of {agent}; a moment before the year 2000 stays refused: {discard}"),
            |due| format!(
                "look which clock is wrong, that of the server or that of {agent}, and set it; as the server's comes to {due} and beyond, this is admitted by itself; {discard}"
            ),
        ),
        Reason::Clock => format!(
            "nothing, if {agent} runs and will set its clock: it then sends where that stood, and this is placed by itself; of a start that ended before, nobody knows when it was: {discard}"
        ),
        Reason::Version => {
            format!("bring this server to the version of {agent}, then {replay}; {discard}")
        }
        Reason::Undecodable | Reason::TooLarge | Reason::AgentMismatch => format!(
            "find out what sends this as {agent}, and correct it there; nothing of it can be admitted as it is: {discard}"
        ),
        Reason::Fork => format!(
            "two agents use the name {agent}, or a spool was copied: stop one, and give it a name and an account of its own; whoever was refused sends it again under a new identity, so this is a copy: {discard}"
        ),
        Reason::Reading => format!(
            "have the sender correct the readings and send them again; if the registry was wrong, correct it and {replay}; {discard}"
        ),
        Reason::Gap | Reason::Anchor => format!("{replay}; {discard}"),
    }
}

fn replay(id: i64) -> String {
    format!("`baseflow quarantine replay {id}`")
}

#[cfg(test)]
mod tests {
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

    #[test]
    fn whatever_is_held_has_a_command_to_type() {
        let later = "a_reason_of_a_later_version";
        for reason in Reason::ALL.into_iter().map(Reason::word).chain([later]) {
            let text = advice(&row(reason, QuarantineState::Held));
            assert!(text.contains("`baseflow quarantine "), "{reason}: {text}");
            assert!(text.contains(" 7`"), "{reason}: {text}");
        }
        assert_eq!(advice(&row("unit", QuarantineState::Discarded)), "nothing: it was given up");
    }
}
