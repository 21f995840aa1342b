//! Model files in the folders of models, and what they cost in memory.
//!
//! Only the head of a file is read: a few numbers about its shape, from which the size of the context follows. Whatever
//! cannot be read is left out; this is for a table, not for running the model.

use super::files::record::check_name;
use serde::{Deserialize, Serialize};
use std::{
    collections::HashSet,
    fs::File,
    io::{BufReader, Read, Seek},
    path::{Path, PathBuf},
};

/// Most files that are listed.
const MOST: usize = 40;
/// Entries of a file's head that are looked at before giving up.
const ENTRIES: u64 = 4096;

/// A model file and its cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFile {
    /// Its name, without the folder.
    pub name: String,
    /// What it takes on the disk, and about as much in memory, in bytes.
    pub bytes: u64,
    /// Memory for the context with the settings of this process, in bytes; `None` if the file does not say.
    pub context_bytes: Option<u64>,
    /// It is the one that answers.
    pub in_use: bool,
    /// It is in the data folder, so it may be deleted.
    pub is_own: bool,
    /// It may be chosen: it is no later part of several, and its name is plain.
    pub can_be_used: bool,
}

/// The files in some folders, and the one in use first; `own` is the folder whose files may be deleted.
#[must_use]
pub fn list(folders: &[PathBuf], used: &Path, own: &Path, context: u32, parallel: u32) -> Vec<ModelFile> {
    let beside = folders.iter().flat_map(|folder| std::fs::read_dir(folder).into_iter().flatten().flatten());
    let mut seen = HashSet::new();
    let mut found: Vec<ModelFile> = std::iter::once(used.to_path_buf())
        .chain(beside.map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gguf")) || path == used)
        .filter_map(|path| {
            let bytes = std::fs::metadata(&path).ok().filter(std::fs::Metadata::is_file)?.len();
            let name = path.file_name()?.to_string_lossy().into_owned();
            // Of two with one name, the first one is what the name means.
            seen.insert(name.clone()).then_some(())?;
            let later_part = crate::ai::local::parts(&name).is_some_and(|(_, part, _)| part > 1);
            Some(ModelFile {
                bytes,
                context_bytes: shape(&path).map(|s| s.context_bytes(context, parallel)),
                in_use: path == used,
                is_own: path.parent() == Some(own),
                can_be_used: !later_part && check_name(&name).is_ok(),
                name,
            })
        })
        .take(MOST)
        .collect();
    found.sort_by(|a, b| b.in_use.cmp(&a.in_use).then_with(|| a.name.cmp(&b.name)));
    found
}

/// What the size of a context follows from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Shape {
    layers: u64,
    embedding: u64,
    heads: u64,
    heads_kv: u64,
    trained: u64,
}

impl Shape {
    /// Two numbers of two bytes for each token, layer and dimension of the keys' and values' heads.
    fn context_bytes(&self, context: u32, parallel: u32) -> u64 {
        let per_reply = u64::from(context).min(self.trained.max(64));
        let cells = (per_reply + per_reply / 8) * u64::from(parallel.clamp(1, 64));
        let width = self.embedding / self.heads.max(1) * self.heads_kv;
        cells.saturating_mul(self.layers).saturating_mul(width).saturating_mul(4)
    }
}

/// Reads the shape out of a file's head.
fn shape(path: &Path) -> Option<Shape> {
    let mut file = BufReader::new(File::open(path).ok()?);
    let mut magic = [0_u8; 4];
    file.read_exact(&mut magic).ok()?;
    if &magic != b"GGUF" || number(&mut file, 4)? < 2 {
        return None;
    }
    let _tensors = number(&mut file, 8)?;
    let entries = number(&mut file, 8)?;
    let mut shape = Shape::default();
    for _ in 0..entries.min(ENTRIES) {
        let key = text(&mut file)?;
        let kind = number(&mut file, 4)?;
        let value = value(&mut file, kind)?;
        let field = key.split_once('.').map_or("", |(_, field)| field);
        match field {
            "block_count" => shape.layers = value,
            "embedding_length" => shape.embedding = value,
            "attention.head_count" => shape.heads = value,
            "attention.head_count_kv" => shape.heads_kv = value,
            "context_length" => shape.trained = value,
            _ => {}
        }
    }
    if shape.heads_kv == 0 {
        shape.heads_kv = shape.heads;
    }
    (shape.layers > 0 && shape.embedding > 0 && shape.heads > 0).then_some(shape)
}

