//! The seeded stations that load is made of: six gauges whose values anybody can compute again.
//!
//! Flow in steps of 1 l/s with about 12 steps of noise on a slow wave, level in mm with 2, a gate
//! that is moved now and then, power in 0.1 kW with 25, a volume that adds up, a battery in 10 mV.

use std::fmt::Write as _;

use model::{
    batch::{Batch, BatchClock, Column},
    ids::{BatchId, Epoch},
    reading::Point,
    wire::batch_v1,
};
use world::Exact;

/// From one point to the next.
pub const STEP_MS: i64 = 5_000;
/// Points of each gauge in a frame: one minute.
pub const POINTS: i64 = 12;
/// Samples in a frame.
pub const SAMPLES: u64 = 72;

/// One of the six.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// The gauge's name within its station.
    pub gauge: &'static str,
    /// What it measures.
    pub quantity: &'static str,
    /// In which unit, on the wire and in the registry.
    pub unit: &'static str,
    /// On the wire.
    pub decimals: u8,
    base: i64,
    noise: i64,
    wave: i64,
    rise: i64,
}

/// The gauges of every station.
pub const KINDS: [Kind; 6] = [
    kind("release-flow", "flow", "m3/s", 3, [612, 12, 40, 0]),
    kind("forebay-level", "level", "m", 3, [1_843_250, 2, 60, 0]),
    kind("gate-opening", "opening_share", "%", 1, [350, 0, 300, 0]),
    kind("unit-power", "power", "kW", 1, [8_200, 25, 500, 0]),
    kind("release-volume", "volume", "m3", 0, [4_100_000, 0, 0, 3]),
    kind("battery", "voltage", "V", 2, [1_264, 1, 8, 0]),
];

const fn kind(
    gauge: &'static str,
    quantity: &'static str,
    unit: &'static str,
    decimals: u8,
    [base, noise, wave, rise]: [i64; 4],
) -> Kind {
    Kind { gauge, quantity, unit, decimals, base, noise, wave, rise }
}

impl Kind {
    /// The `k`-th value of the station with this number, in units of the last decimal.
    pub fn value(&self, station: usize, k: i64) -> i64 {
        let seed = ((station as u64) << 8) | (self.base.unsigned_abs() % 251);
        let step = self.noise.max(1) * 2 + 1;
        // Two draws make noise that is likelier near its middle.
        let noise = |salt: u64| {
            let draw = mixed(seed ^ salt ^ (k.unsigned_abs() << 20)) % step.unsigned_abs();
            i64::try_from(draw).expect("small") - self.noise.max(1)
        };
        let noise = if self.noise > 0 { (noise(1) + noise(2)) / 2 } else { 0 };
        let turn = mixed(seed ^ (k / 720).unsigned_abs()) % (self.wave.unsigned_abs() + 1);
        let own = i64::try_from(mixed(seed) % 97).expect("small");
        self.base + own + i64::try_from(turn).expect("small") + noise + self.rise * k
    }

    /// The same value as a reader of the store must see it.
    pub fn exact(&self, station: usize, k: i64) -> Exact {
        Exact::scaled(self.value(station, k).into(), self.decimals)
    }
}

/// SplitMix64.
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// The id of the station with this number.
pub fn name(station: usize) -> String {
    format!("BF-{station:06}")
}

/// The frame of a station's minute, as an agent would send it.
pub fn frame(agent: &str, sequence: u64, station: usize, minute: i64, start_ms: i64) -> Vec<u8> {
    let points = |kind: &Kind| {
        let all = minute * POINTS..(minute + 1) * POINTS;
        all.map(|k| Point::good(start_ms + k * STEP_MS, kind.value(station, k))).collect()
    };
    let columns = KINDS.iter().map(|kind| Column {
        gauge: format!("{}/{}", name(station), kind.gauge).parse().expect("an id"),
        unit: kind.unit.into(),
        decimals: kind.decimals,
        period_ms: u32::try_from(STEP_MS).expect("small"),
        points: points(kind),
    });
    let batch = Batch {
        id: BatchId { agent: agent.parse().expect("an id"), epoch: epoch(), sequence },
        clock: BatchClock::Utc { uncertainty_ms: 0 },
        previous: None,
        columns: columns.collect(),
        gaps: Vec::new(),
        anchors: Vec::new(),
    };
    batch_v1::compress(batch_v1::encode(&batch))
}

/// The epoch of every generated frame.
pub fn epoch() -> Epoch {
    Epoch(0x0ba5_e0f1_0e5e_ed01)
}

/// The registry of stations 0 to `count`, the `n`-th spoken for by `agent(n)`.
pub fn registry(count: usize, agent: impl Fn(usize) -> String) -> String {
    let mut text = String::new();
    for station in 0..count {
        let id = name(station);
        let agent = agent(station);
        writeln!(text, "\n[[station]]\nid = \"{id}\"\nkind = \"hydropower\"\nagent = \"{agent}\"")
            .expect("a string takes all");
        for Kind { gauge, quantity, unit, decimals, .. } in KINDS {
            writeln!(
                text,
                "\n[[station.gauge]]\nid = \"{gauge}\"\nquantity = \"{quantity}\"\nunit = \"{unit}\"\n\
                 decimals = {decimals}\ninterval = \"5s\""
            )
            .expect("a string takes all");
        }
    }
    text
}
