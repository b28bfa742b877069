//! Verdicts: what a period is, measured against its mandate.

use crate::words::words;

words! {
    /// The outcome for one period.
    Verdict {
        /// As much was released as had to be.
        Met = "met",
        /// Less.
        Short = "short",
        /// A decision excuses it.
        Exempt = "exempt",
        /// Too little is known.
        Indeterminate = "indeterminate",
    }
}

words! {
    /// How long a judged period is.
    Length {
        /// A clock hour.
        Hour = "hour",
        /// A day of the rule.
        Day = "day",
    }
}
