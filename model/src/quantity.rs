//! Exact numbers with units: decimal text, the units of the trade, and the one conversion.

use std::{cmp::Ordering, fmt, str::FromStr};

/// An exact decimal number: `units` · 10^−`decimals`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Decimal {
    /// The digits as an integer.
    pub units: i64,
    /// How many of them stand behind the point, 0 to 18.
    pub decimals: u8,
}

/// Why a number was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// Not decimal text.
    #[error("`{0}` is not a decimal number")]
    Text(String),
    /// More digits behind the point than the quantity keeps.
    #[error("`{text}` has more than {decimals} decimals")]
    TooFine {
        /// As it was written.
        text: String,
        /// How many are kept.
        decimals: u8,
    },
    /// More than 64 bits hold.
    #[error("`{0}` is too large")]
    TooLarge(String),
}

/// 10^n, for n up to 38.
pub(crate) const fn power_of_ten(n: u8) -> i128 {
    let mut power = 1_i128;
    let mut i = 0;
    while i < n && i < 38 {
        power *= 10;
        i += 1;
    }
    power
}

/// `numerator` / `denominator` rounded half to even; `denominator` above 0.
pub const fn div_half_even(numerator: i128, denominator: i128) -> i128 {
    let quotient = numerator.div_euclid(denominator);
    let twice = numerator.rem_euclid(denominator).saturating_mul(2);
    if twice > denominator || (twice == denominator && quotient % 2 != 0) {
        quotient + 1
    } else {
        quotient
    }
}

/// Which way a quotient that has too many decimals goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rounding {
    /// What was released is never shown as more than it was, nor a share of the time.
    Down,
    /// What is required is never shown as less than it is.
    Up,
    /// To the nearest, the even one of two.
    HalfEven,
}

/// `part` / `whole`, both in the same units, with so many decimals, of which trailing zeros are left
/// out; `None` where there is nothing to divide by, and beyond 64 bits.
pub fn quotient(part: i128, whole: i128, decimals: u8, rounding: Rounding) -> Option<Decimal> {
    if whole <= 0 {
        return None;
    }
    let scaled = part.checked_mul(power_of_ten(decimals))?;
    let units = match rounding {
        Rounding::Down => scaled.div_euclid(whole),
        Rounding::Up => -(-scaled).div_euclid(whole),
        Rounding::HalfEven => div_half_even(scaled, whole),
    };
    Some(Decimal { units: i64::try_from(units).ok()?, decimals }.trimmed())
}

/// What a sum in ml/s · ms is of a cubic metre.
const CUBIC_METRE: i128 = 1_000_000_000;

/// A sum of water in ml/s · ms in m³, to the litre.
pub fn volume_m3(water: i128) -> Option<Decimal> {
    quotient(water, CUBIC_METRE, 3, Rounding::HalfEven)
}

/// A part of a time as a share of it, with four decimals, rounded down.
pub fn share_of_time(part: i128, whole: i128) -> Option<Decimal> {
    quotient(part, whole, 4, Rounding::Down)
}

/// The mean of what is in ml/s · ms over a time in ms, in m³/s: as [`quotient`], with the six
/// decimals that such a sum has already.
pub fn mean_flow(water: i128, time_ms: i128, rounding: Rounding) -> Option<Decimal> {
    let mean = quotient(water, time_ms, 0, rounding)?;
    Some(Decimal { units: mean.units, decimals: 6 }.trimmed())
}

/// The least mean that is enough, in m³/s: a share of what had to be released, in ml/s · ms, over a
/// time in ms. Exact where that has no more decimals than the share and a flow together, as it has
/// while the requirement does not change; else, and beyond 64 bits, rounded up.
pub fn enough_flow(required: i128, time_ms: i128, share: Decimal) -> Option<Decimal> {
    let share = share.trimmed();
    let water = required.checked_mul(i128::from(share.units))?;
    let exact = |mean: Decimal| Decimal { units: mean.units, decimals: share.decimals + 6 };
    let exact = quotient(water, time_ms, 0, Rounding::Up).map(|mean| exact(mean).trimmed());
    let time = time_ms.checked_mul(power_of_ten(share.decimals))?;
    exact.or_else(|| mean_flow(water, time, Rounding::Up))
}

