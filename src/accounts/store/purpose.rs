//! Why somebody stands at the door: read from where they want to go, and told on the page.

use crate::{
    accounts::{Face, Purpose},
    error::AppResult,
    ids::{ConversationId, OcId},
    ocs::portrait_url,
    server::Ctx,
};

/// Why somebody who wants to go to `next` needs an account: whom they want to talk with, and what they wrote.
///
/// # Errors
/// When the database cannot be reached.
pub async fn purpose(ctx: &Ctx, next: &str) -> AppResult<Purpose> {
    let (path, query) = next.split_once('?').unwrap_or((next, ""));
    let given = |name: &str| {
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(n, _)| n == name)
            .map(|(_, v)| v.trim().chars().take(500).collect::<String>())
            .filter(|v| !v.is_empty())
    };
    let mut parts = path.trim_matches('/').split('/');
    let (first, second) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let mut purpose = Purpose::default();
    match (first, second) {
        ("talk" | "c", slug) if !slug.is_empty() => {
            let mut tx = ctx.begin().await?;
            let oc = sqlx::query!("select oc_id, name, version from ocs where slug = $1", slug.to_lowercase())
                .fetch_optional(&mut *tx)
                .await?;
            if let Some(oc) = oc {
                let face = Face { portrait_url: portrait_url(OcId(oc.oc_id), oc.version), name: oc.name };
                purpose.to = format!("chat with {}", face.name);
                purpose.place = Some(format!("with-{}", OcId(oc.oc_id)));
                purpose.face = Some(face);
            }
        }
        ("chat", id) => {
            purpose.to = "keep chatting".to_owned();
            if let Ok(id) = id.parse::<ConversationId>() {
                let mut tx = ctx.begin().await?;
                let oc = sqlx::query!(
                    "select o.oc_id, o.name, o.version from conversations c join ocs o using (oc_id) where c.conversation_id = $1",
                    id.0
                )
                .fetch_optional(&mut *tx)
                .await?;
                if let Some(oc) = oc {
                    let face = Face { portrait_url: portrait_url(OcId(oc.oc_id), oc.version), name: oc.name };
                    purpose.to = format!("keep chatting with {}", face.name);
                    purpose.place = Some(id.to_string());
                    purpose.face = Some(face);
                }
            }
        }
        ("summon", _) => {
            purpose.to = "make this character".to_owned();
            purpose.line = given("idea");
            if purpose.line.is_none() {
                purpose.to = "make a character".to_owned();
            }
        }
        ("characters", "new") => purpose.to = "make a character".to_owned(),
        ("conversations", _) => purpose.to = "keep your chats".to_owned(),
        _ => {}
    }
    // What was typed into a form that came back is shown again, as long as it is kept.
    if purpose.line.is_none() && query.contains("__draft=") {
        let uri = format!("{path}?{query}").parse().unwrap_or_default();
        let get = axum::http::Method::GET;
        let kept = crate::server::drafts::of_address(&ctx.app, &get, &uri, &ctx.info.holder).await;
        let fields = kept.unwrap_or_default();
        purpose.line = fields.get("content").or_else(|| fields.get("form[description]")).cloned();
    }
    Ok(purpose)
}
