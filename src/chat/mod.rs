//! Conversations with characters. A reply is written by a run that the server owns; browsers only watch it.

pub mod api;
#[cfg(feature = "ssr")]
pub mod routes;
#[cfg(feature = "ssr")]
pub mod run;
#[cfg(feature = "ssr")]
pub mod store;
pub mod view;
