//! A register as the settings name it: where it stands, what its words mean, whose reading it is.

use std::fmt;

use model::{ids::GaugeId, quantity::Decimal};

/// Which of a device's four tables a register stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Table {
    /// Coils, read with function 1.
    Coil,
    /// Discrete inputs, read with function 2.
    Discrete,
    /// Holding registers, read with function 3.
    Holding,
    /// Input registers, read with function 4.
    Input,
}

impl Table {
    /// Whether an address of it holds one bit rather than a word of 16.
    pub const fn has_bits(self) -> bool {
        match self {
            Self::Coil | Self::Discrete => true,
            Self::Holding | Self::Input => false,
        }
    }

    /// The other one whose addresses hold as much.
    #[must_use]
    pub const fn counterpart(self) -> Self {
        match self {
            Self::Coil => Self::Discrete,
            Self::Discrete => Self::Coil,
            Self::Holding => Self::Input,
            Self::Input => Self::Holding,
        }
    }

    /// Its word in the settings.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Coil => "coil",
            Self::Discrete => "discrete",
            Self::Holding => "holding",
            Self::Input => "input",
        }
    }
}

/// What the words of a register mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// 16 bits, not negative.
    U16,
    /// 16 bits, two's complement.
    I16,
    /// 32 bits, not negative.
    U32,
    /// 32 bits, two's complement.
    I32,
    /// 64 bits, not negative.
    U64,
    /// 64 bits, two's complement.
    I64,
    /// IEEE 754 single precision.
    F32,
    /// IEEE 754 double precision.
    F64,
    /// Four decimal digits, a nibble each.
    Bcd16,
    /// Eight decimal digits, a nibble each.
    Bcd32,
    /// One coil or discrete input: 0 or 1.
    Bool,
    /// Some bits of one word: those of the mask, moved down so that its lowest bit counts 1.
    Bits {
        /// At least one bit set.
        mask: u16,
    },
}

impl Kind {
    /// How many addresses it takes: words, or one coil.
    pub const fn width(self) -> u16 {
        match self {
            Self::U16 | Self::I16 | Self::Bcd16 | Self::Bool | Self::Bits { .. } => 1,
            Self::U32 | Self::I32 | Self::F32 | Self::Bcd32 => 2,
            Self::U64 | Self::I64 | Self::F64 => 4,
        }
    }

    /// Whether it is a binary floating-point number.
    pub const fn is_float(self) -> bool {
        match self {
            Self::F32 | Self::F64 => true,
            Self::U16 | Self::I16 | Self::U32 | Self::I32 | Self::U64 | Self::I64 => false,
            Self::Bcd16 | Self::Bcd32 | Self::Bool | Self::Bits { .. } => false,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::U16 => "u16",
            Self::I16 => "i16",
            Self::U32 => "u32",
            Self::I32 => "i32",
            Self::U64 => "u64",
            Self::I64 => "i64",
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Bcd16 => "bcd16",
            Self::Bcd32 => "bcd32",
            Self::Bool => "bool",
            Self::Bits { mask } => return write!(f, "bits 0x{mask:04x}"),
        })
    }
}

/// In which order the bytes of a value stand on the wire, `a` the most significant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// `ab`, `abcd`, `abcdefgh`: as Modbus has it.
    Big,
    /// `cdab`, `ghefcdab`: the words turned round, each word big-endian.
    WordsReversed,
    /// `ba`, `badc`, `badcfehg`: the words in order, the bytes of each turned round.
    BytesSwapped,
    /// `dcba`, `hgfedcba`: all of it turned round.
    Little,
}

impl Order {
    /// All of them, as `probe` shows them side by side.
    pub const ALL: [Self; 4] = [Self::Big, Self::WordsReversed, Self::BytesSwapped, Self::Little];

