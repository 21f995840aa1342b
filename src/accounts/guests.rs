//! Guests: people who talk without an account, by the cookie of their device.
//!
//! A guest is a row of its own kind among the people, made with the first line and not by looking. Everything in a talk
//! works as it does for everybody else; everything outside of it wants an account. Joining turns the row into one, and
//! signing in takes the talks along. Whoever does not come back within a week is erased.

use super::store;
use crate::{
    chat::check_message,
    error::{AppError, AppResult},
    ids::{OcId, UserId},
    kit::jobs::{Job, JobCtx, Lane, Outcome},
    server::{
        Ctx, Tx,
        limits::{self, Action, address_block},
        session,
    },
};
use axum::http::{HeaderValue, header};
use serde::{Deserialize, Serialize};

/// What characters call a guest.
pub const NAME: &str = "Guest";
/// Days after which a guest who did not come back is erased.
pub const KEPT_DAYS: i32 = 7;
/// Bucket of one device.
const DEVICE: &str = "guest";
/// Bucket of all guests of one address block.
const ADDRESS: &str = "guest_address";
/// Said when either is empty.
const USED_UP: &str = "You have used today's free messages. Create a free account to keep chatting.";

/// Whether guests may talk at all.
///
/// # Errors
/// `SignInRequired` where they may not.
pub async fn may_come(tx: &mut Tx) -> AppResult<()> {
    if store::doors(tx).await?.guest_lines == 0 { Err(AppError::SignInRequired) } else { Ok(()) }
}

/// The context of somebody who sends a line to a character: a stranger becomes a guest with their first one, and the
/// answer carries their cookie.
///
/// # Errors
/// `Invalid` for a line that cannot be kept anyway; `NotFound` for a character that they cannot see; `SignInRequired`
/// where guests may not talk; `TooMany`.
pub async fn enter(ctx: Ctx, oc: &str, line: &str) -> AppResult<Ctx> {
    let (ctx, cookie) = come_in(ctx, oc, check_message(line)).await?;
    keep_cookie(cookie);
    Ok(ctx)
}

/// As [`enter`], for what a stranger asks before their first line: `line` is what they have typed, as far as it can be kept. Gives
/// the cookie for the answer if it made a guest.
///
/// # Errors
/// As [`enter`].
pub async fn come_in(mut ctx: Ctx, oc: &str, line: AppResult<String>) -> AppResult<(Ctx, Option<HeaderValue>)> {
    if ctx.info.viewer.is_some() {
        return Ok((ctx, None));
    }
    // Without one there is no talk to go on with, and strangers have none.
    let oc: OcId = oc.trim().parse().map_err(|_| AppError::SignInRequired)?;
    limits::take_address(&ctx.app, Action::NewGuest, &ctx.info).await?;
    let mut tx = ctx.begin().await?;
    let doors = store::doors(&mut tx).await?;
    if doors.guest_lines == 0 {
        return Err(AppError::SignInRequired);
    }
    crate::ocs::store::must_see(&mut tx, oc).await?;
    drop(tx);
    let line = line?;
    // Where nothing may be said any more, nobody is made to say it.
    let block = address_block(ctx.info.client);
    let left = limits::left_of_day(&ctx.app, ADDRESS, doors.guest_lines_address, &block).await?;
    if left == 0 && crate::trust::crisis::language_of(&line).is_none() {
        return Err(used_up());
    }
    let token = store::make_guest(&ctx).await?;
    ctx.info.sign_in(session::find_by_cookie(&ctx.app.db, &token).await?.ok_or(AppError::Internal)?);
    let cookie = HeaderValue::try_from(session::cookie(&ctx.app.config, &token)).map_err(|_| AppError::Internal)?;
    Ok((ctx, Some(cookie)))
}

/// The answer of the server function that runs carries this cookie.
pub fn keep_cookie(cookie: Option<HeaderValue>) {
    if let (Some(response), Some(cookie)) = (leptos::prelude::use_context::<leptos_axum::ResponseOptions>(), cookie) {
        response.append_header(header::SET_COOKIE, cookie);
    }
}

fn used_up() -> AppError {
    AppError::TooMany { message: USED_UP.to_owned(), retry_after: 3600 }
}

/// Takes one message from what somebody may have answered: everybody's pace, and a guest's day.
///
/// # Errors
/// `SignInRequired`; `Forbidden` for a token that may only read; `TooMany`.
pub async fn take_line(ctx: &Ctx) -> AppResult<()> {
    let viewer = ctx.talker_write()?;
    limits::take(&ctx.app, Action::Message, &viewer.id.to_string()).await?;
    if viewer.is_guest {
        let mut tx = ctx.begin().await?;
        let doors = store::doors(&mut tx).await?;
        drop(tx);
        if doors.guest_lines == 0 {
            return Err(AppError::SignInRequired);
        }
        limits::take_of_day(&ctx.app, DEVICE, doors.guest_lines, USED_UP, &viewer.id.to_string()).await?;
        let block = address_block(ctx.info.client);
        limits::take_of_day(&ctx.app, ADDRESS, doors.guest_lines_address, USED_UP, &block).await?;
    }
    Ok(())
}

/// As [`take_line`] for these words. Help lines are never refused because a guest's day is used up: a line that gets the card
/// costs the pace and no message of the day.
///
/// # Errors
/// As [`take_line`].
pub async fn take_line_for(ctx: &Ctx, said: &str) -> AppResult<()> {
    let viewer = ctx.talker_write()?;
    if viewer.is_guest && crate::trust::crisis::language_of(said).is_some() {
        return limits::take(&ctx.app, Action::Message, &viewer.id.to_string()).await;
    }
    take_line(ctx).await
}

/// How many messages a guest has left today.
///
/// # Errors
/// When the database cannot be reached.
pub async fn lines_left(ctx: &Ctx, guest: UserId) -> AppResult<u32> {
    let mut tx = ctx.begin().await?;
    let doors = store::doors(&mut tx).await?;
    drop(tx);
    let device = limits::left_of_day(&ctx.app, DEVICE, doors.guest_lines, &guest.to_string()).await?;
    let block = address_block(ctx.info.client);
    let address = limits::left_of_day(&ctx.app, ADDRESS, doors.guest_lines_address, &block).await?;
    Ok(device.min(address))
}

/// Erases guests who did not come back, every hour.
#[derive(Debug, Serialize, Deserialize)]
pub struct EraseGuests;

impl Job for EraseGuests {
    const NAME: &'static str = "accounts.erase_guests";
    const LABEL: &'static str = "Erase guests who did not return";
    const LANE: Lane = Lane::UPKEEP;

    async fn run(self, ctx: JobCtx) -> Outcome {
        let erase = async {
            // Whoever asked to go does not wait for those who merely did not come back.
            match store::finish_leaving(&ctx.app).await? {
                0 => {}
                gone => tracing::info!(gone, "accounts that had begun to leave are gone"),
            }
            match store::sweep_guests(&ctx.app).await? {
                0 => {}
                gone => tracing::info!(gone, "guests who did not come back were erased"),
            }
            Ok(())
        };
        ctx.after(erase).await
    }
}
