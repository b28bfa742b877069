//! Moments, spans and civil days: UTC milliseconds, half-open, in the station's zone.

use std::{fmt, str::FromStr};

use jiff::tz::TimeZone;

/// A moment that an inspector may ask about: milliseconds since 1970-01-01T00:00:00Z.
///
/// Between the years 1900 and 9999, so that it always prints as RFC 3339 and arithmetic on two of
/// them never overflows.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Why a moment was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// Outside the years 1900 to 9999.
    #[error("{0} ms is not a moment between the years 1900 and 9999")]
    OutOfRange(i64),
    /// Not RFC 3339 with an offset.
    #[error("`{0}` is not a moment; write it as 2026-11-22T08:00:00+08:00")]
    Text(String),
    /// Not a zone of the IANA database.
    #[error("`{0}` is not a time zone; write it as Asia/Shanghai")]
    Zone(String),
}

/// The first moment that anything can have been measured at: the year 2000.
pub const EARLIEST_MS: i64 = 946_684_800_000;
/// How far ahead of the server's clock a meter's moment may be.
pub const AHEAD_MS: i64 = 120_000;

/// An hour, in ms.
pub const HOUR_MS: i64 = 60 * 60 * 1000;

/// Whether something can have been measured at this moment, as the clock says `now`.
pub const fn may_be_measured(at_ms: i64, now: Timestamp) -> bool {
    at_ms >= EARLIEST_MS && !is_ahead(at_ms, now)
}

/// Whether a moment lies further ahead than a meter's may, as the clock says `now`.
pub const fn is_ahead(at_ms: i64, now: Timestamp) -> bool {
    at_ms > now.as_ms() + AHEAD_MS
}

/// What the clock says when this moment ceases to lie ahead.
pub const fn due(at_ms: i64) -> Timestamp {
    Timestamp::clamped(at_ms.saturating_sub(AHEAD_MS))
}

impl Timestamp {
    /// 1900-01-01T00:00:00Z.
    pub const MIN: Self = Self(-2_208_988_800_000);
    /// 9999-12-30T22:00:00Z, the last hour that every zone can name.
    pub const MAX: Self = Self(253_402_207_200_000);

    /// From milliseconds since 1970-01-01T00:00:00Z.
    pub const fn from_ms(ms: i64) -> Result<Self, TimeError> {
        if ms < Self::MIN.0 || ms > Self::MAX.0 {
            return Err(TimeError::OutOfRange(ms));
        }
        Ok(Self(ms))
    }

    /// The nearest moment that exists to `ms`.
    pub const fn clamped(ms: i64) -> Self {
        if ms < Self::MIN.0 {
            Self::MIN
        } else if ms > Self::MAX.0 {
            Self::MAX
        } else {
            Self(ms)
        }
    }

    /// Milliseconds since 1970-01-01T00:00:00Z.
    pub const fn as_ms(self) -> i64 {
        self.0
    }

