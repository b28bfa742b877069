//! What a source says of a point: an open code that tells by its number whether a value stands.

use std::{borrow::Cow, fmt};

/// A device quality code of `docs/formats.md` §2.
///
/// Open: a code that this version does not know is kept and printed as its number. Below 128 a
/// value stands, from 128 on none does.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quality(u8);

impl Quality {
    /// Nothing to say against the value.
    pub const GOOD: Self = Self(0);
    /// The source itself doubts the value.
    pub const SUSPECT: Self = Self(1);
    /// The source gives a value and says that it is not to be used.
    pub const BAD: Self = Self(2);
    /// The source computed the value.
    pub const ESTIMATED: Self = Self(3);
    /// The moment is uncertain by more than half a period.
    pub const CLOCK: Self = Self(4);
    /// No answer in time.
    pub const TIMEOUT: Self = Self(128);
    /// No connection, or the line cannot be opened.
    pub const UNREACHABLE: Self = Self(129);
    /// An answer that is not Modbus, or fails its check sum.
    pub const MALFORMED: Self = Self(130);
    /// An answer to another request, or of another unit.
    pub const MISMATCHED: Self = Self(131);
    /// Fewer or more registers than asked for.
    pub const SHORT: Self = Self(132);
    /// NaN or an infinity.
    pub const NOT_A_NUMBER: Self = Self(133);
    /// A decimal digit above 9.
    pub const INVALID_BCD: Self = Self(134);
    /// Larger than 64 bits hold at this number of decimals.
    pub const OVERFLOW: Self = Self(135);
    /// Not polled, since the device did not answer lately.
    pub const BACK_OFF: Self = Self(136);

    /// The device answered that it has no such address.
    pub const NO_SUCH_ADDRESS: Self = Self::exception(2);

    const EXCEPTION: u8 = 144;

    /// The code with this number.
    pub const fn from_code(code: u8) -> Self {
        Self(code)
    }

    /// The device answered with Modbus exception `n`; above 111 counts as 111.
    pub const fn exception(n: u8) -> Self {
        let n = if n > 111 { 111 } else { n };
        Self(Self::EXCEPTION + n)
    }

    /// Whether the device itself answered, and refused: with 10 and 11 a gateway says that nobody
    /// answers behind it.
    pub const fn is_refusal(self) -> bool {
        self.0 > Self::EXCEPTION && self.0 != Self::EXCEPTION + 10 && self.0 != Self::EXCEPTION + 11
    }

    /// The number on the wire.
    pub const fn code(self) -> u8 {
        self.0
    }

    /// Whether a value stands beside this code.
    pub const fn has_value(self) -> bool {
        self.0 < 128
    }

    /// The word for it, `code_N` where this version knows none.
    pub fn word(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::GOOD => "good",
            Self::SUSPECT => "suspect",
            Self::BAD => "bad",
            Self::ESTIMATED => "estimated",
            Self::CLOCK => "clock",
            Self::TIMEOUT => "timeout",
            Self::UNREACHABLE => "unreachable",
            Self::MALFORMED => "malformed",
            Self::MISMATCHED => "mismatched",
            Self::SHORT => "short",
            Self::NOT_A_NUMBER => "not_a_number",
            Self::INVALID_BCD => "invalid_bcd",
            Self::OVERFLOW => "overflow",
            Self::BACK_OFF => "back_off",
            Self(code) if code > Self::EXCEPTION => {
                return Cow::Owned(format!("exception_{}", code - Self::EXCEPTION));
            }
            Self(code) => return Cow::Owned(format!("code_{code}")),
        })
    }

    /// The code of a word that a third party or a file may say.
    pub fn from_word(word: &str) -> Option<Self> {
        match word {
            "good" => Some(Self::GOOD),
            "suspect" => Some(Self::SUSPECT),
            "bad" => Some(Self::BAD),
            "estimated" => Some(Self::ESTIMATED),
            _ => None,
        }
    }
}

impl fmt::Debug for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_word_of_its_own() {
        let words: std::collections::BTreeSet<_> =
            (0..=u8::MAX).map(|code| Quality::from_code(code).word()).collect();
        assert_eq!(words.len(), 256);
    }

    #[test]
    fn an_exception_keeps_its_number() {
        assert_eq!(Quality::exception(2).word(), "exception_2");
        assert_eq!(Quality::exception(255), Quality::exception(111));
        assert!(!Quality::exception(1).has_value());
        assert_eq!(Quality::NO_SUCH_ADDRESS.word(), "exception_2");
        let refusals = [1, 2, 4, 10, 11, 12].map(|n| Quality::exception(n).is_refusal());
        assert_eq!(refusals, [true, true, true, false, false, true]);
        assert!(!Quality::TIMEOUT.is_refusal() && !Quality::BACK_OFF.is_refusal());
    }
}
