//! Whole RTU answers among the bytes of a line, wherever they begin.
//!
//! Who hears such a frame without having asked for it knows that somebody says things twice or by
//! himself. Noise is no such frame: of two bytes that are anything, one pair in 65,536 is a right
//! check sum.

use crate::{decode::Reply, register::Table};

/// What tells an answer from another: its function and how many bytes of values it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Of which table.
    pub table: Table,
    /// Of values, check sum and head not counted; none of a refusal.
    pub bytes: u16,
}

impl Shape {
    /// That of a refusal to read this table.
    pub const fn refusal(table: Table) -> Self {
        Self { table, bytes: 0 }
    }

    /// Whether a refusal looks so.
    pub const fn is_refusal(self) -> bool {
        self.bytes == 0
    }

    /// Whether what comes in answer to a question for this may look like `other`: it, or a refusal.
    pub fn may_be(self, other: Self) -> bool {
        self == other || self.table == other.table && other.is_refusal()
    }
}

/// What a unit said: values, or that it refuses them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Frame {
    /// Who says it, 1 to 247.
    pub unit: u8,
    /// What it could be an answer to.
    pub shape: Shape,
    /// Its check sum: those of two that differ are rarely alike.
    pub check: u16,
}

/// Unit, function and length stand before the values, the check sum after them; in a refusal the
/// reason stands where the length does.
const HEAD: usize = 3;
const CHECK: usize = 2;
/// Reasons of a gateway that speaks for a unit from which it heard nothing.
pub const GATEWAYS: [u8; 2] = [10, 11];

/// The check sum that an answer of `unit` has which holds the first `count` of what is in this one.
pub fn check_of_first(count: u16, unit: u8, table: Table, reply: &Reply) -> u16 {
    let count = usize::from(count);
    let byte = |bits: &[bool]| (0..).zip(bits).map(|(place, is)| u8::from(*is) << place).sum();
    let bytes: Vec<u8> = match reply {
        Reply::Words(words) => {
            words.iter().take(count).flat_map(|word| word.to_be_bytes()).collect()
        }
        Reply::Bits(bits) => bits.get(..count).unwrap_or(bits).chunks(8).map(byte).collect(),
    };
    // a read whose answer is longer than that is never put
    let length = u8::try_from(bytes.len()).unwrap_or(u8::MAX);
    check_sum(&[&[unit, function(table), length], &*bytes].concat())
}

/// The answers of units in these bytes, in their order; what is between them is passed over.
pub fn answers(bytes: &[u8]) -> Vec<Frame> {
    let words = words(bytes).into_iter();
    words.filter(|word| !word.is_gateways).map(|word| word.frame).collect()
}

struct Word {
    frame: Frame,
    is_gateways: bool,
}

fn words(bytes: &[u8]) -> Vec<Word> {
    let mut found = Vec::new();
    let mut rest = bytes;
    while let [_, after @ ..] = rest {
        rest = match word(rest) {
            Some((word, left)) => {
                found.push(word);
                left
            }
            None => after,
        };
    }
    found
}

/// What to do with bytes that came for somebody who waits for one answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sifted {
    /// They may be it, or are something that is for others to judge.
    Take,
    /// So many of them are another answer, or another unit's word.
    PassOver(usize),
    /// They begin like one, and the rest of it has not come yet.
    Wait,
}

/// Tells an answer of `unit`, and where only a `wanted` one is to be heard that one, from whatever
/// else is said. Noise and what `unit` refuses of that table are taken, whole words of other units
/// never.
pub fn sifted(bytes: &[u8], unit: u8, wanted: Option<Shape>) -> Sifted {
    let is_own = bytes.first() == Some(&unit);
    let refused = bytes.get(1).copied().and_then(refused);
    if is_own && wanted.is_none_or(|wanted| refused == Some(wanted.table)) {
        return Sifted::Take;
    }
    let [_, function, length, ..] = *bytes else { return Sifted::Wait };
    let whole = match table(function) {
        Some(table) if is_own && Some(Shape { table, bytes: length.into() }) == wanted => {
            return Sifted::Take;
        }
        Some(_) => HEAD + usize::from(length) + CHECK,
        None if refused.is_some() => HEAD + CHECK,
        None => return Sifted::Take,
    };
    match bytes.get(..whole) {
        Some(word) if sound(word).is_some() => Sifted::PassOver(whole),
        Some(_) => Sifted::Take,
        // noise may begin like another's word, and the answer stand behind it
        None if !is_own && words(bytes).iter().any(|word| word.frame.unit == unit) => Sifted::Take,
        None => Sifted::Wait,
    }
}

