//! Pages of the ocs room.
