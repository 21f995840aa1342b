//! What rooms build on. Knows no room: rooms register with it, and it is told at the start of the process who they are.

pub mod jobs;
