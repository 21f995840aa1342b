//! Writing SVG: numbers cut to a tenth, paths moved into place, and paper with the shadow it throws.

use std::collections::HashMap;
use std::fmt::{Display, Write as _};

use super::Detail;
use crate::ocs::style::Colour;

/// Half of the plate's width: the axis of the bust.
pub(super) const CX: f64 = 200.0;

/// A number as SVG wants it: one decimal at most.
pub(super) struct N(pub f64);

impl Display for N {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        short(f, (self.0 * 10.0).round() / 10.0)
    }
}

/// A whole number: where a unit is finer than the eye needs.
pub(super) struct W(pub f64);

impl Display for W {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        short(f, self.0.round())
    }
}

/// An opacity: two decimals.
struct Opacity(f64);

impl Display for Opacity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        short(f, (self.0 * 100.0).round() / 100.0)
    }
}

/// Writes a rounded number without the zero before its point, and never as minus zero.
fn short(f: &mut std::fmt::Formatter<'_>, rounded: f64) -> std::fmt::Result {
    if rounded == 0.0 {
        return f.write_str("0");
    }
    let text = rounded.abs().to_string();
    f.write_str(if rounded < 0.0 { "-" } else { "" })?;
    f.write_str(text.strip_prefix('0').filter(|rest| !rest.is_empty()).unwrap_or(&text))
}

/// A picture being written. Text reaches it only through [`escape`]; all else is numbers and our own words.
pub(super) struct Canvas {
    out: String,
    prefix: String,
    ids: u32,
    defs: String,
    shapes: HashMap<String, String>,
    detail: Detail,
}

impl Canvas {
    /// An empty canvas. `prefix` starts every id, so that two portraits can stand on one page; `detail` says
    /// which shadows and edges paper has.
    pub(super) fn new(prefix: String, detail: Detail) -> Self {
        Self { out: String::with_capacity(12_000), prefix, ids: 0, defs: String::new(), shapes: HashMap::new(), detail }
    }

    /// What was written, with the shapes it uses, as one document.
    pub(super) fn finish(mut self) -> String {
        let _ = write!(self.out, "<defs>{}</defs></svg>", self.defs);
        self.out
    }

    /// Text as it stands: our own markup only.
    pub(super) fn raw(&mut self, markup: &str) {
        self.out.push_str(markup);
    }

    fn put(&mut self, arguments: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.out.write_fmt(arguments);
    }

    fn next_id(&mut self) -> String {
        self.ids += 1;
        format!("{}{:x}", self.prefix, self.ids)
    }

    /// A filled shape.
    pub(super) fn fill(&mut self, d: &str, fill: impl Display) {
        let d = compact(d);
        self.put(format_args!("<path d=\"{d}\" fill=\"{fill}\"/>"));
    }

    /// A filled shape that lets something through.
    pub(super) fn soft(&mut self, d: &str, fill: impl Display, opacity: f64) {
        let (d, opacity) = (compact(d), Opacity(opacity));
        self.put(format_args!("<path d=\"{d}\" fill=\"{fill}\" opacity=\"{opacity}\"/>"));
    }

    /// A line with round ends.
    pub(super) fn line(&mut self, d: &str, colour: impl Display, width: f64, opacity: f64) {
        let (d, width) = (compact(d), N(width));
        self.put(format_args!("<path d=\"{d}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\"",));
        if opacity < 1.0 {
            self.put(format_args!(" opacity=\"{}\"", Opacity(opacity)));
        }
        self.raw("/>");
    }