/// The table that a unit refuses to read whose word has this function.
fn refused(function: u8) -> Option<Table> {
    function.checked_sub(0x80).and_then(table)
}

/// The check sum of a word that has its right one at its end.
fn sound(word: &[u8]) -> Option<u16> {
    let (said, check) = word.split_last_chunk::<CHECK>()?;
    let sum = check_sum(said);
    (*check == sum.to_le_bytes()).then_some(sum)
}

fn table(with: u8) -> Option<Table> {
    let tables = [Table::Coil, Table::Discrete, Table::Holding, Table::Input];
    tables.into_iter().find(|table| function(*table) == with)
}

const fn function(table: Table) -> u8 {
    match table {
        Table::Coil => 1,
        Table::Discrete => 2,
        Table::Holding => 3,
        Table::Input => 4,
    }
}

/// The word that begins these bytes, and what comes after it.
fn word(bytes: &[u8]) -> Option<(Word, &[u8])> {
    let [unit @ 1..=247, function, length, ..] = *bytes else { return None };
    let shape = match refused(function) {
        Some(table) => Shape::refusal(table),
        None => Shape { table: table(function)?, bytes: length.into() },
    };
    let is_whole = shape.table.has_bits() || shape.bytes.is_multiple_of(2);
    if !is_whole || length == 0 {
        return None;
    }
    let (word, rest) = bytes.split_at_checked(HEAD + usize::from(shape.bytes) + CHECK)?;
    let is_gateways = shape.is_refusal() && GATEWAYS.contains(&length);
    Some((Word { frame: Frame { unit, shape, check: sound(word)? }, is_gateways }, rest))
}

