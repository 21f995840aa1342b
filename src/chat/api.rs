//! Server functions of the chat room.