/// The parts of decimal text: sign, digits without the point, and the power of ten they stand at.
struct Parts {
    is_negative: bool,
    digits: i128,
    /// Value = digits · 10^exponent, plus something below one digit if `has_rest`.
    exponent: i32,
    has_rest: bool,
}

impl Parts {
    /// At most 40 characters: `-12.5`, `1e-3`, `.5` and `5.` are numbers, ` 1`, `1_0` and `0x1` are not.
    fn parse(text: &str) -> Option<Self> {
        if text.len() > 40 {
            return None;
        }
        let (mantissa, exponent) = match text.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i16>().ok()?),
            None => (text, 0),
        };
        let (is_negative, mantissa) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        let mut parts =
            Self { is_negative, digits: 0, exponent: i32::from(exponent), has_rest: false };
        for digit in whole.bytes() {
            let is_kept = parts.push(digit)?;
            parts.exponent += i32::from(!is_kept);
        }
        for digit in fraction.bytes() {
            let is_kept = parts.push(digit)?;
            parts.exponent -= i32::from(is_kept);
        }
        Some(parts)
    }

    /// Appends a digit if 128 bits hold it, else only notes whether it was more than 0.
    fn push(&mut self, digit: u8) -> Option<bool> {
        let digit = i128::from(digit.is_ascii_digit().then(|| digit - b'0')?);
        let is_kept = self.digits < power_of_ten(36);
        if is_kept {
            self.digits = self.digits * 10 + digit;
        } else {
            self.has_rest |= digit != 0;
        }
        Some(is_kept)
    }

    /// The value in units of 10^−`decimals`, and whether anything was rounded away.
    fn scaled(&self, decimals: u8) -> Option<(i64, bool)> {
        let shift = self.exponent + i32::from(decimals);
        let (value, is_exact) = if self.digits == 0 {
            (0, !self.has_rest)
        } else if shift >= 0 {
            let shift = u8::try_from(shift).ok().filter(|s| *s <= 38)?;
            (self.digits.checked_mul(power_of_ten(shift))?, !self.has_rest)
        } else {
            match u8::try_from(-shift).ok().filter(|s| *s <= 37) {
                Some(shift) => {
                    let unit = power_of_ten(shift);
                    // A rest below the last kept digit breaks a tie upwards, as half to even must.
                    let doubled = self.digits * 2 + i128::from(self.has_rest);
                    (div_half_even(doubled, unit * 2), self.digits % unit == 0 && !self.has_rest)
                }
                None => (0, false),
            }
        };
        let value = if self.is_negative { -value } else { value };
        i64::try_from(value).ok().map(|value| (value, is_exact))
    }
}

fn shortened(text: &str) -> String {
    text.chars().take(48).collect()
}

impl Decimal {
    /// Exactly 0.
    pub const ZERO: Self = Self { units: 0, decimals: 0 };

    /// Decimal text in units of 10^−`decimals`, rounded half to even; at most 40 characters.
    pub fn parse_rounded(text: &str, decimals: u8) -> Result<i64, NumberError> {
        let parts = Parts::parse(text).ok_or_else(|| NumberError::Text(shortened(text)))?;
        let (value, _is_exact) =
            parts.scaled(decimals).ok_or_else(|| NumberError::TooLarge(shortened(text)))?;
        Ok(value)
    }

