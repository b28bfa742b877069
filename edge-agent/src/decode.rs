//! What words mean: a register's words to an exact integer at its decimals, or a named defect.
//!
//! Integers are multiplied and added exactly. A binary floating-point number is taken for exactly
//! what it stands for, and there is one rounding, at the end: half to even, to the register's
//! decimals.

use std::cmp::Ordering;

use model::quality::Quality;

use crate::{
    plan::Request,
    register::{Kind, Order, Register, Scaling},
};

/// What a device answered to one request: as many words or coils as were asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Of holding or input registers.
    Words(Vec<u16>),
    /// Of coils or discrete inputs; up to 7 more than asked for, as they come in bytes.
    Bits(Vec<bool>),
}

/// A register's value at its decimals, or why there is none.
pub type Decoded = Result<i64, Quality>;

/// What the registers of `request` say in `reply`, in the order of `request.registers`, each with
/// its index among `registers`. A register that the reply does not reach is [`Quality::SHORT`].
pub fn decode<'a>(
    request: &'a Request,
    registers: &'a [Register],
    reply: &'a Reply,
) -> impl Iterator<Item = (usize, Decoded)> + 'a {
    request.registers.iter().filter_map(move |index| {
        let register = registers.get(*index)?;
        let offset = usize::from(register.address.checked_sub(request.address)?);
        let decoded = match reply {
            Reply::Words(words) => {
                let end = offset + usize::from(register.kind.width());
                words.get(offset..end).ok_or(Quality::SHORT).and_then(|own| value(register, own))
            }
            Reply::Bits(bits) => {
                let bit = bits.get(offset).ok_or(Quality::SHORT);
                bit.and_then(|bit| scaled(register.scaling, i128::from(*bit)))
            }
        };
        Some((*index, decoded))
    })
}

/// The value in a register's own words, of which there are as many as its type is wide.
pub fn value(register: &Register, words: &[u16]) -> Decoded {
    match number(register.kind, register.order, words)? {
        Number::Integer(number) => scaled(register.scaling, number),
        Number::Float(number) => scaled_float(register.scaling, number),
    }
}

/// What the words hold, before scale and offset.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// Of every type but floats; at most 64 bits.
    Integer(i128),
    /// Of f32 and f64; may be NaN or infinite.
    Float(f64),
}

/// The number in these words, of which there are as many as `kind` is wide.
pub fn number(kind: Kind, order: Order, words: &[u16]) -> Result<Number, Quality> {
    if words.len() != usize::from(kind.width()) {
        return Err(Quality::SHORT);
    }
    let bits = gather(order, words);
    let (low, half) = (low_word(bits), low_half(bits));
    let integer = match kind {
        Kind::U16 => i128::from(low),
        Kind::I16 => i128::from(low.cast_signed()),
        Kind::U32 => i128::from(half),
        Kind::I32 => i128::from(half.cast_signed()),
        Kind::U64 => i128::from(bits),
        Kind::I64 => i128::from(bits.cast_signed()),
        Kind::F32 => return Ok(Number::Float(f64::from(f32::from_bits(half)))),
        Kind::F64 => return Ok(Number::Float(f64::from_bits(bits))),
        Kind::Bcd16 | Kind::Bcd32 => bcd(bits, 4 * kind.width())?,
        Kind::Bool => i128::from(low != 0),
        Kind::Bits { mask } => i128::from((low & mask) >> mask.trailing_zeros()),
    };
    Ok(Number::Integer(integer))
}

/// The bytes of the words in the order of their weight, the first of them the heaviest.
fn gather(order: Order, words: &[u16]) -> u64 {
    let push = |bits: u64, word: u16| bits << 16 | u64::from(word);
    let words = words.iter().copied();
    match order {
        Order::Big => words.fold(0, push),
        Order::WordsReversed => words.rev().fold(0, push),
        Order::BytesSwapped => words.map(u16::swap_bytes).fold(0, push),
        Order::Little => words.rev().map(u16::swap_bytes).fold(0, push),
    }
}

