//! Pages of the chat room.
