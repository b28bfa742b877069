//! What the simulated stations measure: pure functions of a station and a moment, so that what was
//! and what is fit together, and every run has the same past.
//!
//! Whole numbers all the way. A value is a base, a wave of a day, a slow wave of some days, and
//! noise that is another one every five seconds.

use super::sites::{FLOW, SITES, STICKS, Site};

const MINUTE_MS: i64 = 60_000;
const HOUR_MS: i64 = 60 * MINUTE_MS;
const DAY_MS: i64 = 24 * HOUR_MS;
/// All stations stand in one zone, which has no summer time.
const ZONE_MS: i64 = 8 * HOUR_MS;
/// For so long the noise stays as it is.
const NOISE_MS: i64 = 5_000;
/// How long the slow wave takes; no whole number of days, lest both waves go together.
const SLOW_MS: i64 = 9 * DAY_MS + 7 * HOUR_MS;
/// When the wave of a day begins to rise: at noon, so that it is highest at 18:00.
const NOON_MS: i64 = 12 * HOUR_MS;

/// What must be released, in ml/s.
#[derive(Debug)]
pub(super) enum Mandate {
    /// From October and from April on.
    Seasons { winter: i64, summer: i64 },
    /// From January on.
    Monthly([i64; 12]),
}

/// How the values of a gauge go, in units of its last decimal.
#[derive(Debug)]
pub(super) struct Shape {
    /// In the middle.
    pub(super) base: i64,
    /// So far up at 18:00 and down at 06:00; negative: the other way round.
    pub(super) daily: i64,
    /// So far up and down in nine days.
    pub(super) slow: i64,
    /// So far up and down by chance.
    pub(super) noise: i64,
}

/// What disturbs the released flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Disturbance {
    /// This share of what must be released, in thousandths.
    Share(i64),
    /// The meter goes on saying what it said at this moment.
    Stuck { since_ms: i64 },
    /// Nothing is known.
    Missing,
}

/// Something that went on at certain hours of certain days of the history.
struct Episode {
    site: &'static str,
    /// Days before the one on which the demonstration was begun: the first and the last.
    days_ago: [i64; 2],
    /// From this hour on, up to that one.
    hours: [i64; 2],
    what: What,
}

#[derive(Clone, Copy)]
enum What {
    Share(i64),
    Stuck,
    Missing,
}

/// What went on in the past. None of it needs more than flow: what is excused, iced up or entered by
/// hand does not happen here.
const PAST: [Episode; 10] = [
    // the whole season too little, and put right five weeks ago
    episode("BF-990121-08", [60, 36], [5, 21], What::Share(930)),
    // closed at night, week after week, for «maintenance»
    episode("BF-990123-01", [45, 39], [0, 6], What::Share(700)),
    episode("BF-990123-01", [24, 20], [0, 6], What::Share(700)),
    // a gate that was left half shut
    episode("BF-990125-03", [33, 29], [0, 24], What::Share(860)),
    // the turbine took the water of some evenings
    episode("BF-990122-02", [17, 15], [17, 22], What::Share(820)),
    // a logger without power: a day and a night
    episode("BF-990121-06", [12, 11], [8, 22], What::Missing),
    episode("BF-990122-04", [20, 18], [0, 24], What::Missing),
    // a battery that is empty before the sun rises
    episode("BF-990102-01", [9, 4], [3, 7], What::Missing),
    // ice in the meter's pipe
    episode(STICKS, [15, 15], [2, 10], What::Stuck),
    // hardly any water for an hour
    episode("BF-990121-07", [5, 5], [10, 11], What::Share(180)),
];

const fn episode(site: &'static str, days_ago: [i64; 2], hours: [i64; 2], what: What) -> Episode {
    Episode { site, days_ago, hours, what }
}

impl Mandate {
    /// What must be released at a moment.
    pub(super) fn at(&self, at_ms: i64) -> i64 {
        let month = month_of(day_of(at_ms));
        match self {
            Self::Seasons { winter, summer } => {
                if (4..=9).contains(&month) {
                    *summer
                } else {
                    *winter
                }
            }
            Self::Monthly(flows) => {
                let place = usize::try_from(month - 1).unwrap_or(0);
                flows.get(place).copied().unwrap_or(0)
            }
        }
    }
}

