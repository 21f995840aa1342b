//! Rate limits as token buckets in the database: they survive restarts and hold on all nodes together.

use super::{AppState, request::RequestInfo, telemetry::figures};
use crate::error::{AppError, AppResult};
use std::net::IpAddr;

/// What is limited, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// New accounts from one address block.
    SignUp,
    /// Sign-up forms from one address block, refused ones included.
    SignUpTry,
    /// Tries to sign in from one address block.
    SignIn,
    /// Tries to sign in to one account from one address block: a stranger uses up his own tries, not the owner's.
    SignInAccount,
    /// Tries to sign in to one account from anywhere.
    SignInTarget,
    /// Sensitive changes that ask for the password.
    Password,
    /// Tries to take another name or address: each answer tells whether somebody has it.
    Identity,
    /// Tries to sign in to one account in a browser that has been signed in to it before.
    SignInDevice,
    /// Summons by one person.
    Summon,
    /// Fields that one person has redrawn.
    Redraw,
    /// Messages by one person.
    Message,
    /// Uploads by one person.
    Upload,
    /// Characters that one person brings as files.
    Import,
    /// Characters written as files for one person or one address block.
    Export,
    /// New or changed characters by one person.
    EditOc,
    /// Searches by one person.
    Search,
    /// Refused forms that are kept for their page, of one person or one address block.
    Draft,
    /// Whether a username is free, asked by one address block while somebody types.
    CheckName,
    /// New guests from one address block; what they may say has a limit of its own.
    NewGuest,
}

impl Action {
    /// Name in the bucket's key, bucket size, tokens per minute, message.
    const fn rule(self) -> Rule {
        match self {
            Self::SignUp => {
                ("sign_up", 10.0, 0.5, "Many accounts were made from your network just now. Please try again later.")
            }
            Self::SignUpTry => {
                ("sign_up_try", 60.0, 12.0, "Many forms were sent from your network just now. Please try again later.")
            }
            Self::SignIn => {
                ("sign_in", 30.0, 6.0, "Too many tries to sign in from your network. Please wait a little.")
            }
            Self::SignInAccount => {
                ("sign_in_account", 10.0, 2.0, "Too many tries for this account. Please wait a little.")
            }
            Self::SignInTarget => {
                ("sign_in_target", 100.0, 10.0, "Too many tries for this account. Please wait a little.")
            }
            Self::Identity => {
                ("identity", 10.0, 2.0, "Many changes of your name or e-mail in a short time. Please wait a little.")
            }
            Self::SignInDevice => {
                ("sign_in_device", 10.0, 2.0, "Too many tries for this account. Please wait a little.")
            }
            Self::Password => ("password", 10.0, 2.0, "Too many tries. Please wait a little."),
            Self::Summon => ("summon", 8.0, 0.5, "You have summoned many characters just now. Please wait a little."),
            Self::Redraw => ("redraw", 20.0, 3.0, "You have redrawn a lot just now. Please wait a little."),
            Self::Message => {
                ("message", 30.0, 20.0, "You are writing faster than anybody can answer. Please wait a little.")
            }
            Self::Upload => ("upload", 20.0, 2.0, "Many uploads in a short time. Please wait a little."),
            Self::Import => ("import", 120.0, 12.0, "Many characters in a short time. Please wait a little."),
            Self::Export => ("export", 60.0, 20.0, "Many exports in a short time. Please wait a little."),
            Self::Search => ("search", 60.0, 60.0, "You are searching very quickly. Please wait a little."),
            Self::Draft => ("draft", 60.0, 20.0, "Many forms were sent in a short time. Please wait a little."),
            Self::CheckName => ("check_name", 60.0, 60.0, "You are asking very quickly. Please wait a little."),
            Self::NewGuest => {
                ("new_guest", 20.0, 0.5, "Many guests came from your network just now. Create a free account to chat.")
            }
            Self::EditOc => ("edit_oc", 30.0, 6.0, "Many changes in a short time. Please wait a little."),
        }
    }
}

