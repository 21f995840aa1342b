//! Server functions of the accounts room.
//!
//! Those that lead elsewhere answer with the path: a page with scripts goes there by itself, as a whole new page, because
//! everything that was loaded for the old identity is stale; a plain form is redirected.
#![expect(missing_docs, reason = "the macro makes a struct of each function's arguments")]

use super::{
    AccountSettings, Credentials, Frame, NewToken, Person, ProfileSettings, Setup, Theme, Tokens,
    forms::{ConfirmForm, DeleteForm, EmailForm, PasswordForm, ProfileForm, TokenForm},
};
use crate::{
    error::AppError,
    ids::{ApiTokenId, SessionId},
};
use leptos::{prelude::*, server_fn::codec::GetUrl};

/// What the frame of the page shows.
#[server(prefix = "/fn", endpoint = "accounts/frame", input = GetUrl)]
pub async fn get_frame() -> Result<Frame, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        super::store::frame(&ctx).await
    })
    .await
}

#[cfg(feature = "ssr")]
mod answer {
    //! Headers of the answer to a server function.

    use crate::server::{Ctx, session};
    use axum::http::{HeaderName, HeaderValue, header, request::Parts};
    use leptos::prelude::use_context;
    use leptos_axum::ResponseOptions;

    /// Whether a plain form asks, without scripts.
    fn is_plain() -> bool {
        use_context::<Parts>().is_some_and(|p| {
            p.headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).is_some_and(|v| v.contains("text/html"))
        })
    }

    /// Leads to a path that was checked before (`rules::own_path`).
    pub fn lead_to(path: String) -> String {
        if is_plain() {
            leptos_axum::redirect(&path);
        }
        path
    }

    /// A plain form comes back to its page with a word that it went well.
    pub fn saved(page: &str, key: &str) {
        if is_plain() {
            leptos_axum::redirect(&format!("{page}?saved={key}"));
        }
    }

    pub fn set_header(name: HeaderName, value: &str) {
        if let (Some(response), Ok(value)) = (use_context::<ResponseOptions>(), HeaderValue::try_from(value)) {
            response.append_header(name, value);
        }
    }

    /// Signs this device in with a token, or out with an empty one.
    pub fn set_session(ctx: &Ctx, token: &str) {
        set_header(header::SET_COOKIE, &session::cookie(&ctx.app.config, token));
    }

    pub fn clear_site_data() {
        set_header(HeaderName::from_static("clear-site-data"), "\"cache\", \"storage\"");
    }

    /// Name of the cookie that carries a new API token over the redirect of a plain form, for one minute and one page.
    const ONCE: &str = "sf_once";

    /// Keeps a new API token for the page that the plain form leads to.
    pub fn show_once(ctx: &Ctx, token: &crate::accounts::NewToken) {
        if is_plain()
            && let Ok(json) = serde_json::to_vec(token)
        {
            use base64::Engine;
            let value = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(json);
            set_header(header::SET_COOKIE, &once(ctx, &value, 60));
        }
    }

    /// The API token that was kept so; forgotten with this.
    pub fn take_once(ctx: &Ctx) -> Option<crate::accounts::NewToken> {
        use base64::Engine;
        let parts = use_context::<Parts>()?;
        let value = crate::server::request::cookie_value(&parts.headers, ONCE)?;
        let json = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(value).ok()?;
        set_header(header::SET_COOKIE, &once(ctx, "", 0));
        serde_json::from_slice(&json).ok()
    }

    fn once(ctx: &Ctx, value: &str, seconds: u32) -> String {
        let secure = if ctx.app.config.secure() { "; Secure" } else { "" };
        format!("{ONCE}={value}; Path=/settings/tokens; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}")
    }

    /// Keeps the theme on this device for a year.
    pub fn set_theme(ctx: &Ctx, theme: crate::accounts::Theme) {
        let secure = if ctx.app.config.secure() { "; Secure" } else { "" };
        let value = format!("sf_theme={}; Path=/; SameSite=Lax; Max-Age=31536000{secure}", theme.as_str());
        set_header(header::SET_COOKIE, &value);
    }
}

/// Signs out; answers where to go.
#[server(prefix = "/fn", endpoint = "accounts/sign_out")]
pub async fn sign_out() -> Result<String, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        super::store::sign_out(&ctx).await?;
        answer::set_session(&ctx, "");
        answer::clear_site_data();
        Ok(answer::lead_to("/".to_owned()))
    })
    .await
}

/// Compares the password again; answers where to go.
#[server(prefix = "/fn", endpoint = "accounts/confirm_password")]
pub async fn confirm_password(form: ConfirmForm) -> Result<String, AppError> {
    use super::store;
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let token = store::confirm(&ctx, &form.password).await?;
        answer::set_session(&ctx, &token);
        Ok(answer::lead_to(store::way_back(&form.next)))
    })
    .await
}

/// Whether the first admin's link is good, and for whom.
#[server(prefix = "/fn", endpoint = "accounts/setup", input = GetUrl)]
pub async fn get_setup(token: String) -> Result<Setup, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        if !super::store::is_setup_open(&ctx.app, &token).await? {
            return Err(AppError::NotFound);
        }
        Ok(Setup { me: ctx.info.viewer.map(|v| v.username) })
    })
    .await
}

/// Makes the viewer the first admin; answers where to go.
#[server(prefix = "/fn", endpoint = "accounts/claim_admin")]
pub async fn claim_admin(token: String) -> Result<String, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let token = super::store::claim_admin(&ctx, ctx.require_write()?, &token).await?;
        answer::set_session(&ctx, &token);
        Ok(answer::lead_to("/settings?admin=1".to_owned()))
    })
    .await
}

