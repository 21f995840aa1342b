//! `SoulForge`, a home for original characters.
//!
//! One crate, compiled twice: with `ssr` it is the server, with `hydrate` the page in the browser. Features are rooms,
//! and every room has the same four files: `mod.rs` (nouns), `api.rs` (server functions), `store.rs` (SQL), `view.rs`
//! (pages). Data flows one way: view, api, rules, store, `PostgreSQL`.
#![recursion_limit = "256"]

pub mod app;
pub mod error;
mod find;
pub mod frame;
pub mod ids;
mod lazy;
/// JSON as other programs write it.
#[cfg(feature = "ssr")]
pub mod lenient;
pub mod text;

/// Sign-in, profiles, settings, devices, API tokens.
pub mod accounts;
/// What admins look after that belongs to no other room.
pub mod admin;
/// Conversations with characters, and the runs that write replies.
pub mod chat;
/// The public API, described for people.
pub mod developers;
/// Terms, privacy, contact: pages that an operator edits.
pub mod legal;
/// Models, keys, budgets, and the admin's pages about them.
pub mod models;
/// Characters: summoning, pages, gallery, portraits.
pub mod ocs;
/// Personas: who people are to the characters they talk with.
pub mod personas;
/// What people are protected by: help lines before a model is asked, and what is refused whoever asks for it.
pub mod trust;
/// The small component set, without knowledge of any feature.
pub mod ui;

#[cfg(feature = "ssr")]
pub mod ai;
/// Character cards: what other programs carry characters in.
#[cfg(feature = "ssr")]
pub mod cards;
#[cfg(feature = "ssr")]
pub mod kit;
#[cfg(feature = "ssr")]
pub mod server;

#[cfg(all(test, feature = "ssr"))]
#[expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that meets the unexpected should stop there"
)]
mod tests;

#[cfg(feature = "hydrate")]
mod alive;

/// Entry point of the page in the browser.
#[cfg(feature = "hydrate")]
#[wasm_bindgen::prelude::wasm_bindgen]
pub fn hydrate() {
    console_error_panic_hook::set_once();
    alive::hydrate();
}
