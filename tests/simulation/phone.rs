//! Channels of all sorts, and what came of them: who got which message, and how often.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use alerting::shell::channel::{Channel, ChannelError, Outgoing, Taken};
use model::{ids::ChannelId, port::Answer};

/// What arrived at telephones: message and to whom.
pub(crate) type Given = Arc<Mutex<Vec<(u128, String)>>>;

/// How a channel behaves.
#[derive(Debug, Clone, Copy)]
enum Manner {
    /// It takes everything for good.
    Sure,
    /// It takes everything, and its receipts never come.
    Mute,
    /// It refuses now and then.
    Busy,
    /// It takes nothing, ever.
    Broken,
}

/// A channel of one life of the server: a process that is dead hands over nothing.
#[derive(Debug)]
struct Line {
    manner: Manner,
    given: Given,
    is_alive: Arc<AtomicBool>,
}

/// The channels of a server that starts; they live as long as it does.
pub(crate) fn lines(
    given: &Given,
    is_alive: &Arc<AtomicBool>,
) -> BTreeMap<ChannelId, Arc<dyn Channel>> {
    let manners = [
        ("sms", Manner::Sure),
        ("mute", Manner::Mute),
        ("busy", Manner::Busy),
        ("broken", Manner::Broken),
    ];
    let line = |(name, manner): (&str, Manner)| {
        let (given, is_alive) = (Arc::clone(given), Arc::clone(is_alive));
        let line: Arc<dyn Channel> = Arc::new(Line { manner, given, is_alive });
        (name.parse().unwrap(), line)
    };
    manners.map(line).into()
}

impl Channel for Line {
    fn hand_over<'a>(&'a self, message: &'a Outgoing) -> Answer<'a, Result<Taken, ChannelError>> {
        Box::pin(async move {
            let refused = || "as it does".to_owned();
            if !self.is_alive.load(Ordering::Relaxed) {
                return Err(ChannelError::ForNow { what: refused() });
            }
            let taken = match self.manner {
                Manner::Broken => return Err(ChannelError::ForGood { what: refused() }),
                // by chance, and the same in every run
                Manner::Busy if !(message.id.0 >> message.attempt).is_multiple_of(3) => {
                    return Err(ChannelError::ForNow { what: refused() });
                }
                Manner::Sure | Manner::Busy => Taken::ForGood,
                Manner::Mute => Taken::WithReceipt,
            };
            let given = (message.id.0, message.to.as_str().to_owned());
            self.given.lock().unwrap().push(given);
            Ok(taken)
        })
    }
}
