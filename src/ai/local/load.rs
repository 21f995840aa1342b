//! Opening a model file, and the memory in which it writes.

use super::fault::{Fault, check_file, explain};
use super::memory::{self, Need};
use super::{LocalConfig, family};
use crate::ai::Sampling;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::LlamaContextParams;
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use std::collections::BTreeSet;
use std::fs;
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
    /// The settings, with what the memory holds.
    pub config: LocalConfig,
}

/// llama.cpp itself, started once; its log lines go to tracing.
pub(super) fn backend() -> Result<&'static LlamaBackend, Fault> {
    static BACKEND: OnceLock<Result<LlamaBackend, String>> = OnceLock::new();
    let backend = BACKEND.get_or_init(|| {
        super::quantize::send_logs_to_tracing();
        LlamaBackend::init().map_err(|error| format!("the local model's engine could not be started: {error}"))
    });
    backend.as_ref().map_err(|reason| Fault::engine(reason.clone()))
}

/// Reads the file.
pub(super) fn open(config: &LocalConfig) -> Result<Loaded, Fault> {
    let backend = backend()?;
    let path = &config.path;
    check_file(path)?;
    let weights = fs::metadata(path).map_or(0, |meta| meta.len());
    // A model that drives the machine out of memory is answered by the kernel, which kills processes.
    if let Some(free) = memory::available().filter(|free| weights > *free) {
        let mb = 1_000_000;
        let why = format!("it has {} MB, and {} MB of memory are free", weights / mb, free / mb);
        return Err(Fault::memory(path, &why));
    }
    // Before it is read: afterwards its pages count as the system's cache, which is free to take.
    let available = memory::available();
    super::quantize::forget_said();
    let model = LlamaModel::load_from_file(backend, path, &LlamaModelParams::default())
        .map_err(|_| explain(path, &super::quantize::said()))?;
    let need = Need { weights: model.size().max(weights), token: token_bytes(&model), trained: model.n_ctx_train() };
    let config = memory::fit(config, need, available)?;
    let sampling = family::sampling(&model);
    Ok(Loaded { model: Arc::new(model), context: config.context_per_reply, sampling, config })
}

/// Bytes of one token of context: keys and values of each layer, two bytes a number.
fn token_bytes(model: &LlamaModel) -> u64 {
    let width = u64::try_from(model.n_embd()).unwrap_or(0) / u64::from(model.n_head().max(1));
    u64::from(model.n_layer()) * width * u64::from(model.n_head_kv().max(1)) * 4
}

/// Makes the memory in which replies are written.
pub(super) fn context<'m>(model: &'m LlamaModel, config: &LocalConfig) -> Result<LlamaContext<'m>, Fault> {
    let all = config.context_per_reply.saturating_mul(config.parallel.clamp(1, 64));
    let threads = i32::try_from(config.threads.max(1)).unwrap_or(1);
    // One pool of cells for all sequences: what they have in common is stored once, and a short conversation leaves its
    // room to others.
    let params = LlamaContextParams::default()
        .with_n_ctx(NonZeroU32::new(all))
        .with_n_batch(BATCH)
        .with_n_ubatch(BATCH)
        .with_n_seq_max(sequences(config))
        .with_kv_unified(true)
        .with_n_threads(threads)
        .with_n_threads_batch(threads)
        .with_no_perf(true);
    model.new_context(backend()?, params).map_err(|error| {
        tracing::warn!(cells = all, %error, "the local model's context could not be made");
        Fault::memory(
            &config.path,
            "its context needs more memory than there is; a shorter one or fewer replies at once would help",
        )
    })
}

/// Sequences of the context: one for each reply that runs, and those that are remembered.
pub(super) fn sequences(config: &LocalConfig) -> u32 {
    config.parallel.clamp(1, 64).saturating_add(config.cache_sequences.max(1)).min(256)
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

/// Half of the physical cores this process may use, at least two where there are two, at most eight. The other half is for
/// pages and the database, which also come first (the engine's thread is nice); and threads that compute together wait
/// for each other, so that one without a core of its own holds up all.
pub(super) fn default_threads() -> u32 {
    // Several models at once, as in the tests, would hold each other up.
    if cfg!(test) {
        return 1;
    }
    let allowed = std::thread::available_parallelism().map_or(1, |n| u32::try_from(n.get()).unwrap_or(1));
    let cores = physical_cores().map_or(allowed, |cores| cores.min(allowed));
    (cores / 2).clamp(cores.clamp(1, 2), 8)
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
    fn threads_are_bounded() {
        assert!((1..=8).contains(&default_threads()));
    }
}
