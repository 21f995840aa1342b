//! The local model.
use super::{ChatModel, Message, ModelError, ModelInfo, Reply, Request};
use std::path::Path;
use tokio_util::sync::CancellationToken;

/// Settings.
pub struct LocalConfig {}
impl From<&crate::server::config::Config> for LocalConfig {
    fn from(_: &crate::server::config::Config) -> Self {
        Self {}
    }
}
/// The model.
pub struct LocalModel {}
impl LocalModel {
    /// Makes it.
    #[must_use]
    pub const fn new(_: LocalConfig) -> Self {
        Self {}
    }
}
impl ChatModel for LocalModel {
    fn info(&self) -> ModelInfo {
        ModelInfo { provider: "local".into(), name: "none".into(), context: 2048, local: true }
    }
    fn reply(&self, _: Request, _: CancellationToken) -> Reply {
        tokio::sync::mpsc::channel(1).1
    }
    fn warm(&self, _: Vec<Message>) {}
    fn count_tokens(&self, text: &str) -> u32 {
        u32::try_from(text.len() / 4).unwrap_or(u32::MAX)
    }
}
/// Writes a file again.
///
/// # Errors
/// Always, for now.
pub fn quantize_q8(_: &Path, _: &Path) -> Result<(), ModelError> {
    Err(ModelError::Unavailable("not built yet".into()))
}
