//! All SQL of the ocs room.
