//! The CSV form of samples (`docs/formats.md` §13): a stored sample as a row, and a row as a point.

use std::{
    borrow::Cow,
    io::{self, Read},
};

use model::{ids::GaugeId, quality::Quality, quantity::Decimal, time::Timestamp};
use store::StoredSample;

/// The columns, in the order in which they are written.
pub(crate) const HEADER: [&str; 7] =
    ["station", "gauge", "at", "value", "unit", "quality", "reason"];

/// The most decimals that a batch's column can have.
const MAX_DECIMALS: u8 = 9;

/// A row as it is written.
#[derive(Debug)]
pub(crate) struct Row<'a> {
    station: &'a str,
    gauge: &'a str,
    at: String,
    value: String,
    unit: &'a str,
    quality: &'static str,
    reason: Cow<'static, str>,
}

impl<'a> Row<'a> {
    /// The row of a stored sample.
    pub(crate) fn of(gauge: &'a GaugeId, unit: &'a str, stored: &StoredSample) -> Self {
        let (quality, reason) = stored.sample.quality_words();
        Self {
            station: gauge.station.as_str(),
            gauge: gauge.name.as_str(),
            at: stored.sample.at.to_string(),
            value: stored.decimal().map_or_else(String::new, |value| value.trimmed().to_string()),
            unit,
            quality,
            reason: reason.unwrap_or(Cow::Borrowed("")),
        }
    }

    /// Its fields, in the order of [`HEADER`].
    pub(crate) fn fields(&self) -> [&str; 7] {
        [self.station, self.gauge, &self.at, &self.value, self.unit, self.quality, &self.reason]
    }
}

/// The bytes of a file, each line ended by `\n`: whatever else ends one on other systems is not counted
/// by the library as a line. A space before that end is none of a field.
pub(crate) struct Lines<R> {
    file: R,
    is_over: bool,
}

impl<R> Lines<R> {
    pub(crate) const fn of(file: R) -> Self {
        Self { file, is_over: false }
    }
}

impl<R: Read> Read for Lines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        let read = buffer.get_mut(..count).unwrap_or_default();
        for byte in read.iter_mut().filter(|byte| **byte == b'\r') {
            *byte = b' ';
        }
        let end = buffer.first_mut().filter(|_| count == 0 && !self.is_over);
        end.map_or(Ok(count), |end| {
            (*end, self.is_over) = (b'\n', true);
            Ok(1)
        })
    }
}

/// The line of a file on which the record begins that was just read. The library says so of the end of
/// the one before, behind which lines may be empty.
pub(crate) fn first_line<R: Read>(lines: &csv::Reader<Lines<R>>, record: &csv::ByteRecord) -> u64 {
    let within = record.as_slice().split(|byte| *byte == b'\n').skip(1).count();
    let within = u64::try_from(within).unwrap_or(u64::MAX);
    lines.position().line().saturating_sub(1).saturating_sub(within)
}

/// Where each column of a file stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Columns {
    places: [Option<usize>; 7],
    count: usize,
}

impl Columns {
    /// The columns that a header names, in any order.
    pub(crate) fn of(header: &[&str]) -> Result<Self, String> {
        let mut columns = Self { places: [None; 7], count: 0 };
        for (place, name) in header.iter().enumerate() {
            columns.count = place + 1;
            let known =
                HEADER.iter().zip(&mut columns.places).find(|(known, _)| **known == name.trim());
            match known {
                Some((_, found @ None)) => *found = Some(place),
                Some((_, Some(_))) => return Err(format!("the header names `{name}` twice")),
                None => {
                    let all = HEADER.join(",");
                    return Err(format!("the header names `{name}`, which is none of {all}"));
                }
            }
        }
        let needed = HEADER.iter().zip(&columns.places).take(4);
        let missing: Vec<_> =
            needed.filter(|(_, place)| place.is_none()).map(|(name, _)| *name).collect();
        if missing.is_empty() {
            Ok(columns)
        } else {
            Err(format!("the header lacks {}", missing.join(", ")))
        }
    }

