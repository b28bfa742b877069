//! What a single node says where a string, a number, a span or a size belongs.

use std::time::Duration;

use super::{Node, Origin, Value};

pub(super) fn text(node: &Node) -> Result<String, String> {
    let Value::Text(text) = &node.value else { return Err(misfit(node, "a string")) };
    Ok(text.clone())
}

pub(super) fn integer(node: &Node) -> Result<i64, String> {
    if let Value::Integer(number) = node.value {
        return Ok(number);
    }
    let text = environment(node).ok_or_else(|| misfit(node, "an integer"))?;
    text.parse().map_err(|_no_integer| format!("`{text}` is not an integer"))
}

pub(super) fn boolean(node: &Node) -> Result<bool, String> {
    if let Value::Boolean(value) = node.value {
        return Ok(value);
    }
    let text = environment(node).ok_or_else(|| misfit(node, "true or false"))?;
    text.parse().map_err(|_neither| format!("`{text}` is neither true nor false"))
}

pub(super) fn decimal(node: &Node) -> Result<String, String> {
    let text = match &node.value {
        Value::Integer(number) => return Ok(number.to_string()),
        Value::Decimal(text) if significant_digits(text) > 15 => {
            return Err(format!("{text} has more than 15 digits; quote it: \"{text}\""));
        }
        Value::Decimal(text) | Value::Text(text) => text,
        Value::Boolean(_) | Value::List(_) | Value::Table(_) => {
            return Err(misfit(node, "a decimal number"));
        }
    };
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, "0"));
    if text.len() <= 40 && is_digits(whole) && is_digits(fraction) {
        return Ok(text.clone());
    }
    Err(format!("`{text}` is not a decimal number; write it as 0.075"))
}

const SPANS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
const SIZES: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// A quantity that settings write with its unit.
pub trait Spelled {
    /// As somebody would write it: `90s`, `0s`, `2h`, `64MiB`.
    fn spelled(&self) -> String;
}

impl Spelled for Duration {
    fn spelled(&self) -> String {
        let ms = u64::try_from(self.as_millis()).unwrap_or(u64::MAX);
        if ms == 0 { "0s".to_owned() } else { in_largest_unit(ms, &SPANS) }
    }
}

impl Spelled for u64 {
    fn spelled(&self) -> String {
        in_largest_unit(*self, &SIZES)
    }
}

pub(super) fn duration(node: &Node) -> Result<Duration, String> {
    let Value::Text(text) = &node.value else {
        return Err(misfit(node, "a duration such as \"5s\""));
    };
    let ms = with_unit(text, &SPANS).filter(|ms| i64::try_from(*ms).is_ok());
    ms.map(Duration::from_millis)
        .ok_or_else(|| format!("`{text}` is not a duration; write 250ms, 5s, 10m, 24h or 7d"))
}

pub(super) fn size(node: &Node) -> Result<u64, String> {
    let Value::Text(text) = &node.value else {
        return Err(misfit(node, "a size such as \"64MiB\""));
    };
    with_unit(text, &SIZES)
        .ok_or_else(|| format!("`{text}` is not a size; write 512B, 64KiB, 64MiB or 1GiB"))
}

/// What stands here is of another type than `wanted`.
pub(super) fn misfit(node: &Node, wanted: &str) -> String {
    let given = match node.value {
        Value::Text(_) => "a string",
        Value::Integer(_) => "an integer",
        Value::Decimal(_) => "a decimal number",
        Value::Boolean(_) => "true or false",
        Value::List(_) => "a list",
        Value::Table(_) => "a table",
    };
    format!("{given} where {wanted} belongs")
}

/// The text of an environment variable, which has no other way to write a number.
fn environment(node: &Node) -> Option<&str> {
    match (&node.value, &node.origin) {
        (Value::Text(text), Origin::Environment(_)) => Some(text),
        _ => None,
    }
}

fn significant_digits(decimal: &str) -> usize {
    let digits = decimal.trim_start_matches(['-', '0', '.']).replace('.', "");
    digits.trim_end_matches('0').len()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// In the largest unit of which it is a whole number.
fn in_largest_unit(number: u64, units: &[(&str, u64)]) -> String {
    let fits = |(_, factor): &&(&str, u64)| number != 0 && number.is_multiple_of(*factor);
    let (name, factor) = units.iter().rev().find(fits).unwrap_or(&("B", 1));
    format!("{}{name}", number / factor)
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text.find(|letter: char| !letter.is_ascii_digit())?;
    let (number, unit) = text.split_at_checked(end)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}
