//! Streams that close when they are dropped: an `EventSource`, and a request whose answer is one. They live in the browser; the
//! server compiles what does nothing.

/// What a stream says of itself when it will not come back: its address answered with an error.
pub const CLOSED: &str = "closed";

#[cfg(feature = "hydrate")]
mod browser {
    use std::cell::Cell;
    use wasm_bindgen::{JsCast, closure::Closure};
    use web_sys::{Event, EventSource, MessageEvent, XmlHttpRequest};

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

    /// A request whose answer is a stream.
    pub struct Asked {
        request: XmlHttpRequest,
        _changed: Closure<dyn FnMut()>,
    }

    impl Drop for Asked {
        fn drop(&mut self) {
            self.request.set_onreadystatechange(None);
            let _ = self.request.abort();
        }
    }

    /// Posts JSON and calls `on` with the name and the data of every event of the answer, and at its end with
    /// [`super::CLOSED`] and the body as it came. An `EventSource` could only get.
    pub fn ask(url: &str, body: &str, on: impl Fn(&str, &str) + 'static) -> Option<Asked> {
        let request = XmlHttpRequest::new().ok()?;
        request.open("POST", url).ok()?;
        request.set_request_header("content-type", "application/json").ok()?;
        request.set_request_header("accept", "text/event-stream").ok()?;
        let (watched, read) = (request.clone(), Cell::new(0));
        let changed = Closure::<dyn FnMut()>::new(move || {
            if watched.ready_state() < XmlHttpRequest::LOADING {
                return;
            }
            let text = watched.response_text().ok().flatten().unwrap_or_default();
            while let Some(rest) = text.get(read.get()..)
                && let Some(end) = rest.find("\n\n")
            {
                read.set(read.get() + end + 2);
                let frame = rest.get(..end).unwrap_or_default();
                let field =
                    |name: &str| frame.lines().find_map(|l| l.strip_prefix(name)).unwrap_or_default().trim_start();
                on(field("event:"), field("data:"));
            }
            if watched.ready_state() == XmlHttpRequest::DONE {
                on(super::CLOSED, &text);
            }
        });
        request.set_onreadystatechange(Some(changed.as_ref().unchecked_ref()));
        request.send_with_opt_str(Some(body)).ok()?;
        Some(Asked { request, _changed: changed })
    }
}

#[cfg(feature = "hydrate")]
pub use browser::{Asked, Source, ask, open};

/// A request whose answer is a stream; never one on the server.
#[cfg(not(feature = "hydrate"))]
pub struct Asked;

/// Asks for nothing.
#[cfg(not(feature = "hydrate"))]
pub fn ask(_: &str, _: &str, _: impl Fn(&str, &str) + 'static) -> Option<Asked> {
    None
}

/// An open stream; never one on the server.
#[cfg(not(feature = "hydrate"))]
pub struct Source;

/// Opens nothing.
#[cfg(not(feature = "hydrate"))]
pub fn open(_: &str, _: &[&'static str], _: impl Fn(&str, &str) + Clone + 'static) -> Option<Source> {
    None
}