    /// A disc.
    pub(super) fn disc(&mut self, x: f64, y: f64, r: f64, fill: impl Display, opacity: f64) {
        let (x, y, r) = (N(x), N(y), N(r));
        self.put(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\" fill=\"{fill}\""));
        if opacity < 1.0 {
            self.put(format_args!(" opacity=\"{}\"", Opacity(opacity)));
        }
        self.raw("/>");
    }

    /// A circle drawn as a line.
    pub(super) fn circle(&mut self, x: f64, y: f64, r: f64, colour: impl Display, width: f64, opacity: f64) {
        let opacity = Opacity(opacity);
        let (x, y, r, width) = (N(x), N(y), N(r), N(width));
        self.put(format_args!(
            "<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width}\" \
             opacity=\"{opacity}\"/>"
        ));
    }

    /// A piece of paper: the shape, a lit edge on its upper left and, below it to the right, the shadow it throws on
    /// what lies under it. `depth` is how far it stands off, in units of the plate.
    pub(super) fn paper(&mut self, d: &str, fill: impl Display, edge: impl Display, depth: f64) {
        let id = self.define(d);
        let thick = depth >= 4.0 && self.detail == Detail::Full;
        if thick {
            let (x, y) = (W(depth), W(depth * 1.7));
            self.put(format_args!("<use href=\"#{id}\" x=\"{x}\" y=\"{y}\" opacity=\".14\"/>"));
        }
        if depth >= 5.0 || self.detail != Detail::Bare {
            let (x, y) = (W(depth * 0.5), W(depth * 0.8));
            self.put(format_args!("<use href=\"#{id}\" x=\"{x}\" y=\"{y}\" opacity=\".2\"/>"));
        }
        if thick {
            self.put(format_args!("<use href=\"#{id}\" x=\"-1\" y=\"-1\" fill=\"{edge}\"/>"));
        }
        self.put(format_args!("<use href=\"#{id}\" fill=\"{fill}\"/>"));
    }

    /// What a shape throws on the skin below it: the shape again, moved and soft.
    pub(super) fn cast(&mut self, d: &str, x: f64, y: f64, fill: Colour, opacity: f64) {
        let (id, x, y, opacity) = (self.define(d), N(x), N(y), Opacity(opacity));
        self.put(format_args!("<use href=\"#{id}\" x=\"{x}\" y=\"{y}\" fill=\"{fill}\" opacity=\"{opacity}\"/>"));
    }

    /// Keeps a shape for use by its id; the same shape is kept once.
    fn define(&mut self, d: &str) -> String {
        let d = compact(d);
        if let Some(id) = self.shapes.get(&d) {
            return id.clone();
        }
        let id = self.next_id();
        let _ = write!(self.defs, "<path id=\"{id}\" d=\"{d}\"/>");
        self.shapes.insert(d, id.clone());
        id
    }

    /// Cords: lines of `width` with a shadow below and light along the left.
    pub(super) fn cords(&mut self, d: &str, colour: Colour, light: Colour, width: f64) {
        let id = self.define(d);
        let (wide, fine) = (N(width), N(width * 0.24));
        self.put(format_args!(
            "<g fill=\"none\" stroke=\"{colour}\" stroke-width=\"{wide}\">\
             <use href=\"#{id}\" x=\"4\" y=\"6\" stroke=\"#000\" opacity=\".2\"/><use href=\"#{id}\"/>\
             <g stroke=\"{light}\" stroke-width=\"{fine}\"><use href=\"#{id}\" x=\"-3\"/></g></g>"
        ));
    }

    /// A gradient from corner to corner of a shape (`across`), or from top to bottom. Answers with what to fill with.
    pub(super) fn gradient(&mut self, across: bool, stops: &[(f64, Colour)]) -> String {
        let id = self.next_id();
        let x2 = u8::from(across);
        self.put(format_args!("<linearGradient id=\"{id}\" x1=\"0\" y1=\"0\" x2=\"{x2}\" y2=\"1\">"));
        for (offset, colour) in stops {
            self.put(format_args!("<stop offset=\"{}\" stop-color=\"{colour}\"/>", Opacity(*offset)));
        }
        self.raw("</linearGradient>");
        format!("url(#{id})")
    }

    /// A gradient from the middle of a shape outwards, with an opacity for each stop.
    pub(super) fn glow(&mut self, stops: &[(f64, Colour, f64)]) -> String {
        let id = self.next_id();
        self.put(format_args!("<radialGradient id=\"{id}\">"));
        for (offset, colour, opacity) in stops {
            self.put(format_args!(
                "<stop offset=\"{}\" stop-color=\"{colour}\" stop-opacity=\"{}\"/>",
                Opacity(*offset),
                Opacity(*opacity)
            ));
        }
        self.raw("</radialGradient>");
        format!("url(#{id})")
    }

    /// A tile, `side` units square, repeated. `tile` is our own markup.
    pub(super) fn pattern(&mut self, side: u8, tile: &str) -> String {
        let id = self.next_id();
        self.put(format_args!(
            "<pattern id=\"{id}\" width=\"{side}\" height=\"{side}\" patternUnits=\"userSpaceOnUse\">{tile}</pattern>"
        ));
        format!("url(#{id})")
    }

    /// Until [`Canvas::close`], only what falls on the shape is seen.
    pub(super) fn open_clip(&mut self, d: &str) {
        let id = self.next_id();
        let shape = self.define(d);
        self.put(format_args!("<clipPath id=\"{id}\"><use href=\"#{shape}\"/></clipPath><g clip-path=\"url(#{id})\">"));
    }

    /// Until [`Canvas::close`], everything is turned by some degrees about a point.
    pub(super) fn open_turned(&mut self, degrees: f64, x: f64, y: f64) {
        let (degrees, x, y) = (N(degrees), N(x), N(y));
        self.put(format_args!("<g transform=\"rotate({degrees} {x} {y})\">"));
    }

    /// Until [`Canvas::close`], everything is larger by `scale` about a point, and moved sideways.
    pub(super) fn open_scaled(&mut self, scale: f64, x: f64, y: f64, aside: f64) {
        let scale = (scale * 1000.0).round() / 1000.0;
        let (dx, dy) = (N(x - x * scale + aside), N(y - y * scale));
        self.put(format_args!("<g transform=\"matrix({scale} 0 0 {scale} {dx} {dy})\">"));
    }

    /// Ends a group.
    pub(super) fn close(&mut self) {
        self.raw("</g>");
    }
}

/// Moves a path that is written around x = 0 onto the axis of the bust; `sx` stretches it (negative: mirrors it) and
/// `dy` moves it down. Paths use absolute commands with pairs of coordinates only (M L C Q S T Z).
pub(super) fn put(d: &str, sx: f64, dy: f64) -> String {
    rewrite(d, |x, y| ((CX + sx * x).round(), (y + dy).round()))
}