fn low_word(bits: u64) -> u16 {
    let [_, _, _, _, _, _, low @ ..] = bits.to_be_bytes();
    u16::from_be_bytes(low)
}

fn low_half(bits: u64) -> u32 {
    let [_, _, _, _, low @ ..] = bits.to_be_bytes();
    u32::from_be_bytes(low)
}

fn bcd(bits: u64, digits: u16) -> Result<i128, Quality> {
    (0..digits).rev().try_fold(0, |number, place| {
        let digit = bits >> (4 * place) & 0xf;
        if digit > 9 { Err(Quality::INVALID_BCD) } else { Ok(number * 10 + i128::from(digit)) }
    })
}

fn scaled(scaling: Scaling, number: i128) -> Decoded {
    rounded(scaling, number * scaling.factor, Below::Nothing)
}

/// A float is `mantissa` · 2^`exponent` exactly, so its reading is one exact fraction.
fn scaled_float(scaling: Scaling, number: f64) -> Decoded {
    if !number.is_finite() {
        return Err(Quality::NOT_A_NUMBER);
    }
    let (mantissa, exponent) = parts(number);
    let product = mantissa * scaling.factor; // 53 and 60 bits
    let Ok(down) = u32::try_from(-exponent) else {
        let up = exponent.unsigned_abs();
        let is_small = product.unsigned_abs().leading_zeros() > up;
        let product = product.checked_shl(up).filter(|_| is_small).ok_or(Quality::OVERFLOW)?;
        return rounded(scaling, product, Below::Nothing);
    };
    let floor = product >> down.min(127);
    let rest = if down < 127 { product - (floor << down) } else { product };
    let below = if rest == 0 {
        Below::Nothing
    } else if down >= 127 {
        // the product has at most 113 bits: it is next to 0, or just below it
        if product > 0 { Below::LessThanHalf } else { Below::MoreThanHalf }
    } else {
        match (2 * rest).cmp(&(1 << down)) {
            Ordering::Less => Below::LessThanHalf,
            Ordering::Equal => Below::Half,
            Ordering::Greater => Below::MoreThanHalf,
        }
    };
    rounded(scaling, floor, below)
}

/// Mantissa with its sign, and the power of two that it counts.
fn parts(number: f64) -> (i128, i32) {
    let bits = number.to_bits();
    let fraction = i128::from(bits & ((1 << 52) - 1));
    let exponent = i32::from(low_word(bits >> 52) & 0x7ff);
    let (mantissa, exponent) =
        if exponent == 0 { (fraction, -1074) } else { (fraction | 1 << 52, exponent - 1075) };
    (if number.is_sign_negative() { -mantissa } else { mantissa }, exponent)
}

/// What of a product is smaller than 1 and not negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Below {
    Nothing,
    LessThanHalf,
    Half,
    MoreThanHalf,
}

/// (`product` + `below` + addend) / divisor, half to even, as far as 64 bits hold it.
fn rounded(scaling: Scaling, product: i128, below: Below) -> Decoded {
    let whole = product.checked_add(scaling.addend).ok_or(Quality::OVERFLOW)?;
    let quotient = whole.div_euclid(scaling.divisor);
    let twice = 2 * whole.rem_euclid(scaling.divisor);
    // the exact remainder, doubled, is `twice` where nothing is below, else strictly between
    // `twice` and `twice` + 2
    let is_up = if below == Below::Nothing {
        twice > scaling.divisor || (twice == scaling.divisor && quotient % 2 != 0)
    } else if twice + 1 == scaling.divisor {
        below == Below::MoreThanHalf || (below == Below::Half && quotient % 2 != 0)
    } else {
        twice >= scaling.divisor
    };
    i64::try_from(quotient + i128::from(is_up)).map_err(|_too_large| Quality::OVERFLOW)
}

#[cfg(test)]
mod tests;
