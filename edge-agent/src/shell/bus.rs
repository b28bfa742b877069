//! The task of one bus: what its rules decide is asked of the line, and what is heard is handed on.

mod answer;
mod dial;
mod doubts;
mod link;
mod metrics;
mod numbers;
mod tries;
mod wire;

use std::sync::Arc;

use model::{fault::Chain, quality::Quality, reading::Point, time::Timestamp};
use runtime::{clock::Clock, tasks::Stage, telemetry::Repeats};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

pub use answer::Answer;
pub use dial::LinkError;
pub use doubts::Unasked;
pub use link::Link;
pub use metrics::{BusMetrics, Metrics};
pub use tries::{Asked, Asking, Tries};

use crate::{
    cadence::{Cadence, Effect, Event, Given, Heard, paces},
    config::{Bus, Config},
    cycle::{Cycle, Reading},
    decode::{Decoded, Reply, decode},
    health::{self, BusHealth, Change},
    plan::{Limits, Request, pieces, plan},
};

/// Readings that may wait for batching; beyond them polling waits too, and skips slots.
pub const WAITING_READINGS: usize = 256;

/// One poll of one device on its way to the disk.
#[derive(Debug)]
pub struct Polled {
    /// What the poll gave.
    pub cycle: Cycle,
    /// Dropped once the readings are synced, or lost for good: the device is polled again only
    /// then, so that a crash costs one poll of it at most. None where nothing was asked.
    pub hold: Option<OwnedSemaphorePermit>,
}

/// The queue from all buses to batching: as many polls as hold [`WAITING_READINGS`], at least one.
/// At the bound polling waits, and slots that pass meanwhile are skipped and counted.
pub fn queue(config: &Config) -> (mpsc::Sender<Polled>, mpsc::Receiver<Polled>) {
    let devices = config.buses.iter().flat_map(|bus| &bus.devices);
    let largest = devices.map(|device| device.registers.len()).max().unwrap_or_default();
    mpsc::channel(WAITING_READINGS.checked_div(largest).unwrap_or_default().max(1))
}

/// Starts a task for each bus. Its health comes with the bus's index in the settings; a change of
/// state wakes whoever waits for it, a mere new `last_answer_at` does not.
pub fn spawn(
    config: &Config,
    stage: &Stage,
    clock: &Arc<dyn Clock>,
    metrics: &Metrics,
    cycles: &mpsc::Sender<Polled>,
) -> Vec<watch::Receiver<BusHealth>> {
    let each = config.buses.iter().map(|bus| {
        let (health, watched) = watch::channel(BusHealth::new(bus));
        let poller = Poller::new(
            bus.clone(),
            Arc::clone(clock),
            metrics.of(&bus.name),
            cycles.clone(),
            health,
        );
        stage.spawn(format!("bus/{}", bus.name), poller.run(stage.stopping()));
        watched
    });
    each.collect()
}

/// One bus, polled.
#[derive(Debug)]
pub struct Poller {
    bus: Bus,
    plans: Vec<Vec<Request>>,
    clock: Arc<dyn Clock>,
    metrics: BusMetrics,
    cycles: mpsc::Sender<Polled>,
    health: watch::Sender<BusHealth>,
    cadence: Cadence,
    /// By device: free unless a poll of it is on its way to the disk.
    places: Vec<Arc<Semaphore>>,
    link: Link,
    reply: Option<Reply>,
    error: Option<LinkError>,
    /// By device: its poll in hand, or put aside.
    polls: Vec<Poll>,
    told: Repeats<(usize, Change)>,
}

/// What a poll has brought so far.
#[derive(Debug, Default)]
struct Poll {
    readings: Vec<Reading>,
    outcome: health::Poll,
    begun_at: Option<Instant>,
    hold: Option<OwnedSemaphorePermit>,
    /// What is left to the request in flight, where it had to wait.
    tries: Option<Tries>,
}

impl Poller {
    /// A bus whose polling begins at the first slots after this moment of the clock.
    ///
    /// The clock's `now` is what slots and readings count from: UTC, or time since boot as long as
    /// UTC is not to be trusted. It may change from one to the other at any time.
    pub fn new(
        bus: Bus,
        clock: Arc<dyn Clock>,
        metrics: BusMetrics,
        cycles: mpsc::Sender<Polled>,
        health: watch::Sender<BusHealth>,
    ) -> Self {
        let planned = bus.devices.iter().map(|device| plan(&device.registers, Limits::of(device)));
        let plans: Vec<_> = planned.collect();
        let cadence = Cadence::new(paces(&bus, &plans), bus.retries, clock.now());
        Self {
            link: Link::new(&bus),
            places: bus.devices.iter().map(|_| Arc::new(Semaphore::new(1))).collect(),
            cadence,
            plans,
            clock,
            metrics,
            cycles,
            health,
            reply: None,
            error: None,
            polls: bus.devices.iter().map(|_| Poll::default()).collect(),
            told: Repeats::default(),
            bus,
        }
    }

