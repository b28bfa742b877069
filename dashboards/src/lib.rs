//! The HTTP API: what the store holds, shown to whoever may see it, and what an operator decides.
//!
//! | module | has |
//! |---|---|
//! | [`access`] | the roles of people and tokens, and what each route asks for |
//! | [`asset`] | files of the pages: which one an address names, and in what coding it is sent |
//! | [`lockout`] | wrong passwords, and who waits after them |
//! | [`password`] | which passwords are good enough, and what they are compared with |
//! | [`problem`] | every error as RFC 9457 has it |
//! | [`page`] | pages that people see, without a script |
//! | [`receipt`] | what a gateway says of a message |
//! | [`visitor`] | who asks without a token, and how often that is answered |
//! | [`query`] | parameters of a request, checked all at once |
//! | [`number`] | exact values as JSON numbers |
//! | [`tally`] | what days come to: counts, rates, and what follows |
//! | [`month`] | months, added up from their days |
//! | [`live`] | what pages see live: the state, its deltas, how far each viewer has come |
//! | [`series`] | what stood over time, for charts |
//! | [`session`] | the cookie of somebody who is logged in, and when it is over |
//! | [`view`] | stored facts in the shape of an answer |
//! | [`shell`] | the routes and the server |

pub mod access;
pub mod asset;
pub mod live;
pub mod lockout;
pub mod month;
pub mod number;
pub mod page;
pub mod password;
pub mod problem;
pub mod query;
pub mod receipt;
pub mod series;
pub mod session;
pub mod shell;
pub mod tally;
pub mod view;
pub mod visitor;
