//! How a section stands at the moment.

use crate::words::words;

words! {
    /// How a section stands at the moment, by what its outlets let out last; the gravest first.
    Standing {
        /// Less is released than must be.
        Breach = "breach",
        /// Too little is known of it.
        Stale = "stale",
        /// Enough is released, and little more.
        Near = "near",
        /// Enough is released, or nothing has to be.
        Ok = "ok",
        /// A decision excuses it.
        Exempt = "exempt",
        /// Its station is out of service.
        OutOfService = "out_of_service",
    }
}