/// Rewrites every pair of coordinates of such a path, to a tenth of a unit.
pub(super) fn map(d: &str, place: impl Fn(f64, f64) -> (f64, f64)) -> String {
    rewrite(d, place)
}

fn rewrite(d: &str, place: impl Fn(f64, f64) -> (f64, f64)) -> String {
    let mut out = String::with_capacity(d.len() + 16);
    let mut number = String::new();
    let mut first: Option<f64> = None;
    let mut apart = false;
    for c in d.chars().chain(std::iter::once('Z')) {
        // A minus starts a number without a space before it.
        let joins = c.is_ascii_digit() || c == '.' || (c == '-' && number.is_empty());
        if joins {
            number.push(c);
            continue;
        }
        if !number.is_empty() {
            let value: f64 = number.parse().unwrap_or(0.0);
            number.clear();
            match first.take() {
                None => first = Some(value),
                Some(x) => {
                    let (x, y) = place(x, value);
                    for value in [x, y] {
                        // A minus sets numbers apart by itself.
                        if apart && value > -0.05 {
                            out.push(' ');
                        }
                        let _ = write!(out, "{}", N(value));
                        apart = true;
                    }
                }
            }
        }
        if c == '-' {
            number.push(c);
        } else if c.is_ascii_alphabetic() {
            out.push(c);
            apart = false;
        }
    }
    // The Z that ended the last number is not part of the path.
    out.pop();
    out
}

/// The same path in fewer characters: relative commands, letters not repeated. A path with other commands than
/// M L C Q S T Z stays as it is.
fn compact(d: &str) -> String {
    if d.chars().any(|c| c.is_ascii_alphabetic() && !"MLCQSTZ".contains(c)) {
        return d.to_owned();
    }
    // All coordinates have at most one decimal, so tenths are whole and nothing drifts.
    let mut out = String::with_capacity(d.len());
    let (mut at, mut start) = ((0_i64, 0_i64), (0_i64, 0_i64));
    let mut last = ' ';
    for segment in segments(d) {
        let (command, numbers) = segment;
        if command == 'Z' {
            out.push('z');
            at = start;
            last = 'Z';
            continue;
        }
        let pairs: Vec<(i64, i64)> =
            numbers.chunks_exact(2).filter_map(|pair| Some((*pair.first()?, *pair.last()?))).collect();
        let per = match command {
            'C' => 3,
            'Q' | 'S' => 2,
            _ => 1,
        };
        for group in pairs.chunks(per) {
            // Only a path's first M is absolute.
            let first = out.is_empty();
            let mut apart = false;
            if command != last || command == 'M' {
                out.push(if first { 'M' } else { command.to_ascii_lowercase() });
            } else {
                apart = true;
            }
            for (x, y) in group {
                let (dx, dy) = if first { (*x, *y) } else { (x - at.0, y - at.1) };
                for value in [dx, dy] {
                    if apart && value >= 0 {
                        out.push(' ');
                    }
                    push_tenths(&mut out, value);
                    apart = true;
                }
            }
            at = group.last().copied().unwrap_or(at);
            if command == 'M' {
                start = at;
            }
            last = command;
        }
    }
    if out.len() < d.len() { out } else { d.to_owned() }
}

/// The commands of an absolute path with their numbers in tenths.
fn segments(d: &str) -> Vec<(char, Vec<i64>)> {
    let mut found: Vec<(char, Vec<i64>)> = Vec::new();
    let mut number = String::new();
    for c in d.chars().chain(std::iter::once(' ')) {
        if c.is_ascii_digit() || c == '.' || (c == '-' && number.is_empty()) {
            number.push(c);
            continue;
        }
        if !number.is_empty() {
            let tenths = (number.parse::<f64>().unwrap_or(0.0) * 10.0).round();
            number.clear();
            if let Some((_, numbers)) = found.last_mut() {
                numbers.push(whole(tenths));
            }
        }
        if c == '-' {
            number.push(c);
        } else if c.is_ascii_alphabetic() {
            found.push((c, Vec::new()));
        }
    }
    found
}

/// A rounded number as an integer; coordinates are far inside 32 bits.
fn whole(rounded: f64) -> i64 {
    format!("{rounded:.0}").parse().unwrap_or(0)
}

fn push_tenths(out: &mut String, tenths: i64) {
    if tenths < 0 {
        out.push('-');
    }
    let (units, rest) = (tenths.abs() / 10, tenths.abs() % 10);
    if units > 0 || rest == 0 {
        let _ = write!(out, "{units}");
    }
    if rest > 0 {
        let _ = write!(out, ".{rest}");
    }
}

/// Text for an attribute or an element of XML: markup escaped, characters that XML forbids left out.
pub(super) fn escape(text: &str) -> String {
    let allowed = text.chars().filter(|c| !matches!(c, '\u{fffe}' | '\u{ffff}'));
    crate::ui::escape(&allowed.map(|c| if c.is_control() { ' ' } else { c }).collect::<String>())
}