    /// Decimal text in units of 10^−`decimals`; more digits than that are a fault.
    pub fn parse_exact(text: &str, decimals: u8) -> Result<i64, NumberError> {
        let parts = Parts::parse(text).ok_or_else(|| NumberError::Text(shortened(text)))?;
        match parts.scaled(decimals) {
            Some((value, true)) => Ok(value),
            Some((_, false)) => Err(NumberError::TooFine { text: shortened(text), decimals }),
            None => Err(NumberError::TooLarge(shortened(text))),
        }
    }

    /// Which is larger as a number, whatever the decimals.
    pub fn compare(self, other: Self) -> Ordering {
        let left = i128::from(self.units) * power_of_ten(other.decimals.min(18));
        let right = i128::from(other.units) * power_of_ten(self.decimals.min(18));
        left.cmp(&right)
    }

    /// The same number with as few decimals as it needs.
    #[must_use]
    pub const fn trimmed(self) -> Self {
        let mut trimmed = self;
        while trimmed.decimals > 0 && trimmed.units % 10 == 0 {
            trimmed.units /= 10;
            trimmed.decimals -= 1;
        }
        trimmed
    }

    /// The same number in units of 10^−`decimals`, rounded half to even; `None` beyond 64 bits.
    pub fn rescaled(self, decimals: u8) -> Option<i64> {
        let wide = i128::from(self.units);
        let value = if decimals >= self.decimals {
            wide.checked_mul(power_of_ten(decimals - self.decimals))?
        } else {
            div_half_even(wide, power_of_ten(self.decimals - decimals))
        };
        i64::try_from(value).ok()
    }
}

impl FromStr for Decimal {
    type Err = NumberError;

    /// Exact, with up to 18 decimals.
    fn from_str(text: &str) -> Result<Self, NumberError> {
        let parts = Parts::parse(text).ok_or_else(|| NumberError::Text(shortened(text)))?;
        let decimals = u8::try_from((-parts.exponent).max(0)).unwrap_or(u8::MAX).min(18);
        match parts.scaled(decimals) {
            Some((units, true)) => Ok(Self { units, decimals }),
            Some((_, false)) => Err(NumberError::TooFine { text: shortened(text), decimals }),
            None => Err(NumberError::TooLarge(shortened(text))),
        }
    }
}

impl fmt::Display for Decimal {
    /// Without an exponent, with as many digits behind the point as `decimals` says.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.units < 0 { "-" } else { "" };
        let digits = self.units.unsigned_abs();
        if self.decimals == 0 {
            return write!(f, "{sign}{digits}");
        }
        let unit = u64::try_from(power_of_ten(self.decimals.min(18))).unwrap_or(1);
        let width = usize::from(self.decimals.min(18));
        write!(f, "{sign}{}.{:0width$}", digits / unit, digits % unit)
    }
}

/// What a gauge measures; decides which units it may have and how finely it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantity {
    /// 流量, stored in ml/s.
    Flow,
    /// 水位, stored in 0.1 mm.
    Level,
    /// 水量, stored in litres.
    Volume,
    /// Any other of [`OTHER_QUANTITIES`], stored as the gauge shows it.
    Other(&'static OtherQuantity),
}

/// A quantity that no mandate speaks of: its name and its kind of unit.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OtherQuantity {
    /// As the registry names it.
    pub name: &'static str,
    /// 中文 name, for pages.
    pub chinese: &'static str,
    dimension: Dimension,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Dimension {
    Flow,
    Length,
    Volume,
    Velocity,
    Power,
    Energy,
    Ratio,
    Voltage,
    Temperature,
    Concentration,
    Conductivity,
    Turbidity,
    Pressure,
    Angle,
    Radiation,
    Frequency,
    Current,
}

macro_rules! others {
    ($($name:literal $chinese:literal $dimension:ident,)*) => {
        /// Every quantity besides flow, level and volume.
        pub static OTHER_QUANTITIES: &[OtherQuantity] = &[
            $(OtherQuantity { name: $name, chinese: $chinese, dimension: Dimension::$dimension },)*
        ];
    };
}

