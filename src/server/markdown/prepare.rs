//! Talk made ready for the parser: what Markdown would swallow or misread is marked, so that all of it is drawn.
//!
//! Two characters that Unicode keeps for a program's own use carry the marks. [`BREAK`] stands between two characters that
//! must not be read together (`[label]:` is a status line here and no definition of a link, `<div>` is text); [`STAR`] is a
//! star that is a letter (`f**k`, `3*4`). [`shown`] takes both away again, wherever a text has ended up, so a mark inside
//! code does no harm.

use std::borrow::Cow;

/// Stands between what must not be read together. A noncharacter: no text that is kept has it.
pub(super) const BREAK: char = '\u{FDD0}';
/// A star that is drawn as one.
pub(super) const STAR: char = '\u{FDD1}';

/// A text as it is drawn: without the marks.
pub fn shown(text: &str) -> Cow<'_, str> {
    if !text.contains([BREAK, STAR]) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.chars().filter(|c| *c != BREAK).map(|c| if c == STAR { '*' } else { c }).collect())
}

/// A text as the parser reads it.
pub fn prepared(text: &str) -> String {
    let clean = text.replace([BREAK, STAR], "");
    let mut lines: Vec<Line> = Vec::new();
    let mut fence: Option<(char, usize)> = None;
    for line in clean.split('\n') {
        let marked = mark(line);
        let bare = line.trim_start_matches([' ', '\t']);
        let code = match (fence, fence_of(bare)) {
            (Some((mark, length)), Some((other, long))) if mark == other && long >= length => {
                fence = None;
                true
            }
            (Some(_), _) => true,
            (None, Some(open)) => {
                fence = Some(open);
                true
            }
            (None, None) => false,
        };
        if code {
            lines.push(Line { text: marked, is_code: true });
        } else {
            push(&mut lines, line, marked);
        }
    }
    keep_cells(&mut lines);
    carry_actions(&mut lines);
    let mut out = String::with_capacity(text.len() + text.len() / 8);
    for (n, line) in lines.iter().enumerate() {
        if n > 0 {
            out.push('\n');
        }
        out.push_str(&line.text);
    }
    out
}

/// A line on its way to the parser.
struct Line {
    text: String,
    is_code: bool,
}

impl Line {
    fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}

/// The sign and the length of a code fence that a line begins with.
fn fence_of(bare: &str) -> Option<(char, usize)> {
    let sign = bare.chars().next().filter(|c| matches!(c, '`' | '~'))?;
    let length = bare.chars().take_while(|c| *c == sign).count();
    // A fence of backticks has none after it: that is code within a line.
    let rest = bare.trim_start_matches(sign);
    (length >= 3 && !(sign == '`' && rest.contains('`'))).then_some((sign, length))
}

/// A line that is no code, with what must stand before it.
fn push(lines: &mut Vec<Line>, line: &str, marked: String) {
    let rest = line.trim_start_matches(['>', ' ', '\t']);
    let signs = rest.trim_end();
    let only = |sign: char| !signs.is_empty() && signs.chars().all(|c| c == sign);
    let text = if is_scene_break(signs) {
        // Directly under a line it would make that a heading, and be gone.
        let quote: String = line.chars().take(line.chars().count() - rest.chars().count()).collect();
        let quote = if quote.contains('>') { quote.trim_end().to_owned() } else { String::new() };
        if lines.last().is_some_and(|l| !l.is_blank()) {
            lines.push(Line { text: quote.clone(), is_code: false });
        }
        format!("{quote}{}{signs}", if quote.is_empty() { "" } else { " " })
    } else if only('=') || signs == "--" {
        format!("{}{BREAK}{signs}", line.strip_suffix(rest).unwrap_or_default())
    } else {
        spaced_action(&marked).unwrap_or(marked)
    };
    lines.push(Line { text, is_code: false });
}

/// Three or more of one of the signs that draw a line across, with or without blanks.
fn is_scene_break(signs: &str) -> bool {
    let mut all = signs.chars().filter(|c| !c.is_whitespace());
    let Some(first) = all.next().filter(|c| matches!(c, '-' | '*' | '_')) else { return false };
    let mut count = 1;
    for c in all {
        if c != first {
            return false;
        }
        count += 1;
    }
    count >= 3
}