/// What is disturbed at a moment of the history of a demonstration that was begun on `today`.
pub(super) fn past(site: &Site, at_ms: i64, today: i64) -> Option<Disturbance> {
    let day = day_of(at_ms);
    let into_day = (at_ms + ZONE_MS).rem_euclid(DAY_MS);
    let is_on = |episode: &&Episode| {
        let ([first, last], [from, to]) = (episode.days_ago, episode.hours);
        let days_ago = today - day;
        episode.site == site.id
            && (last..=first).contains(&days_ago)
            && (from * HOUR_MS..to * HOUR_MS).contains(&into_day)
    };
    let episode = PAST.iter().find(is_on)?;
    Some(match episode.what {
        What::Share(share) => Disturbance::Share(share),
        What::Missing => Disturbance::Missing,
        What::Stuck => {
            let [from, _] = episode.hours;
            Disturbance::Stuck { since_ms: at_ms - into_day + from * HOUR_MS }
        }
    })
}

/// What a hydropower station releases, in ml/s; none where nothing is known, or it is none.
pub(super) fn flow(site: &Site, at_ms: i64, disturbed: Option<Disturbance>) -> Option<i64> {
    let plant = site.plant.as_ref()?;
    let at_ms = match disturbed {
        Some(Disturbance::Missing) => return None,
        Some(Disturbance::Stuck { since_ms }) => since_ms,
        Some(Disturbance::Share(_)) | None => at_ms,
    };
    let seed = seed(site.id, FLOW);
    let share = match disturbed {
        Some(Disturbance::Share(share)) => share,
        Some(Disturbance::Stuck { .. } | Disturbance::Missing) | None => {
            let shape = Shape { base: plant.share, daily: -14, slow: 18, noise: 0 };
            shape.at(seed, at_ms)
        }
    };
    let water = plant.mandate.at(at_ms) * share / 1_000;
    Some((water + water * 12 / 1_000 * noise(seed, at_ms) / 1_000).max(0))
}

impl Shape {
    /// The value at a moment of the gauge with this seed, not below 0.
    pub(super) fn at(&self, seed: u64, at_ms: i64) -> i64 {
        let daily = wave(at_ms + ZONE_MS - NOON_MS, DAY_MS);
        // each gauge at another place of its slow wave
        let place = i64::try_from(seed % SLOW_MS.unsigned_abs()).unwrap_or(0);
        let slow = wave(at_ms + place, SLOW_MS);
        let moved = self.daily * daily + self.slow * slow + self.noise * noise(seed, at_ms);
        (self.base + moved / 1_000).max(0)
    }
}

