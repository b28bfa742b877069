//! What register words mean, decoded a second time: by this file alone, with nothing of the product.

use std::fmt;

/// An exact number in units of 10⁻⁹.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Exact(pub i128);

const NANO: i128 = 1_000_000_000;

impl Exact {
    /// A whole number.
    pub const fn whole(number: i128) -> Self {
        Self(number * NANO)
    }

    /// `units` of 10^−`decimals`.
    pub fn scaled(units: i128, decimals: u8) -> Self {
        Self(units * 10_i128.pow(u32::from(9 - decimals)))
    }

    /// The number in a decimal text without an exponent.
    pub fn parse(text: &str) -> Option<Self> {
        let (is_negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
        let is_number = !whole.is_empty()
            && whole.bytes().chain(fraction.bytes()).all(|byte| byte.is_ascii_digit());
        let (used, rest) = fraction.split_at(fraction.len().min(9));
        if !is_number || rest.bytes().any(|digit| digit != b'0') {
            return None;
        }
        let number = format!("{whole}{used:0<9}").parse::<i128>().ok()?;
        Some(Self(if is_negative { -number } else { number }))
    }
}

impl fmt::Display for Exact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let number = self.0.unsigned_abs();
        let text = format!("{sign}{}.{:09}", number / 1_000_000_000, number % 1_000_000_000);
        f.write_str(text.trim_end_matches('0').trim_end_matches('.'))
    }
}

/// A fraction; the denominator is above 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fraction {
    pub numerator: i128,
    pub denominator: i128,
}

impl Fraction {
    pub(crate) const fn whole(numerator: i128) -> Self {
        Self { numerator, denominator: 1 }
    }

    pub(crate) fn of(number: Exact) -> Self {
        Self { numerator: number.0, denominator: NANO }
    }

    pub(crate) fn times(self, other: Self) -> Self {
        let numerator = self.numerator.checked_mul(other.numerator);
        let denominator = self.denominator.checked_mul(other.denominator);
        Self {
            numerator: numerator.expect("small test numbers"),
            denominator: denominator.expect("small test numbers"),
        }
        .reduced()
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        let left = self.numerator.checked_mul(other.denominator).expect("small test numbers");
        let right = other.numerator.checked_mul(self.denominator).expect("small test numbers");
        let denominator = self.denominator.checked_mul(other.denominator);
        Self { numerator: left + right, denominator: denominator.expect("small test numbers") }
            .reduced()
    }

    fn reduced(self) -> Self {
        let (mut a, mut b) = (self.numerator.unsigned_abs(), self.denominator.unsigned_abs());
        while b > 0 {
            (a, b) = (b, a % b);
        }
        let divisor = i128::try_from(a.max(1)).expect("a divisor of an i128");
        Self { numerator: self.numerator / divisor, denominator: self.denominator / divisor }
    }

    /// Rounded half to even to so many decimals, in units of them.
    pub(crate) fn rounded(self, decimals: u8) -> i128 {
        let scaled = self.times(Self::whole(10_i128.pow(u32::from(decimals))));
        let floor = scaled.numerator.div_euclid(scaled.denominator);
        let rest = scaled.numerator.rem_euclid(scaled.denominator);
        match (rest * 2).cmp(&scaled.denominator) {
            std::cmp::Ordering::Less => floor,
            std::cmp::Ordering::Greater => floor + 1,
            std::cmp::Ordering::Equal => floor + floor.rem_euclid(2),
        }
    }
}

/// How many words a value of this type takes.
pub(crate) fn width(kind: &str) -> usize {
    match kind {
        "u16" | "i16" | "bcd16" | "bool" => 1,
        "u32" | "i32" | "f32" | "bcd32" => 2,
        "u64" | "i64" | "f64" => 4,
        other => panic!("no type {other}"),
    }
}

