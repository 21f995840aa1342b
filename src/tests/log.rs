//! A log that a test reads.

use std::{
    io::Write,
    sync::{Arc, LazyLock, Mutex},
};
use tracing::{Dispatch, Subscriber, subscriber::NoSubscriber};
use tracing_subscriber::fmt::MakeWriter;

/// What was written, from however many threads.
#[derive(Clone, Default)]
pub struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    /// All of it.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// A log for the threads that are told of it, while other tests write theirs or none.
///
/// Where `tracing` knows of a single log it takes the one of the thread that comes to a line first for everybody's: a line
/// that another test reaches first would be written nowhere. With a second one, which hears nothing, it asks them all.
pub fn dispatch(log: impl Subscriber + Send + Sync + 'static) -> Dispatch {
    static SECOND: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::default()));
    LazyLock::force(&SECOND);
    Dispatch::new(log)
}