/// One's own profile, for editing.
#[server(prefix = "/fn", endpoint = "accounts/profile_settings", input = GetUrl)]
pub async fn get_profile_settings() -> Result<ProfileSettings, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async { super::store::profile(&ctx()?).await }).await
}

/// Changes names and bio.
#[server(prefix = "/fn", endpoint = "accounts/save_profile")]
pub async fn save_profile(form: ProfileForm) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        super::store::save_profile(&ctx()?, form).await?;
        answer::saved("/settings/profile", "profile");
        Ok(())
    })
    .await
}

/// Removes the avatar.
#[server(prefix = "/fn", endpoint = "accounts/remove_avatar")]
pub async fn remove_avatar() -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        super::store::set_avatar(&ctx()?, None).await?;
        answer::saved("/settings/profile", "removed");
        Ok(())
    })
    .await
}

/// One's own account, for editing.
#[server(prefix = "/fn", endpoint = "accounts/account_settings", input = GetUrl)]
pub async fn get_account_settings() -> Result<AccountSettings, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async { super::store::account(&ctx()?).await }).await
}

/// Changes the e-mail address.
#[server(prefix = "/fn", endpoint = "accounts/change_email")]
pub async fn change_email(form: EmailForm) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        super::store::change_email(&ctx()?, &form).await?;
        answer::saved("/settings/account", "email");
        Ok(())
    })
    .await
}

/// Changes the password, ends all other sessions and, when asked, revokes all API tokens.
#[server(prefix = "/fn", endpoint = "accounts/change_password")]
pub async fn change_password(form: PasswordForm) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let token = super::store::change_password(&ctx, &form).await?;
        answer::set_session(&ctx, &token);
        answer::saved("/settings/account", "password");
        Ok(())
    })
    .await
}

/// Changes the time zone.
#[server(prefix = "/fn", endpoint = "accounts/change_timezone")]
pub async fn change_timezone(timezone: String) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        super::store::change_timezone(&ctx()?, &timezone).await?;
        answer::saved("/settings/account", "timezone");
        Ok(())
    })
    .await
}

/// Keeps the day of birth, as `2001-02-28`, or forgets it.
#[server(prefix = "/fn", endpoint = "accounts/set_birth_date")]
pub async fn set_birth_date(date: String) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        super::store::set_birth_date(&ctx()?, &date).await?;
        answer::saved("/settings/account", "birth");
        Ok(())
    })
    .await
}

/// Changes the theme, for this device and the account.
#[server(prefix = "/fn", endpoint = "accounts/set_theme")]
pub async fn set_theme(theme: Theme) -> Result<Theme, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        answer::set_theme(&ctx, theme);
        super::store::set_theme(&ctx, theme).await?;
        Ok(theme)
    })
    .await
}

/// Deletes the account; answers where to go.
#[server(prefix = "/fn", endpoint = "accounts/delete_account")]
pub async fn delete_account(form: DeleteForm) -> Result<String, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        super::store::delete_account(&ctx, &form).await?;
        answer::set_session(&ctx, "");
        answer::clear_site_data();
        Ok(answer::lead_to("/goodbye".to_owned()))
    })
    .await
}

/// Everything that opens the viewer's account: signed-in devices and API tokens.
#[server(prefix = "/fn", endpoint = "accounts/credentials", input = GetUrl)]
pub async fn get_credentials() -> Result<Credentials, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async { super::store::credentials(&ctx()?).await }).await
}

/// Signs one device out.
#[server(prefix = "/fn", endpoint = "accounts/end_device")]
pub async fn end_device(id: SessionId) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async { super::store::end_device(&ctx()?, id).await }).await
}

/// Signs all other devices out, and revokes all API tokens when asked; answers how many devices.
#[server(prefix = "/fn", endpoint = "accounts/end_other_devices")]
pub async fn end_other_devices(#[server(default)] tokens_too: bool) -> Result<u32, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ended = super::store::end_other_devices(&ctx()?, tokens_too).await?;
        answer::saved("/settings/devices", "ended");
        Ok(ended)
    })
    .await
}

/// The viewer's API tokens.
#[server(prefix = "/fn", endpoint = "accounts/tokens", input = GetUrl)]
pub async fn get_tokens() -> Result<Tokens, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let tokens = super::store::tokens(&ctx).await?;
        // Only one that is really the viewer's own.
        let fresh = answer::take_once(&ctx).filter(|f| tokens.iter().any(|t| t.id == f.id));
        Ok(Tokens { tokens, fresh, confirmed: ctx.require()?.is_fresh() })
    })
    .await
}

/// Makes an API token. Its secret is told this once.
#[server(prefix = "/fn", endpoint = "accounts/create_token")]
pub async fn create_token(form: TokenForm) -> Result<NewToken, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        ctx.require_write()?;
        let (name, scopes, days) = form.check()?;
        let token = super::store::create_token(&ctx, &name, &scopes, days).await?;
        answer::show_once(&ctx, &token);
        Ok(token)
    })
    .await
}

/// Revokes an API token.
#[server(prefix = "/fn", endpoint = "accounts/revoke_token")]
pub async fn revoke_token(id: ApiTokenId) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async { super::store::revoke_token(&ctx()?, id).await }).await
}

/// A person by username.
#[server(prefix = "/fn", endpoint = "accounts/person", input = GetUrl)]
pub async fn get_person(username: String) -> Result<Person, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async { super::store::person(&ctx()?, &username).await }).await
}
