//! How words are best drawn, by the family of a model: what its makers advise.

use crate::ai::Sampling;
use llama_cpp_2::model::LlamaModel;

/// What a file says itself, else what the makers of its architecture advise.
pub(super) fn sampling(model: &LlamaModel) -> Sampling {
    let family = of(&model.meta_val_str("general.architecture").unwrap_or_default());
    let said = |key: &str| model.meta_val_str(key).ok().and_then(|value| value.trim().parse::<f32>().ok());
    let within = |value: Option<f32>, least: f32, most: f32| value.filter(|v| (least..=most).contains(v));
    Sampling {
        temperature: within(said("general.sampling.temp"), 0.0, 2.0).unwrap_or(family.temperature),
        top_p: within(said("general.sampling.top_p"), 0.05, 1.0).unwrap_or(family.top_p),
        min_p: within(said("general.sampling.min_p"), 0.0, 0.9).unwrap_or(family.min_p),
        ..family
    }
}

/// By the name of the architecture, as files give it.
fn of(architecture: &str) -> Sampling {
    let (temperature, top_p, min_p, repeat_penalty) = match architecture {
        // generation_config.json of Qwen2.5: 0.7, 0.8, repetition 1.1. Beside the guard against echoes 1.05 is enough, and colder
        // its small models lose the thread less often (docs/voice.md).
        "qwen2" | "qwen2moe" => (0.4, 0.8, 0.0, 1.05),
        "qwen3" | "qwen3moe" => (0.7, 0.8, 0.0, 1.05),
        "gemma" | "gemma2" | "gemma3" | "gemma3n" => (1.0, 0.95, 0.0, 1.0),
        "phi3" | "phimoe" => (0.7, 0.95, 0.05, 1.05),
        "llama" | "mistral3" => (0.6, 0.9, 0.05, 1.1),
        _ => return Sampling::talk(),
    };
    Sampling { temperature, top_p, min_p, repeat_penalty, ..Sampling::talk() }
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn every_family_is_drawn_in_a_sane_way() {
        for family in ["qwen2", "qwen3", "gemma3", "phi3", "llama", "", "unheard-of"] {
            let sampling = of(family);
            assert!((0.1..=1.2).contains(&sampling.temperature) && (0.7..=1.0).contains(&sampling.top_p), "{family}");
            assert!((1.0..=1.15).contains(&sampling.repeat_penalty), "{family}");
        }
        assert_eq!(of("unheard-of"), Sampling::talk());
    }
}
