//! Markdown to HTML: what people and models write is untrusted, so it passes two gates.
//!
//! The parser knows neither raw HTML nor definitions of links (`prepare`), pictures become links to them and headings
//! paragraphs; the sanitiser then keeps a short list of elements and of schemes. Either alone would do; a fault in one is
//! caught by the other. What is drawn is compared with what was written: a text of which a word would be missing is drawn
//! as it stands, without any Markdown.
//!
//! Both gates are linear in the length of a text because nothing nests deeper than [`DEPTH`]; the sanitiser alone is not.
//! Whatever is long is rendered beside the async threads and kept for the next reader ([`drawn`]).

mod cache;
mod prepare;

pub use cache::{drawn, drawn_all};

use ammonia::Builder;
use prepare::{prepared, shown};
use pulldown_cmark::{CodeBlockKind, CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, html};
use std::{
    collections::{HashMap, HashSet},
    sync::LazyLock,
};

/// Most quotations, lists and emphases within each other; what is deeper is text.
const DEPTH: usize = 16;

static SANITISER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from([
            "p",
            "em",
            "strong",
            "code",
            "pre",
            "ul",
            "ol",
            "li",
            "blockquote",
            "br",
            "hr",
            "a",
            "table",
            "thead",
            "tbody",
            "tr",
            "th",
            "td",
        ]))
        .tag_attributes(HashMap::from([
            ("a", HashSet::from(["href"])),
            ("ol", HashSet::from(["start"])),
            ("li", HashSet::from(["value"])),
        ]))
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(ammonia::UrlRelative::Deny)
        .link_rel(Some("noopener nofollow"));
    builder
});

/// The HTML of a message, safe to put into a page. `*an action*` becomes `<em>`; a line break stays a line break; every
/// word is there. Takes milliseconds for a long text: pages use [`drawn`].
#[must_use]
pub fn render(text: &str) -> String {
    let ready = prepared(text);
    let mut drawing = Drawing::new(&ready);
    for (event, range) in Parser::new_ext(&ready, Options::ENABLE_TABLES).into_offset_iter() {
        drawing.take(event, range.start);
    }
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    if is_whole(text, &drawing.words) {
        html::push_html(&mut out, drawing.events.into_iter());
    } else {
        html::push_html(&mut out, as_it_stands(text));
    }
    SANITISER.clean(&out).to_string()
}

/// Whether all letters and digits of `text` stand in `words`, in their order.
fn is_whole(text: &str, words: &str) -> bool {
    let mut there = words.chars();
    text.chars().filter(|c| c.is_alphanumeric()).all(|wanted| there.any(|c| c == wanted))
}

/// Paragraphs and line breaks, and nothing else.
fn as_it_stands(text: &str) -> impl Iterator<Item = Event<'_>> {
    text.split("\n\n").filter(|paragraph| !paragraph.trim().is_empty()).flat_map(|paragraph| {
        let lines = paragraph.trim_matches('\n').split('\n').enumerate();
        let lines = lines.flat_map(|(n, line)| [(n > 0).then_some(Event::HardBreak), Some(Event::Text(line.into()))]);
        std::iter::once(Event::Start(Tag::Paragraph))
            .chain(lines.flatten())
            .chain(std::iter::once(Event::End(TagEnd::Paragraph)))
    })
}

/// What has been opened and not closed.
enum Open {
    /// Closed as the parser says.
    Plain,
    /// Counts as depth.
    Nested,
    /// Closed as a paragraph.
    Paragraph,
    /// Too deep: neither opened nor closed.
    Dropped,
    /// A list and the number of its next point, when it is numbered.
    List { is_dropped: bool, next: Option<u64> },
    /// A point with a number of its own.
    Numbered,
    /// A link: where it leads, and what is said after its words.
    Link { is_dropped: bool, address: String, after: String },
}

/// The events of a text, and its words as they will be drawn.
struct Drawing<'a> {
    source: &'a str,
    events: Vec<Event<'a>>,
    words: String,
    open: Vec<Open>,
    depth: usize,
}

impl<'a> Drawing<'a> {
    fn new(source: &'a str) -> Self {
        Self { source, events: Vec::new(), words: String::with_capacity(source.len()), open: Vec::new(), depth: 0 }
    }

    fn take(&mut self, event: Event<'a>, at: usize) {
        match event {
            Event::Start(tag) => self.start(tag, at),
            Event::End(tag) => self.end(tag),
            Event::Text(t) | Event::Html(t) | Event::InlineHtml(t) => self.text(&t),
            Event::Code(t) => {
                let code = shown(&t).into_owned();
                self.words.push_str(&code);
                self.events.push(Event::Code(code.into()));
            }
            Event::SoftBreak => self.events.push(Event::HardBreak),
            other => self.events.push(other),
        }
    }

    fn text(&mut self, text: &str) {
        let text = shown(text).into_owned();
        self.words.push_str(&text);
        self.events.push(Event::Text(text.into()));
    }

