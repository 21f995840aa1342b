//! Why a model file cannot be used: the true reason for admins, a plain sentence for everybody else.

use std::fs::File;
use std::io::Read;
use std::path::Path;

/// What everybody reads when a file cannot be loaded.
const PEOPLE: &str = "the model on this machine cannot be used at the moment; whoever runs this site can see why";
/// The same when memory is the reason.
const PEOPLE_MEMORY: &str =
    "this machine has too little memory for its model at the moment; whoever runs this site can see more";
/// The same when there is no model at all.
const PEOPLE_NONE: &str = "there is no model on this machine yet; whoever runs this site can choose one";

/// Why the local model cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// For admins, with the file's path; a sentence.
    pub reason: String,
    /// For those who wait for a reply.
    pub people: &'static str,
    /// There is no file: it may still come.
    pub is_missing: bool,
}

impl Fault {
    pub(super) fn new(path: &Path, why: &str) -> Self {
        Self { reason: format!("{} cannot be loaded: {why}.", path.display()), people: PEOPLE, is_missing: false }
    }

    pub(super) fn memory(path: &Path, why: &str) -> Self {
        Self { people: PEOPLE_MEMORY, ..Self::new(path, why) }
    }

    /// Something that has nothing to do with the file.
    pub(super) fn engine(reason: impl Into<String>) -> Self {
        Self { reason: reason.into(), people: PEOPLE, is_missing: false }
    }

    fn missing(reason: String) -> Self {
        Self { reason, people: PEOPLE_NONE, is_missing: true }
    }
}

/// Looks at a file before llama.cpp does, which says little about what it refuses.
pub(super) fn check_file(path: &Path) -> Result<(), Fault> {
    if path.as_os_str().is_empty() {
        return Err(Fault::missing(
            "No local model is chosen. Choose one on the models page, or name a GGUF file in SOULFORGE_MODEL.".into(),
        ));
    }
    let mut file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Fault::missing(format!("{} is missing.", path.display())),
        _ => Fault::new(path, &format!("it cannot be read ({error})")),
    })?;
    let mut magic = [0_u8; 4];
    let read = file.read_exact(&mut magic);
    if read.is_err() || &magic != b"GGUF" {
        return Err(Fault::new(path, "it is no GGUF file"));
    }
    check_parts(path)
}

/// A model in several files is named by its first one, and wants the others beside it.
fn check_parts(path: &Path) -> Result<(), Fault> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let Some((stem, part, count)) = parts(&name) else { return Ok(()) };
    if part != 1 {
        return Err(Fault::new(
            path,
            &format!(
                "it is part {part} of {count}; choose the first part, {stem}-00001-of-{count:05}.gguf, with the others beside it"
            ),
        ));
    }
    let missing =
        (2..=count).map(|n| format!("{stem}-{n:05}-of-{count:05}.gguf")).find(|n| !path.with_file_name(n).exists());
    match missing {
        Some(missing) => Err(Fault::new(path, &format!("it has {count} parts, and {missing} is not beside it"))),
        None => Ok(()),
    }
}

/// `(name, part, count)` of `name-00002-of-00003.gguf`.
pub fn parts(name: &str) -> Option<(&str, u32, u32)> {
    let stem = name.strip_suffix(".gguf")?;
    let (rest, count) = stem.rsplit_once("-of-")?;
    let (stem, part) = rest.rsplit_once('-')?;
    let number = |text: &str| (text.len() == 5).then(|| text.parse::<u32>().ok()).flatten();
    let (part, count) = (number(part)?, number(count)?);
    (part >= 1 && part <= count && count < 1000).then_some((stem, part, count))
}

