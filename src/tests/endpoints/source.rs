//! Reads the signatures of server functions from the source: the registry knows their paths, not their arguments.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

/// A name and its type, as written.
pub type Argument = (String, String);

/// The source, ready to be asked about types and functions.
pub struct Source {
    files: Vec<(PathBuf, String)>,
}

impl Source {
    /// Every file below `src` but the tests, without comments.
    pub fn read() -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let (mut open, mut files) = (vec![root.clone()], Vec::new());
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(&folder).expect("a folder of the source") {
                let path = entry.expect("an entry").path();
                if path.is_dir() && path != root.join("tests") {
                    open.push(path);
                } else if path.extension().is_some_and(|e| e == "rs") {
                    let text = std::fs::read_to_string(&path).expect("a file of the source");
                    let code: Vec<&str> = text.lines().filter(|l| !l.trim_start().starts_with("//")).collect();
                    files.push((path, code.join("\n")));
                }
            }
        }
        files.sort();
        Self { files }
    }

    /// The arguments of every server function, by its address.
    pub fn functions(&self) -> BTreeMap<String, (PathBuf, Vec<Argument>)> {
        let mut found = BTreeMap::new();
        for (path, text) in &self.files {
            for (at, _) in text.match_indices("#[server(") {
                let end = matching(text, at + 1).expect("the end of #[server]");
                let attribute = &text[at..end];
                let endpoint = attribute.split("endpoint = \"").nth(1).and_then(|t| t.split('"').next());
                let Some(endpoint) = endpoint else { continue };
                let open = end + text[end..].find("fn ").expect("the function");
                let open = open + text[open..].find('(').expect("its arguments");
                let arguments = fields(&text[open + 1..matching(text, open).expect("their end")]);
                found.insert(format!("/fn/{endpoint}"), (path.clone(), arguments));
            }
        }
        found
    }

    /// The fields of a struct; of several with one name, the one whose file is nearest.
    pub fn fields_of(&self, name: &str, near: &Path) -> Option<Vec<Argument>> {
        let (text, at) = self.nearest(&format!("struct {name} {{"), near)?;
        let open = at + text[at..].find('{')?;
        Some(fields(&text[open + 1..matching(text, open)?]))
    }

    /// A word that an enum takes on the wire: its first variant.
    pub fn word_of(&self, name: &str, near: &Path) -> Option<String> {
        let (text, at) = self.nearest(&format!("enum {name} {{"), near).or_else(|| {
            // Enums made by a macro: `Rarity { Common = "common", ...`.
            self.nearest(&format!(" {name} {{"), near)
        })?;
        let open = at + text[at..].find('{')?;
        let body = &text[open + 1..matching(text, open)?];
        let first = split(body).into_iter().next()?;
        let variant = without_attributes(&first).split(|c: char| !c.is_alphanumeric()).next()?.to_owned();
        let mut word = String::new();
        for c in variant.chars() {
            if c.is_uppercase() && !word.is_empty() {
                word.push('_');
            }
            word.extend(c.to_lowercase());
        }
        Some(word)
    }

    fn nearest(&self, pattern: &str, near: &Path) -> Option<(&str, usize)> {
        let shared = |path: &Path| path.components().zip(near.components()).take_while(|(a, b)| a == b).count();
        self.files
            .iter()
            .filter_map(|(path, text)| text.find(pattern).map(|at| (shared(path), text.as_str(), at)))
            .max_by_key(|(shared, ..)| *shared)
            .map(|(_, text, at)| (text, at))
    }
}

/// Names and types of a list of arguments or fields.
fn fields(text: &str) -> Vec<Argument> {
    split(text)
        .iter()
        .filter_map(|part| {
            let (name, kind) = without_attributes(part).split_once(':')?;
            let name = name.trim().rsplit(' ').next()?.trim_start_matches("r#").to_owned();
            Some((name, kind.split_whitespace().collect()))
        })
        .collect()
}

fn without_attributes(mut text: &str) -> &str {
    text = text.trim();
    while text.starts_with("#[") {
        let end = matching(text, 1).expect("the end of an attribute");
        text = text[end + 1..].trim();
    }
    text
}

/// Splits at commas outside of any bracket and string.
fn split(text: &str) -> Vec<String> {
    let (mut parts, mut depth, mut quoted, mut current) = (Vec::new(), 0, false, String::new());
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            '(' | '[' | '{' | '<' if !quoted => depth += 1,
            ')' | ']' | '}' | '>' if !quoted => depth -= 1,
            ',' if !quoted && depth == 0 => {
                parts.push(std::mem::take(&mut current));
                continue;
            }
            _ => {}
        }
        current.push(c);
    }
    parts.push(current);
    parts.retain(|p| !p.trim().is_empty());
    parts
}

/// Where the bracket that opens at `open` closes.
fn matching(text: &str, open: usize) -> Option<usize> {
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for (at, c) in text[open..].char_indices() {
        match c {
            _ if escaped => {
                escaped = false;
                continue;
            }
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '(' | '[' | '{' if !quoted => depth += 1,
            ')' | ']' | '}' if !quoted => {
                depth -= 1;
                if depth == 0 {
                    return Some(open + at);
                }
            }
            _ => {}
        }
    }
    None
}
