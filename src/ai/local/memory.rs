//! How much memory a model may take, and how many replies fit into it.

use super::LocalConfig;
use super::fault::Fault;
use std::fs;

/// Kept free beside the model: for computing, pages, and the database.
const SPARE: u64 = 400_000_000;
/// The shortest context that a character's prompt still fits into, in tokens.
const SHORTEST: u32 = 1024;

/// Bytes that programs can still get, a container's limit included, where the system tells.
#[must_use]
pub fn available() -> Option<u64> {
    let info = fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kilobytes: u64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
    let system = kilobytes.saturating_mul(1024);
    Some(container().map_or(system, |left| left.min(system)))
}

/// What a container may still take; its cache of files can be given back.
fn container() -> Option<u64> {
    let read = |name: &str| fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok();
    let limit: u64 = read("memory.max")?.trim().parse().ok()?;
    let used: u64 = read("memory.current")?.trim().parse().ok()?;
    let stat = read("memory.stat").unwrap_or_default();
    let cache = stat.lines().find_map(|line| line.strip_prefix("file ")?.trim().parse::<u64>().ok()).unwrap_or(0);
    Some(limit.saturating_sub(used.saturating_sub(cache)))
}

/// What a model needs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Need {
    /// Bytes of its weights.
    pub weights: u64,
    /// Bytes of one token of context.
    pub token: u64,
    /// Tokens it was trained for.
    pub trained: u32,
}

/// The settings with as many replies at once as the memory holds; when not even one fits, a shorter context.
///
/// # Errors
/// When the weights alone, or the shortest context, do not fit.
pub(super) fn fit(config: &LocalConfig, need: Need, available: Option<u64>) -> Result<LocalConfig, Fault> {
    let mut fitted =
        LocalConfig { context_per_reply: config.context_per_reply.min(need.trained).max(64), ..config.clone() };
    fitted.parallel = config.parallel.clamp(1, 64);
    let Some(available) = available else { return Ok(fitted) };
    let mb = 1_000_000;
    let too_little = || {
        Fault::memory(
            &config.path,
            &format!(
                "it needs about {} MB of memory, and {} MB are free",
                need.weights
                    .saturating_add(SPARE)
                    .saturating_add(need.token.saturating_mul(SHORTEST.into()))
                    .div_ceil(mb),
                available / mb
            ),
        )
    };
    let room = available.checked_sub(need.weights.saturating_add(SPARE)).ok_or_else(too_little)?;
    let one = |context: u32| u64::from(context).saturating_mul(need.token).max(1);
    while one(fitted.context_per_reply) > room {
        if fitted.context_per_reply <= SHORTEST {
            return Err(too_little());
        }
        fitted.context_per_reply = (fitted.context_per_reply / 2).max(SHORTEST);
    }
    let most = u32::try_from(room / one(fitted.context_per_reply)).unwrap_or(u32::MAX);
    fitted.parallel = fitted.parallel.min(most.max(1));
    Ok(fitted)
}

#[cfg(test)]
mod unit {
    use super::*;

    /// Qwen2.5 1.5B: 28 layers, two heads of 128 for keys and values, two bytes each.
    const NEED: Need = Need { weights: 1_117_000_000, token: 28 * 256 * 4, trained: 32_768 };

    fn fitted(available: u64) -> Result<(u32, u32), Fault> {
        let config = LocalConfig { context_per_reply: 4096, parallel: 4, ..LocalConfig::new("/m.gguf") };
        fit(&config, NEED, Some(available)).map(|c| (c.context_per_reply, c.parallel))
    }

    #[test]
    fn replies_at_once_follow_the_memory() {
        assert_eq!(fitted(8_000_000_000), Ok((4096, 4)));
        let (context, parallel) = fitted(1_850_000_000).unwrap();
        assert!(context == 4096 && parallel < 4, "{context} {parallel}");
        let (context, parallel) = fitted(1_600_000_000).unwrap();
        assert!(context < 4096 && parallel == 1, "{context} {parallel}");
        for too_little in [0, 500_000_000, 1_500_000_000] {
            let fault = fitted(too_little).unwrap_err();
            assert!(fault.reason.contains("MB are free") && fault.people.contains("too little memory"), "{fault:?}");
        }
    }

    #[test]
    fn nothing_longer_than_it_was_trained_for() {
        let config = LocalConfig { context_per_reply: 4096, ..LocalConfig::new("/m.gguf") };
        let short = Need { trained: 2048, ..NEED };
        assert_eq!(fit(&config, short, None).unwrap().context_per_reply, 2048);
    }
}
