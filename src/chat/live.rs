//! An `EventSource` that closes when it is dropped. Lives in the browser; the server compiles one that does nothing.

/// What a stream says of itself when it will not come back: its address answered with an error.
#[cfg(feature = "hydrate")]
pub const CLOSED: &str = "closed";

#[cfg(feature = "hydrate")]
mod browser {
    use wasm_bindgen::{JsCast, closure::Closure};
    use web_sys::{Event, EventSource, MessageEvent};

    /// An open stream.
    pub struct Source {
        source: EventSource,
        _named: Vec<Closure<dyn FnMut(MessageEvent)>>,
        _failed: Closure<dyn FnMut(Event)>,
    }

    impl Drop for Source {
        fn drop(&mut self) {
            self.source.close();
        }
    }

    /// Opens a stream and calls `on` with the name and the data of every event that has one of these names, and with
    /// [`super::CLOSED`] when it has ended for good. A connection that breaks is mended by the browser, which sends the last
    /// event's id along.
    pub fn open(url: &str, names: &[&'static str], on: impl Fn(&str, &str) + Clone + 'static) -> Option<Source> {
        let source = EventSource::new(url).ok()?;
        let named = names
            .iter()
            .map(|name| {
                let (on, name) = (on.clone(), *name);
                let handler = Closure::<dyn FnMut(MessageEvent)>::new(move |event: MessageEvent| {
                    on(name, &event.data().as_string().unwrap_or_default());
                });
                let _ = source.add_event_listener_with_callback(name, handler.as_ref().unchecked_ref());
                handler
            })
            .collect();
        let watched = source.clone();
        let failed = Closure::<dyn FnMut(Event)>::new(move |_| {
            if watched.ready_state() == EventSource::CLOSED {
                on(super::CLOSED, "");
            }
        });
        source.set_onerror(Some(failed.as_ref().unchecked_ref()));
        Some(Source { source, _named: named, _failed: failed })
    }
}

#[cfg(feature = "hydrate")]
pub use browser::{Source, open};

/// An open stream; never one on the server.
#[cfg(not(feature = "hydrate"))]
pub struct Source;

/// Opens nothing.
#[cfg(not(feature = "hydrate"))]
pub fn open(_: &str, _: &[&'static str], _: impl Fn(&str, &str) + Clone + 'static) -> Option<Source> {
    None
}
