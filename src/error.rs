//! One error for everything that crosses a border: a clear message, one status, nothing internal.
//!
//! Stores and rules return [`AppResult`]; server functions wrap their body in [`reply`]; JSON routes turn the error into
//! `{"error": {"code", "message", "field"}}` (see `server::api`). Internals are logged once, where they are converted.

use leptos::server_fn::{
    codec::JsonEncoding,
    error::{FromServerFnError, ServerFnErrorErr},
};
use serde::{Deserialize, Serialize};

/// What went wrong, in words for the person who asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "snake_case", from = "Told")]
pub enum AppError {
    /// A field does not hold what it must (422).
    #[error("{message}")]
    Invalid {
        /// Name of the form field; empty if it concerns the whole.
        field: String,
        /// What to do about it.
        message: String,
    },
    /// Somebody must sign in first (401).
    #[error("Please sign in first.")]
    SignInRequired,
    /// The password must be typed again before this (403).
    #[error("Please confirm your password first.")]
    ConfirmPassword,
    /// Not allowed (403).
    #[error("{message}")]
    Forbidden {
        /// Why.
        message: String,
    },
    /// Does not exist, or is not for the asker to know (404).
    #[error("We could not find that.")]
    NotFound,
    /// Somebody was faster, or the name is taken (409).
    #[error("{message}")]
    Conflict {
        /// Name of the form field; empty if it concerns the whole.
        field: String,
        /// What to do about it.
        message: String,
    },
    /// The body is larger than allowed (413).
    #[error("{message}")]
    TooLarge {
        /// What the limit is.
        message: String,
    },
    /// Too many requests of this kind (429).
    #[error("{message}")]
    TooMany {
        /// What was too much.
        message: String,
        /// Seconds to wait.
        retry_after: u32,
    },
    /// Works again later (503).
    #[error("{message}")]
    Unavailable {
        /// What is missing at the moment.
        message: String,
    },
    /// Our fault (500). The log has the cause under the request's id.
    #[error("Something went wrong on our side. Nothing you entered was lost; please try again.")]
    Internal,
    /// The browser could not reach the server, or they do not speak the same version.
    #[error("{message}")]
    Transport {
        /// What the framework said.
        message: String,
    },
}

/// An error as it is read: all fields of all kinds. Reading the enum itself would go through a general value and the
/// readers of every field from that, which is a lot of code in the browser.
#[derive(Deserialize)]
struct Told {
    code: String,
    #[serde(default)]
    field: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    retry_after: u32,
}

impl From<Told> for AppError {
    fn from(Told { code, field, message, retry_after }: Told) -> Self {
        match code.as_str() {
            "invalid" => Self::Invalid { field, message },
            "sign_in_required" => Self::SignInRequired,
            "confirm_password" => Self::ConfirmPassword,
            "forbidden" => Self::Forbidden { message },
            "not_found" => Self::NotFound,
            "conflict" => Self::Conflict { field, message },
            "too_large" => Self::TooLarge { message },
            "too_many" => Self::TooMany { message, retry_after },
            "unavailable" => Self::Unavailable { message },
            "transport" => Self::Transport { message },
            _ => Self::Internal,
        }
    }
}

/// Result with [`AppError`].
pub type AppResult<T> = Result<T, AppError>;

impl AppError {
    /// A field does not hold what it must.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid { field: field.into(), message: message.into() }
    }

    /// A name is taken, or somebody was faster.
    pub fn conflict(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Conflict { field: field.into(), message: message.into() }
    }

    /// Not allowed.
    pub fn forbidden(message: impl Into<String>) -> Self {
        Self::Forbidden { message: message.into() }
    }

    /// Works again later.
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::Unavailable { message: message.into() }
    }

    /// HTTP status code.
    #[must_use]
    pub const fn status(&self) -> u16 {
        match self {
            Self::Invalid { .. } => 422,
            Self::SignInRequired => 401,
            Self::ConfirmPassword | Self::Forbidden { .. } => 403,
            Self::NotFound => 404,
            Self::Conflict { .. } => 409,
            Self::TooLarge { .. } => 413,
            Self::TooMany { .. } => 429,
            Self::Unavailable { .. } => 503,
            Self::Internal | Self::Transport { .. } => 500,
        }
    }

    /// Seconds after which it is worth trying again; `None` when it is not.
    #[must_use]
    pub const fn retry_after(&self) -> Option<u32> {
        match self {
            Self::TooMany { retry_after, .. } => Some(*retry_after),
            Self::Unavailable { .. } => Some(5),
            _ => None,
        }
    }

    /// What somebody is told whose change met another's twice.
    #[cfg(feature = "ssr")]
    const MET: &str = "This was changed at the same moment. Please try again.";

    /// Whether the whole transaction may be tried once more at once: it met another, and nothing of it was done.
    #[cfg(feature = "ssr")]
    #[must_use]
    pub fn is_met(&self) -> bool {
        matches!(self, Self::Unavailable { message } if message == Self::MET)
    }

    /// Stable word for machines.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid { .. } => "invalid",
            Self::SignInRequired => "sign_in_required",
            Self::ConfirmPassword => "confirm_password",
            Self::Forbidden { .. } => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict { .. } => "conflict",
            Self::TooLarge { .. } => "too_large",
            Self::TooMany { .. } => "too_many_requests",
            Self::Unavailable { .. } => "unavailable",
            Self::Internal => "internal",
            Self::Transport { .. } => "transport",
        }
    }

    /// The form field it concerns; empty if none.
    #[must_use]
    pub fn field(&self) -> &str {
        match self {
            Self::Invalid { field, .. } | Self::Conflict { field, .. } => field,
            _ => "",
        }
    }
}

