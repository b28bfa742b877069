//! Readings of third parties as JSON, version 1 (`docs/formats.md` §5).

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::{
    ids::GaugeId,
    quality::Quality,
    quantity::{Decimal, NumberError},
    time::Timestamp,
    wire::object::Object,
};

/// The largest document.
pub const MAX_BYTES: usize = 1024 * 1024;
/// The most readings in a document.
pub const MAX_READINGS: usize = 65_536;
const MAX_VALUE: usize = 40;
const MAX_PROBLEM: usize = 200;
/// What to do about a unit that a third party writes: that no reader looks at it would be worse.
const OF_UNITS: &str = "; a value stands in its gauge's unit, as the registry has it: convert it to that, and leave `unit` out";

/// A reading that is well formed; the registry has not seen it yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonReading<'a> {
    /// Whose it claims to be.
    pub gauge: GaugeId,
    /// When it was observed.
    pub at: Timestamp,
    /// Decimal text in the gauge's unit.
    value: &'a str,
    /// What its source says of it.
    pub quality: Quality,
}

impl JsonReading<'_> {
    /// The value in units of 10^−`decimals` of the gauge's unit, rounded half to even.
    pub fn value(&self, decimals: u8) -> Result<i64, NumberError> {
        Decimal::parse_rounded(self.value, decimals)
    }
}

/// A reading that is refused by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadingFault {
    /// Which one of the document, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub problem: String,
}

/// Why a whole document is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Over a limit of the format.
    #[error("over the limit of {limit} {what}")]
    TooLarge {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        limit: usize,
    },
    /// Not of this shape.
    #[error("not readings: {0}")]
    Malformed(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document<'a> {
    #[serde(borrow)]
    readings: &'a RawValue,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw<'a> {
    #[serde(borrow)]
    gauge: Cow<'a, str>,
    #[serde(borrow)]
    at: Cow<'a, str>,
    #[serde(borrow)]
    value: &'a RawValue,
    #[serde(borrow, default)]
    quality: Option<Cow<'a, str>>,
}

/// The readings of a document in their order, each well formed or refused by itself.
pub fn decode(bytes: &[u8]) -> Result<Vec<Result<JsonReading<'_>, ReadingFault>>, DocumentError> {
    // a key that is not known is told, however long it is
    let malformed = |error: serde_json::Error| {
        let mut told: String = error.to_string().chars().take(MAX_PROBLEM).collect();
        if told.starts_with("unknown field `unit`") {
            told += OF_UNITS;
        }
        DocumentError::Malformed(told)
    };
    if bytes.len() > MAX_BYTES {
        return Err(DocumentError::TooLarge { what: "bytes", limit: MAX_BYTES });
    }
    let Object(document): Object<Document<'_>> =
        serde_json::from_slice(bytes).map_err(malformed)?;
    let text = document.readings.get();
    let readings: Vec<Object<Raw<'_>>> = if text.starts_with('{') {
        vec![serde_json::from_str(text).map_err(malformed)?]
    } else {
        serde_json::from_str(text).map_err(malformed)?
    };
    if readings.len() > MAX_READINGS {
        return Err(DocumentError::TooLarge { what: "readings", limit: MAX_READINGS });
    }
    let judged = readings.iter().enumerate();
    Ok(judged
        .map(|(index, Object(raw))| raw.judge().map_err(|problem| ReadingFault { index, problem }))
        .collect())
}

