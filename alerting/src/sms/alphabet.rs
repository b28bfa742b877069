//! The alphabets of a short message, and how much a text takes in them.

/// The alphabets of a short message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// GSM 03.38, seven bits a character.
    Gsm7,
    /// UTF-16.
    Ucs2,
}

impl Alphabet {
    /// The cheapest one for a text.
    pub fn of(text: &str) -> Self {
        measured(text).0
    }

    /// How much a message of one part holds, and how much each of several.
    pub(super) const fn room(self) -> (usize, usize) {
        match self {
            Self::Gsm7 => (160, 153),
            Self::Ucs2 => (70, 67),
        }
    }
}

/// The cheapest alphabet for a text, and how much of it that takes.
pub(super) fn measured(text: &str) -> (Alphabet, usize) {
    match septets(text) {
        Some(septets) => (Alphabet::Gsm7, septets),
        None => (Alphabet::Ucs2, units(text)),
    }
}

/// How many units the text takes in UTF-16.
pub(super) fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// How many septets the text takes in GSM 03.38, if each of its characters is there.
pub(super) fn septets(text: &str) -> Option<usize> {
    const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";
    const EXTENDED: &str = "^{}\\[~]|€";
    text.chars().try_fold(0, |septets, c| {
        if c.is_ascii_alphanumeric() || BASIC.contains(c) {
            Some(septets + 1)
        } else {
            EXTENDED.contains(c).then_some(septets + 2)
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_outside_the_gsm_alphabet_makes_all_of_it_utf_16() {
        assert_eq!(measured("flow [m3/s]"), (Alphabet::Gsm7, 13));
        assert_eq!(measured("€ a_b\n"), (Alphabet::Gsm7, 7));
        assert_eq!(measured("flow m³/s"), (Alphabet::Ucs2, 9));
        assert_eq!(measured("`"), (Alphabet::Ucs2, 1));
        assert_eq!(measured("𠀀水"), (Alphabet::Ucs2, 3));
    }
}