/// The number in these words; nothing where they hold none (NaN, an infinity, a digit above 9).
///
/// `order` names the bytes as they stand on the wire, `a` the most significant.
pub(crate) fn number(words: &[u16], kind: &str, order: &str) -> Option<Fraction> {
    let wire: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
    let mut bits = 0_u64;
    for letter in b'a'..b'a' + u8::try_from(wire.len()).expect("at most 8") {
        let at = order.bytes().position(|byte| byte == letter).expect("each letter once");
        bits = bits << 8 | u64::from(wire[at]);
    }
    let signed = |width: u32| {
        let value = i128::from(bits);
        if bits >> (width - 1) & 1 == 1 { value - (1_i128 << width) } else { value }
    };
    match kind {
        "bool" => Some(Fraction::whole(i128::from(words[0] & 1))),
        "u16" | "u32" | "u64" => Some(Fraction::whole(i128::from(bits))),
        "i16" => Some(Fraction::whole(signed(16))),
        "i32" => Some(Fraction::whole(signed(32))),
        "i64" => Some(Fraction::whole(signed(64))),
        "bcd16" => decimal_digits(bits, 4),
        "bcd32" => decimal_digits(bits, 8),
        "f32" => binary_float(bits, 23, 8),
        "f64" => binary_float(bits, 52, 11),
        other => panic!("no type {other}"),
    }
}

fn decimal_digits(bits: u64, count: u32) -> Option<Fraction> {
    let digits = (0..count).rev().map(|at| i128::from(bits >> (4 * at) & 0xF));
    let number =
        digits.into_iter().try_fold(0, |sum, digit| (digit < 10).then_some(sum * 10 + digit));
    number.map(Fraction::whole)
}

/// IEEE 754: a sign, `exponent_bits` of exponent and `mantissa_bits` of mantissa, exactly.
fn binary_float(bits: u64, mantissa_bits: u32, exponent_bits: u32) -> Option<Fraction> {
    let mantissa = i128::from(bits & ((1 << mantissa_bits) - 1));
    let exponent =
        i32::try_from(bits >> mantissa_bits & ((1 << exponent_bits) - 1)).expect("11 bits");
    let largest = (1 << exponent_bits) - 1;
    if exponent == largest {
        return None;
    }
    let bias = largest / 2 + i32::try_from(mantissa_bits).expect("52 at most");
    let (mantissa, power) = match exponent {
        0 => (mantissa, 1 - bias),
        _ => (mantissa | 1 << mantissa_bits, exponent - bias),
    };
    let is_negative = bits >> (mantissa_bits + exponent_bits) & 1 == 1;
    let mantissa = if is_negative { -mantissa } else { mantissa };
    Some(match u32::try_from(power) {
        Ok(power) => Fraction::whole(mantissa.checked_mul(1 << power).expect("small test numbers")),
        Err(_) if mantissa == 0 || power < -110 => Fraction::whole(0),
        Err(_) => {
            Fraction { numerator: mantissa, denominator: 1 << power.unsigned_abs() }.reduced()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &[u16], kind: &str, order: &str, decimals: u8, expected: &str) {
        let number = number(words, kind, order).map(|number| number.rounded(decimals));
        let shown =
            number.map_or("none".to_owned(), |units| Exact::scaled(units, decimals).to_string());
        assert_eq!(shown, expected, "{words:?} {kind} {order}");
    }

    #[test]
    fn the_second_decoder_agrees_with_the_tables_of_the_libmodbus_meter() {
        check(&[54321], "u16", "ab", 0, "54321");
        check(&[0xFB2E], "i16", "ab", 0, "-1234");
        check(&[0xB2D0, 0x5E00], "u32", "abcd", 0, "3000000000");
        check(&[0x0000, 0xC148], "f32", "cdab", 3, "-12.5");
        check(&[0x3F1C, 0xAC08], "f32", "abcd", 3, "0.612");
        check(&[0xFCA9, 0xF1D2, 0x4D62, 0x50BF], "f64", "hgfedcba", 6, "-0.001");
        check(&[0x1234], "bcd16", "ab", 0, "1234");
        check(&[0x123A], "bcd16", "ab", 0, "none");
        check(&[0x7FC0, 0], "f32", "abcd", 3, "none");
        check(&[1], "bool", "ab", 0, "1");
    }

    #[test]
    fn rounding_is_half_to_even() {
        let half = |numerator| Fraction { numerator, denominator: 2 }.rounded(0);
        assert_eq!([1, 3, 5, -1, -3].map(half), [0, 2, 2, 0, -2]);
        assert_eq!(Exact::parse("-0.612"), Some(Exact(-612_000_000)));
        assert_eq!(Exact::parse("0.61200000000"), Some(Exact(612_000_000)));
        assert_eq!(Exact::parse("1e3"), None);
        assert_eq!(Exact(-612_000_000).to_string(), "-0.612");
    }
}
