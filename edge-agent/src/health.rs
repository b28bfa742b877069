//! How each line and device stands, for the status document and the log.

use model::{
    quality::Quality,
    time::Timestamp,
    wire::status_v1::{BusStatus, DeviceStatus},
};

use crate::config::Bus;

/// How one line stands and the devices on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BusHealth {
    name: Box<str>,
    state: LineState,
    devices: Vec<DeviceHealth>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LineState {
    New,
    Ok,
    Unreachable,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct DeviceHealth {
    name: Box<str>,
    state: DeviceState,
    last_answer_at: Option<Timestamp>,
    reason: Option<Quality>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DeviceState {
    New,
    Ok,
    Silent,
}

/// What a poll of a device came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Poll {
    /// When the last words came, if any.
    pub answered_at: Option<Timestamp>,
    /// The last quality code that was not good.
    pub reason: Option<Quality>,
    /// Whether the line could not be opened.
    pub is_without_line: bool,
}

/// What an operator would write in the logbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The line cannot be opened any more.
    LineLost,
    /// The line is open.
    LineOpen,
    /// No usable answer any more.
    Silent,
    /// Usable answers, for the first time or again.
    Answers,
    /// Usable answers, but something else is wrong than before.
    Reason,
}

impl BusHealth {
    /// A line not yet tried.
    pub fn new(bus: &Bus) -> Self {
        let device = |name: &str| DeviceHealth {
            name: name.into(),
            state: DeviceState::New,
            last_answer_at: None,
            reason: None,
        };
        let devices = bus.devices.iter().map(|of_bus| device(&of_bus.name)).collect();
        Self { name: bus.name.clone(), state: LineState::New, devices }
    }

    /// Takes in a poll of the device with this index; what changed by it, if anything.
    ///
    /// Without a line there is nothing new to say of a device but that it is silent.
    pub fn polled(&mut self, device: usize, poll: Poll) -> Option<Change> {
        let line = if poll.is_without_line { LineState::Unreachable } else { LineState::Ok };
        let line_before = std::mem::replace(&mut self.state, line);
        let device = self.devices.get_mut(device)?;
        let state_before = device.state;
        device.state = match poll.answered_at {
            Some(_) => DeviceState::Ok,
            None => DeviceState::Silent,
        };
        device.last_answer_at = poll.answered_at.or(device.last_answer_at);
        let reason_before = device.reason;
        // that it rests says less than why
        let reason = poll.reason.filter(|reason| *reason != Quality::BACK_OFF);
        device.reason = reason.or(reason_before);
        match (line_before, line, state_before, device.state) {
            (LineState::New | LineState::Ok, LineState::Unreachable, _, _) => {
                Some(Change::LineLost)
            }
            (_, LineState::Unreachable, _, _) => None,
            (LineState::Unreachable, _, _, _) => Some(Change::LineOpen),
            (_, _, DeviceState::New | DeviceState::Silent, DeviceState::Ok) => {
                Some(Change::Answers)
            }
            (_, _, DeviceState::New | DeviceState::Ok, DeviceState::Silent) => Some(Change::Silent),
            (_, _, _, _) if device.reason != reason_before => Some(Change::Reason),
            (_, _, _, _) => None,
        }
    }

    /// As the status document has it.
    pub fn status(&self) -> BusStatus {
        let state = match self.state {
            LineState::New => "new",
            LineState::Ok => "ok",
            LineState::Unreachable => "unreachable",
        };
        BusStatus {
            name: self.name.clone().into_string(),
            state: state.to_owned(),
            devices: self.devices.iter().map(DeviceHealth::status).collect(),
        }
    }
}

impl DeviceHealth {
    fn status(&self) -> DeviceStatus {
        let state = match self.state {
            DeviceState::New => "new",
            DeviceState::Ok => "ok",
            DeviceState::Silent => "silent",
        };
        DeviceStatus {
            name: self.name.clone().into_string(),
            state: state.to_owned(),
            last_answer_at: self.last_answer_at,
            reason: self.reason.map(|reason| reason.word().into_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use expect_test::{Expect, expect};

    use super::*;

    /// Polls written as `good`, `line` (none) or a defect, `+` where words came all the same.
    fn check(polls: &str, expected: &Expect) {
        let mut health = BusHealth {
            name: "meters".into(),
            state: LineState::New,
            devices: vec![DeviceHealth {
                name: "m".into(),
                state: DeviceState::New,
                last_answer_at: None,
                reason: None,
            }],
        };
        let mut shown = String::new();
        for (second, poll) in (0..).zip(polls.split_whitespace()) {
            let at = Timestamp::clamped(second * 1_000);
            let reason = [
                ("timeout", Quality::TIMEOUT),
                ("exception_2", Quality::exception(2)),
                ("back_off", Quality::BACK_OFF),
                ("line", Quality::UNREACHABLE),
            ];
            let word = poll.trim_end_matches('+');
            let reason = reason.iter().find(|(known, _)| *known == word).map(|(_, code)| *code);
            let answered_at = (poll == "good" || poll.ends_with('+')).then_some(at);
            let is_without_line = poll == "line";
            let change = health.polled(0, Poll { answered_at, reason, is_without_line });
            let status = health.status();
            let device = &status.devices[0];
            let at = device.last_answer_at.map(|at| at.as_ms() / 1_000);
            let (line, state, reason) = (&status.state, &device.state, &device.reason);
            let change = change.map(|change| format!(", {change:?}")).unwrap_or_default();
            writeln!(shown, "{poll}: {line} {state} {at:?} {reason:?}{change}").unwrap();
        }
        expected.assert_eq(&shown);
    }

    #[test]
    fn a_silent_device_is_said_once_and_so_is_its_return() {
        check(
            "good good timeout back_off timeout good good",
            &expect![[r#"
            good: ok ok Some(0) None, Answers
            good: ok ok Some(1) None
            timeout: ok silent Some(1) Some("timeout"), Silent
            back_off: ok silent Some(1) Some("timeout")
            timeout: ok silent Some(1) Some("timeout")
            good: ok ok Some(5) Some("timeout"), Answers
            good: ok ok Some(6) Some("timeout")
        "#]],
        );
    }

    #[test]
    fn a_defect_beside_good_readings_is_said_once() {
        check(
            "good exception_2+ exception_2+ good timeout+",
            &expect![[r#"
            good: ok ok Some(0) None, Answers
            exception_2+: ok ok Some(1) Some("exception_2"), Reason
            exception_2+: ok ok Some(2) Some("exception_2")
            good: ok ok Some(3) Some("exception_2")
            timeout+: ok ok Some(4) Some("timeout"), Reason
        "#]],
        );
    }

    #[test]
    fn a_lost_line_is_said_once_for_all_its_devices() {
        check(
            "timeout line line timeout good line good",
            &expect![[r#"
            timeout: ok silent None Some("timeout"), Silent
            line: unreachable silent None Some("unreachable"), LineLost
            line: unreachable silent None Some("unreachable")
            timeout: ok silent None Some("timeout"), LineOpen
            good: ok ok Some(4) Some("timeout"), Answers
            line: unreachable silent Some(4) Some("unreachable"), LineLost
            good: ok ok Some(6) Some("unreachable"), LineOpen
        "#]],
        );
    }
}