    fn start(&mut self, tag: Tag<'a>, at: usize) {
        let open =
            match tag {
                Tag::Heading { .. } | Tag::HtmlBlock => {
                    self.events.push(Event::Start(Tag::Paragraph));
                    Open::Paragraph
                }
                Tag::CodeBlock(CodeBlockKind::Fenced(info)) if !info.trim().is_empty() => {
                    // What stands beside a fence names a language, or is a status line that was meant to stand inside.
                    let info = shown(&info).into_owned();
                    self.words.push_str(&info);
                    self.events.extend([
                        Event::Start(Tag::Paragraph),
                        Event::Code(info.into()),
                        Event::End(TagEnd::Paragraph),
                        Event::Start(Tag::CodeBlock(CodeBlockKind::Indented)),
                    ]);
                    Open::Plain
                }
                Tag::Link { link_type, dest_url, title, .. } => self.link(link_type, &dest_url, &title),
                Tag::Image { link_type, dest_url, title, .. } => self.link(link_type, &dest_url, &title),
                Tag::List(first) => {
                    let is_dropped = !self.nest(Tag::List(first));
                    Open::List { is_dropped, next: first }
                }
                Tag::Item => self.item(at),
                nested @ (Tag::BlockQuote(_) | Tag::Emphasis | Tag::Strong | Tag::Strikethrough) => {
                    if self.nest(nested) { Open::Nested } else { Open::Dropped }
                }
                other => {
                    self.events.push(Event::Start(other));
                    Open::Plain
                }
            };
        self.open.push(open);
    }

    /// Opens what counts as depth, unless it is too deep.
    fn nest(&mut self, tag: Tag<'a>) -> bool {
        if self.depth >= DEPTH {
            return false;
        }
        self.depth += 1;
        self.events.push(Event::Start(tag));
        true
    }

    /// A point of a list. One whose number does not follow from those before it keeps its own.
    fn item(&mut self, at: usize) -> Open {
        let written: String =
            self.source.get(at..).unwrap_or_default().trim_start().chars().take_while(char::is_ascii_digit).collect();
        let mut follows = true;
        if let Some(Open::List { next: Some(next), .. }) = self.open.last_mut() {
            let number = written.parse().unwrap_or(*next);
            follows = number == *next;
            *next = number.saturating_add(1);
            self.words.push_str(&written);
        }
        if self.depth >= DEPTH {
            self.events.push(Event::HardBreak);
            return Open::Dropped;
        }
        if follows {
            self.nest(Tag::Item);
            return Open::Nested;
        }
        self.depth += 1;
        self.events.push(Event::Html(format!("<li value=\"{written}\">").into()));
        Open::Numbered
    }

    /// A link, or a picture as a link to it: nothing is fetched. A link that leads nowhere says where it would have led.
    fn link(&mut self, kind: LinkType, address: &str, title: &str) -> Open {
        let (address, title) = (shown(address).into_owned(), shown(title).into_owned());
        let is_inside = self.open.iter().rev().any(|o| matches!(o, Open::Link { is_dropped: false, .. }));
        let leads = leads_out(&address, kind) && !is_inside && self.depth < DEPTH;
        let mut after = String::new();
        if leads {
            let dest_url = CowStr::from(address.clone());
            let (title, id) = (CowStr::Borrowed(""), CowStr::Borrowed(""));
            self.nest(Tag::Link { link_type: kind, dest_url, title, id });
        } else if !matches!(kind, LinkType::Autolink | LinkType::Email) && !address.is_empty() {
            after = format!(" ({address})");
        }
        if !title.is_empty() {
            after = format!("{after} ({title})");
        }
        // Drawn as what the link leads to: counted where it was written, after the words.
        let counts = leads && !matches!(kind, LinkType::Autolink | LinkType::Email);
        Open::Link { is_dropped: !leads, address: if counts { address } else { String::new() }, after }
    }

    fn end(&mut self, tag: TagEnd) {
        match self.open.pop() {
            None | Some(Open::Dropped | Open::List { is_dropped: true, .. }) => {}
            Some(Open::Plain) => self.events.push(Event::End(tag)),
            Some(Open::Paragraph) => self.events.push(Event::End(TagEnd::Paragraph)),
            Some(Open::Nested | Open::List { .. }) => {
                self.depth -= 1;
                self.events.push(Event::End(tag));
            }
            Some(Open::Numbered) => {
                self.depth -= 1;
                self.events.push(Event::Html("</li>\n".into()));
            }
            Some(Open::Link { is_dropped, address, after }) => {
                if !is_dropped {
                    self.depth -= 1;
                    self.events.push(Event::End(TagEnd::Link));
                    self.words.push_str(&address);
                }
                if !after.is_empty() {
                    self.text(&after);
                }
            }
        }
    }
}

/// Whether the sanitiser will let a link lead there.
fn leads_out(address: &str, kind: LinkType) -> bool {
    kind == LinkType::Email
        || url::Url::parse(address).is_ok_and(|url| matches!(url.scheme(), "http" | "https" | "mailto"))
}

/// The words of a message without its marks, on one line, at most `max` characters: for lists and announcements.
#[must_use]
pub fn plain(text: &str, max: usize) -> String {
    let mut words = String::new();
    for event in Parser::new_ext(&prepared(text), Options::ENABLE_TABLES) {
        match event {
            Event::Text(t) | Event::Code(t) | Event::Html(t) | Event::InlineHtml(t) => words.push_str(&shown(&t)),
            Event::SoftBreak
            | Event::HardBreak
            | Event::Rule
            | Event::End(
                TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item | TagEnd::CodeBlock | TagEnd::TableCell,
            ) => {
                words.push(' ');
            }
            _ => {}
        }
    }
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= max {
        return line;
    }
    let cut: String = line.chars().take(max.saturating_sub(1)).collect();
    format!("{}…", cut.trim_end())
}

#[cfg(test)]
mod tests;
