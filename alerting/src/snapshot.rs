//! How a machine's state is kept over a restart: JSON with a version (`docs/formats.md`, «Alarm
//! states»).

use model::{fault::Fault, flow::Flow};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// The version that is written.
pub const VERSION: u32 = 1;

/// Why a kept state could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// Not the JSON of this machine.
    #[error("cannot read the state of {machine}")]
    Text {
        /// Which machine.
        machine: &'static str,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// Written by another version.
    #[error("the state of {machine} has version {version}; this program reads up to {VERSION}")]
    Version {
        /// Which machine.
        machine: &'static str,
        /// What it says.
        version: u32,
    },
}

impl RestoreError {
    /// The same bytes will never be read.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::Text { .. } | Self::Version { .. } => Fault::Permanent,
        }
    }
}

#[derive(Serialize)]
struct Written<'a, T> {
    v: u32,
    machine: &'static str,
    state: &'a T,
}

#[derive(Deserialize)]
struct Head {
    v: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read<T> {
    #[serde(rename = "v")]
    _v: u32,
    machine: String,
    state: T,
}

/// The state of `machine` as it is kept.
#[expect(
    clippy::expect_used,
    reason = "every state here is made of structs, lists, numbers and text, of which JSON holds all"
)]
pub(crate) fn write<T: Serialize>(machine: &'static str, state: &T) -> String {
    serde_json::to_string(&Written { v: VERSION, machine, state }).expect("a state is JSON")
}

/// Which machine's state was kept; none where that cannot be read.
pub(crate) fn machine_of(text: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Named {
        machine: String,
    }
    serde_json::from_str::<Named>(text).ok().map(|named| named.machine)
}

/// The state of `machine` from what was kept; another machine's, or a later version's, is refused.
pub(crate) fn read<T: DeserializeOwned>(
    machine: &'static str,
    text: &str,
) -> Result<T, RestoreError> {
    let refused = |source| RestoreError::Text { machine, source };
    let head: Head = serde_json::from_str(text).map_err(refused)?;
    if head.v != VERSION {
        return Err(RestoreError::Version { machine, version: head.v });
    }
    let read: Read<T> = serde_json::from_str(text).map_err(refused)?;
    if read.machine == machine {
        Ok(read.state)
    } else {
        let other = format!("it is the state of `{}`", read.machine);
        Err(refused(serde::de::Error::custom(other)))
    }
}

/// A flow as whole millilitres per second.
pub(crate) mod ml_per_s {
    use super::{Deserialize, Flow, Serialize};

    #[expect(
        clippy::trivially_copy_pass_by_ref,
        reason = "serde hands over a reference to the field"
    )]
    pub(crate) fn serialize<S: serde::Serializer>(flow: &Flow, to: S) -> Result<S::Ok, S::Error> {
        flow.as_ml_per_s().serialize(to)
    }

    pub(crate) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Flow, D::Error> {
        i64::deserialize(from).map(Flow::from_ml_per_s)
    }

    /// The same where there may be none.
    pub(crate) mod optional {
        use super::{Deserialize, Flow, Serialize};

        #[expect(clippy::ref_option, reason = "serde hands over a reference to the field")]
        pub(crate) fn serialize<S: serde::Serializer>(
            flow: &Option<Flow>,
            to: S,
        ) -> Result<S::Ok, S::Error> {
            flow.map(Flow::as_ml_per_s).serialize(to)
        }

        pub(crate) fn deserialize<'de, D: serde::Deserializer<'de>>(
            from: D,
        ) -> Result<Option<Flow>, D::Error> {
            Ok(Option::<i64>::deserialize(from)?.map(Flow::from_ml_per_s))
        }
    }
}
