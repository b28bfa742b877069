//! Passwords: which ones are good enough, one that is made, and what one is compared with.
//!
//! A password is hashed with Argon2id, 32 MiB and three passes: more than OWASP asks for (19 MiB
//! and two), and little enough that two at the same time are no burden.

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version,
    password_hash::phc::PasswordHash,
};

/// KiB that one hashing takes.
const MEMORY_KIB: u32 = 32 << 10;
/// Passes over them.
const PASSES: u32 = 3;
/// One after the other, since the server has few cores and other work.
const LANES: u32 = 1;
/// Bytes of a salt.
pub const SALT_BYTES: usize = 16;
/// Random bytes that a made password takes.
pub const MADE_BYTES: usize = 40;
/// Characters of a password.
const LENGTH: std::ops::RangeInclusive<usize> = 8..=128;
/// Sorts of characters that it has at least.
const SORTS: usize = 3;

/// What a name that nobody has is compared with, so that it takes as long as one that somebody has.
/// It is the hash of random bytes that were thrown away.
const NOBODY: &str = "$argon2id$v=19$m=32768,t=3,p=1$3q2+796tvu/erb7v3q2+7w$Wm9nBr6Y9v0V1R1Zb7m2w3Kq5yXc8Tn4eLhUaGdSPzE";

/// What everybody tries first of passwords that have the right form.
const TRIED_FIRST: [&str; 28] = [
    "password1",
    "password1!",
    "password123",
    "password@123",
    "p@ssw0rd",
    "p@ssword1",
    "passw0rd!",
    "admin123",
    "admin@123",
    "admin123!",
    "admin1234",
    "admin@1234",
    "administrator1",
    "root@123",
    "test@123",
    "user@123",
    "welcome1",
    "welcome@123",
    "qwerty123",
    "qwer1234",
    "qwer@1234",
    "1qaz2wsx",
    "1qaz@wsx",
    "1qaz!qaz",
    "zaq12wsx",
    "aa123456",
    "abc12345",
    "abcd1234",
];

/// Why a password is not good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Too short, or longer than anything that hashing it should be kept busy by.
    #[error("a password has 8 to 128 characters")]
    Length,
    /// Too much alike.
    #[error(
        "a password has three of these four: small letters, capitals, digits, other characters"
    )]
    Sorts,
    /// Whoever knows the name knows half of it.
    #[error("a password does not hold the user's name")]
    HoldsName,
    /// It is on every list.
    #[error("this password is one that everybody tries first")]
    TriedFirst,
    /// What cannot be typed, or was pasted by accident.
    #[error("a password has no control characters and no space at its ends")]
    Unprintable,
}

impl WeakPassword {
    /// Its word, which pages have words of their own for.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Length => "password-length",
            Self::Sorts => "password-sorts",
            Self::HoldsName => "password-holds-name",
            Self::TriedFirst => "password-tried-first",
            Self::Unprintable => "password-unprintable",
        }
    }
}

/// Whether somebody of this name may have this password.
pub fn check(name: &str, password: &str) -> Result<(), WeakPassword> {
    if password.contains(char::is_control) || password.trim() != password {
        return Err(WeakPassword::Unprintable);
    }
    if !LENGTH.contains(&password.chars().count()) {
        return Err(WeakPassword::Length);
    }
    let is_small = |c: char| c.is_ascii_lowercase();
    let is_capital = |c: char| c.is_ascii_uppercase();
    let is_digit = |c: char| c.is_ascii_digit();
    let is_other = |c: char| !c.is_ascii_alphanumeric();
    let sorts = [
        password.contains(is_small),
        password.contains(is_capital),
        password.contains(is_digit),
        password.contains(is_other),
    ];
    if sorts.into_iter().filter(|has| *has).count() < SORTS {
        return Err(WeakPassword::Sorts);
    }
    let lower = password.to_lowercase();
    if name.len() > 2 && lower.contains(&name.to_lowercase()) {
        return Err(WeakPassword::HoldsName);
    }
    if TRIED_FIRST.contains(&lower.as_str()) {
        return Err(WeakPassword::TriedFirst);
    }
    Ok(())
}

/// A password of 85 random bits that can be read out: four groups of a capital, three small letters
/// and a digit, without those that look alike.
pub fn made(random: [u8; MADE_BYTES]) -> String {
    const CAPITALS: &[u8] = b"ABCDEFGHJKLMNPQRSTUVWXYZ";
    const SMALL: &[u8] = b"abcdefghijkmnpqrstuvwxyz";
    const DIGITS: &[u8] = b"23456789";
    let mut text = String::new();
    for (place, pair) in random.chunks_exact(2).enumerate() {
        let alphabet = match place % 5 {
            0 => CAPITALS,
            4 => DIGITS,
            _ => SMALL,
        };
        if place % 5 == 0 && place > 0 {
            text.push('-');
        }
        // of 65,536 numbers, so that each letter is as likely as any other to within a thousandth
        let number = pair.iter().fold(0, |number, byte| (number << 8) | usize::from(*byte));
        let letter = alphabet.get(number % alphabet.len()).copied();
        text.push(char::from(letter.unwrap_or(b'x'))); // always there
    }
    text
}

