//! Opening a model file, with plain words for everything that can be wrong with it.

use super::{LocalConfig, family};
use crate::ai::Sampling;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::Read;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// Tokens of one batch, and so of one piece of a prompt.
pub(super) const BATCH: u32 = 256;

/// A model that is ready.
pub(super) struct Loaded {
    pub model: Arc<LlamaModel>,
    /// Tokens one reply may use, prompt included.
    pub context: u32,
    /// How its family's words are drawn.
    pub sampling: Sampling,
}

/// llama.cpp itself, started once; its log lines go to tracing.
pub(super) fn backend() -> Result<&'static LlamaBackend, String> {
    static BACKEND: OnceLock<Result<LlamaBackend, String>> = OnceLock::new();
    let backend = BACKEND.get_or_init(|| {
        super::quantize::send_logs_to_tracing();
        LlamaBackend::init().map_err(|error| format!("the local model's engine could not be started: {error}"))
    });
    backend.as_ref().map_err(Clone::clone)
}

/// Reads the file. The error is a sentence for the person who waits.
pub(super) fn open(config: &LocalConfig) -> Result<Loaded, String> {
    let backend = backend()?;
    let path = &config.path;
    check_file(path)?;
    check_memory(path)?;
    let model = LlamaModel::load_from_file(backend, path, &LlamaModelParams::default()).map_err(|error| {
        tracing::warn!(path = %path.display(), %error, "the local model could not be loaded");
        format!("the local model could not be loaded: {} is damaged or needs more memory than there is", path.display())
    })?;
    let context = config.context_per_reply.min(model.n_ctx_train()).max(64);
    let sampling = family::sampling(&model);
    Ok(Loaded { model: Arc::new(model), context, sampling })
}

/// Makes the memory in which replies are written.
pub(super) fn context<'m>(
    model: &'m LlamaModel,
    config: &LocalConfig,
    per_reply: u32,
) -> Result<LlamaContext<'m>, String> {
    let cells = per_reply.saturating_add(spare(per_reply)).saturating_mul(config.parallel.clamp(1, 64));
    let threads = i32::try_from(config.threads.max(1)).unwrap_or(1);
    // One pool of cells for all sequences: what they have in common is stored once, and a short conversation leaves its
    // room to others.
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(cells))
        .with_n_batch(BATCH)
        .with_n_ubatch(BATCH)
        .with_n_seq_max(sequences(config))
        .with_kv_unified(true)
        .with_n_threads(threads)
        .with_n_threads_batch(threads)
        .with_no_perf(true);
    model.new_context(backend()?, params).map_err(|error| {
        tracing::warn!(cells, %error, "the local model's context could not be made");
        "the local model needs more memory than there is; a smaller context or fewer replies at once would help"
            .to_owned()
    })
}

/// Tokens of the context beside each reply, for the plain reply that guidance compares with.
pub(super) fn spare(per_reply: u32) -> u32 {
    per_reply / 8
}

/// Sequences of the context: two for each reply that runs, the second for guidance, and those that are remembered.
pub(super) fn sequences(config: &LocalConfig) -> u32 {
    let running = config.parallel.clamp(1, 64).saturating_mul(2);
    running.saturating_add(config.cache_sequences.max(1)).min(256)
}

fn check_file(path: &Path) -> Result<(), String> {
    if path.as_os_str().is_empty() {
        return Err("no local model is set up; SOULFORGE_MODEL names the GGUF file to use".to_owned());
    }
    let shown = path.display();
    let mut file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("the local model's file is missing: {shown}"),
        _ => format!("the local model's file cannot be read: {shown} ({error})"),
    })?;
    let mut magic = [0_u8; 4];
    let read = file.read_exact(&mut magic);
    if read.is_err() || &magic != b"GGUF" {
        return Err(format!("the local model's file is not a GGUF model: {shown}"));
    }
    Ok(())
}

/// Refuses a model that would drive the whole machine out of memory, which the kernel would answer by killing processes.
fn check_memory(path: &Path) -> Result<(), String> {
    let needed = fs::metadata(path).map_or(0, |meta| meta.len());
    let Some(free) = available_memory() else { return Ok(()) };
    if needed > free {
        let mb = 1_000_000;
        return Err(format!(
            "the local model needs more memory than there is: {} MB for the file, {} MB free",
            needed / mb,
            free / mb
        ));
    }
    Ok(())
}

/// Bytes that programs can still get, where the system tells.
fn available_memory() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    Some(kilobytes.saturating_mul(1024))
}

/// The file's name without the ending and the word for its number format: `SmolLM2-135M-Instruct`.
pub(super) fn display_name(path: &Path) -> String {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let cut = stem.rfind(['.', '-']).and_then(|at| Some((stem.get(..at)?, stem.get(at + 1..)?)));
    match cut {
        Some((name, format)) if is_number_format(format) => name.to_owned(),
        _ => stem,
    }
}

fn is_number_format(word: &str) -> bool {
    let word = word.to_ascii_uppercase();
    let rest = word.strip_prefix("IQ").or_else(|| word.strip_prefix('Q'));
    matches!(word.as_str(), "F16" | "F32" | "BF16")
        || rest.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Half of the physical cores this process may use, at most eight. The other half is for pages and the database; and
/// threads that compute together wait for each other, so that one without a core of its own holds up all.
pub(super) fn default_threads() -> u32 {
    let allowed = std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1));
    let cores = physical_cores().map_or(allowed, |cores| cores.min(allowed));
    (cores / 2).clamp(1, 8)
}

fn physical_cores() -> Option<u32> {
    let mut cores = BTreeSet::new();
    for entry in fs::read_dir("/sys/devices/system/cpu").ok()?.flatten() {
        if let Ok(siblings) = fs::read_to_string(entry.path().join("topology/thread_siblings_list")) {
            cores.insert(siblings);
        }
    }
    u32::try_from(cores.len()).ok().filter(|&n| n > 0)
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn names_lose_their_number_format() {
        assert_eq!(display_name(Path::new("/m/SmolLM2-135M-Instruct.Q4_1.gguf")), "SmolLM2-135M-Instruct");
        assert_eq!(display_name(Path::new("Qwen3-4B-Instruct-IQ4_XS.gguf")), "Qwen3-4B-Instruct");
        assert_eq!(display_name(Path::new("Mistral-7B-bf16.gguf")), "Mistral-7B");
        assert_eq!(display_name(Path::new("plain.gguf")), "plain");
        assert_eq!(display_name(Path::new("Phi-3.5-mini.gguf")), "Phi-3.5-mini");
    }

    #[test]
    fn a_wrong_file_is_named() {
        let missing = check_file(Path::new("/nowhere/model.gguf"));
        assert!(missing.is_err_and(|text| text.contains("missing") && text.contains("/nowhere/model.gguf")));
    }

    #[test]
    fn threads_are_bounded() {
        assert!((1..=8).contains(&default_threads()));
    }
}