    /// The record's fields in the order of [`HEADER`], empty where the file lacks a column.
    pub(crate) fn fields<'r>(&self, record: &'r csv::ByteRecord) -> Result<[&'r str; 7], String> {
        if record.len() != self.count {
            return Err(format!("has {} fields, the header {}", record.len(), self.count));
        }
        let mut fields = [""; 7];
        for (field, place) in fields.iter_mut().zip(self.places) {
            let bytes = place.and_then(|place| record.get(place)).unwrap_or_default();
            *field =
                std::str::from_utf8(bytes).map_err(|_not_text| "is not UTF-8".to_owned())?.trim();
        }
        Ok(fields)
    }
}

/// What a row says, before anybody asked the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parsed {
    /// Whose.
    pub gauge: GaugeId,
    /// When.
    pub at: Timestamp,
    /// Its value, 0 where none stands.
    pub value: Decimal,
    /// The unit, where it is written.
    pub unit: Option<String>,
    /// What is said of it.
    pub quality: Quality,
}

impl Parsed {
    /// The row with these fields.
    pub(crate) fn of(
        [station, gauge, at, value, unit, quality, reason]: [&str; 7],
    ) -> Result<Self, String> {
        let text = |error: &dyn std::error::Error| error.to_string();
        let gauge: GaugeId = format!("{station}/{gauge}").parse().map_err(|error| text(&error))?;
        let at: Timestamp = at.parse().map_err(|error| text(&error))?;
        let quality = quality_of(!value.is_empty(), quality, reason)?;
        let value = if value.is_empty() {
            Decimal::ZERO
        } else {
            let exact: Decimal = value.parse().map_err(|error| text(&error))?;
            exact.trimmed()
        };
        if value.decimals > MAX_DECIMALS {
            return Err(format!("`{value}` has more than {MAX_DECIMALS} decimals"));
        }
        let unit = (!unit.is_empty()).then(|| unit.to_owned());
        Ok(Self { gauge, at, value, unit, quality })
    }
}

/// The device's code that shows as these words; the range is the server's own doubt and is judged
/// anew.
fn quality_of(has_value: bool, quality: &str, reason: &str) -> Result<Quality, String> {
    let code = match (quality, reason) {
        ("" | "good", "") => Quality::GOOD,
        ("suspect", "range") => Quality::GOOD,
        ("suspect", "") => Quality::SUSPECT,
        ("estimated", "") => Quality::ESTIMATED,
        ("bad", "") => Quality::BAD,
        ("suspect" | "bad", reason) => named(reason)
            .filter(|code| code.has_value() == (quality == "suspect"))
            .ok_or_else(|| format!("`{reason}` is no reason for the quality `{quality}`"))?,
        ("" | "good" | "estimated", reason) => {
            return Err(format!(
                "the quality `{quality}` has no reason, and `{reason}` is written"
            ));
        }
        (other, _) => {
            return Err(format!("the quality `{other}` is none of good, suspect, bad, estimated"));
        }
    };
    match (code.has_value(), has_value) {
        (true, true) | (false, false) => Ok(code),
        (true, false) => Err(
            "has no value, and neither the quality `bad` nor a reason such as `timeout` says why"
                .to_owned(),
        ),
        (false, true) => Err(format!("has a value, though `{reason}` says that there is none")),
    }
}

/// The code whose word is a reason; not those that have a quality of their own.
fn named(reason: &str) -> Option<Quality> {
    let codes = (0..=u8::MAX).map(Quality::from_code);
    let reasons = codes.filter(|code| Quality::from_word(&code.word()).is_none());
    reasons.into_iter().find(|code| code.word() == reason)
}

#[cfg(test)]
mod tests {
    use model::sample::{QcFlags, Sample};

    use super::*;

    #[test]
    fn records_begin_on_the_lines_that_an_editor_shows() {
        let lines = |text: &str| {
            let mut lines =
                csv::ReaderBuilder::new().flexible(true).from_reader(Lines::of(text.as_bytes()));
            assert_eq!(lines.byte_headers().unwrap(), vec!["a", "b "]);
            let (mut record, mut found) = (csv::ByteRecord::new(), Vec::new());
            while lines.read_byte_record(&mut record).unwrap() {
                let last = record.get(record.len() - 1).unwrap();
                found.push((first_line(&lines, &record), last.trim_ascii().to_vec()));
            }
            found
        };
        let expected = [(2, b"2".to_vec()), (4, b"x\ny".to_vec()), (6, b"4".to_vec())];
        let text = "a,b \n1,2\n\n3,\"x\ny\"\n5,4";
        for text in [text.to_owned(), format!("{text}\n"), format!("{text}\n\n\n")] {
            assert_eq!(lines(&text), expected, "{text:?}");
        }
        let text = "a,b\r\n1,2\r\n5,3\r\n7,4";
        let expected = [(2, b"2".to_vec()), (3, b"3".to_vec()), (4, b"4".to_vec())];
        for text in [text.to_owned(), format!("{text}\r\n")] {
            assert_eq!(lines(&text), expected, "{text:?}");
        }
    }