others! {
    "velocity" "流速" Velocity,
    "power" "功率" Power,
    "energy" "电量" Energy,
    "opening" "开度" Length,
    "opening_share" "开度比" Ratio,
    "depth" "埋深" Length,
    "voltage" "电压" Voltage,
    "current" "电流" Current,
    "frequency" "频率" Frequency,
    "temperature" "温度" Temperature,
    "humidity" "湿度" Ratio,
    "pressure" "气压" Pressure,
    "wind_speed" "风速" Velocity,
    "wind_direction" "风向" Angle,
    "rain" "雨量" Length,
    "visibility" "能见度" Length,
    "radiation" "辐射" Radiation,
    "ph" "pH" Ratio,
    "do" "溶解氧" Concentration,
    "conductivity" "电导率" Conductivity,
    "turbidity" "浊度" Turbidity,
    "codmn" "高锰酸盐指数" Concentration,
    "nh3n" "氨氮" Concentration,
    "tp" "总磷" Concentration,
    "tn" "总氮" Concentration,
    "free_chlorine" "游离氯" Concentration,
    "so2" "二氧化硫" Concentration,
    "no2" "二氧化氮" Concentration,
    "nox" "氮氧化物" Concentration,
    "co" "一氧化碳" Concentration,
    "o3" "臭氧" Concentration,
    "pm10" "PM10" Concentration,
    "pm2_5" "PM2.5" Concentration,
    "tsp" "总悬浮颗粒物" Concentration,
    "soil_moisture" "土壤含水率" Ratio,
    "signal" "信号质量" Ratio,
    "state" "状态" Ratio,
}

impl Quantity {
    /// The quantity with this name in the registry.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "flow" => Some(Self::Flow),
            "level" => Some(Self::Level),
            "volume" => Some(Self::Volume),
            _ => OTHER_QUANTITIES.iter().find(|other| other.name == name).map(Self::Other),
        }
    }

    /// Its name in the registry.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Flow => "flow",
            Self::Level => "level",
            Self::Volume => "volume",
            Self::Other(other) => other.name,
        }
    }

    const fn dimension(self) -> Dimension {
        match self {
            Self::Flow => Dimension::Flow,
            Self::Level => Dimension::Length,
            Self::Volume => Dimension::Volume,
            Self::Other(other) => other.dimension,
        }
    }
}

/// A unit that a register or a gauge may have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Unit(&'static UnitRow);

#[derive(Debug, PartialEq, Eq)]
struct UnitRow {
    name: &'static str,
    dimension: Dimension,
    /// One of it is `numerator` / `denominator` of the dimension's base unit.
    numerator: i64,
    denominator: i64,
}

macro_rules! units {
    ($($dimension:ident: $($name:literal $numerator:literal / $denominator:literal),+;)*) => {
        static UNITS: &[UnitRow] = &[$($(UnitRow {
            name: $name, dimension: Dimension::$dimension,
            numerator: $numerator, denominator: $denominator,
        }),+),*];
    };
}

