//! Models of providers against a scripted one: what they are asked, what comes back, and everything that goes wrong.

mod bad;
mod forms;
mod good;
mod lists;
mod outside;
pub mod script;
mod shapes;
mod together;

pub use script::{Act, BOTH, KEY, ScriptedProvider, Speaks, ask, hello, listen, request};
