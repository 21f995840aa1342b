//! Server functions of the ocs room.