/// What llama.cpp meant by the lines it wrote to its log when it refused a file.
pub(super) fn explain(path: &Path, said: &[String]) -> Fault {
    let all = said.join("\n");
    let has = |words: &[&str]| words.iter().any(|word| all.contains(word));
    let quoted = |after: &str| {
        let rest = all.split(after).nth(1)?;
        rest.split('\'').nth(1).filter(|name| !name.is_empty() && name.len() < 60)
    };
    if let Some(name) = quoted("unknown model architecture") {
        return Fault::new(path, &format!("its architecture, {name}, is not known to the llama.cpp in this SoulForge"));
    }
    if let Some(name) = quoted("unknown pre-tokenizer type") {
        return Fault::new(path, &format!("its tokenizer, {name}, is not known to the llama.cpp in this SoulForge"));
    }
    if has(&["illegal split file", "invalid split"]) {
        return Fault::new(
            path,
            "it is one part of several; choose the first part, with the others beside it and named as published",
        );
    }
    if has(&["failed to allocate", "unable to allocate", "cannot allocate", "out of memory", "bad_alloc"]) {
        return Fault::memory(path, "it needs more memory than there is");
    }
    let damaged = [
        "file bounds",
        "corrupted",
        "incomplete",
        "failed to read",
        "unexpectedly reached end",
        "read error",
        "failed to load GGUF",
        "invalid magic",
        "bad magic",
        "has been truncated",
        "mmap failed",
        "failed to initialize",
    ];
    if has(&damaged) {
        return Fault::new(path, "it is damaged, or was not fetched to its end");
    }
    if has(&["missing tensor", "wrong number of tensors", "wrong shape", "key not found"]) {
        return Fault::new(
            path,
            "it does not hold what its architecture needs; it may be made for another version of llama.cpp",
        );
    }
    match said.iter().rev().find(|line| !line.is_empty()) {
        Some(line) => Fault::new(path, &format!("llama.cpp says “{}”", line.trim_end_matches('.'))),
        None => Fault::new(path, "it is damaged, or needs more memory than there is"),
    }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn parts_are_read_from_names() {
        assert_eq!(parts("big-00002-of-00003.gguf"), Some(("big", 2, 3)));
        assert_eq!(parts("a-b-q4_k_m-00001-of-00002.gguf"), Some(("a-b-q4_k_m", 1, 2)));
        for name in [
            "big.gguf",
            "big-2-of-3.gguf",
            "big-00004-of-00003.gguf",
            "big-00000-of-00003.gguf",
            "x-00001-of-00002.bin",
        ] {
            assert_eq!(parts(name), None, "{name}");
        }
    }

    #[test]
    fn a_part_is_told_from_a_whole() {
        let folder = std::env::temp_dir().join(format!("sf-parts-{}", uuid::Uuid::now_v7().simple()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = |n: u32| folder.join(format!("m-{n:05}-of-00002.gguf"));
        std::fs::write(path(2), b"GGUF").unwrap();
        let second = check_file(&path(2)).unwrap_err();
        assert!(second.reason.contains("part 2 of 2") && second.reason.contains("m-00001-of-00002.gguf"), "{second:?}");
        std::fs::rename(path(2), path(1)).unwrap();
        let alone = check_file(&path(1)).unwrap_err();
        assert!(alone.reason.contains("m-00002-of-00002.gguf is not beside it"), "{alone:?}");
        std::fs::write(path(2), b"GGUF").unwrap();
        assert_eq!(check_file(&path(1)), Ok(()));
        std::fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn what_llama_says_is_understood() {
        let path = Path::new("/srv/models/m.gguf");
        let cases = [
            ("error loading model: unknown model architecture: 'wolpertinger'", "wolpertinger, is not known"),
            (
                "error loading model: error loading model vocabulary: unknown pre-tokenizer type: 'odd'",
                "odd, is not known",
            ),
            (
                "error loading model: illegal split file idx: 1 (file: m.gguf), model must be loaded with the first split",
                "one part of several",
            ),
            (
                "error loading model: tensor 'blk.3.ffn_up.weight' data is not within the file bounds, model is corrupted or incomplete",
                "damaged",
            ),
            ("alloc_tensor_range: failed to allocate CPU buffer of size 12345", "more memory"),
            ("error loading model: missing tensor 'output_norm.weight'", "what its architecture needs"),
            ("error loading model: something new", "something new"),
        ];
        for (said, meant) in cases {
            let fault = explain(path, &[said.to_owned()]);
            assert!(fault.reason.contains(meant) && fault.reason.contains("/srv/models/m.gguf"), "{said}: {fault:?}");
            assert!(!fault.people.contains('/') && !fault.people.contains("llama"), "{fault:?}");
        }
    }
}
