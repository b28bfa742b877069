//! The channel `kannel`: short messages through an SMS gateway with Kannel's `sendsms`.
//!
//! | bound | value | at the bound |
//! |---|---|---|
//! | calls at a time | 4 | more are owed |
//! | seconds to connect | 5 | refused for now |
//! | seconds for a call as a whole | 20 | refused for now, or unanswered where it was asked; an answer whose status came is one |
//! | bytes of an answer | 512 | the rest is not read |
//!
//! A message of which the answer stays out, or that left whole before the line broke, may have been
//! taken: its next attempt makes a second one, which Kannel cannot tell from a new one.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use hyper::header::{HeaderMap, HeaderName, HeaderValue};
use model::port::Answer as Later;
use secrecy::{ExposeSecret as _, SecretString};

use super::{
    Channel, ChannelError, Outgoing, Taken,
    http::{Client, HttpError, Limits},
};
use crate::{
    kannel::{self, ANSWER_BYTES, Meaning},
    sms::RESERVED,
};

pub use super::{
    http::{Target, TargetError},
    trust::TrustError,
};

const LIMITS: Limits =
    Limits { connect: Duration::from_secs(5), whole: Duration::from_secs(20), body: ANSWER_BYTES };
/// How many calls are made at a time.
const CONNECTIONS: usize = 4;

/// How a gateway is reached.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its `sendsms`.
    pub url: Target,
    /// Whom to trust over TLS, certificates in PEM; none: whom the machine trusts.
    pub ca: Option<PathBuf>,
    /// An account of its group `sendsms-user`.
    pub username: String,
    /// That account's password.
    pub password: SecretString,
    /// The sender, where the gateway lets one choose.
    pub from: Option<String>,
    /// Where receipts are to be delivered, secret included; none are asked for where it is missing.
    pub receipts: Option<SecretString>,
    /// Units that the gateway adds to a text by itself.
    pub reserved: u8,
}

/// Why settings were refused.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A value that no header can carry.
    #[error("`{0}` has a line break or another control character in it")]
    Unprintable(&'static str),
    /// More is reserved than a message can spare.
    #[error("`reserved` is more than {RESERVED}")]
    Reserved,
    /// Authorities that are for nothing.
    #[error("`ca` is written, though `url` is not https://")]
    NeedlessTrust,
    /// Nobody to trust.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

impl SettingsError {
    /// The key in the settings whose value it is.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Unprintable(key) => key,
            Self::Reserved => "reserved",
            Self::NeedlessTrust | Self::Trust(_) => "ca",
        }
    }
}

/// A gateway.
#[derive(Debug)]
pub struct Kannel {
    settings: Settings,
    client: Client,
}

impl Kannel {
    /// A gateway that nothing is known of yet but its settings. Over TLS, this reads from disk
    /// whom to trust.
    pub fn new(settings: Settings) -> Result<Self, SettingsError> {
        if settings.reserved > RESERVED {
            return Err(SettingsError::Reserved);
        }
        let receipts = settings.receipts.as_ref().map_or("", |hook| hook.expose_secret());
        for (key, value) in [
            ("username", settings.username.as_str()),
            ("password", settings.password.expose_secret()),
            ("from", settings.from.as_deref().unwrap_or_default()),
            ("receipt_url", receipts),
        ] {
            sensitive(value).ok_or(SettingsError::Unprintable(key))?;
        }
        if settings.ca.is_some() && !settings.url.is_tls() {
            return Err(SettingsError::NeedlessTrust);
        }
        let client = Client::new(settings.url.clone(), LIMITS, settings.ca.as_deref())?;
        Ok(Self { settings, client })
    }

    /// Whether the gateway is there and lets us in: it is asked to send to nobody, which it must
    /// refuse for that reason.
    pub async fn probe(&self) -> Result<(), ChannelError> {
        let headers = self.with_login(Vec::new());
        let answer = self.client.post(headers, Bytes::new()).await;
        let answer = answer.map_err(|failure| self.unreached(failure))?;
        let password = self.settings.password.expose_secret();
        match kannel::meaning_of_probe(answer.status, &answer.body, &[password]) {
            Meaning::Taken => Ok(()),
            Meaning::ForNow(what) | Meaning::ForGood(what) | Meaning::Unclear(what) => {
                Err(ChannelError::ForNow { what })
            }
        }
    }

    async fn call(&self, message: &Outgoing) -> Result<Taken, ChannelError> {
        let Some(number) = kannel::number(message.to.as_str()) else {
            return Err(ChannelError::ForGood { what: "this is no telephone number".to_owned() });
        };
        let headers = self.headers(&number, message);
        let text = Bytes::copy_from_slice(message.text.as_str().as_bytes());
        let answer = self.client.post(headers, text).await;
        let answer = answer.map_err(|failure| self.unreached(failure))?;
        let password = self.settings.password.expose_secret();
        let private = [message.text.as_str(), password, &number];
        match kannel::meaning(answer.status, &answer.body, &private) {
            Meaning::Taken if self.settings.receipts.is_some() => Ok(Taken::WithReceipt),
            Meaning::Taken => Ok(Taken::ForGood),
            Meaning::ForNow(what) => Err(ChannelError::ForNow { what }),
            Meaning::ForGood(what) => Err(ChannelError::ForGood { what }),
            Meaning::Unclear(what) => Err(ChannelError::Unclear { what }),
        }
    }

    fn headers(&self, number: &str, message: &Outgoing) -> HeaderMap {
        let Settings { from, receipts, .. } = &self.settings;
        let hook = receipts.as_ref().map(|hook| (hook.expose_secret(), message.id));
        self.with_login(kannel::headers(number, message.text.as_str(), from.as_deref(), hook))
    }

    fn with_login(&self, mut headers: Vec<(&'static str, String)>) -> HeaderMap {
        let Settings { url, username, password, .. } = &self.settings;
        headers.push(("host", url.authority().to_owned()));
        headers.push(("x-kannel-username", username.clone()));
        headers.push(("x-kannel-password", password.expose_secret().to_owned()));
        let sound = headers
            .into_iter()
            .filter_map(|(name, value)| Some((HeaderName::from_static(name), sensitive(&value)?)));
        sound.collect()
    }

    fn unreached(&self, failure: HttpError) -> ChannelError {
        let place = self.settings.url.to_string();
        let is_doubtful = failure.may_have_arrived();
        let source = Box::new(failure);
        if is_doubtful {
            ChannelError::Unanswered { place, source }
        } else {
            ChannelError::Reach { place, source }
        }
    }
}

impl Channel for Kannel {
    fn hand_over<'a>(&'a self, message: &'a Outgoing) -> Later<'a, Result<Taken, ChannelError>> {
        Box::pin(self.call(message))
    }

    fn places(&self) -> usize {
        CONNECTIONS
    }

    fn reserved(&self) -> u8 {
        self.settings.reserved
    }
}

/// A value that no debug output shows; none where a header cannot carry it.
fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
    value.set_sensitive(true);
    Some(value)
}