units! {
    Flow: "m3/s" 1_000_000 / 1, "l/s" 1_000 / 1, "ml/s" 1 / 1, "m3/h" 2_500 / 9, "l/min" 50 / 3,
        "l/h" 5 / 18, "m3/d" 625 / 54, "10^4 m3/d" 3_125_000 / 27;
    Length: "m" 10_000 / 1, "cm" 100 / 1, "mm" 10 / 1, "km" 10_000_000 / 1;
    Volume: "m3" 1_000 / 1, "l" 1 / 1, "10^4 m3" 10_000_000 / 1;
    Velocity: "m/s" 1 / 1, "cm/s" 1 / 100, "km/h" 5 / 18;
    Power: "W" 1 / 1, "kW" 1_000 / 1, "MW" 1_000_000 / 1;
    Energy: "kWh" 1 / 1, "MWh" 1_000 / 1;
    Ratio: "1" 1 / 1, "%" 1 / 100, "pH" 1 / 1;
    Voltage: "V" 1_000 / 1, "mV" 1 / 1;
    Current: "A" 1_000 / 1, "mA" 1 / 1;
    Frequency: "Hz" 1 / 1;
    Temperature: "degC" 1 / 1;
    Concentration: "mg/L" 1_000_000 / 1, "ug/L" 1_000 / 1, "mg/m3" 1_000 / 1, "ug/m3" 1 / 1,
        "ng/m3" 1 / 1_000;
    Conductivity: "uS/cm" 1 / 1, "mS/cm" 1_000 / 1, "S/m" 10_000 / 1;
    Turbidity: "NTU" 1 / 1;
    Pressure: "Pa" 1 / 1, "hPa" 100 / 1, "kPa" 1_000 / 1;
    Angle: "deg" 1 / 1;
    Radiation: "W/m2" 1 / 1;
}

impl Unit {
    /// The unit with this name.
    pub fn named(name: &str) -> Option<Self> {
        UNITS.iter().find(|row| row.name == name).map(Self)
    }

    /// Its name, as registry, batch and files spell it.
    pub const fn name(self) -> &'static str {
        self.0.name
    }

    /// Whether a value in this unit can become one of `quantity`.
    pub fn measures(self, quantity: Quantity) -> bool {
        self.0.dimension == quantity.dimension()
    }
}

impl fmt::Debug for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.name)
    }
}

/// How a gauge's values are stored: as integers of 10^−`decimals` of `unit`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resolution {
    /// The gauge's unit.
    pub unit: Unit,
    /// Decimals that are stored, which for flow, level and volume are more than it shows.
    pub decimals: u8,
}

/// Why a gauge cannot have this unit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Metres for a flow.
    #[error("`{unit}` is not a unit of {quantity}")]
    Impossible {
        /// As it was asked for.
        unit: &'static str,
        /// The quantity's name.
        quantity: &'static str,
    },
    /// A flow in m³/h has no exact number of m³/s.
    #[error(
        "a gauge cannot have the unit `{unit}`, in which {quantity} is not exact; a register can"
    )]
    Inexact {
        /// As it was asked for.
        unit: &'static str,
        /// The quantity's name.
        quantity: &'static str,
    },
}

impl Resolution {
    /// The stored resolution of a gauge (`docs/formats.md` §8); `decimals` are those it shows.
    pub fn of(quantity: Quantity, unit: Unit, decimals: u8) -> Result<Self, UnitError> {
        if !unit.measures(quantity) {
            return Err(UnitError::Impossible { unit: unit.name(), quantity: quantity.name() });
        }
        match quantity {
            Quantity::Other(_) => Ok(Self { unit, decimals }),
            Quantity::Flow | Quantity::Level | Quantity::Volume => (0..=18)
                .find(|d| {
                    i128::from(unit.0.numerator) == power_of_ten(*d) && unit.0.denominator == 1
                })
                .map(|decimals| Self { unit, decimals })
                .ok_or_else(|| UnitError::Inexact { unit: unit.name(), quantity: quantity.name() }),
        }
    }

    /// The conversion of integers of 10^−`decimals` of `unit` into this resolution; `None` where
    /// the units measure different things.
    pub fn conversion_from(self, unit: Unit, decimals: u8) -> Option<Conversion> {
        if unit.0.dimension != self.unit.0.dimension {
            return None;
        }
        let up = i128::from(unit.0.numerator)
            * i128::from(self.unit.0.denominator)
            * power_of_ten(self.decimals.saturating_sub(decimals));
        let down = i128::from(unit.0.denominator)
            * i128::from(self.unit.0.numerator)
            * power_of_ten(decimals.saturating_sub(self.decimals));
        let divisor = greatest_common_divisor(up, down);
        Some(Conversion { numerator: up / divisor, denominator: down / divisor })
    }

