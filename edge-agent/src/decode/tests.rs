//! Decoding against an encoder that shares no code with it.

use model::quantity::{Decimal, div_half_even};
use proptest::prelude::*;

use super::*;
use crate::{
    plan::tests::register,
    register::{Order, Table},
};

/// The words of these bytes, heaviest first, as the letters of `order` name their places.
fn encode(bytes: &[u8], order: Order) -> Vec<u16> {
    let letters = order.name(u16::try_from(bytes.len() / 2).unwrap());
    let place = |letter: u8| bytes[usize::from(letter - b'a')];
    let shuffled: Vec<u8> = letters.bytes().map(place).collect();
    shuffled.chunks(2).map(|pair| u16::from(pair[0]) << 8 | u16::from(pair[1])).collect()
}

fn scaling(scale: &str, offset: &str, decimals: u8) -> Scaling {
    Scaling::new(scale.parse().unwrap(), offset.parse().unwrap(), decimals).unwrap()
}

fn read(kind: Kind, order: Order, words: &[u16], scaling: Scaling) -> Decoded {
    let register = register(0, Table::Holding, 0, kind);
    value(&Register { order, scaling, ..register }, words)
}

/// The reading as decimal text, or the word of its defect; scale, offset and decimals in between.
fn check(kind: Kind, words: &[u16], (scale, offset, decimals): (&str, &str, u8), expected: &str) {
    let shown = match read(kind, Order::Big, words, scaling(scale, offset, decimals)) {
        Ok(units) => Decimal { units, decimals }.to_string(),
        Err(defect) => defect.word().into_owned(),
    };
    assert_eq!(shown, expected, "{kind} {words:04x?} * {scale} + {offset}");
}

#[test]
fn integers_are_scaled_exactly() {
    check(Kind::U16, &[6_120], ("0.0001", "0", 4), "0.6120");
    check(Kind::I16, &[0xffff], ("0.1", "0", 1), "-0.1");
    check(Kind::U16, &[2_981], ("0.1", "-273.15", 2), "24.95");
    check(Kind::U32, &[0x0001, 0x0000], ("1", "0", 0), "65536");
    check(Kind::I32, &[0xffff, 0xfffe], ("0.5", "0", 1), "-1.0");
    check(Kind::U64, &[0, 0, 0, 7], ("1000000000", "0", 0), "7000000000");
    check(Kind::I64, &[0x8000, 0, 0, 0], ("1", "0", 0), "-9223372036854775808");
    check(Kind::Bits { mask: 0x0ff0 }, &[0xabcd], ("1", "0", 0), "188");
    check(Kind::Bits { mask: 0x8000 }, &[0x8000], ("-1", "1", 0), "0");
}

#[test]
fn rounding_is_half_to_even_and_happens_once() {
    for (word, rounded) in [(5, "0"), (15, "2"), (25, "2"), (26, "3"), (0xfff1, "-2")] {
        check(Kind::I16, &[word], ("0.1", "0", 0), rounded);
    }
    check(Kind::F32, &[0x3f00, 0], ("1", "0", 0), "0"); // 0.5
    check(Kind::F32, &[0x3fc0, 0], ("1", "0", 0), "2"); // 1.5
    check(Kind::F32, &[0xc020, 0], ("1", "0", 0), "-2"); // -2.5
    check(Kind::F32, &[0x3f1c, 0xac08], ("1", "0", 6), "0.612000"); // 0.61199999
    check(Kind::F32, &[0x3f1c, 0xac08], ("1000", "0", 9), "611.999988556"); // …988555908…
    check(Kind::F64, &[0, 0, 0, 1], ("1000000000", "0", 9), "0.000000000"); // the least above 0
    check(Kind::F64, &[0x8000, 0, 0, 1], ("1000000000", "0.5", 0), "0"); // 0.5 less it
    check(Kind::F64, &[0, 0, 0, 1], ("1000000000", "0.5", 0), "1"); // 0.5 and it
    check(Kind::F32, &[0x8000, 0], ("1", "0", 3), "0.000"); // minus 0
}

#[test]
fn what_is_no_number_is_a_named_defect() {
    check(Kind::F32, &[0x7fc0, 0], ("1", "0", 3), "not_a_number");
    check(Kind::F32, &[0xff80, 0], ("1", "0", 3), "not_a_number");
    check(Kind::F64, &[0x7ff0, 0, 0, 0], ("1", "0", 3), "not_a_number");
    check(Kind::F32, &[0x7f7f, 0xffff], ("1", "0", 0), "overflow");
    check(Kind::F64, &[0x43e0, 0, 0, 0], ("1", "0", 0), "overflow"); // 2^63
    check(Kind::F64, &[0xc3e0, 0, 0, 0], ("1", "0", 0), "-9223372036854775808");
    check(Kind::U64, &[0xffff; 4], ("1", "0", 0), "overflow");
    check(Kind::U64, &[0xffff; 4], ("1000000000", "9223372036", 9), "overflow");
    check(Kind::Bcd16, &[0x1a00], ("1", "0", 0), "invalid_bcd");
    check(Kind::Bcd32, &[0x1234, 0x567a], ("1", "0", 0), "invalid_bcd");
    check(Kind::U32, &[1], ("1", "0", 0), "short");
}

#[test]
fn bcd_digits_are_decimal() {
    check(Kind::Bcd16, &[0x1234], ("0.01", "0", 2), "12.34");
    check(Kind::Bcd32, &[0x1234, 0x5678], ("1", "0", 0), "12345678");
}