/// An unsigned number of so many bytes, the smallest first.
fn number(file: &mut impl Read, bytes: usize) -> Option<u64> {
    let mut buffer = [0_u8; 8];
    file.read_exact(buffer.get_mut(..bytes)?).ok()?;
    Some(u64::from_le_bytes(buffer))
}

fn text(file: &mut (impl Read + Seek)) -> Option<String> {
    let length = number(file, 8)?;
    if length > 65_536 {
        return None;
    }
    let mut bytes = vec![0_u8; usize::try_from(length).ok()?];
    file.read_exact(&mut bytes).ok()?;
    String::from_utf8(bytes).ok()
}

/// A value as a number; whatever is none is skipped and counts as 0. An array of numbers gives its first.
fn value(file: &mut BufReader<File>, kind: u64) -> Option<u64> {
    let skip = |file: &mut BufReader<File>, bytes: u64| file.seek_relative(i64::try_from(bytes).ok()?).ok();
    match kind {
        0 | 1 | 7 => number(file, 1),
        2 | 3 => number(file, 2),
        4 | 5 => number(file, 4),
        10 | 11 => number(file, 8),
        6 => number(file, 4).map(|_| 0),
        12 => number(file, 8).map(|_| 0),
        8 => {
            let length = number(file, 8)?;
            skip(file, length).map(|()| 0)
        }
        9 => {
            let inner = number(file, 4)?;
            let count = number(file, 8)?;
            if count > 10_000_000 || inner == 9 {
                return None;
            }
            let mut first = 0;
            for i in 0..count {
                let item = value(file, inner)?;
                if i == 0 {
                    first = item;
                }
            }
            Some(first)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put_text(out: &mut Vec<u8>, text: &str) {
        out.extend((text.len() as u64).to_le_bytes());
        out.extend(text.as_bytes());
    }

    fn head() -> Vec<u8> {
        let mut out = b"GGUF".to_vec();
        out.extend(3_u32.to_le_bytes());
        out.extend(0_u64.to_le_bytes());
        out.extend(7_u64.to_le_bytes());
        put_text(&mut out, "general.architecture");
        out.extend(8_u32.to_le_bytes());
        put_text(&mut out, "llama");
        put_text(&mut out, "tokenizer.ggml.tokens");
        out.extend(9_u32.to_le_bytes());
        out.extend(8_u32.to_le_bytes());
        out.extend(2_u64.to_le_bytes());
        put_text(&mut out, "a");
        put_text(&mut out, "bc");
        for (key, number) in [
            ("llama.block_count", 30_u32),
            ("llama.embedding_length", 576),
            ("llama.attention.head_count", 9),
            ("llama.attention.head_count_kv", 3),
            ("llama.context_length", 8192),
        ] {
            put_text(&mut out, key);
            out.extend(4_u32.to_le_bytes());
            out.extend(number.to_le_bytes());
        }
        out
    }

    #[test]
    fn files_and_what_they_cost() {
        let folder = std::env::temp_dir().join(format!("sf-gguf-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir_all(&folder).unwrap();
        let used = folder.join("small.gguf");
        std::fs::write(&used, head()).unwrap();
        std::fs::write(folder.join("broken.gguf"), b"GGUF\x03\0\0\0").unwrap();
        std::fs::write(folder.join("notes.txt"), b"no model").unwrap();
        let other = folder.join("other");
        std::fs::create_dir_all(&other).unwrap();
        std::fs::write(other.join("m-00002-of-00002.gguf"), head()).unwrap();
        std::fs::write(other.join("broken.gguf"), head()).unwrap();
        let found = list(&[folder.clone(), other], &used, &folder, 2048, 4);
        let names: Vec<&str> = found.iter().map(|f| f.name.as_str()).collect();
        assert_eq!(names, ["small.gguf", "broken.gguf", "m-00002-of-00002.gguf"]);
        assert!(found[1].is_own && found[1].can_be_used);
        assert!(!found[2].is_own && !found[2].can_be_used, "a later part of several");
        assert!(found[0].in_use && !found[1].in_use);
        // (2048 + 256) cells for each of 4 replies, 30 layers, 3 heads of 64, keys and values of 2 bytes.
        assert_eq!(found[0].context_bytes, Some(2304 * 4 * 30 * 192 * 4));
        assert_eq!(found[1].context_bytes, None);
        // A head that is cut anywhere is no reason to panic.
        let whole = head();
        for length in 0..whole.len() {
            std::fs::write(&used, &whole[..length]).unwrap();
            assert_eq!(shape(&used), None, "cut at {length}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