    /// A stored integer as a number of the gauge's unit.
    pub const fn decimal(self, units: i64) -> Decimal {
        Decimal { units, decimals: self.decimals }
    }
}

/// An exact ratio between two resolutions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conversion {
    numerator: i128,
    denominator: i128,
}

impl Conversion {
    /// The value in the new resolution, rounded half to even; `None` beyond 64 bits.
    pub fn apply(self, value: i64) -> Option<i64> {
        if self.numerator == 1 && self.denominator == 1 {
            return Some(value);
        }
        let wide = i128::from(value).checked_mul(self.numerator)?;
        i64::try_from(div_half_even(wide, self.denominator)).ok()
    }
}

const fn greatest_common_divisor(a: i128, b: i128) -> i128 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn convert(value: &str, from: &str, to: &str, quantity: &str, shown: u8) -> String {
        let decimal: Decimal = value.parse().unwrap();
        let quantity = Quantity::named(quantity).unwrap();
        let resolution = Resolution::of(quantity, Unit::named(to).unwrap(), shown).unwrap();
        let conversion =
            resolution.conversion_from(Unit::named(from).unwrap(), decimal.decimals).unwrap();
        resolution.decimal(conversion.apply(decimal.units).unwrap()).to_string()
    }

    #[test]
    fn what_was_released_is_never_rounded_up_to_what_is_required() {
        let observed = |water, time| mean_flow(water, time, Rounding::Down).unwrap().to_string();
        assert_eq!(observed(4_319_999_999_999, 3_600_000), "1.199999");
        assert_eq!(observed(4_320_000_000_000, 3_600_000), "1.2");
        assert_eq!(mean_flow(1, 3, Rounding::Up).unwrap().to_string(), "0.000001");
        assert_eq!(mean_flow(1, 0, Rounding::Down), None);
        let enough = |required, time, share: &str| {
            enough_flow(required, time, share.parse().unwrap()).map(|flow| flow.to_string())
        };
        assert_eq!(enough(1_200_000 * 7, 7, "0.95").unwrap(), "1.14");
        assert_eq!(enough(750_001 * 7, 7, "0.950").unwrap(), "0.71250095");
        assert_eq!(enough(1, 3, "0.5").unwrap(), "0.0000002");
        assert_eq!(enough(100_000_000_000, 1, "0.9999999999").unwrap(), "99999.99999");
        assert_eq!(enough(100_000_000_001, 1, "0.9999999999").unwrap(), "99999.999991");
        assert_eq!(enough(1, 0, "1"), None);
    }

    #[test]
    fn a_share_of_the_time_is_rounded_down_and_a_volume_to_the_nearest() {
        let shown = |part, whole, decimals, rounding| {
            quotient(part, whole, decimals, rounding).map(|number| number.to_string())
        };
        assert_eq!(shown(9_999, 13_332, 4, Rounding::Down).unwrap(), "0.75");
        assert_eq!(shown(99_999, 100_000, 4, Rounding::Down).unwrap(), "0.9999");
        assert_eq!(shown(3_000_000, 1_000_000_000, 3, Rounding::HalfEven).unwrap(), "0.003");
        assert_eq!(shown(1, 0, 4, Rounding::Down), None);
        assert_eq!(shown(i128::MAX, 1, 4, Rounding::Down), None);
    }

    #[test]
    fn units_of_the_trade_convert_exactly_and_round_half_to_even() {
        assert_eq!(convert("1000", "m3/h", "m3/s", "flow", 3), "0.277778");
        assert_eq!(convert("1800", "m3/h", "m3/s", "flow", 3), "0.500000");
        assert_eq!(convert("0.49986", "m3/s", "m3/s", "flow", 3), "0.499860");
        assert_eq!(convert("1", "m3/h", "l/s", "flow", 0), "0.278");
        assert_eq!(convert("12.345", "m", "m", "level", 2), "12.3450");
        assert_eq!(convert("0.05", "mm", "m", "level", 3), "0.0000");
        assert_eq!(convert("0.15", "mm", "m", "level", 3), "0.0002");
        assert_eq!(convert("6.25", "degC", "degC", "temperature", 1), "6.2");
        assert_eq!(convert("6.35", "degC", "degC", "temperature", 1), "6.4");
        assert_eq!(convert("0.0352", "mg/m3", "ug/m3", "pm2_5", 0), "35");
    }

    #[test]
    fn a_unit_of_something_else_is_refused() {
        let flow = Quantity::Flow;
        assert_eq!(
            Resolution::of(flow, Unit::named("m").unwrap(), 3),
            Err(UnitError::Impossible { unit: "m", quantity: "flow" })
        );
        assert_eq!(
            Resolution::of(flow, Unit::named("m3/h").unwrap(), 3),
            Err(UnitError::Inexact { unit: "m3/h", quantity: "flow" })
        );
        let seconds = Resolution::of(flow, Unit::named("m3/s").unwrap(), 3).unwrap();
        assert_eq!(seconds.conversion_from(Unit::named("m3").unwrap(), 0), None);
    }

    #[test]
    fn decimal_text_is_read_exactly() {
        for (text, decimals, rounded) in [
            ("0.612", 6, 612_000),
            ("6.12e-1", 6, 612_000),
            ("-0.0000005", 6, 0),
            ("0.0000015", 6, 2),
            ("-1.5", 0, -2),
            ("2.5", 0, 2),
            ("0.50000000000000000000000000000000000001", 0, 1),
            ("100000000000000000000000000000000000e-30", 1, 1_000_000),
            ("0.300000011920929", 6, 300_000),
        ] {
            assert_eq!(Decimal::parse_rounded(text, decimals), Ok(rounded), "{text}");
        }
        for bad in ["", "-", ".", "1_0", " 1", "1 ", "0x1", "NaN", "inf", "1e", "1e99999", "--1"] {
            assert!(Decimal::parse_rounded(bad, 3).is_err(), "{bad:?}");
        }
        assert!(Decimal::parse_exact("0.1234567", 6).is_err());
        assert_eq!(Decimal::parse_exact("0.1234560", 6), Ok(123_456));
        assert!(Decimal::parse_exact("1e30", 0).is_err());
        assert!(Decimal::parse_rounded(&"1".repeat(41), 0).is_err());
    }

    proptest! {
        #[test]
        fn a_number_prints_as_what_it_was_read_from(units: i64, decimals in 0_u8..=18) {
            let number = Decimal { units, decimals };
            prop_assert_eq!(number.to_string().parse(), Ok(number));
            prop_assert_eq!(Decimal::parse_exact(&number.to_string(), decimals), Ok(units));
        }

        #[test]
        fn any_text_is_a_number_or_an_error(text in ".{0,45}") {
            let number: Result<Decimal, NumberError> = text.parse();
            if let Ok(number) = number {
                prop_assert_eq!(Decimal::parse_exact(&text, number.decimals), Ok(number.units));
            }
        }

        #[test]
        fn rounding_is_to_the_nearest(numerator in -1_000_000_i128..1_000_000, denominator in 1_i128..1_000) {
            let rounded = div_half_even(numerator, denominator);
            prop_assert!((rounded * denominator - numerator).abs() * 2 <= denominator);
        }

        #[test]
        fn conversion_keeps_order(a: i32, b: i32) {
            let seconds = Resolution::of(Quantity::Flow, Unit::named("m3/s").unwrap(), 3).unwrap();
            let hours = seconds.conversion_from(Unit::named("m3/h").unwrap(), 3).unwrap();
            let (low, high) = (a.min(b), a.max(b));
            prop_assert!(hours.apply(low.into()) <= hours.apply(high.into()));
        }
    }
}
