//! All SQL of the ocs room, one file a purpose.

mod persona;

pub use persona::{Persona, PersonaItem, persona};