    /// Its word for values of `width` words.
    pub const fn name(self, width: u16) -> &'static str {
        match (self, width) {
            (Self::Big | Self::WordsReversed, 0..=1) => "ab",
            (Self::BytesSwapped | Self::Little, 0..=1) => "ba",
            (Self::Big, 2..=3) => "abcd",
            (Self::WordsReversed, 2..=3) => "cdab",
            (Self::BytesSwapped, 2..=3) => "badc",
            (Self::Little, 2..=3) => "dcba",
            (Self::Big, 4..) => "abcdefgh",
            (Self::WordsReversed, 4..) => "ghefcdab",
            (Self::BytesSwapped, 4..) => "badcfehg",
            (Self::Little, 4..) => "hgfedcba",
        }
    }
}

/// One register to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Register {
    /// Index into the agent's sources.
    pub source: usize,
    /// Whose reading.
    pub gauge: GaugeId,
    /// Where it stands.
    pub table: Table,
    /// As it goes over the wire, counted from 0.
    pub address: u16,
    /// What its words mean.
    pub kind: Kind,
    /// How its bytes stand.
    pub order: Order,
    /// What the number in the words is multiplied by.
    pub scale: Decimal,
    /// What is added after that, in `unit`.
    pub offset: Decimal,
    /// Decimals of its readings, 0 to 9.
    pub decimals: u8,
    /// The same, where the settings say so themselves; the page shows no others of a float.
    pub asked_decimals: Option<u8>,
    /// The unit of its readings.
    pub unit: Box<str>,
    /// Crossing it either way closes a batch at once; at `decimals`.
    pub alert_below: Option<i64>,
    /// `scale`, `offset` and `decimals` as one exact ratio.
    pub scaling: Scaling,
}

/// reading = (number · `factor` + `addend`) / `divisor`, in units of 10^−decimals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scaling {
    /// At most 10^18 either way, not 0.
    pub factor: i128,
    /// At most 10^28 either way.
    pub addend: i128,
    /// 1 to 10^9.
    pub divisor: i128,
}

impl Scaling {
    /// The largest number of decimals of a scale, an offset or a reading.
    pub const MAX_DECIMALS: u8 = 9;
    /// The largest scale, either way.
    pub const MAX_SCALE: i64 = 1_000_000_000;

    /// The ratio; `None` where a number is finer or larger than the bounds above, or `scale` is 0.
    pub fn new(scale: Decimal, offset: Decimal, decimals: u8) -> Option<Self> {
        let limit = Decimal { units: Self::MAX_SCALE, decimals: 0 };
        let size = Decimal { units: scale.units.checked_abs()?, ..scale };
        let finest = scale.decimals.max(offset.decimals).max(decimals);
        if size.units == 0 || size.compare(limit).is_gt() || finest > Self::MAX_DECIMALS {
            return None;
        }
        let up_to = |from: u8| 10_i128.pow(u32::from(finest - from));
        Some(Self {
            factor: i128::from(scale.units) * up_to(scale.decimals),
            addend: i128::from(offset.units) * up_to(offset.decimals),
            divisor: up_to(decimals),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(scale: &str, offset: &str, decimals: u8) -> Option<(i128, i128, i128)> {
        let scaling = Scaling::new(scale.parse().unwrap(), offset.parse().unwrap(), decimals)?;
        Some((scaling.factor, scaling.addend, scaling.divisor))
    }

    #[test]
    fn scale_and_offset_become_one_exact_ratio() {
        assert_eq!(check("1", "0", 0), Some((1, 0, 1)));
        assert_eq!(check("0.1", "-273.15", 2), Some((10, -27_315, 1)));
        assert_eq!(check("0.001", "0", 1), Some((1, 0, 100)));
        assert_eq!(check("-1", "1", 0), Some((-1, 1, 1)));
    }

    #[test]
    fn a_scale_that_says_nothing_or_too_much_is_refused() {
        for (scale, decimals) in [("0", 0), ("0.0000000001", 0), ("1000000001", 0), ("1", 10)] {
            assert_eq!(check(scale, "0", decimals), None, "{scale} {decimals}");
        }
    }
}