/// Why a password cannot be hashed.
#[derive(Debug, thiserror::Error)]
#[error("cannot hash a password: {0}")]
pub struct HashError(String);

/// What a password is to be compared with from here on, in PHC form.
pub fn hash(password: &str, salt: [u8; SALT_BYTES]) -> Result<String, HashError> {
    let failed = |error: argon2::password_hash::Error| HashError(error.to_string());
    let hash = hasher().map_err(failed)?.hash_password_with_salt(password.as_bytes(), &salt);
    Ok(hash.map_err(failed)?.to_string())
}

/// Whether it is the password that was hashed. Takes as long where nobody has one.
pub fn is_right(password: &str, hashed: Option<&str>) -> bool {
    let (Ok(hasher), Ok(hash)) = (hasher(), PasswordHash::new(hashed.unwrap_or(NOBODY))) else {
        return false;
    };
    let is_equal = hasher.verify_password(password.as_bytes(), &hash).is_ok();
    is_equal && hashed.is_some()
}

fn hasher() -> Result<Argon2<'static>, argon2::password_hash::Error> {
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

#[cfg(test)]
mod tests {
    use argon2::password_hash::phc::Output;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_password_is_long_mixed_and_not_the_first_that_everybody_tries() {
        for good in ["Kj7mqzwp", "流量计Abc12", "a b c D 1", "Vm-zz-9q1"] {
            assert_eq!(check("zhang", good), Ok(()), "{good}");
        }
        for (bad, why) in [
            ("Kj7mqzw", WeakPassword::Length),
            (&"Aa1".repeat(43), WeakPassword::Length),
            ("kjhmqzwp", WeakPassword::Sorts),
            ("kj7mqzwp", WeakPassword::Sorts),
            ("Zhang-2026", WeakPassword::HoldsName),
            ("my.ZHANG.7", WeakPassword::HoldsName),
            ("Admin@123", WeakPassword::TriedFirst),
            ("P@ssw0rd", WeakPassword::TriedFirst),
            (" Kj7mqzwp", WeakPassword::Unprintable),
            ("Kj7m\tqzwp", WeakPassword::Unprintable),
        ] {
            assert_eq!(check("zhang", bad), Err(why), "{bad}");
        }
        // a name of two letters is in too many words
        assert_eq!(check("li", "Kj7-limit"), Ok(()));
    }

    #[test]
    fn what_everybody_tries_first_has_the_form_of_a_good_one() {
        for word in TRIED_FIRST {
            assert_eq!(word, word.to_lowercase());
            assert!(LENGTH.contains(&word.len()), "{word}");
        }
    }

    #[test]
    fn a_password_is_known_again_and_no_other_one_is() {
        let hashed = hash("Kj7mqzwp", [7; SALT_BYTES]).unwrap();
        assert!(hashed.starts_with("$argon2id$v=19$m=32768,t=3,p=1$"), "{hashed}");
        assert!(is_right("Kj7mqzwp", Some(&hashed)));
        assert!(!is_right("Kj7mqzwq", Some(&hashed)) && !is_right("", Some(&hashed)));
        assert!(!is_right("Kj7mqzwp", None) && !is_right("Kj7mqzwp", Some("")));
        assert_ne!(hash("Kj7mqzwp", [8; SALT_BYTES]).unwrap(), hashed);
    }

    #[test]
    fn nobody_is_compared_with_as_much_work_as_somebody() {
        let (hashed, nobody) =
            (hash("x", [7; SALT_BYTES]).unwrap(), PasswordHash::new(NOBODY).unwrap());
        let somebody = PasswordHash::new(&hashed).unwrap();
        assert_eq!((somebody.algorithm, &somebody.params), (nobody.algorithm, &nobody.params));
        assert_eq!(somebody.version, nobody.version);
        let length = |hash: &PasswordHash| hash.hash.as_ref().map(Output::len);
        assert_eq!(length(&somebody), length(&nobody));
    }

    proptest! {
        #[test]
        fn a_made_password_is_good_whatever_was_drawn(
            random in prop::collection::vec(any::<u8>(), MADE_BYTES),
        ) {
            let made = made(random.try_into().unwrap());
            prop_assert_eq!(made.len(), 23);
            prop_assert_eq!(check("zhang", &made), Ok(()));
        }
    }
}
