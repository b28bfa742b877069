//! Ladders: whom to tell next, and after how long.

use crate::ids::{ContactId, LadderId, RotaId};

/// An order in which people are told until one takes the matter on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ladder {
    /// Its id.
    pub id: LadderId,
    /// The rungs in order, with delays that never decrease; never empty.
    pub rungs: Vec<Rung>,
}

/// One step of a ladder: `steps` in the registry file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rung {
    /// Who is told.
    pub who: Told,
    /// How long after the alarm was raised.
    pub after_ms: i64,
}

/// Whom a rung tells.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Told {
    /// Always this one.
    Contact(ContactId),
    /// Whoever is on duty then.
    Rota(RotaId),
}