/// Another number for each gauge, and the same in every run.
pub(super) fn seed(site: &str, gauge: &str) -> u64 {
    // FNV-1a
    let bytes = site.bytes().chain(*b"/").chain(gauge.bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// From −1,000 up to 1,000 and back in a period, much like a sine: two parabolas.
fn wave(at_ms: i64, period_ms: i64) -> i64 {
    let phase = at_ms.rem_euclid(period_ms) * 2_000 / period_ms;
    let half = phase % 1_000;
    let height = 4 * half * (1_000 - half) / 1_000;
    if phase < 1_000 { height } else { -height }
}

/// From −1,000 to 1,000, likelier near the middle.
fn noise(seed: u64, at_ms: i64) -> i64 {
    let step = at_ms.div_euclid(NOISE_MS).unsigned_abs();
    let draw = |salt: u64| {
        let drawn = mixed(seed ^ mixed(step ^ salt)) % 2_001;
        i64::try_from(drawn).unwrap_or(0) - 1_000
    };
    i64::midpoint(draw(1), draw(2 << 40))
}

/// `SplitMix64`.
const fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Days since 1970-01-01 as the stations' clocks show them.
pub(super) const fn day_of(at_ms: i64) -> i64 {
    (at_ms + ZONE_MS).div_euclid(DAY_MS)
}

/// When a day begins at the stations.
pub(super) const fn begin_of(day: i64) -> i64 {
    day * DAY_MS - ZONE_MS
}

/// The month of a day, 1 to 12, by the days of the years that begin in March.
const fn month_of(day: i64) -> i64 {
    let of_era = (day + 719_468).rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    if month < 10 { month + 3 } else { month - 9 }
}

/// The station with this id.
pub(super) fn site(id: &str) -> Option<&'static Site> {
    SITES.iter().find(|site| site.id == id)
}

#[cfg(test)]
mod tests {
    use model::time::Timestamp;

    use super::*;

    fn ms(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_ms()
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        for (moment, month) in [
            ("2024-02-29T23:59:59+08:00", 2),
            ("2024-03-01T00:00:00+08:00", 3),
            ("2026-09-30T23:59:59+08:00", 9),
            ("2026-10-01T00:00:00+08:00", 10),
            ("2026-12-31T23:59:59+08:00", 12),
            ("2027-01-01T00:00:00+08:00", 1),
            ("2100-03-01T00:00:00+08:00", 3),
        ] {
            assert_eq!(month_of(day_of(ms(moment))), month, "{moment}");
        }
    }

    #[test]
    fn a_common_day_is_enough_everywhere_and_no_two_readings_in_a_row_are_alike_for_long() {
        let from = ms("2026-11-26T00:00:00+08:00");
        for site in SITES.iter().filter(|site| site.plant.is_some()) {
            let owed = site.plant.as_ref().unwrap().mandate.at(from);
            let flows: Vec<i64> =
                (0..17_280).map(|k| flow(site, from + k * 5_000, None).unwrap()).collect();
            let hours = flows.chunks(720).map(|hour| hour.iter().sum::<i64>() / 720);
            assert!(hours.clone().all(|mean| mean >= owed), "{}: {owed}", site.id);
            assert!(hours.clone().all(|mean| mean < owed * 13 / 10), "{}: {owed}", site.id);
            // as the coarsest meter says it
            let told: Vec<i64> = flows.iter().map(|flow| flow / 100).collect();
            let longest = told.chunk_by(|a, b| a == b).map(<[i64]>::len).max().unwrap();
            assert!(longest < 8, "{}: {longest} alike", site.id);
        }
    }

    #[test]
    fn the_past_has_its_short_and_its_missing_days() {
        let (today, site) =
            (day_of(ms("2026-11-26T10:00:00+08:00")), site("BF-990123-01").unwrap());
        let night = ms("2026-10-15T03:00:00+08:00"); // 42 days ago
        let owed = site.plant.as_ref().unwrap().mandate.at(night);
        let disturbed = past(site, night, today);
        assert_eq!(disturbed, Some(Disturbance::Share(700)));
        assert!(flow(site, night, disturbed).unwrap() < owed * 72 / 100);
        assert_eq!(past(site, night + 6 * HOUR_MS, today), None);
        let stuck = self::site(STICKS).unwrap();
        let at = |hour: i64| begin_of(today - 15) + hour * HOUR_MS;
        let told = |hour| flow(stuck, at(hour), past(stuck, at(hour), today));
        assert_eq!(told(2), told(9));
        assert_ne!(told(2), told(10));
        assert!(PAST.iter().all(|episode| self::site(episode.site).is_some()));
    }

    #[test]
    fn what_is_measured_lies_within_reason() {
        let from = ms("2026-10-01T00:00:00+08:00");
        for site in &SITES {
            for gauge in site.gauges {
                let seed = seed(site.id, gauge.id);
                let values = (0..2_000).map(|k| gauge.shape.at(seed, from + k * HOUR_MS));
                let (least, most) = (values.clone().min().unwrap(), values.max().unwrap());
                let Shape { base, daily, slow, noise } = &gauge.shape;
                let reach = daily.abs() + slow.abs() + noise.abs();
                assert!(least >= (base - reach).max(0), "{}/{}", site.id, gauge.id);
                assert!(most <= base + reach, "{}/{}", site.id, gauge.id);
                assert!(most > least, "{}/{} does not move", site.id, gauge.id);
            }
        }
    }
}
