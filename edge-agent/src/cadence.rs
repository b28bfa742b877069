//! When each device of a line is asked what: aligned slots, one request in flight, and patience
//! with the dead that their neighbours do not pay for.
//!
//! A device is polled at the slots of its period. A poll asks its requests one after the other and
//! gives each of them something: what was replied, or a named defect. A request that the device
//! refuses as a whole is asked in pieces, in the same poll and from then on. Polls never bunch:
//! slots that a poll ran over, or that passed while the line was busy, are skipped and counted. A
//! poll whose next request has to wait is put aside, and the line is its neighbours' meanwhile.
//!
//! A request that gets no usable answer rests, 1 s at first and 60 s at most, and is then asked
//! once, without repeats; so is every request of a device that has not answered since the start. If
//! nothing at all is heard from a device that had not answered yet in this poll, all its requests
//! rest: a dead device costs the line one time-out for each such probe, the first one included.
//! Which request probes changes from time to time, so that one that a device ignores does not hide
//! the others. If the line cannot be opened it rests likewise, for all devices together.

mod pace;

use std::time::Duration;

use model::{quality::Quality, time::Timestamp};

pub use pace::{Pace, paces};

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Time passed.
    Tick,
    /// The request in flight is over.
    Heard(Heard),
    /// The device refuses the request in flight as a whole: it is the first of its pieces from here
    /// on, and so many others stand at the end of the plan. They are asked in the same poll.
    Split(usize),
    /// The request may be made only after so long: an answer to something older would fit it.
    Wait(Duration),
}

/// What became of the request in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The words that were asked for.
    Reply,
    /// The device answered that it gives none.
    Refusal(Quality),
    /// Something came, but no usable answer.
    Nonsense(Quality),
    /// No answer came in time, after all attempts.
    Silence(Quality),
    /// There is no line to ask on.
    NoLine,
}

/// What the line's shell has to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Make this request, up to `attempts` times, then tell what was heard. Always the last effect.
    Ask {
        /// Index of the device on its line.
        device: usize,
        /// Index into its plan.
        request: usize,
        /// At least 1.
        attempts: u8,
        /// Whether silence would surprise nobody: it got no usable answer the last time, or its
        /// device has not answered yet.
        is_probe: bool,
    },
    /// The registers of this request have their readings of this poll.
    Give {
        /// Index of the device on its line.
        device: usize,
        /// Index into its plan.
        request: usize,
        /// The moment of the readings.
        at: Timestamp,
        /// Their values or their defect.
        given: Given,
    },
    /// The poll is over.
    Close {
        /// Index of the device on its line.
        device: usize,
        /// Slots that nothing was given for since the poll before.
        skipped: i64,
    },
}

/// Where readings come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Given {
    /// From the reply just heard.
    Reply,
    /// There is none; all registers of the request share this defect.
    Defect(Quality),
}

/// The rhythm of one line.
#[derive(Debug, Clone)]
pub struct Cadence {
    devices: Vec<Device>,
    attempts: u8,
    line: Rest,
    poll: Option<Poll>,
}

#[derive(Debug, Clone)]
struct Device {
    pace: Pace,
    next_slot: i64,
    requests: Vec<Rest>,
    /// Whether it ever answered: repeats are for an answer that got lost, not for a device that
    /// may not be there.
    is_known: bool,
    /// Its poll is put aside until then.
    aside: Option<(Poll, i64)>,
}

/// A poll that has begun and is not over.
#[derive(Debug, Clone)]
struct Poll {
    device: usize,
    slot: i64,
    skipped: i64,
    in_flight: usize,
    /// What is still to ask, the next one last.
    todo: Vec<usize>,
    has_answer: bool,
    /// Requests in a row that failed.
    failed: u32,
    /// The latest moment given so far.
    latest: i64,
}

/// Whether to leave something alone, and until when.
#[derive(Debug, Clone, Copy, Default)]
struct Rest {
    failures: u32,
    until: i64,
}

const FIRST_REST_MS: i64 = 1_000;
const LONGEST_REST_MS: i64 = 60_000;
/// Later than this is no busy line but a clock that was set.
const CLOCK_STEP_MS: i64 = 3_600_000;

impl Cadence {
    /// Every device is due at its first slot after `now`. A device that has answered is asked
    /// 1 + `retries` times for each request.
    pub fn new(paces: Vec<Pace>, retries: u8, now: Timestamp) -> Self {
        let device = |pace: Pace| Device {
            next_slot: pace.first_slot_after(now.as_ms()),
            requests: vec![Rest::default(); pace.requests],
            is_known: false,
            aside: None,
            pace,
        };
        let devices = paces.into_iter().map(device).collect();
        Self { devices, attempts: retries.saturating_add(1), line: Rest::default(), poll: None }
    }