impl FromServerFnError for AppError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Args(e) | ServerFnErrorErr::MissingArg(e) => {
                Self::invalid("", format!("Something is missing in the form: {e}"))
            }
            // On the server this is a form that is no text; in the browser, an answer that it does not know.
            #[cfg(feature = "ssr")]
            ServerFnErrorErr::Deserialization(_) => Self::invalid("", "The form could not be read: it is not text."),
            ServerFnErrorErr::Request(_) => {
                Self::Transport { message: "The server cannot be reached. Please check your connection.".into() }
            }
            other => {
                Self::Transport { message: format!("The page and the server did not understand each other: {other}") }
            }
        }
    }
}

#[cfg(feature = "ssr")]
impl From<sqlx::Error> for AppError {
    fn from(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::RowNotFound => return Self::NotFound,
            sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_) => {
                tracing::error!(%error, "the database cannot be reached");
                return Self::unavailable("The database is busy or restarting. Please try again in a moment.");
            }
            sqlx::Error::Database(db) => match db.code().as_deref() {
                // Each waited for the other, or both changed the same: one of them may go on, and the other try again.
                Some("40001" | "40P01") => {
                    tracing::warn!(%error, "two changes met");
                    return Self::unavailable(Self::MET);
                }
                // Somebody else's change took longer than one waits, or this one longer than it may.
                Some("55P03" | "57014" | "25P03" | "25P04") => {
                    tracing::warn!(%error, "a statement took too long");
                    return Self::unavailable("This takes longer than usual just now. Please try again in a moment.");
                }
                // A primary that was demoted: its connections are given up when they come back to the pool.
                Some("25006") => {
                    tracing::error!(%error, "the database takes no changes: it is no primary");
                    crate::server::db::demoted();
                    return Self::unavailable("The database is busy or restarting. Please try again in a moment.");
                }
                // Shutting down, starting up, gone, too many connections: it comes back by itself.
                Some(code) if code.starts_with("57P") || code.starts_with("08") || code.starts_with("53") => {
                    tracing::error!(%error, "the database is restarting");
                    return Self::unavailable("The database is restarting. Please try again in a moment.");
                }
                // A NUL, or half a surrogate: PostgreSQL keeps text, and this is none.
                Some("22021" | "22P05") => {
                    return Self::invalid("", "There is a character in this that cannot be kept. Please take it out.");
                }
                // What this belongs to was deleted while the request was under way.
                Some("23503") => {
                    tracing::debug!(%error, "a statement came too late");
                    return Self::NotFound;
                }
                // Row level security or a grant said no: the same answer as for something that does not exist.
                Some("42501") => {
                    tracing::warn!(%error, "the database refused a statement");
                    return Self::NotFound;
                }
                _ => {}
            },
            _ => {}
        }
        tracing::error!(%error, "a statement failed");
        Self::Internal
    }
}

/// Turns a named constraint of the database into a message for the person, without a race between check and insert.
#[cfg(feature = "ssr")]
pub trait OnConstraint<T> {
    /// If `name` was violated, the error is `error()`; any other error is converted as usual.
    ///
    /// # Errors
    /// The error made by `error`, or the converted database error.
    fn on_constraint(self, name: &str, error: impl FnOnce() -> AppError) -> AppResult<T>;
}

#[cfg(feature = "ssr")]
impl<T> OnConstraint<T> for Result<T, sqlx::Error> {
    fn on_constraint(self, name: &str, error: impl FnOnce() -> AppError) -> AppResult<T> {
        self.map_err(|e| match &e {
            sqlx::Error::Database(db) if db.constraint() == Some(name) => error(),
            _ => e.into(),
        })
    }
}

/// Runs the body of a server function and sets the response's status from its error.
///
/// Only for callers that run scripts: a plain form is answered with a redirect that carries the message, and a status on
/// top of it would show raw JSON (Leptos 0.8 sets the status after the redirect).
///
/// # Errors
/// Those of the body.
#[cfg(feature = "ssr")]
pub async fn reply<T>(body: impl Future<Output = AppResult<T>>) -> AppResult<T> {
    let result = body.await;
    if let Err(error) = &result {
        use leptos::prelude::use_context;
        let html = use_context::<axum::http::request::Parts>().is_some_and(|p| {
            p.headers.get("accept").and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"))
        });
        if !html && let Some(options) = use_context::<leptos_axum::ResponseOptions>() {
            if let Ok(status) = axum::http::StatusCode::from_u16(error.status()) {
                options.set_status(status);
            }
            if let Some(seconds) = error.retry_after() {
                options.insert_header(axum::http::header::RETRY_AFTER, axum::http::HeaderValue::from(seconds));
            }
        }
    }
    result
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn every_error_is_read_as_it_was_written() {
        let message = || "Words".to_owned();
        for error in [
            AppError::invalid("name", message()),
            AppError::SignInRequired,
            AppError::ConfirmPassword,
            AppError::forbidden(message()),
            AppError::NotFound,
            AppError::conflict("", message()),
            AppError::TooLarge { message: message() },
            AppError::TooMany { message: message(), retry_after: 7 },
            AppError::unavailable(message()),
            AppError::Internal,
            AppError::Transport { message: message() },
        ] {
            let text = serde_json::to_string(&error).unwrap();
            assert_eq!(serde_json::from_str::<AppError>(&text).unwrap(), error, "{text}");
        }
        assert!(serde_json::from_str::<AppError>(r#"{"message": "no code"}"#).is_err());
    }
}
