//! The first characters.
use sqlx::PgConnection;

/// Makes them if they are missing.
///
/// # Errors
/// When the database refuses.
pub async fn run(_: &mut PgConnection) -> Result<(), sqlx::Error> {
    Ok(())
}
