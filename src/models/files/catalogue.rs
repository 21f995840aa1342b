//! A short list of models that write characters well, by what a machine can hold.
//!
//! Sizes and sums are those of the files as they are published. Each was taken only where at least three independent
//! public repositories state the same one; whoever changes a row looks them up anew.

/// When the list was looked through last.
pub const AS_OF: &str = "1 December 2026";

/// A model that can be fetched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Offer {
    /// In forms.
    pub key: &'static str,
    /// As people read it.
    pub name: &'static str,
    /// What its file is called here.
    pub file: &'static str,
    /// Where it is published.
    pub url: &'static str,
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// SHA-256 of the file, in hexadecimal.
    pub sha256: &'static str,
    /// Under which terms.
    pub licence: &'static str,
    /// Bytes of one token of context: layers, times heads of keys and values, times their width, times four.
    pub token: u64,
    /// Tokens it was trained for.
    pub context: u32,
    /// What it is good for, and what not.
    pub good_for: &'static str,
}

/// All of them, the smallest first.
pub const OFFERS: &[Offer] = &[
    Offer {
        key: "qwen2.5-coder-0.5b",
        name: "Qwen2.5-Coder 0.5B Instruct",
        file: "Qwen2.5-Coder-0.5B-Instruct-Q4_K_M.gguf",
        url: "https://huggingface.co/Qwen/Qwen2.5-Coder-0.5B-Instruct-GGUF/resolve/main/qwen2.5-coder-0.5b-instruct-q4_k_m.gguf",
        bytes: 491_400_064,
        sha256: "1d9614638d18024d0fbb36575a15f1302a3adf044df10345688ec4f6e1c4ff32",
        licence: "Apache-2.0",
        token: 24 * 2 * 64 * 4,
        context: 32_768,
        good_for: "Very small machines. Simple answers, short memory.",
    },
    Offer {
        key: "qwen2.5-coder-1.5b",
        name: "Qwen2.5-Coder 1.5B Instruct",
        file: "Qwen2.5-Coder-1.5B-Instruct-Q4_K_M.gguf",
        url: "https://huggingface.co/Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF/resolve/main/qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
        bytes: 1_117_320_768,
        sha256: "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
        licence: "Apache-2.0",
        token: 28 * 2 * 128 * 4,
        context: 32_768,
        good_for: "The default. Plain, sensible lines and whole characters in well-formed JSON.",
    },
    Offer {
        key: "qwen2.5-1.5b",
        name: "Qwen2.5 1.5B Instruct",
        file: "Qwen2.5-1.5B-Instruct-Q4_K_M.gguf",
        url: "https://huggingface.co/Qwen/Qwen2.5-1.5B-Instruct-GGUF/resolve/main/qwen2.5-1.5b-instruct-q4_k_m.gguf",
        bytes: 1_117_320_736,
        sha256: "6a1a2eb6d15622bf3c96857206351ba97e1af16c30d7a74ee38970e434e9407e",
        licence: "Apache-2.0",
        token: 28 * 2 * 128 * 4,
        context: 32_768,
        good_for: "Talk at the size of the default; some European languages and Chinese.",
    },
    Offer {
        key: "llama-3.2-3b",
        name: "Llama 3.2 3B Instruct",
        file: "Llama-3.2-3B-Instruct-Q4_K_M.gguf",
        url: "https://huggingface.co/bartowski/Llama-3.2-3B-Instruct-GGUF/resolve/main/Llama-3.2-3B-Instruct-Q4_K_M.gguf",
        bytes: 2_019_377_696,
        sha256: "6c1a2b41161032677be168d354123594c0e6e67d2b9227c84f296ad037c728ff",
        licence: "Llama 3.2 Community License",
        token: 28 * 8 * 128 * 4,
        context: 131_072,
        good_for: "Livelier talk; English and seven more languages.",
    },
    Offer {
        key: "gemma-3-4b",
        name: "Gemma 3 4B Instruct",
        file: "gemma-3-4b-it-Q4_K_M.gguf",
        url: "https://huggingface.co/ggml-org/gemma-3-4b-it-GGUF/resolve/main/gemma-3-4b-it-Q4_K_M.gguf",
        bytes: 2_489_757_856,
        sha256: "882e8d2db44dc554fb0ea5077cb7e4bc49e7342a1f0da57901c0802ea21a0863",
        licence: "Gemma Terms of Use",
        token: 34 * 4 * 256 * 4,
        context: 131_072,
        good_for: "Characters with a voice of their own, in many languages.",
    },
    Offer {
        key: "qwen3-4b-2507",
        name: "Qwen3 4B Instruct 2507",
        file: "Qwen3-4B-Instruct-2507-Q4_K_M.gguf",
        url: "https://huggingface.co/unsloth/Qwen3-4B-Instruct-2507-GGUF/resolve/main/Qwen3-4B-Instruct-2507-Q4_K_M.gguf",
        bytes: 2_497_281_120,
        sha256: "3605803b982cb64aead44f6c1b2ae36e3acdb41d8e46c8a94c6533bc4c67e597",
        licence: "Apache-2.0",
        token: 36 * 8 * 128 * 4,
        context: 262_144,
        good_for: "Following long instructions, in many languages. Answers at once, without thinking aloud.",
    },
    Offer {
        key: "mistral-7b-0.3",
        name: "Mistral 7B Instruct v0.3",
        file: "Mistral-7B-Instruct-v0.3-Q4_K_M.gguf",
        url: "https://huggingface.co/bartowski/Mistral-7B-Instruct-v0.3-GGUF/resolve/main/Mistral-7B-Instruct-v0.3-Q4_K_M.gguf",
        bytes: 4_372_812_000,
        sha256: "1270d22c0fbb3d092fb725d4d96c457b7b687a5f5a715abe1e818da303e562b6",
        licence: "Apache-2.0",
        token: 32 * 8 * 128 * 4,
        context: 32_768,
        good_for: "Longer, freer stories; English above all. Wants four quick cores.",
    },
    Offer {
        key: "mistral-nemo-12b",
        name: "Mistral Nemo 12B Instruct 2407",
        file: "Mistral-Nemo-Instruct-2407-Q4_K_M.gguf",
        url: "https://huggingface.co/bartowski/Mistral-Nemo-Instruct-2407-GGUF/resolve/main/Mistral-Nemo-Instruct-2407-Q4_K_M.gguf",
        bytes: 7_477_208_192,
        sha256: "7c1a10d202d8788dbe5628dc962254d10654c853cae6aaeca0618f05490d4a46",
        licence: "Apache-2.0",
        token: 40 * 8 * 128 * 4,
        context: 131_072,
        good_for: "The best characters of this list, in eleven languages. Wants eight quick cores and patience.",
    },
];