    /// Polls until told to stop, or until nobody takes readings any more. What polls had read by then
    /// that are not over is still handed on.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut event = Event::Tick;
        while let Some(next) = self.turn(event, &stop).await {
            event = next;
        }
        for poll in &mut self.polls {
            let last = poll.hand();
            let count = last.cycle.readings.len();
            if count > 0 && self.cycles.send(last).await.is_err() {
                warn!(bus = %self.bus.name, count, "readings of the last poll dropped");
            }
        }
    }

    /// Steps once and does what that asks for; the event that ends the wait, none at the end.
    async fn turn(&mut self, event: Event, stop: &CancellationToken) -> Option<Event> {
        for effect in self.cadence.step(event, self.clock.now()) {
            match effect {
                Effect::Ask { device, request, attempts, is_probe } => {
                    let heard = self.ask(device, request, attempts, is_probe);
                    return stop.run_until_cancelled(heard).await;
                }
                Effect::Give { device, request, at, given } => {
                    self.give(device, request, at, given);
                }
                Effect::Close { device, skipped } => {
                    self.close(device, skipped);
                    let room = self.cycles.reserve();
                    let room = stop.run_until_cancelled(room).await?.ok()?;
                    if let Some(poll) = self.polls.get_mut(device) {
                        room.send(poll.hand());
                    }
                }
            }
        }
        let due = self.clock.wait_until(self.cadence.deadline());
        stop.run_until_cancelled(due).await.map(|()| Event::Tick)
    }

    async fn ask(&mut self, device: usize, request: usize, attempts: u8, is_probe: bool) -> Event {
        let planned = self.plans.get(device).and_then(|plan| plan.get(request));
        let (Some(of_bus), Some(planned), Some(place), Some(poll)) = (
            self.bus.devices.get(device),
            planned,
            self.places.get(device),
            self.polls.get_mut(device),
        ) else {
            // the rhythm was made from this plan
            return Event::Heard(Heard::Silence(Quality::UNREACHABLE));
        };
        if poll.hold.is_none() {
            poll.hold = Arc::clone(place).acquire_owned().await.ok();
        }
        poll.begun_at.get_or_insert_with(Instant::now);
        let longest = Limits::of(of_bus).longest(planned.table);
        let asked = Asked { unit: of_bus.unit, request: planned, longest, is_probe };
        let mut tries = poll.tries.take().unwrap_or_else(|| Tries::new(attempts));
        let asking = self.link.ask(asked, &mut tries).await;
        match &asking {
            Asking::In(_) => poll.tries = Some(tries),
            Asking::Over(Answer::NoLine(_)) => poll.outcome.is_without_line = true,
            Asking::Over(_) => {}
        }
        self.tell_unasked();
        let answer = match asking {
            Asking::In(wait) => return Event::Wait(wait),
            Asking::Over(answer) => answer,
        };
        Event::Heard(match answer {
            Answer::Reply(reply) => {
                self.reply = Some(reply);
                Heard::Reply
            }
            Answer::Refusal(Quality::NO_SUCH_ADDRESS) => return self.refused(device, request),
            Answer::Refusal(defect) => Heard::Refusal(defect),
            Answer::Nonsense(defect) => Heard::Nonsense(defect),
            Answer::Silence(defect) => Heard::Silence(defect),
            Answer::NoLine(error) => {
                self.error = Some(error);
                Heard::NoLine
            }
        })
    }

    /// A unit is told of when it is heard unasked after an hour in which it was not.
    fn tell_unasked(&mut self) {
        let Unasked { answers, doubted } = self.link.take_unasked();
        self.metrics.unasked.inc_by(answers);
        for unit in doubted {
            let bus = &self.bus.name;
            warn!(%bus, unit, "answer that nobody asked for; answers of this unit are doubted");
        }
    }

    /// An address of a request does not exist: it is asked in pieces, as long as the agent runs,
    /// so that its other registers have values. A connection's end changes no meter, and is frequent.
    fn refused(&mut self, device: usize, request: usize) -> Event {
        let refused = Event::Heard(Heard::Refusal(Quality::NO_SUCH_ADDRESS));
        let (Some(of_bus), Some(plan)) = (self.bus.devices.get(device), self.plans.get_mut(device))
        else {
            return refused;
        };
        let Some(place) = plan.get_mut(request) else { return refused };
        let mut smaller = pieces(place, &of_bus.registers).into_iter();
        let Some(first) = smaller.next() else { return refused };
        let whole = std::mem::replace(place, first);
        let before = plan.len();
        plan.extend(smaller);
        let more = plan.len() - before;
        self.metrics.split.inc();
        let (bus, device) = (&self.bus.name, &of_bus.name);
        let Request { table, address, count, registers: _ } = whole;
        let (table, reads) = (table.name(), more + 1);
        info!(%bus, %device, table, address, count, reads, "read refused as a whole is made in pieces");
        Event::Split(more)
    }

    fn give(&mut self, device: usize, request: usize, at: Timestamp, given: Given) {
        let planned = self.plans.get(device).and_then(|plan| plan.get(request));
        let poll = self.polls.get_mut(device);
        let (Some(device), Some(request), Some(poll)) =
            (self.bus.devices.get(device), planned, poll)
        else {
            return;
        };
        match (given, self.reply.take()) {
            (Given::Reply, Some(reply)) => {
                poll.outcome.answered_at = Some(at);
                for (index, decoded) in decode(request, &device.registers, &reply) {
                    let source = device.registers.get(index).map(|register| register.source);
                    poll.take(&self.metrics, source, at, decoded);
                }
            }
            (Given::Defect(defect), _) => {
                poll.outcome.is_without_line |=
                    defect == Quality::UNREACHABLE && poll.begun_at.is_none();
                for index in &request.registers {
                    let source = device.registers.get(*index).map(|register| register.source);
                    poll.take(&self.metrics, source, at, Err(defect));
                }
            }
            (Given::Reply, None) => {} // a reply is given right after it was heard
        }
    }

    fn close(&mut self, device: usize, skipped: i64) {
        let Some(poll) = self.polls.get_mut(device) else { return };
        self.metrics.skipped.inc_by(u64::try_from(skipped).unwrap_or_default());
        if let Some(begun_at) = poll.begun_at.take() {
            self.metrics.poll.observe(begun_at.elapsed().as_secs_f64());
        }
        let outcome = std::mem::take(&mut poll.outcome);
        let mut change = None;
        self.health.send_if_modified(|health| {
            change = health.polled(device, outcome);
            change.is_some()
        });
        if let Some(change) = change {
            self.tell(device, change, outcome.reason);
        }
    }

    /// Writes a change into the log, unless the same one was written within the minute.
    fn tell(&mut self, index: usize, change: Change, reason: Option<Quality>) {
        let Some(held_back) = self.told.note((index, change), self.clock.now()) else { return };
        let (bus, devices) = (&self.bus.name, &self.bus.devices);
        let device = devices.get(index).map(|device| &*device.name).unwrap_or_default();
        let is_refusal = reason.is_some_and(Quality::is_refusal);
        let reason = reason.map(Quality::word).unwrap_or_default();
        match change {
            Change::LineLost => {
                let error = self.error.take().map(|error| Chain(&error).to_string());
                warn!(%bus, error, held_back, "line cannot be opened");
            }
            Change::LineOpen => info!(%bus, held_back, "line is open"),
            Change::Silent if is_refusal => {
                warn!(%bus, device, %reason, held_back, "device refuses every read");
            }
            Change::Silent => warn!(%bus, device, %reason, held_back, "device does not answer"),
            Change::Answers => info!(%bus, device, held_back, "device answers"),
            Change::Reason => warn!(%bus, device, %reason, held_back, "registers without a value"),
        }
    }
}

impl Poll {
    /// What was read so far, for the disk.
    fn hand(&mut self) -> Polled {
        let readings = std::mem::take(&mut self.readings);
        self.tries = None;
        Polled { cycle: Cycle { readings }, hold: self.hold.take() }
    }

    fn take(
        &mut self,
        metrics: &BusMetrics,
        source: Option<usize>,
        at: Timestamp,
        decoded: Decoded,
    ) {
        let Some(source) = source else { return };
        let at_ms = at.as_ms();
        let point = match decoded {
            Ok(value) => {
                metrics.taken.inc();
                Point::good(at_ms, value)
            }
            Err(defect) => {
                metrics.failed(defect);
                self.outcome.reason = Some(defect);
                Point::defect(at_ms, defect)
            }
        };
        self.readings.push(Reading { source, point });
    }
}
