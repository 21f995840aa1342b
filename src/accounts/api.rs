//! Server functions of the accounts room.

use super::Frame;
use crate::error::AppError;
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