/// Marks within one line.
fn mark(line: &str) -> String {
    let stars = literal_stars(line);
    let mut literal = stars.into_iter().peekable();
    let mut out = String::with_capacity(line.len() + 8);
    let mut chars = line.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        let next = chars.peek().map(|(_, c)| *c);
        match c {
            '*' if literal.next_if_eq(&at).is_some() => out.push(STAR),
            ']' if next == Some(':') => out.extend([c, BREAK]),
            '\\' if next == Some('\\') => {
                out.push_str("\\\\");
                chars.next();
            }
            '\\' if matches!(next, Some('(' | ')')) => out.extend([c, BREAK]),
            '&' if next.is_some_and(|n| n == '#' || n.is_ascii_alphabetic()) => out.extend([c, BREAK]),
            '<' if next.is_some_and(|n| n.is_ascii_alphabetic() || matches!(n, '/' | '!' | '?')) => {
                let rest = line.get(at + 1..).unwrap_or_default();
                out.push(c);
                if !["http://", "https://", "mailto:"].iter().any(|scheme| rest.starts_with(scheme)) {
                    out.push(BREAK);
                }
            }
            c => out.push(c),
        }
    }
    out
}

/// A letter of a script that parts words by blanks. In others a star between two letters may well begin an action.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric()
        && !matches!(c, '\u{0E00}'..='\u{0EFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' | '\u{2E80}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}')
}

/// Stars next to each other.
struct Run {
    at: usize,
    length: usize,
    before: Option<char>,
    after: Option<char>,
}

impl Run {
    fn is_inside(&self) -> bool {
        self.before.is_some_and(is_of_word) && self.after.is_some_and(is_of_word)
    }

    fn is_between_digits(&self) -> bool {
        self.is_inside() && (self.before.is_some_and(|c| c.is_numeric()) || self.after.is_some_and(|c| c.is_numeric()))
    }
}

/// Places (in bytes, rising) of the stars that stand for letters: those inside of a word that has them at one place only.
fn literal_stars(line: &str) -> Vec<usize> {
    let mut found = Vec::new();
    if !line.contains('*') {
        return found;
    }
    let mut at = 0;
    for word in line.split_inclusive(char::is_whitespace) {
        let runs = runs(word, at);
        at += word.len();
        let inside = runs.iter().filter(|r| r.is_inside()).count();
        for run in runs.iter().filter(|r| r.is_inside()) {
            let same = |other: &&Run| other.at != run.at && other.length == run.length;
            let opens = runs.iter().filter(same).any(|r| r.at < run.at);
            let closes = runs.iter().filter(same).any(|r| r.at > run.at);
            if run.is_between_digits() || (inside == 1 && opens == closes) {
                found.extend(run.at..run.at + run.length);
            }
        }
    }
    found
}

/// The runs of stars of a word that begins at `from`. More than eight are no word.
fn runs(word: &str, from: usize) -> Vec<Run> {
    let mut found: Vec<Run> = Vec::new();
    let mut before = None;
    for (at, c) in word.char_indices() {
        match found.last_mut() {
            Some(run) if c == '*' && run.at + run.length == from + at => run.length += 1,
            _ if c == '*' => found.push(Run { at: from + at, length: 1, before, after: None }),
            Some(run) if run.at + run.length == from + at => run.after = Some(c),
            _ => {}
        }
        before = Some(c);
    }
    if found.len() > 8 { Vec::new() } else { found }
}

/// `* She looks up. *` is an action whose stars stand apart from its words.
fn spaced_action(line: &str) -> Option<String> {
    let parts: Vec<&str> = line.split('*').collect();
    let is_whole = parts.len() >= 3 && parts.len() % 2 == 1;
    let ends = |outer: &str| {
        let outer = outer.trim_end();
        outer.is_empty()
            || outer.ends_with(['.', '!', '?', '…', '"', '”', '»', '«', ':', ';', ',', ')', '。', '！', '？', '」'])
    };
    let within = parts.iter().skip(1).step_by(2);
    let apart = |inner: &str| inner.trim() != inner;
    // A star with a blank behind it may well be the point of a list: then the other one must end a sentence or the line.
    let is_action = |n: usize| {
        let (inner, after) = (parts.get(n).copied().unwrap_or_default(), parts.get(n + 1).copied().unwrap_or_default());
        let last = n + 2 == parts.len() && after.trim().is_empty();
        !inner.starts_with(char::is_whitespace) || last || (!inner.trim().is_empty() && ends(inner))
    };
    if !is_whole
        || !within.clone().any(|i| apart(i))
        || !(1..parts.len()).step_by(2).all(is_action)
        || !within.clone().all(|i| i.chars().any(char::is_alphabetic))
        || !parts.iter().step_by(2).take(parts.len() / 2).all(|outer| ends(outer))
    {
        return None;
    }
    let mut out = String::with_capacity(line.len());
    for (n, part) in parts.iter().enumerate() {
        if n % 2 == 1 {
            out.extend(["*", part.trim(), "*"]);
        } else {
            out.push_str(part);
        }
    }
    Some(out)
}

