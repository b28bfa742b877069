//! What waits and performs: the calls, who may make them, and the server that takes them.

pub mod answer;
pub mod auth;
mod bodies;
pub mod calls;
pub mod hooks;
mod in_hand;
pub mod limits;
pub mod live;
mod live_source;
pub mod metrics;
pub(crate) mod nothing;
mod own_password;
pub mod pages;
pub mod parts;
pub(crate) mod patient;
pub mod people;
mod places;
pub mod routes;
mod screens;
pub mod server;
pub mod site;
mod stopwatch;
#[cfg(test)]
mod tests;
pub(crate) mod turns;
pub mod waters;