    #[test]
    fn every_sample_that_is_written_is_read_as_the_same() {
        let gauge: GaugeId = "S/g".parse().unwrap();
        let at: Timestamp = "2026-11-22T00:00:00.25Z".parse().unwrap();
        for code in 0..=u8::MAX {
            let quality = Quality::from_code(code);
            if quality.word().starts_with("code_") && !(5..128).contains(&code) && code != 144 {
                continue;
            }
            let value = quality.has_value().then_some(-499_860);
            let stored = StoredSample {
                sample: Sample { at, value, quality, qc: QcFlags::NONE },
                decimals: 6,
            };
            let parsed = Parsed::of(Row::of(&gauge, "m3/s", &stored).fields()).unwrap();
            assert_eq!(
                (parsed.at, parsed.quality, parsed.unit.as_deref()),
                (at, quality, Some("m3/s"))
            );
            let wanted =
                value.map_or(Decimal::ZERO, |units| Decimal { units, decimals: 6 }.trimmed());
            assert_eq!(parsed.value, wanted);
        }
    }

    fn check(row: &str, expected: &str) {
        let fields: Vec<&str> = row.split(',').collect();
        let parsed = Parsed::of(fields.try_into().unwrap());
        let shown =
            parsed.map(|parsed| format!("{} {} {:?}", parsed.gauge, parsed.value, parsed.quality));
        assert_eq!(shown.unwrap_or_else(|problem| problem), expected, "{row}");
    }

    #[test]
    fn a_row_that_contradicts_itself_is_refused() {
        check("S,g,2026-11-22T08:00:00+08:00,0.612,,,", "S/g 0.612 good");
        check("S,g,2026-11-22T08:00:00+08:00,9.9,m3/s,suspect,range", "S/g 9.9 good");
        check("S,g,2026-11-22T08:00:00+08:00,,,bad,timeout", "S/g 0 timeout");
        check(
            "S,g,2026-11-22T08:00:00+08:00,1,,bad,timeout",
            "has a value, though `timeout` says that there is none",
        );
        check(
            "S,g,2026-11-22T08:00:00+08:00,,,,",
            "has no value, and neither the quality `bad` nor a reason such as `timeout` says why",
        );
        check(
            "S,g,2026-11-22T08:00:00+08:00,1,,good,timeout",
            "the quality `good` has no reason, and `timeout` is written",
        );
        check(
            "S,g,2026-11-22T08:00:00+08:00,1,,fine,",
            "the quality `fine` is none of good, suspect, bad, estimated",
        );
        check(
            "S,g,2026-11-22T08:00:00,1,,,",
            "`2026-11-22T08:00:00` is not a moment; write it as 2026-11-22T08:00:00+08:00",
        );
        check(
            "S,g,2026-11-22T08:00:00Z,1.0000000001,,,",
            "`1.0000000001` has more than 9 decimals",
        );
        check("S,g,2026-11-22T08:00:00Z,NaN,,,", "`NaN` is not a decimal number");
    }

    #[test]
    fn a_header_may_stand_in_any_order() {
        let columns = Columns::of(&["value", "at", "gauge", "station"]).unwrap();
        let record = csv::ByteRecord::from(vec!["1", "T", "g", "S"]);
        assert_eq!(columns.fields(&record).unwrap(), ["S", "g", "T", "1", "", "", ""]);
        assert!(columns.fields(&csv::ByteRecord::from(vec!["1"])).is_err());
        assert!(columns.fields(&csv::ByteRecord::from(vec![&b"\xff"[..]; 4])).is_err());
        for bad in
            ["station,gauge,at", "station,gauge,at,value,wert", "station,gauge,at,value,value"]
        {
            assert!(Columns::of(&bad.split(',').collect::<Vec<_>>()).is_err(), "{bad}");
        }
    }
}
