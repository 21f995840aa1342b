//! Streams that close when they are dropped: an `EventSource`, and a request whose answer is one. They live in the browser; the
//! server compiles what does nothing.

/// What a stream says of itself when its address answered with something that is no stream, as a proxy does while the server
/// behind it starts again. It tries again by itself; whether there is still something to follow is for the page to find out.
pub const CLOSED: &str = "closed";
/// What a stream says when its connection broke and was not back at once.
pub const LOST: &str = "lost";
/// What it says when it is back.
pub const BACK: &str = "back";

#[cfg(feature = "hydrate")]
mod browser {
    use super::{BACK, CLOSED, LOST};
    use leptos::prelude::{TimeoutHandle, set_timeout_with_handle};
    use std::{
        cell::{Cell, RefCell},
        rc::{Rc, Weak},
        time::Duration,
    };
    use wasm_bindgen::{JsCast, closure::Closure};
    use web_sys::{Event, EventSource, MessageEvent, XmlHttpRequest};

    /// A connection that is back within this time was never away, milliseconds.
    const NOTICE: u32 = 1000;
    /// The first pause before a stream that was refused is opened again, milliseconds. Each further one is twice as long.
    const FIRST_PAUSE: u32 = 1000;
    /// The longest pause is the first one doubled so often.
    const DOUBLED: u32 = 4;

    /// An open stream.
    pub struct Source(Rc<Inner>);

    impl Drop for Source {
        fn drop(&mut self) {
            drop(self.0.line.take());
            for timer in [self.0.again.take(), self.0.notice.take()].into_iter().flatten() {
                timer.clear();
            }
        }
    }

    /// Hears an event: its name and its data.
    type Told = dyn Fn(&str, &str);

    struct Inner {
        url: String,
        names: &'static [&'static str],
        on: Box<Told>,
        line: RefCell<Option<Line>>,
        /// Id of the last event.
        last: RefCell<String>,
        /// How often it was refused since it was open.
        refused: Cell<u32>,
        /// The page knows that it is away.
        is_lost: Cell<bool>,
        again: Cell<Option<TimeoutHandle>>,
        notice: Cell<Option<TimeoutHandle>>,
    }

    /// One connection, and who listens to it.
    struct Line {
        source: EventSource,
        _named: Vec<Closure<dyn FnMut(MessageEvent)>>,
        _state: [Closure<dyn FnMut(Event)>; 2],
    }

    impl Drop for Line {
        fn drop(&mut self) {
            self.source.close();
        }
    }

    impl Inner {
        /// Opens a connection that goes on after the last event.
        fn connect(self: &Rc<Self>) -> Option<()> {
            let last = self.last.borrow().clone();
            let url = if last.is_empty() { self.url.clone() } else { format!("{}?after={last}", self.url) };
            let source = EventSource::new(&url).ok()?;
            let named = self.names.iter().map(|name| {
                let handler = self.handler(move |inner, event: MessageEvent| {
                    let id = event.last_event_id();
                    if !id.is_empty() {
                        inner.last.replace(id);
                    }
                    (inner.on)(name, &event.data().as_string().unwrap_or_default());
                });
                let _ = source.add_event_listener_with_callback(name, handler.as_ref().unchecked_ref());
                handler
            });
            let named = named.collect();
            let opened = self.handler(|inner, _: Event| inner.opened());
            let failed = self.handler(|inner, _: Event| inner.failed());
            source.set_onopen(Some(opened.as_ref().unchecked_ref()));
            source.set_onerror(Some(failed.as_ref().unchecked_ref()));
            self.line.replace(Some(Line { source, _named: named, _state: [opened, failed] }));
            Some(())
        }

        /// What is called as long as the stream is wanted.
        fn handler<E: wasm_bindgen::convert::FromWasmAbi + 'static>(
            self: &Rc<Self>,
            call: impl Fn(&Rc<Self>, E) + 'static,
        ) -> Closure<dyn FnMut(E)> {
            let held = Rc::downgrade(self);
            Closure::new(move |event| {
                if let Some(inner) = held.upgrade() {
                    call(&inner, event);
                }
            })
        }

        fn after(self: &Rc<Self>, pause: u32, timer: fn(&Self) -> &Cell<Option<TimeoutHandle>>, call: fn(&Rc<Self>)) {
            let held: Weak<Self> = Rc::downgrade(self);
            let handle = set_timeout_with_handle(
                move || {
                    if let Some(inner) = held.upgrade() {
                        timer(&inner).take();
                        call(&inner);
                    }
                },
                Duration::from_millis(pause.into()),
            );
            if let Some(before) = timer(self).replace(handle.ok()) {
                before.clear();
            }
        }

        fn is(&self, state: u16) -> bool {
            self.line.borrow().as_ref().is_some_and(|line| line.source.ready_state() == state)
        }

        fn opened(&self) {
            self.refused.set(0);
            if self.is_lost.replace(false) {
                (self.on)(BACK, "");
            }
        }

        fn lose(&self) {
            if !self.is(EventSource::OPEN) && !self.is_lost.replace(true) {
                (self.on)(LOST, "");
            }
        }

        fn failed(self: &Rc<Self>) {
            if !self.is(EventSource::CLOSED) {
                // The browser mends it, and sends the last event's id along.
                return self.after(NOTICE, |inner| &inner.notice, |inner| inner.lose());
            }
            let refused = self.refused.replace(self.refused.get() + 1);
            // Not everybody comes back at the same moment.
            let jitter = 0.75 + web_sys::js_sys::Math::random() / 2.0;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a few seconds")]
            let pause = (f64::from(FIRST_PAUSE << refused.min(DOUBLED)) * jitter) as u32;
            self.after(
                pause,
                |inner| &inner.again,
                |inner| {
                    let _ = inner.connect();
                },
            );
            self.lose();
            (self.on)(CLOSED, "");
        }
    }

    /// Opens a stream and calls `on` with the name and the data of every event that has one of these names, and with
    /// [`CLOSED`], [`LOST`] and [`BACK`]. A connection that breaks is mended, and goes on after the last event that had an id.
    pub fn open(url: &str, names: &'static [&'static str], on: impl Fn(&str, &str) + 'static) -> Option<Source> {
        let inner = Rc::new(Inner {
            url: url.to_owned(),
            names,
            on: Box::new(on),
            line: RefCell::default(),
            last: RefCell::default(),
            refused: Cell::default(),
            is_lost: Cell::default(),
            again: Cell::default(),
            notice: Cell::default(),
        });
        inner.connect()?;
        Some(Source(inner))
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
    /// [`CLOSED`] and the body as it came. An `EventSource` could only get.
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
                on(CLOSED, &text);
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
pub fn open(_: &str, _: &'static [&'static str], _: impl Fn(&str, &str) + 'static) -> Option<Source> {
    None
}
