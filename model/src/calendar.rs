//! Civil dates, days of the year, times of day and days of the week, as registry files write them.

use std::{fmt, str::FromStr};

pub use jiff::civil::Date;

use crate::{
    time::{Timestamp, Zone},
    words::words,
};

/// Why a civil date or time was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CalendarError {
    /// Not a date.
    #[error("`{0}` is not a date; write it as 2024-01-01")]
    Date(String),
    /// Not a day of the year.
    #[error("`{0}` is not a day of the year; write it as 04-01")]
    MonthDay(String),
    /// Not a time of day.
    #[error("`{0}` is not a time of day; write it as 08:00")]
    TimeOfDay(String),
}

/// A date in its one spelling, `2024-01-01`, between the years 1900 and 9998.
pub fn parse_date(text: &str) -> Result<Date, CalendarError> {
    let refused = || CalendarError::Date(shortened(text));
    let date: Date = text.parse().map_err(|_unreadable: jiff::Error| refused())?;
    let has_one_spelling = date.to_string() == text;
    if has_one_spelling && (1900..=9998).contains(&date.year()) { Ok(date) } else { Err(refused()) }
}

/// A day of every year. February 29 begins in a common year where March 1 does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonthDay {
    month: i8,
    day: i8,
}

impl MonthDay {
    /// The day of the year that `date` is.
    pub fn of(date: Date) -> Self {
        Self { month: date.month(), day: date.day() }
    }

    /// The day before, in a leap year.
    #[must_use]
    pub fn day_before(self) -> Self {
        jiff::civil::date(2024, self.month, self.day).yesterday().map_or(self, Self::of)
    }

    /// As people write it, `Apr 1`.
    pub fn in_words(self) -> String {
        jiff::civil::date(2024, self.month, self.day).strftime("%b %-d").to_string()
    }
}

impl FromStr for MonthDay {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, CalendarError> {
        let refused = |_unreadable| CalendarError::MonthDay(shortened(text));
        parse_date(&format!("2024-{text}")).map(Self::of).map_err(refused)
    }
}

impl fmt::Display for MonthDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}-{:02}", self.month, self.day)
    }
}

impl fmt::Debug for MonthDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A time of day to the minute, from 00:00 to 24:00.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TimeOfDay {
    minute: u16,
}

impl TimeOfDay {
    /// When a day begins.
    pub const MIDNIGHT: Self = Self { minute: 0 };
    /// 24:00, when it has ended.
    pub const END: Self = Self { minute: 1440 };

    /// Minutes since midnight, 0 to 1440.
    pub const fn minute(self) -> u16 {
        self.minute
    }

    /// So many minutes after midnight, of which whole days are left out.
    pub const fn from_minute(minute: u32) -> Self {
        let [low, high, ..] = (minute % 1440).to_le_bytes();
        Self { minute: u16::from_le_bytes([low, high]) }
    }

    /// The civil time that clocks in `zone` show at `at`, cut to the minute.
    pub fn of(at: Timestamp, zone: &Zone) -> Self {
        let civil = at.in_zone(zone);
        let minutes = civil.get(11..16).and_then(|text| text.parse().ok());
        minutes.unwrap_or(Self::MIDNIGHT)
    }
}

impl FromStr for TimeOfDay {
    type Err = CalendarError;

    fn from_str(text: &str) -> Result<Self, CalendarError> {
        let refused = || CalendarError::TimeOfDay(shortened(text));
        let two_digits = |part: &str| {
            let is_plain = part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse::<u16>().ok().filter(|_| is_plain)
        };
        let (hour, minute) = text.split_once(':').ok_or_else(refused)?;
        let hour = two_digits(hour).ok_or_else(refused)?;
        let minute = two_digits(minute).filter(|minute| *minute < 60).ok_or_else(refused)?;
        let minute = hour * 60 + minute;
        if minute <= 1440 { Ok(Self { minute }) } else { Err(refused()) }
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.minute / 60, self.minute % 60)
    }
}

impl fmt::Debug for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

words! {
    /// A day of the week.
    Weekday {
        /// 星期一
        Monday = "mon",
        /// 星期二
        Tuesday = "tue",
        /// 星期三
        Wednesday = "wed",
        /// 星期四
        Thursday = "thu",
        /// 星期五
        Friday = "fri",
        /// 星期六
        Saturday = "sat",
        /// 星期日
        Sunday = "sun",
    }
}

impl Weekday {
    /// The day of the week that `date` is.
    pub fn of(date: Date) -> Self {
        match date.weekday() {
            jiff::civil::Weekday::Monday => Self::Monday,
            jiff::civil::Weekday::Tuesday => Self::Tuesday,
            jiff::civil::Weekday::Wednesday => Self::Wednesday,
            jiff::civil::Weekday::Thursday => Self::Thursday,
            jiff::civil::Weekday::Friday => Self::Friday,
            jiff::civil::Weekday::Saturday => Self::Saturday,
            jiff::civil::Weekday::Sunday => Self::Sunday,
        }
    }

    /// Days since Monday, 0 to 6.
    pub const fn days_since_monday(self) -> u8 {
        match self {
            Self::Monday => 0,
            Self::Tuesday => 1,
            Self::Wednesday => 2,
            Self::Thursday => 3,
            Self::Friday => 4,
            Self::Saturday => 5,
            Self::Sunday => 6,
        }
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(48).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_date_has_one_spelling() {
        assert!(parse_date("2028-02-29").is_ok());
        for bad in ["2027-02-29", "2024-1-1", "2024-01-01T00:00", "20240101", "1899-12-31", ""] {
            assert!(parse_date(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_day_of_the_year_may_be_february_29() {
        let leap: MonthDay = "02-29".parse().unwrap();
        assert_eq!((leap.to_string(), leap.in_words()), ("02-29".to_owned(), "Feb 29".to_owned()));
        assert_eq!("01-01".parse::<MonthDay>().unwrap().day_before().in_words(), "Dec 31");
        for bad in ["02-30", "13-01", "4-1", "04-01-01", "04", ""] {
            assert!(bad.parse::<MonthDay>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_day_ends_at_24_00() {
        for text in ["00:00", "08:05", "23:59", "24:00"] {
            assert_eq!(text.parse::<TimeOfDay>().unwrap().to_string(), text);
        }
        for bad in ["24:01", "8:00", "08:60", "08:00:00", "+8:00", "08", "-1:00"] {
            assert!(bad.parse::<TimeOfDay>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn time_of_day_is_the_stations() {
        let zone = Zone::named("Asia/Shanghai").unwrap();
        let at: Timestamp = "2026-11-21T23:30:59Z".parse().unwrap();
        assert_eq!(TimeOfDay::of(at, &zone).to_string(), "07:30");
    }
}