    /// This moment moved by `ms`, stopping at the ends of time.
    #[must_use]
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self::clamped(self.0.saturating_add(ms))
    }

    /// Milliseconds from `earlier` to this moment; negative where `earlier` is later.
    pub const fn ms_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// This moment as civil time with its offset in `zone`, as people at the station read it.
    pub fn in_zone(self, zone: &Zone) -> String {
        let civil = self.to_jiff().to_zoned(zone.0.clone());
        civil.strftime("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// The same with the offset from UTC, such as `2026-11-22 08:00:00 +08:00`.
    pub fn with_offset(self, zone: &Zone) -> String {
        self.to_jiff().to_zoned(zone.0.clone()).strftime("%Y-%m-%d %H:%M:%S %:z").to_string()
    }

    fn to_jiff(self) -> jiff::Timestamp {
        jiff::Timestamp::from_millisecond(self.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH)
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, with milliseconds only where there are any.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_jiff())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = TimeError;

    /// RFC 3339 with any offset; finer than a millisecond is cut off.
    fn from_str(text: &str) -> Result<Self, TimeError> {
        let refused = || TimeError::Text(text.chars().take(48).collect());
        let moment: jiff::Timestamp = text.parse().map_err(|_cause: jiff::Error| refused())?;
        let floored = moment.as_nanosecond().div_euclid(1_000_000);
        i64::try_from(floored).map_or_else(|_| Err(refused()), Self::from_ms)
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// A zone of the IANA database, in which a station's days begin and end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(TimeZone);

impl Zone {
    /// The name of the zone of everything that names none.
    pub const USUAL: &str = "Asia/Shanghai";

    /// The zone of this IANA name, such as `Asia/Shanghai`.
    pub fn named(name: &str) -> Result<Self, TimeError> {
        TimeZone::get(name)
            .map(Self)
            .map_err(|_unknown| TimeError::Zone(name.chars().take(48).collect()))
    }

    /// The IANA name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// Midnight that begins the civil day `date` here.
    pub fn start_of_day(&self, date: jiff::civil::Date) -> Timestamp {
        match date.to_zoned(self.0.clone()) {
            Ok(midnight) => Timestamp::clamped(midnight.timestamp().as_millisecond()),
            Err(_beyond_calendar) => Timestamp::MAX,
        }
    }

    /// The moment at which clocks here show so many minutes after midnight of `date`, 0 to 1440.
    pub fn at_minute(&self, date: jiff::civil::Date, minute: u16) -> Timestamp {
        let minutes = jiff::Span::new().minutes(minute);
        let shown = date.to_datetime(jiff::civil::Time::midnight()).checked_add(minutes);
        let moment = shown.and_then(|shown| shown.to_zoned(self.0.clone()));
        moment.map_or(Timestamp::MAX, |at| Timestamp::clamped(at.timestamp().as_millisecond()))
    }

    /// When the clock hour began in which `at` falls here.
    pub fn start_of_hour(&self, at: Timestamp) -> Timestamp {
        let offset_ms = i64::from(self.0.to_offset(at.to_jiff()).seconds()) * 1000;
        let into_hour = (at.as_ms() + offset_ms).rem_euclid(3_600_000);
        at.plus_ms(-into_hour)
    }

    /// The clock hour in which `at` falls here. Where clocks change by a part of an hour, it is cut
    /// there.
    pub fn hour_at(&self, at: Timestamp) -> Span {
        let from = self.start_of_hour(at);
        let to = from.plus_ms(HOUR_MS);
        let minutes = |at: Timestamp| self.0.to_offset(at.to_jiff()).seconds().rem_euclid(3_600);
        let moment = |change: jiff::Timestamp| Timestamp::clamped(change.as_millisecond());
        let mut hour = Span { from, to };
        if minutes(from) != minutes(at) {
            let change = self.0.preceding(at.plus_ms(1).to_jiff()).next();
            hour.from = change.map_or(from, |change| moment(change.timestamp()).max(from));
        }
        if minutes(to.plus_ms(-1)) != minutes(at) {
            let change = self.0.following(at.to_jiff()).next();
            hour.to = change.map_or(to, |change| moment(change.timestamp()).min(to));
        }
        hour
    }

    /// The civil day in which `at` falls here.
    pub fn date_of(&self, at: Timestamp) -> jiff::civil::Date {
        at.to_jiff().to_zoned(self.0.clone()).date()
    }
}

/// A half-open stretch of time: `from` belongs to it, `to` does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// The first moment inside.
    pub from: Timestamp,
    /// The first moment after.
    pub to: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_offset_is_read_and_utc_is_written() {
        let at: Timestamp = "2026-11-22T08:00:00.250+08:00".parse().unwrap();
        assert_eq!(at.to_string(), "2026-11-22T00:00:00.25Z");
        assert_eq!(at.as_ms() % 1000, 250);
    }

    #[test]
    fn finer_than_a_millisecond_is_cut_off_on_both_sides_of_1970() {
        let after: Timestamp = "1970-01-01T00:00:00.0019Z".parse().unwrap();
        let before: Timestamp = "1969-12-31T23:59:59.9989Z".parse().unwrap();
        assert_eq!((after.as_ms(), before.as_ms()), (1, -2));
    }

    #[test]
    fn a_moment_without_an_offset_is_refused() {
        assert!("2026-11-22T08:00:00".parse::<Timestamp>().is_err());
    }

    #[test]
    fn the_ends_of_time_print_and_parse() {
        for end in [Timestamp::MIN, Timestamp::MAX] {
            assert_eq!(end.to_string().parse::<Timestamp>(), Ok(end));
        }
        assert!(Timestamp::from_ms(i64::MAX).is_err());
    }

    #[test]
    fn an_hour_begins_when_the_clocks_of_its_zone_say_so() {
        let begin = |zone: &str, at: &str| {
            Zone::named(zone).unwrap().start_of_hour(at.parse().unwrap()).to_string()
        };
        let at = "2026-11-22T00:44:59.999Z";
        assert_eq!(begin("Asia/Shanghai", at), "2026-11-22T00:00:00Z");
        assert_eq!(begin("Asia/Kathmandu", at), "2026-11-22T00:15:00Z");
        assert_eq!(begin("Asia/Kolkata", "1969-12-31T23:29:59Z"), "1969-12-31T22:30:00Z");
    }

    #[test]
    fn a_day_may_begin_at_eight_and_end_at_24_00() {
        let zone = Zone::named("Asia/Shanghai").unwrap();
        let date = jiff::civil::date(2026, 12, 31);
        assert_eq!(zone.at_minute(date, 480).to_string(), "2026-12-31T00:00:00Z");
        assert_eq!(zone.at_minute(date, 1440), zone.start_of_day(date.tomorrow().unwrap()));
    }

    #[test]
    fn a_day_in_zhangye_begins_at_sixteen_utc() {
        let zone = Zone::named("Asia/Shanghai").unwrap();
        let midnight = zone.start_of_day(jiff::civil::date(2028, 2, 29));
        assert_eq!(midnight.to_string(), "2028-02-28T16:00:00Z");
        assert_eq!(midnight.with_offset(&zone), "2028-02-29 00:00:00 +08:00");
        assert_eq!(zone.date_of(midnight), jiff::civil::date(2028, 2, 29));
        assert_eq!(zone.date_of(midnight.plus_ms(-1)), jiff::civil::date(2028, 2, 28));
    }
}