impl<'a> Raw<'a> {
    fn judge(&self) -> Result<JsonReading<'a>, String> {
        let value = self.value.get();
        if value.len() > MAX_VALUE {
            return Err(format!("a value of {} characters; at most {MAX_VALUE}", value.len()));
        }
        // RawValue is valid JSON, so what begins like a number is one; whether it fits is asked later.
        if !value.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
            return Err(format!("`{value}` is not a number"));
        }
        let quality = match self.quality.as_deref() {
            None => Quality::GOOD,
            Some(word) => Quality::from_word(word).ok_or_else(|| {
                let word: String = word.chars().take(MAX_VALUE).collect();
                format!("quality `{word}` is not good, suspect, bad or estimated")
            })?,
        };
        Ok(JsonReading {
            gauge: self.gauge.parse().map_err(|error| format!("{error}"))?,
            at: self.at.parse().map_err(|error| format!("{error}"))?,
            value,
            quality,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(readings: &str) -> String {
        let document = format!(r#"{{"readings":{readings}}}"#);
        match decode(document.as_bytes()) {
            Err(error) => format!("refused: {error}"),
            Ok(readings) => readings
                .iter()
                .map(|reading| match reading {
                    Ok(reading) => format!(
                        "{} {} {:?} {:?}",
                        reading.gauge,
                        reading.at,
                        reading.value(6),
                        reading.quality
                    ),
                    Err(fault) => format!("{}: {}", fault.index, fault.problem),
                })
                .collect::<Vec<_>>()
                .join("\n"),
        }
    }

    #[test]
    fn one_object_or_an_array() {
        let one =
            r#"{"gauge":"A/b","at":"2026-11-22T08:00:00+08:00","value":0.612,"quality":"good"}"#;
        assert_eq!(check(one), "A/b 2026-11-22T00:00:00Z Ok(612000) good");
        assert_eq!(check(&format!("[{one}]")), check(one));
        assert_eq!(check("[]"), "");
    }

    #[test]
    fn a_float32_printed_in_full_is_rounded_and_no_fault() {
        let reading = r#"{"gauge":"A/b","at":"2026-11-22T00:00:00Z","value":0.30000001192092896}"#;
        assert_eq!(check(reading), "A/b 2026-11-22T00:00:00Z Ok(300000) good");
    }

    #[test]
    fn each_reading_is_refused_by_itself() {
        let good = r#"{"gauge":"A/b","at":"2026-11-22T00:00:00Z","value":-1e-3}"#;
        let readings = [
            r#"{"gauge":"A","at":"2026-11-22T00:00:00Z","value":1}"#,
            r#"{"gauge":"A/b","at":"2026-11-22","value":1}"#,
            r#"{"gauge":"A/b","at":"2026-11-22T00:00:00Z","value":"1"}"#,
            r#"{"gauge":"A/b","at":"2026-11-22T00:00:00Z","value":null}"#,
            r#"{"gauge":"A/b","at":"2026-11-22T00:00:00Z","value":1.00000000000000000000000000000000000000000}"#,
            r#"{"gauge":"A/b","at":"2026-11-22T00:00:00Z","value":1,"quality":"fine"}"#,
            good,
        ];
        let answer = check(&format!("[{}]", readings.join(",")));
        assert_eq!(answer.lines().count(), readings.len());
        assert!(answer.ends_with("A/b 2026-11-22T00:00:00Z Ok(-1000) good"), "{answer}");
        assert_eq!(answer.lines().filter(|line| line.starts_with(char::is_numeric)).count(), 6);
    }

    #[test]
    fn another_shape_is_refused_whole() {
        let by_position = r#"["A/b","2026-11-22T00:00:00Z",1.0,"good"]"#;
        let twice = r#"{"gauge":"A/b","at":"2026-11-22T00:00:00Z","value":1,"value":2}"#;
        let array = format!("[{by_position}]");
        let misspelt = r#"{"gauge":"A/b","at":"2026-11-22T00:00:00Z","value":1,"qualtiy":"bad"}"#;
        let unit = r#"{"gauge":"A/b","at":"2026-11-22T00:00:00Z","value":612,"unit":"l/s"}"#;
        for readings in
            ["1", "null", r#"[{"gauge":"A/b"}]"#, r#"[[]]"#, &array, twice, misspelt, unit]
        {
            assert!(check(readings).starts_with("refused"), "{readings}");
        }
        assert!(check(unit).contains("unknown field `unit`"), "{}", check(unit));
        assert!(
            check(unit).ends_with("convert it to that, and leave `unit` out"),
            "{}",
            check(unit)
        );
        assert!(!check(misspelt).contains("leave `unit` out"), "{}", check(misspelt));
        let long = check(&unit.replace("unit", &"u".repeat(100_000)));
        assert!(long.len() < 300, "{}", long.len());
        let good = r#"{"gauge":"A/b","at":"2026-11-22T00:00:00Z","value":1}"#;
        for document in [
            format!("[{good}]"),
            format!("[[{good}]]"),
            format!(r#"{{"readings":{good},"readings":{good}}}"#),
            format!(r#"{{"format":2,"readings":{good}}}"#),
        ] {
            assert!(decode(document.as_bytes()).is_err(), "{document}");
        }
        assert!(decode(b"").is_err() && decode(b"{}").is_err() && decode(b"\xff").is_err());
        assert!(decode(&vec![b' '; MAX_BYTES + 1]).is_err());
        let deep = "[".repeat(100_000);
        assert!(decode(deep.as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_readings_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            drop(decode(&bytes));
        }
    }
}
