//! Example talk: a text with marks on cards, exchanges here.

use super::{Fate, Note};
use crate::ocs::{
    ExampleLine,
    sheet::{MAX_EXAMPLE, MAX_EXAMPLES},
};

/// Who speaks in a line.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    User,
    Character,
}

/// The exchanges of a text. Blocks begin with `<START>`; lines with the name of who speaks.
pub(super) fn read(text: &str, name: &str, notes: &mut Vec<Note>) -> Vec<ExampleLine> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    let mut found: Vec<ExampleLine> = Vec::new();
    for block in blocks(text) {
        exchanges(&turns(&block, name), &mut found);
    }
    let part = "mes_example";
    let count = found.len();
    found.truncate(MAX_EXAMPLES);
    let mut cut = count > MAX_EXAMPLES;
    for line in &mut found {
        for (text, most) in [(&mut line.user, MAX_EXAMPLE.0), (&mut line.oc, MAX_EXAMPLE.1)] {
            let clean = super::sheet::clean(text);
            cut |= clean.chars().count() > most;
            *text = clean.chars().take(most).collect();
        }
    }
    found.retain(|line| !line.oc.is_empty());
    let words = match found.len() {
        0 => "No exchange was found in it.".to_owned(),
        1 => "One exchange".to_owned(),
        n => format!("{n} exchanges"),
    };
    notes.push(Note::new(if found.is_empty() { Fate::Verbatim } else { Fate::Mapped }, part, words));
    if cut {
        notes.push(Note::new(Fate::Mapped, part, "Some of it is too long or too much; an export has all of it."));
    }
    found
}

/// Exchanges as a text.
pub(super) fn write(lines: &[ExampleLine]) -> String {
    let blocks = lines.iter().map(|line| {
        let asked = if line.user.is_empty() { String::new() } else { format!("{{{{user}}}}: {}\n", line.user) };
        format!("<START>\n{asked}{{{{char}}}}: {}", line.oc)
    });
    blocks.collect::<Vec<_>>().join("\n")
}

fn blocks(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    for line in text.lines() {
        if line.trim().eq_ignore_ascii_case("<start>") {
            blocks.push(String::new());
        } else if let Some(block) = blocks.last_mut() {
            block.push_str(line);
            block.push('\n');
        }
    }
    blocks.retain(|block| !block.trim().is_empty());
    blocks
}

/// The turns of a block: a line without a speaker goes on with what was said before, or is the character's.
fn turns(block: &str, name: &str) -> Vec<(By, String)> {
    let mut turns: Vec<(By, String)> = Vec::new();
    for line in block.lines() {
        match speaker(line.trim_start(), name) {
            Some((by, said)) => turns.push((by, said.trim_start().to_owned())),
            None => match turns.last_mut() {
                Some((_, said)) => {
                    said.push('\n');
                    said.push_str(line);
                }
                None if line.trim().is_empty() => {}
                None => turns.push((By::Character, line.to_owned())),
            },
        }
    }
    turns
}

fn speaker<'l>(line: &'l str, name: &str) -> Option<(By, &'l str)> {
    let (label, said) = line.split_once(':')?;
    let label = label.trim();
    let is = |known: &[&str]| known.iter().any(|k| label.eq_ignore_ascii_case(k));
    if is(&["{{user}}", "<user>", "you", "user"]) {
        Some((By::User, said))
    } else if is(&["{{char}}", "<bot>", "<char>"]) || (!name.is_empty() && label.eq_ignore_ascii_case(name)) {
        Some((By::Character, said))
    } else {
        None
    }
}

/// Pairs what was said to the character with what it answered.
fn exchanges(turns: &[(By, String)], found: &mut Vec<ExampleLine>) {
    let mut asked = String::new();
    for (by, said) in turns {
        match by {
            By::User if asked.is_empty() => asked.clone_from(said),
            By::User => asked = format!("{asked}\n{said}"),
            By::Character => found.push(ExampleLine { user: std::mem::take(&mut asked), oc: said.clone() }),
        }
    }
}