/// Cells of a table's row.
fn cells(row: &str) -> usize {
    let row = row.trim();
    let inner = row.strip_prefix('|').unwrap_or(row);
    let mut count = 1;
    let mut escaped = false;
    let mut last = None;
    for c in inner.chars() {
        if c == '|' && !escaped {
            count += 1;
        }
        last = Some((c, escaped));
        escaped = c == '\\' && !escaped;
    }
    if last == Some(('|', false)) { count - 1 } else { count }
}

/// A table whose rows hold more than its head has columns would lose the rest: it stays the text that it is.
fn keep_cells(lines: &mut [Line]) {
    let is_ruler = |line: &Line| {
        line.text.contains('-')
            && line.text.contains('|')
            && line.text.chars().all(|c| matches!(c, '|' | '-' | ':' | ' ' | '\t' | '>'))
    };
    let mut ruler: Option<(usize, usize)> = None;
    let mut broken = Vec::new();
    for (n, line) in lines.iter().enumerate() {
        if line.is_code || line.is_blank() {
            ruler = None;
        } else if is_ruler(line) && ruler.is_none() {
            ruler = Some((n, cells(line.text.trim_start_matches(['>', ' ']))));
        } else if let Some((at, columns)) = ruler
            && cells(&line.text) > columns
        {
            broken.push(at);
            ruler = None;
        }
    }
    for at in broken {
        if let Some(line) = lines.get_mut(at) {
            line.text.insert(0, BREAK);
        }
    }
}

/// A paragraph of an action that goes on over blank lines: how it begins and ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Opens,
    Closes,
    Plain,
    Other,
}

fn part_of(text: &str) -> Part {
    let text = text.trim();
    let mut single = 0;
    let mut run = 0;
    let mut escaped = false;
    for c in text.chars().chain(std::iter::once(' ')) {
        if c == '*' && !escaped {
            run += 1;
        } else {
            single += usize::from(run == 1);
            run = 0;
        }
        escaped = c == '\\' && !escaped;
    }
    let opens =
        text.starts_with('*') && !text.starts_with("**") && text.chars().nth(1).is_some_and(|c| !c.is_whitespace());
    let closes = text.ends_with('*') && !text.ends_with("**") && !text.ends_with("\\*");
    let first = text.split_whitespace().next().unwrap_or_default();
    let is_block = matches!(text.chars().next(), Some('>' | '#' | '|' | '`' | '~'))
        || matches!(first, "-" | "+" | "*")
        || first.strip_suffix(['.', ')']).is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit()))
        || is_scene_break(text);
    match single % 2 {
        _ if is_block => Part::Other,
        1 if opens => Part::Opens,
        1 if closes => Part::Closes,
        0 if single == 0 => Part::Plain,
        _ => Part::Other,
    }
}

/// `*She looks up.⏎⏎She smiles.*`: the stars are set for each paragraph, since an emphasis ends with its paragraph.
fn carry_actions(lines: &mut [Line]) {
    let mut paragraphs: Vec<(usize, usize, Part)> = Vec::new();
    let mut at = 0;
    while at < lines.len() {
        let here = lines.iter().skip(at);
        let length = here.clone().take_while(|l| !l.is_blank() && !l.is_code).count();
        if length == 0 {
            // Code ends an action; a blank line does not.
            if lines.get(at).is_some_and(|l| l.is_code) {
                paragraphs.push((at, at, Part::Other));
            }
            at += 1;
            continue;
        }
        let text: Vec<&str> = here.take(length).map(|l| l.text.as_str()).collect();
        paragraphs.push((at, at + length - 1, part_of(&text.join("\n"))));
        at += length;
    }
    let mut n = 0;
    while n < paragraphs.len() {
        let is = |m: usize, part: Part| paragraphs.get(m).is_some_and(|p| p.2 == part);
        if !is(n, Part::Opens) {
            n += 1;
            continue;
        }
        let mut end = n + 1;
        while is(end, Part::Plain) {
            end += 1;
        }
        if is(end, Part::Closes) {
            for (m, (first, last, _)) in paragraphs.iter().enumerate().take(end + 1).skip(n) {
                if m > n
                    && let Some(line) = lines.get_mut(*first)
                {
                    line.text = format!("*{}", line.text.trim_start());
                }
                if m < end
                    && let Some(line) = lines.get_mut(*last)
                {
                    line.text = format!("{}*", line.text.trim_end());
                }
            }
        }
        n = end;
    }
}
