//! What the agent says of itself, and when it says it again.

pub mod page;

use model::{
    ids::{BootId, Epoch},
    time::Timestamp,
    wire::status_v1::{BusStatus, ClockStatus, SpoolStatus, Status},
};

/// A status is told at once when something changed in it that people wait for, but not more often.
const CHANGE_MS: i64 = 1_000;
/// So often while batches queue up, and while readings are lost.
const BUSY_MS: i64 = 60_000;
/// And so often in any case: that it is there, the agent shows by its connection, whose end the
/// last will tells.
const QUIET_MS: i64 = 900_000;
/// From so many batches on they queue up, until there are so few again: what is on its way is no
/// queue, and a number that swings about one limit is no news each time.
const QUEUED: u64 = 16;
const DRAINED: u64 = 4;

/// The status document of an agent that is there.
#[derive(Debug, Clone)]
pub struct Online<'a> {
    /// The agent's software.
    pub version: &'a str,
    /// This start of the gateway.
    pub boot_id: BootId,
    /// The word of the setting.
    pub trust: &'a str,
    /// Whether moments are UTC.
    pub is_trusted: bool,
    /// How far the wall clock is off, by the kernel.
    pub offset_ms: Option<i64>,
    /// The spool's.
    pub epoch: Option<Epoch>,
    /// What is queued in it.
    pub spool: SpoolStatus,
    /// The lines and devices.
    pub buses: Vec<BusStatus>,
}

impl Online<'_> {
    /// As it stands at `at`.
    pub fn status(self, at: Timestamp) -> Status {
        Status {
            online: true,
            at: Some(at),
            boot_id: Some(self.boot_id),
            epoch: self.epoch,
            clock: Some(ClockStatus {
                trust: self.trust.to_owned(),
                trusted: self.is_trusted,
                offset_ms: self.offset_ms,
            }),
            spool: Some(self.spool),
            buses: self.buses,
            ..Status::offline(self.version)
        }
    }
}

/// Decides when the status is told: at each connection, when a state changes, and now and then.
#[derive(Debug, Default)]
pub struct Pace {
    told: Option<(i64, Status, bool)>,
    has_backlog: bool,
}

impl Pace {
    /// The broker has no status of this connection.
    pub fn forget(&mut self) {
        self.told = None;
    }

    /// Whether `status` should be told now.
    pub fn is_due(&mut self, status: &Status, now_ms: i64) -> bool {
        let queued = status.spool.as_ref().map_or(0, |spool| spool.queued);
        self.has_backlog = if self.has_backlog { queued > DRAINED } else { queued >= QUEUED };
        let Some((told_at_ms, told, had_backlog)) = &self.told else { return true };
        let limit_ms = if states(status) != states(told) || self.has_backlog != *had_backlog {
            CHANGE_MS
        } else if self.has_backlog || overwritten(status) != overwritten(told) {
            BUSY_MS
        } else {
            QUIET_MS
        };
        now_ms - told_at_ms >= limit_ms
    }

    /// It was told.
    pub fn told(&mut self, status: Status, now_ms: i64) {
        self.told = Some((now_ms, status, self.has_backlog));
    }
}

/// What people wait for: which states there are, not when or how much.
fn states(status: &Status) -> (Option<bool>, Option<Epoch>, Vec<BusStatus>, bool) {
    let mut buses = status.buses.clone();
    for device in buses.iter_mut().flat_map(|bus| &mut bus.devices) {
        device.last_answer_at = None;
    }
    let is_trusted = status.clock.as_ref().map(|clock| clock.trusted);
    (is_trusted, status.epoch, buses, overwritten(status) > 0)
}

fn overwritten(status: &Status) -> u64 {
    status.spool.as_ref().map_or(0, |spool| spool.overwritten)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use model::wire::status_v1::DeviceStatus;

    use super::*;

    /// Each word is `seconds:device state:queued`; shows which are told.
    fn check(words: &str, expected: &Expect) {
        let mut pace = Pace::default();
        let mut shown = Vec::new();
        for word in words.split_whitespace() {
            let parts: Vec<&str> = word.split(':').collect();
            let now_ms = parts[0].parse::<i64>().unwrap() * 1_000;
            let at = Timestamp::clamped(now_ms);
            let device = DeviceStatus {
                name: "meter".to_owned(),
                state: parts[1].to_owned(),
                last_answer_at: Some(at),
                reason: None,
            };
            let buses = vec![BusStatus {
                name: "bus".to_owned(),
                state: "ok".to_owned(),
                devices: vec![device],
            }];
            let queued = parts[2].parse().unwrap();
            let spool = SpoolStatus { queued, ..SpoolStatus::default() };
            let online = Online {
                version: "1",
                boot_id: BootId(1),
                trust: "system",
                is_trusted: true,
                offset_ms: None,
                epoch: None,
                spool,
                buses,
            };
            let status = online.status(at);
            if pace.is_due(&status, now_ms) {
                shown.push(word);
                pace.told(status, now_ms);
            }
        }
        expected.assert_eq(&shown.join(" "));
    }

    #[test]
    fn a_change_of_state_is_told_at_once_and_the_rest_now_and_then() {
        check(
            "0:ok:0 1:ok:0 2:silent:0 3:silent:1 20:silent:2 31:silent:0 62:silent:3 901:silent:9 902:silent:3",
            &expect!["0:ok:0 2:silent:0 902:silent:3"],
        );
    }

    #[test]
    fn what_queues_up_is_told_as_it_begins_and_ends_and_each_minute_between() {
        check(
            "0:ok:0 9:ok:15 10:ok:16 11:ok:14 40:ok:90 69:ok:90 70:ok:80 71:ok:5 75:ok:4 76:ok:15 90:ok:3",
            &expect!["0:ok:0 10:ok:16 70:ok:80 75:ok:4"],
        );
    }
}
