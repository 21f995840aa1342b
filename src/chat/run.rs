//! Runs: tasks of the server that write replies.

/// The runs of this process.
#[derive(Default)]
pub struct Runs {}

/// Marks runs of dead processes as interrupted.
///
/// # Errors
/// When the database cannot be reached.
pub async fn recover(_: &crate::server::AppState) -> crate::error::AppResult<()> {
    Ok(())
}