/// CRC-16 as Modbus has it.
fn check_sum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0xffff, |sum, byte| {
        (0..8).fold(sum ^ u16::from(*byte), |sum, _| {
            if sum & 1 == 1 { (sum >> 1) ^ 0xa001 } else { sum >> 1 }
        })
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn frame(unit: u8, function: u8, values: &[u8]) -> Vec<u8> {
        let mut frame = vec![unit, function, u8::try_from(values.len()).unwrap()];
        frame.extend(values);
        let check = check_sum(&frame);
        frame.extend(check.to_le_bytes());
        frame
    }

    fn refusal(unit: u8, reason: u8) -> Vec<u8> {
        let mut refusal = vec![unit, 0x83, reason];
        refusal.extend(check_sum(&refusal).to_le_bytes());
        refusal
    }

    fn shown(bytes: &[u8]) -> String {
        let shown = answers(bytes).into_iter().map(|Frame { unit, shape, .. }| {
            let bytes = if shape.is_refusal() { "refused".into() } else { shape.bytes.to_string() };
            format!("{unit} {} {bytes}", shape.table.name())
        });
        shown.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn the_frame_of_the_specification_is_one() {
        // MODBUS over Serial Line 1.02: the check sum travels low byte first
        let known = [0x11, 0x03, 0x06, 0xae, 0x41, 0x56, 0x52, 0x43, 0x40, 0x49, 0xad];
        assert_eq!(shown(&known), "17 holding 6");
    }

    #[test]
    fn the_beginning_of_a_longer_answer_is_known_as_the_shorter_one() {
        let check = |bytes: &[u8]| answers(bytes).first().unwrap().check;
        let words = Reply::Words(vec![0x0102, 0x0304, 0x0506]);
        assert_eq!(
            check_of_first(2, 5, Table::Holding, &words),
            check(&frame(5, 3, &[1, 2, 3, 4]))
        );
        let bits = [0b1010_0101_u8, 0b1111_1111]
            .map(|byte| (0..8).map(move |place| byte >> place & 1 == 1))
            .into_iter()
            .flatten();
        let bits = Reply::Bits(bits.collect());
        assert_eq!(check_of_first(3, 5, Table::Coil, &bits), check(&frame(5, 1, &[0b101])));
        assert_eq!(
            check_of_first(10, 5, Table::Coil, &bits),
            check(&frame(5, 1, &[0b1010_0101, 3]))
        );
    }

    #[test]
    fn answers_are_found_wherever_they_begin() {
        let (one, two) = (frame(5, 3, &[1, 2]), frame(6, 1, &[7]));
        let refused = refusal(5, 2);
        let all = [&[0xff, 5, 3][..], &one, &[0], &refused, &two, &one[..6]].concat();
        assert_eq!(shown(&all), "5 holding 2, 5 holding refused, 6 coil 1");
    }

    #[test]
    fn what_is_no_answer_of_a_unit_is_passed_over() {
        let question = {
            let mut question = vec![5, 3, 0, 100, 0, 2];
            question.extend(check_sum(&question).to_le_bytes());
            question
        };
        for bytes in [
            question,
            refusal(5, 10),
            refusal(5, 11),
            refusal(0, 2),
            frame(0, 3, &[1, 2]),
            frame(248, 3, &[1, 2]),
            frame(5, 3, &[1]),
            frame(5, 3, &[]),
            frame(5, 6, &[1, 2]),
            vec![0; 300],
            vec![0xff; 300],
        ] {
            assert_eq!(shown(&bytes), "", "{bytes:02x?}");
        }
    }

    #[test]
    fn another_answer_of_the_same_unit_is_passed_over() {
        let wanted = Some(Shape { table: Table::Holding, bytes: 4 });
        let (own, other) = (frame(5, 3, &[1, 2, 3, 4]), frame(5, 3, &[1, 2]));
        for (bytes, expected) in [
            (own.clone(), Sifted::Take),
            (own[..4].to_vec(), Sifted::Take),
            (other.clone(), Sifted::PassOver(7)),
            ([other.clone(), own.clone()].concat(), Sifted::PassOver(7)),
            (frame(5, 4, &[1, 2, 3, 4]), Sifted::PassOver(9)),
            (other[..6].to_vec(), Sifted::Wait),
            (vec![5, 3], Sifted::Wait),
            (vec![5], Sifted::Wait),
            (vec![], Sifted::Wait),
            (frame(6, 3, &[1, 2]), Sifted::PassOver(7)),
            (vec![5, 0x83], Sifted::Take),
            (vec![5, 0x84], Sifted::Wait),
            ([&[5, 0x84, 2], &own[..3]].concat(), Sifted::Take),
            ([&other[..6], &[0]].concat(), Sifted::Take),
        ] {
            assert_eq!(sifted(&bytes, 5, wanted), expected, "{bytes:02x?}");
        }
    }

    #[test]
    fn what_another_unit_says_is_passed_over_and_noise_is_not_waited_for() {
        let (own, others) = (frame(5, 3, &[1, 2]), frame(6, 3, &[1, 2]));
        let refusal = |unit| refusal(unit, 2);
        for (bytes, expected) in [
            (own.clone(), Sifted::Take),
            (own[..1].to_vec(), Sifted::Take),
            (frame(5, 3, &[1, 2, 3, 4]), Sifted::Take),
            (refusal(5), Sifted::Take),
            (others.clone(), Sifted::PassOver(7)),
            ([others.clone(), own.clone()].concat(), Sifted::PassOver(7)),
            (refusal(6), Sifted::PassOver(5)),
            (refusal(6)[..4].to_vec(), Sifted::Wait),
            (others[..5].to_vec(), Sifted::Wait),
            (vec![6], Sifted::Wait),
            ([&[6, 3, 250], &own[..]].concat(), Sifted::Take),
            ([&[6, 3, 250][..], &refusal(5)].concat(), Sifted::Take),
            ([&[6, 3, 250], &own[..6]].concat(), Sifted::Wait),
            ([&[6, 9], &own[..]].concat(), Sifted::Take),
            ([&others[..6], &[0], &own[..]].concat(), Sifted::Take),
        ] {
            assert_eq!(sifted(&bytes, 5, None), expected, "{bytes:02x?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_looked_through(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            drop(answers(&bytes));
        }

        #[test]
        fn a_flipped_bit_is_no_answer(values in prop::collection::vec(any::<u8>(), 1..20), bit in 24_usize..100) {
            let mut whole = frame(5, 1, &values);
            let bit = 24 + bit % ((whole.len() - HEAD) * 8);
            whole[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(word(&whole).is_none());
        }
    }
}