    /// What to do about `event`, in this order.
    pub fn step(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        let mut effects = Vec::new();
        match (event, self.poll.take()) {
            (Event::Heard(heard), Some(poll)) => self.hear(poll, heard, now.as_ms(), &mut effects),
            (Event::Split(more), Some(poll)) => self.split(poll, more, &mut effects),
            (Event::Wait(wait), Some(poll)) => self.put_aside(poll, wait, now.as_ms()),
            (Event::Tick, poll) => self.poll = poll,
            (Event::Heard(_) | Event::Split(_) | Event::Wait(_), None) => {}
        }
        while self.poll.is_none()
            && let Some(device) = self.due(now.as_ms())
        {
            self.begin(device, now.as_ms(), &mut effects);
        }
        effects
    }

    /// When to step next, unless something is heard first; none while a request is in flight.
    pub fn deadline(&self) -> Option<Timestamp> {
        let next = self.devices.iter().map(Device::due_at).min();
        next.filter(|_| self.poll.is_none()).map(Timestamp::clamped)
    }

    /// The device whose slot, or whose poll put aside, has waited longest.
    fn due(&mut self, now: i64) -> Option<usize> {
        for device in &mut self.devices {
            // unless the clock was set back
            if device.next_slot > now.saturating_add(device.pace.period_ms) {
                device.next_slot = device.pace.first_slot_after(now);
            }
            if let Some((_, until)) = &mut device.aside {
                *until = (*until).min(now.saturating_add(LONGEST_REST_MS));
            }
        }
        let waiting = self.devices.iter().enumerate().filter(|(_, device)| device.due_at() <= now);
        waiting.min_by_key(|(_, device)| device.due_at()).map(|(index, _)| index)
    }

    fn begin(&mut self, index: usize, now: i64, effects: &mut Vec<Effect>) {
        let Some(device) = self.devices.get_mut(index) else { return };
        if let Some((poll, _)) = device.aside.take() {
            return self.take_up(poll, now, effects);
        }
        let period_ms = device.pace.period_ms;
        let late = now - device.next_slot;
        let passed = late / period_ms;
        let mut poll = Poll {
            device: index,
            slot: device.next_slot + passed * period_ms,
            skipped: if late > CLOCK_STEP_MS { 0 } else { passed },
            in_flight: 0,
            todo: Vec::new(),
            has_answer: false,
            failed: 0,
            latest: i64::MIN,
        };
        let (asked, given, defect) = if self.line.is_on(now) {
            (Vec::new(), (0..device.requests.len()).collect(), Quality::UNREACHABLE)
        } else {
            let (asked, resting) = device.questions(now);
            (asked, resting, Quality::BACK_OFF)
        };
        poll.todo = asked;
        for request in given {
            effects.push(poll.give(request, Given::Defect(defect), poll.slot));
        }
        self.go_on(poll, effects);
    }

    fn hear(&mut self, mut poll: Poll, heard: Heard, now: i64, effects: &mut Vec<Effect>) {
        let Some(device) = self.devices.get_mut(poll.device) else { return };
        let request = poll.in_flight;
        let mut rest = device.requests.get(request).copied().unwrap_or_default();
        let line = std::mem::take(&mut self.line);
        let (given, is_silent) = match heard {
            Heard::Reply => (Given::Reply, false),
            Heard::Refusal(defect) | Heard::Nonsense(defect) => (Given::Defect(defect), false),
            Heard::Silence(defect) => (Given::Defect(defect), true),
            Heard::NoLine => (Given::Defect(Quality::UNREACHABLE), true),
        };
        match heard {
            Heard::Reply | Heard::Refusal(_) => {
                rest = Rest::default();
                device.is_known = true;
                (poll.has_answer, poll.failed) = (true, 0);
            }
            Heard::Nonsense(_) | Heard::Silence(_) => {
                rest = rest.longer(now);
                poll.failed += 1;
            }
            Heard::NoLine => {
                self.line = line.longer(now);
                poll.has_answer = false; // and so the poll ends here
            }
        }
        device.put(request, rest);
        effects.push(poll.give(request, given, device.pace.moment(poll.slot, now)));
        if is_silent && (!poll.has_answer || poll.failed > 1) {
            for unasked in std::mem::take(&mut poll.todo) {
                effects.push(poll.give(unasked, given, poll.slot));
                if heard != Heard::NoLine {
                    device.put(unasked, rest);
                }
            }
        }
        self.go_on(poll, effects);
    }