/// The part of an address that one customer of a provider holds: the address for IPv4, the /64 for IPv6.
#[must_use]
pub fn address_block(address: IpAddr) -> String {
    match address {
        IpAddr::V4(a) => a.to_string(),
        IpAddr::V6(a) => match a.to_ipv4_mapped() {
            Some(v4) => v4.to_string(),
            None => {
                let [a, b, c, d, ..] = a.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
        },
    }
}

/// Takes one token for `whom`, or says how long to wait.
///
/// # Errors
/// `TooMany` with the seconds to wait.
pub async fn take(app: &AppState, action: Action, whom: &str) -> AppResult<()> {
    take_from(app, action.rule(), whom).await
}

/// As [`take`], from a bucket of so many a day, as an operator set it.
///
/// # Errors
/// As [`take`].
pub async fn take_of_day(
    app: &AppState,
    name: &'static str,
    per_day: u32,
    message: &'static str,
    whom: &str,
) -> AppResult<()> {
    take_from(app, (name, f64::from(per_day), f64::from(per_day) / MINUTES_OF_DAY, message), whom).await
}

/// How many whole tokens such a bucket has left; nothing is taken.
///
/// # Errors
/// When the database cannot be reached.
pub async fn left_of_day(app: &AppState, name: &'static str, per_day: u32, whom: &str) -> AppResult<u32> {
    let size = f64::from(per_day) * app.config.limit_factor;
    let mut tx = app.db.system().await?;
    let left = sqlx::query_scalar!(
        r#"select least($2, tokens + extract(epoch from now() - updated_at) * $3::float8)::float8 as "left!"
           from limit_buckets where key = $1"#,
        key_of(name, whom),
        size,
        size / (MINUTES_OF_DAY * 60.0)
    )
    .fetch_optional(&mut *tx)
    .await?
    .unwrap_or(size);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range")]
    let whole = left.floor().clamp(0.0, f64::from(u32::MAX)) as u32;
    Ok(whole)
}

/// Minutes of a day.
const MINUTES_OF_DAY: f64 = 1440.0;

fn key_of(name: &str, whom: &str) -> String {
    format!("{name}:{whom}").chars().take(200).collect()
}

/// Name in the bucket's key, bucket size, tokens per minute, message.
type Rule = (&'static str, f64, f64, &'static str);

async fn take_from(app: &AppState, rule: Rule, whom: &str) -> AppResult<()> {
    let (name, size, per_minute, message) = rule;
    let (size, rate) = (size * app.config.limit_factor, per_minute * app.config.limit_factor / 60.0);
    let key = key_of(name, whom);
    let mut tx = app.db.system().await?;
    // One statement, so that parallel requests cannot spend the same token.
    let left = sqlx::query_scalar!(
        "insert into limit_buckets as b (key, tokens) values ($1, $2::float8 - 1)
         on conflict (key) do update
         set tokens = least($2, b.tokens + extract(epoch from now() - b.updated_at) * $3::float8) - 1, updated_at = now()
         where least($2, b.tokens + extract(epoch from now() - b.updated_at) * $3) >= 1
         returning tokens",
        key,
        size,
        rate
    )
    .fetch_optional(&mut *tx)
    .await?;
    if left.is_some() {
        // Now and then, buckets that have long been full again are swept.
        if rand::random::<u8>() == 0 {
            sqlx::query!("delete from limit_buckets where updated_at < now() - interval '1 day'")
                .execute(&mut *tx)
                .await?;
        }
        return tx.commit().await;
    }
    let have = sqlx::query_scalar!(
        r#"select (tokens + extract(epoch from now() - updated_at) * $2::float8)::float8 as "have!" from limit_buckets where key = $1"#,
        key,
        rate
    )
    .fetch_optional(&mut *tx)
    .await?
    .unwrap_or(0.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped to the range")]
    let retry_after = ((1.0 - have) / rate).ceil().clamp(1.0, 3600.0) as u32;
    figures::limited(name);
    Err(AppError::TooMany { message: message.to_owned(), retry_after })
}

/// How much more the networks of one site together may take than one of them.
const WIDE: f64 = 10.0;

/// The /48 of an IPv6 address: what one site is given, 65,536 networks of one customer each.
fn wide_block(address: IpAddr) -> Option<String> {
    match address.to_canonical() {
        IpAddr::V4(_) => None,
        IpAddr::V6(a) => {
            let [a, b, c, ..] = a.segments();
            Some(format!("{a:x}:{b:x}:{c:x}::/48"))
        }
    }
}

/// [`take`] for the address block of a request, and for the site that it belongs to.
///
/// # Errors
/// As [`take`].
pub async fn take_address(app: &AppState, action: Action, info: &RequestInfo) -> AppResult<()> {
    take(app, action, &address_block(info.client)).await?;
    let (name, size, per_minute, message) = action.rule();
    match wide_block(info.client) {
        Some(block) => take_from(app, (name, size * WIDE, per_minute * WIDE, message), &block).await,
        None => Ok(()),
    }
}