impl Offer {
    /// Memory it needs with a context of so many tokens for one reply, in bytes: weights, context, and room to compute.
    #[must_use]
    pub fn memory(&self, context: u32) -> u64 {
        let cells = u64::from(context.min(self.context));
        self.bytes.saturating_add(cells.saturating_mul(self.token)).saturating_add(400_000_000)
    }
}

/// One of them.
#[must_use]
pub fn offer(key: &str) -> Option<&'static Offer> {
    OFFERS.iter().find(|offer| offer.key == key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ai::remote::{Outgoing, check_url},
        models::files::record,
    };
    use std::collections::HashSet;

    #[test]
    fn every_offer_can_be_fetched_and_checked() {
        let outgoing = Outgoing::new(Vec::new());
        let mut keys = HashSet::new();
        let mut files = HashSet::new();
        for offer in OFFERS {
            assert!(keys.insert(offer.key) && files.insert(offer.file), "{} is there twice", offer.key);
            assert!(check_url(offer.url, &outgoing).is_ok(), "{}", offer.url);
            assert_eq!(record::check_name(offer.file).as_deref(), Ok(offer.file));
            assert_eq!(record::check_sum(offer.sha256).as_deref(), Ok(offer.sha256));
            assert!(offer.bytes > 100_000_000 && offer.memory(4096) > offer.bytes);
        }
        assert!(OFFERS.is_sorted_by_key(|offer| offer.bytes / 1000), "the smallest comes first");
    }
}
