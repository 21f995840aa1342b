//! Browser only: an `EventSource` that closes when it is dropped. The server compiles an empty one.