    fn split(&mut self, mut poll: Poll, more: usize, effects: &mut Vec<Effect>) {
        let Some(device) = self.devices.get_mut(poll.device) else { return };
        self.line = Rest::default();
        let first_new = device.requests.len();
        device.requests.resize(first_new + more, Rest::default());
        device.put(poll.in_flight, Rest::default());
        device.is_known = true;
        (poll.has_answer, poll.failed) = (true, 0);
        poll.todo.extend((first_new..first_new + more).rev());
        poll.todo.push(poll.in_flight);
        self.go_on(poll, effects);
    }

    /// The line is free for other devices until the request in flight may be made.
    fn put_aside(&mut self, mut poll: Poll, wait: Duration, now: i64) {
        let Some(device) = self.devices.get_mut(poll.device) else { return };
        let wait_ms = i64::try_from(wait.as_millis()).unwrap_or(LONGEST_REST_MS).saturating_add(1);
        poll.todo.push(poll.in_flight);
        device.aside = Some((poll, now.saturating_add(wait_ms.min(LONGEST_REST_MS))));
    }

    fn take_up(&mut self, mut poll: Poll, now: i64, effects: &mut Vec<Effect>) {
        if self.line.is_on(now) {
            while let Some(request) = poll.todo.pop() {
                effects.push(poll.give(request, Given::Defect(Quality::UNREACHABLE), poll.slot));
            }
        }
        self.go_on(poll, effects);
    }

    /// Asks the next request of the poll, or ends it.
    fn go_on(&mut self, mut poll: Poll, effects: &mut Vec<Effect>) {
        let Some(device) = self.devices.get_mut(poll.device) else { return };
        if let Some(request) = poll.todo.pop() {
            let rest = device.requests.get(request).copied().unwrap_or_default();
            let is_trusted = device.is_known && rest.failures == 0;
            let attempts = if is_trusted && poll.failed == 0 { self.attempts } else { 1 };
            let (device, is_probe) = (poll.device, !is_trusted);
            effects.push(Effect::Ask { device, request, attempts, is_probe });
            self.poll = Some(Poll { in_flight: request, ..poll });
            return;
        }
        device.next_slot = poll.slot + device.pace.period_ms;
        let overrun = poll.latest - device.next_slot;
        if overrun >= 0 {
            let skipped = overrun / device.pace.period_ms + 1;
            device.next_slot += skipped * device.pace.period_ms;
            poll.skipped += skipped;
        }
        effects.push(Effect::Close { device: poll.device, skipped: poll.skipped });
    }
}

impl Device {
    fn due_at(&self) -> i64 {
        self.aside.as_ref().map_or(self.next_slot, |(_, until)| *until)
    }

    /// What a poll asks, the next one last, and what it leaves alone.
    ///
    /// Requests that are answered come first, then those whose rest is over, beginning with another
    /// one each time. Where none is answered and one probes, the others follow if it succeeds.
    fn questions(&self, now: i64) -> (Vec<usize>, Vec<usize>) {
        let (mut todo, mut probes, mut resting) = (Vec::new(), Vec::new(), Vec::new());
        for (request, rest) in self.requests.iter().enumerate() {
            if rest.failures == 0 {
                todo.push(request);
            } else if rest.is_on(now) {
                resting.push(request);
            } else {
                probes.push(request);
            }
        }
        let tried = self.requests.iter().map(|rest| rest.failures).max().unwrap_or_default();
        let turn = usize::try_from(tried).unwrap_or_default().checked_rem(probes.len());
        probes.rotate_left(turn.unwrap_or_default());
        let is_dead = todo.is_empty();
        if is_dead && !probes.is_empty() {
            probes.append(&mut resting);
        }
        todo.append(&mut probes);
        todo.reverse();
        (todo, resting)
    }

    fn put(&mut self, request: usize, rest: Rest) {
        if let Some(own) = self.requests.get_mut(request) {
            *own = rest;
        }
    }
}

impl Poll {
    /// Readings of this poll: a reply's at `moment`, a defect at the slot that it belongs to.
    fn give(&mut self, request: usize, given: Given, moment: i64) -> Effect {
        let at = match given {
            Given::Reply => moment,
            Given::Defect(_) => self.slot,
        };
        self.latest = self.latest.max(at);
        Effect::Give { device: self.device, request, at: Timestamp::clamped(at), given }
    }
}

impl Rest {
    /// A rest twice as long as the last one.
    fn longer(self, now: i64) -> Self {
        let doubled = FIRST_REST_MS << self.failures.min(6);
        let failures = self.failures.saturating_add(1);
        Self { failures, until: now.saturating_add(doubled.min(LONGEST_REST_MS)) }
    }

    /// Whether it lasts; one that would last longer than any can was begun by another clock.
    const fn is_on(self, now: i64) -> bool {
        now < self.until && self.until - now <= LONGEST_REST_MS
    }
}

#[cfg(test)]
mod tests;