#[test]
fn a_reply_gives_each_register_its_own_words() {
    let registers = [
        register(0, Table::Holding, 10, Kind::U16),
        register(1, Table::Holding, 12, Kind::U32),
        register(2, Table::Holding, 13, Kind::U16),
    ];
    let request =
        Request { table: Table::Holding, address: 10, count: 4, registers: vec![0, 1, 2] };
    let reply = Reply::Words(vec![7, 0, 1, 2]);
    let decoded: Vec<_> = decode(&request, &registers, &reply).collect();
    assert_eq!(decoded, [(0, Ok(7)), (1, Ok(65_538)), (2, Ok(2))]);
    let cut = Reply::Words(vec![7, 0, 1]);
    let decoded: Vec<_> = decode(&request, &registers, &cut).map(|(_, value)| value).collect();
    assert_eq!(decoded, [Ok(7), Err(Quality::SHORT), Err(Quality::SHORT)]);
}

#[test]
fn coils_are_zero_or_one() {
    let registers =
        [register(0, Table::Coil, 3, Kind::Bool), register(1, Table::Coil, 5, Kind::Bool)];
    let request = Request { table: Table::Coil, address: 3, count: 3, registers: vec![0, 1] };
    let reply = Reply::Bits(vec![true, true, false, true, true, true, true, true]);
    let decoded: Vec<_> = decode(&request, &registers, &reply).collect();
    assert_eq!(decoded, [(0, Ok(1)), (1, Ok(0))]);
}

fn orders() -> impl Strategy<Value = Order> {
    prop::sample::select(Order::ALL.to_vec())
}

fn plain(kind: Kind, order: Order, bytes: &[u8]) -> Decoded {
    read(kind, order, &encode(bytes, order), scaling("1", "0", 0))
}

proptest! {
    #[test]
    fn words_of_16_bits_read_as_what_was_written(value: u16, order in orders()) {
        let bytes = value.to_be_bytes();
        prop_assert_eq!(plain(Kind::U16, order, &bytes), Ok(value.into()));
        prop_assert_eq!(plain(Kind::I16, order, &bytes), Ok(i16::from_be_bytes(bytes).into()));
    }

    #[test]
    fn words_of_32_bits_read_as_what_was_written(value: u32, order in orders()) {
        let bytes = value.to_be_bytes();
        prop_assert_eq!(plain(Kind::U32, order, &bytes), Ok(value.into()));
        prop_assert_eq!(plain(Kind::I32, order, &bytes), Ok(i32::from_be_bytes(bytes).into()));
    }

    #[test]
    fn words_of_64_bits_read_as_what_was_written(value: i64, order in orders()) {
        let bytes = value.to_be_bytes();
        prop_assert_eq!(plain(Kind::I64, order, &bytes), Ok(value));
        let unsigned = i64::try_from(u64::from_be_bytes(bytes));
        prop_assert_eq!(plain(Kind::U64, order, &bytes).ok(), unsigned.ok());
    }

    #[test]
    fn decimal_digits_read_as_what_was_written(value in 0_u32..100_000_000, order in orders()) {
        let digits = format!("{value:08}");
        let nibbles = u32::from_str_radix(&digits, 16).unwrap();
        prop_assert_eq!(plain(Kind::Bcd32, order, &nibbles.to_be_bytes()), Ok(value.into()));
        let low = u16::from_str_radix(digits.split_at(4).1, 16).unwrap();
        prop_assert_eq!(plain(Kind::Bcd16, order, &low.to_be_bytes()), Ok((value % 10_000).into()));
    }

    /// The standard library prints a float exactly and rounds it half to even, too.
    #[test]
    fn floats_read_as_they_print(single in any::<f32>(), double in any::<f64>(), order in orders(), decimals in 0_u8..=9) {
        let width = usize::from(decimals);
        for (kind, bytes, printed) in [
            (Kind::F32, single.to_be_bytes().to_vec(), format!("{single:.width$}")),
            (Kind::F64, double.to_be_bytes().to_vec(), format!("{double:.width$}")),
        ] {
            let decoded = read(kind, order, &encode(&bytes, order), scaling("1", "0", decimals));
            prop_assert_eq!(decoded.ok(), Decimal::parse_exact(&printed, decimals).ok(), "{}", printed);
        }
    }

    #[test]
    fn a_scaled_float_is_rounded_once(
        mantissa in -(1_i64 << 53)..1 << 53, down in 0_u32..30, scale in 1_i64..1_000_000,
        offset in -1_000_000_i64..1_000_000, finest in 0_u8..=6, decimals in 0_u8..=3,
    ) {
        #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "53 bits fit exactly")]
        let number = mantissa as f64 / f64::from(1_u32 << down);
        let bytes = number.to_be_bytes();
        let (scale, offset) =
            (Decimal { units: scale, decimals: finest }, Decimal { units: offset, decimals: finest });
        let decoded = read(
            Kind::F64, Order::Big, &encode(&bytes, Order::Big),
            Scaling::new(scale, offset, decimals).unwrap(),
        );
        let power = |n: u8| 10_i128.pow(n.into());
        let numerator = (i128::from(mantissa) * i128::from(scale.units)
            + (i128::from(offset.units) << down)) * power(decimals);
        let exact = div_half_even(numerator, power(finest) << down);
        prop_assert_eq!(decoded.ok(), i64::try_from(exact).ok());
    }

    #[test]
    fn any_words_are_a_value_or_a_defect(words in prop::collection::vec(any::<u16>(), 0..6), order in orders()) {
        let kinds = [Kind::U16, Kind::I32, Kind::U64, Kind::F32, Kind::F64, Kind::Bcd32];
        for kind in kinds {
            let decoded = read(kind, order, &words, scaling("999999999.999999999", "-9.000000001", 0));
            prop_assert!(decoded.is_ok() || decoded.is_err_and(|defect| !defect.has_value()));
        }
    }
}
