//! The secret in the address at which a gateway delivers its receipts.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::ids::ChannelId;

/// What the secrets of all hooks of one server are made of: 32 random bytes, made once and kept.
#[derive(Clone)]
pub struct HookKey([u8; Self::BYTES]);

impl HookKey {
    /// How many bytes it has.
    pub const BYTES: usize = 32;

    /// Of bytes that nobody can guess.
    pub const fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The secret of a channel's hook: 128 bits of the SHA-256 of the key and the channel's name,
    /// so that nothing is stored for each channel, and one secret tells nothing of another.
    pub fn secret(&self, channel: &ChannelId) -> HookSecret {
        let digest = Sha256::new()
            .chain_update(self.0)
            .chain_update("baseflow hook 1\n")
            .chain_update(channel.as_str())
            .finalize();
        let (secret, _) = digest.split_at(16);
        HookSecret(hex::encode(secret))
    }

    /// What stands for a name that somebody tried to log in under, whatever its case: 32 hexadecimal
    /// digits that lead nobody back to it without the key. A name that nobody has may be a password
    /// in the wrong field.
    pub fn stands_for(&self, name: &str) -> String {
        let digest = Sha256::new()
            .chain_update(self.0)
            .chain_update("baseflow name 1\n")
            .chain_update(name.to_ascii_lowercase())
            .finalize();
        let (stand_in, _) = digest.split_at(16);
        hex::encode(stand_in)
    }
}

impl fmt::Debug for HookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hook key]")
    }
}

/// The secret of one channel's hook, 32 hexadecimal digits; never logged.
#[derive(Clone)]
pub struct HookSecret(String);

impl HookSecret {
    /// The path under which the server takes this channel's receipts.
    pub fn kannel_path(&self, channel: &ChannelId) -> String {
        format!("/hooks/kannel/{channel}/{}", self.0)
    }

    /// Whether somebody said it. How long that takes tells of digests alone, which lead nowhere.
    pub fn is(&self, said: &str) -> bool {
        Sha256::digest(self.0.as_bytes()) == Sha256::digest(said.as_bytes())
    }
}

impl fmt::Debug for HookSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hook secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_channel_has_a_secret_of_its_own_that_stays_and_is_not_printed() {
        let key = HookKey::new([7; 32]);
        let [sms, other]: [ChannelId; 2] = ["sms", "sms-2"].map(|name| name.parse().unwrap());
        let secret = key.secret(&sms);
        // pinned: gateways were told this address with messages that are on their way
        let path = "/hooks/kannel/sms/7d23eb3587831bb9b107373372fd5c50";
        assert_eq!(secret.kannel_path(&sms), path);
        assert!(secret.is(&secret.0));
        let others = [key.secret(&other), HookKey::new([8; 32]).secret(&sms)];
        assert!(others.iter().all(|other| !other.is(&secret.0)));
        assert!(!secret.is("") && !secret.is(&secret.0.to_uppercase()));
        assert_eq!(format!("{key:?} {secret:?}"), "[hook key] [hook secret]");
    }
}
