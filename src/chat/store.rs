//! All SQL of the chat room.
