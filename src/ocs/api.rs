//! Server functions of the ocs room.
#![expect(missing_docs, reason = "the macro makes a struct of each function's arguments")]

use super::{GalleryPage, GalleryQuery, ItemForm, Leaf, Oc, OcForm, OcVersion};
use crate::{
    error::AppError,
    ids::{ItemId, OcId},
};
use leptos::{prelude::*, server_fn::codec::GetUrl};

#[cfg(feature = "ssr")]
mod begin {
    //! What every change starts with.

    use crate::{
        error::AppResult,
        ids::UserId,
        ocs::page_url,
        server::{
            Ctx, Tx, ctx,
            limits::{self, Action},
        },
    };
    use axum::http::{HeaderValue, StatusCode, header, request::Parts};
    use leptos::prelude::use_context;
    use leptos_axum::ResponseOptions;

    /// The page at an earlier address of a character leads to the present one for good. A script that asks for the page's
    /// contents gets them: it would follow a redirect into HTML.
    pub fn moved(from: &str, to: &str) {
        let is_page = use_context::<Parts>().is_some_and(|p| p.uri.path() == page_url(from));
        if let Some(response) = use_context::<ResponseOptions>().filter(|_| is_page)
            && let Ok(location) = HeaderValue::try_from(page_url(to))
        {
            response.insert_header(header::LOCATION, location);
            response.set_status(StatusCode::MOVED_PERMANENTLY);
        }
    }

    /// Who asks, within their measure: before anything looks at what they sent.
    pub async fn limited() -> AppResult<(Ctx, UserId)> {
        let ctx = ctx()?;
        let me = ctx.require_write()?.id;
        limits::take(&ctx.app, Action::EditOc, &me.to_string()).await?;
        Ok((ctx, me))
    }

    /// As [`limited`], and a transaction of theirs.
    pub async fn change() -> AppResult<(Ctx, UserId, Tx)> {
        let (ctx, me) = limited().await?;
        let tx = ctx.begin().await?;
        Ok((ctx, me, tx))
    }
}

/// The home page, as markup.
#[server(prefix = "/fn", endpoint = "ocs/home", input = GetUrl)]
pub async fn get_home() -> Result<String, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let mut tx = ctx.begin().await?;
        let viewer = ctx.info.viewer.as_ref().map(|v| (v.id, v.display_name.as_str()));
        let home = super::store::home(&mut tx, viewer).await?;
        Ok(super::view::front::written(home))
    })
    .await
}

/// A page of the gallery.
#[server(prefix = "/fn", endpoint = "ocs/gallery", input = GetUrl)]
pub async fn get_gallery(#[server(default)] query: GalleryQuery) -> Result<GalleryPage, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let viewer = ctx.info.viewer.as_ref().map(|v| (v.id, v.username.as_str()));
        let mut tx = ctx.begin().await?;
        super::store::search(&mut tx, viewer, &query, super::store::PAGE).await
    })
    .await
}

/// Characters whom somebody may mean who types this into the search beside every page, as markup.
#[server(prefix = "/fn", endpoint = "ocs/suggest", input = GetUrl)]
pub async fn suggest(#[server(default)] q: String) -> Result<String, AppError> {
    use crate::{
        error::reply,
        ocs::{Sort, view::suggest},
        server::ctx,
    };
    reply(async {
        let ctx = ctx()?;
        let viewer = ctx.info.viewer.as_ref().map(|v| (v.id, v.username.as_str()));
        let query = GalleryQuery { q, sort: Sort::Popular.as_str().to_owned(), ..GalleryQuery::default() };
        let mut tx = ctx.begin().await?;
        let found = super::store::search(&mut tx, viewer, &query, suggest::SHOWN).await?;
        Ok(suggest::written(found))
    })
    .await
}

/// A page of one's own characters, drafts first, as markup.
#[server(prefix = "/fn", endpoint = "ocs/mine", input = GetUrl)]
pub async fn get_mine(#[server(default)] after: String) -> Result<String, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let me = ctx.require()?.id;
        let mut tx = ctx.begin().await?;
        let page = super::store::mine(&mut tx, me, &after).await?;
        Ok(super::view::mine::written(page, !after.is_empty()))
    })
    .await
}

/// Puts a character on the home page; for admins.
#[server(prefix = "/fn", endpoint = "ocs/feature")]
pub async fn feature_oc(#[server(default)] character: String) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        super::acts::feature(&ctx()?, &character).await?;
        leptos_axum::redirect("/admin/home?saved=added");
        Ok(())
    })
    .await
}

/// Takes a character off the home page, or moves it one place up (`change` is `remove` or `up`); for admins.
#[server(prefix = "/fn", endpoint = "ocs/change_featured")]
pub async fn change_featured(oc_id: OcId, #[server(default)] change: String) -> Result<(), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        ctx.require_admin_change()?;
        match change.as_str() {
            "remove" => super::acts::unfeature(&ctx, oc_id).await?,
            "up" => super::acts::move_featured(&ctx, oc_id).await?,
            _ => return Err(AppError::invalid("change", "Choose to remove it or to move it up.")),
        }
        leptos_axum::redirect("/admin/home");
        Ok(())
    })
    .await
}

/// A character's page.
#[server(prefix = "/fn", endpoint = "ocs/page", input = GetUrl)]
pub async fn get_page(#[server(default)] slug: String) -> Result<Leaf, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        let mut tx = ctx.begin().await?;
        let page = super::store::page(&mut tx, &slug, &ctx.app.config.origin()).await?;
        if page.oc.slug != slug {
            begin::moved(&slug, &page.oc.slug);
        }
        Ok(super::view::sheet::written(page))
    })
    .await
}

/// A form with nothing typed, and a palette drawn for it.
#[server(prefix = "/fn", endpoint = "ocs/blank", input = GetUrl)]
pub async fn get_blank() -> Result<OcForm, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        ctx()?.require()?;
        Ok(OcForm::blank(&uuid::Uuid::now_v7().to_string()))
    })
    .await
}

/// A character that the asker may change.
#[server(prefix = "/fn", endpoint = "ocs/editable", input = GetUrl)]
pub async fn get_editable(#[server(default)] slug: String) -> Result<Oc, AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        ctx.require()?;
        let mut tx = ctx.begin().await?;
        super::store::editable(&mut tx, &slug).await
    })
    .await
}

/// A character that the asker may change, and what it was before.
#[server(prefix = "/fn", endpoint = "ocs/versions", input = GetUrl)]
pub async fn get_versions(#[server(default)] slug: String) -> Result<(Oc, Vec<OcVersion>), AppError> {
    use crate::{error::reply, server::ctx};
    reply(async {
        let ctx = ctx()?;
        ctx.require()?;
        let mut tx = ctx.begin().await?;
        let oc = super::store::editable(&mut tx, &slug).await?;
        let versions = super::store::versions(&mut tx, oc.id).await?;
        Ok((oc, versions))
    })
    .await
}

/// Makes a draft and leads to its page.
#[server(prefix = "/fn", endpoint = "ocs/create")]
pub async fn create_oc(
    #[server(default)] form: OcForm,
    #[server(default)] items: Vec<ItemForm>,
) -> Result<(), AppError> {
    use crate::error::reply;
    reply(async {
        let (ctx, me) = begin::limited().await?;
        let sheet = form.check()?;
        for (n, item) in items.iter().enumerate().filter(|(_, i)| !i.is_empty()) {
            item.check().map_err(|e| AppError::invalid("items", format!("Thing {}: {e}", n + 1)))?;
        }
        let mut tx = ctx.begin().await?;
        let made = super::store::create(&mut tx, me, &sheet).await?;
        for item in items.iter().filter(|i| !i.is_empty()) {
            super::store::add_item(&mut tx, me, made.id, item).await?;
        }
        tx.commit().await?;
        leptos_axum::redirect(&super::page_url(&made.slug));
        Ok(())
    })
    .await
}

/// Changes a character and leads to its page.
#[server(prefix = "/fn", endpoint = "ocs/update")]
pub async fn update_oc(oc_id: OcId, #[server(default)] form: OcForm) -> Result<(), AppError> {
    use crate::error::reply;
    reply(async {
        let (ctx, me) = begin::limited().await?;
        let sheet = form.check()?;
        let mut tx = ctx.begin().await?;
        let read = (!form.overwrite).then_some(form.version);
        let made = super::store::update(&mut tx, me, oc_id, &sheet, read).await?;
        tx.commit().await?;
        leptos_axum::redirect(&super::page_url(&made.slug));
        Ok(())
    })
    .await
}

/// Shows a character to everybody, or hides it.
#[server(prefix = "/fn", endpoint = "ocs/publish")]
pub async fn publish_oc(oc_id: OcId, #[server(default)] hide: bool) -> Result<(), AppError> {
    use crate::error::reply;
    reply(async {
        let (_, _, mut tx) = begin::change().await?;
        let made = if hide {
            super::store::unpublish(&mut tx, oc_id).await?
        } else {
            super::store::publish(&mut tx, oc_id).await?
        };
        tx.commit().await?;
        leptos_axum::redirect(&super::page_url(&made.slug));
        Ok(())
    })
    .await
}

/// Deletes a character whose name was typed to confirm it.
#[server(prefix = "/fn", endpoint = "ocs/delete")]
pub async fn delete_oc(oc_id: OcId, #[server(default)] confirm: String) -> Result<(), AppError> {
    use crate::error::reply;
    reply(async {
        let (ctx, _, mut tx) = begin::change().await?;
        let oc = super::store::find(&mut tx, oc_id).await?;
        if confirm.trim() != oc.name {
            return Err(AppError::invalid("confirm", format!("Please type {} exactly as it is written.", oc.name)));
        }
        let plates = super::store::delete(&mut tx, oc_id).await?;
        tx.commit().await?;
        super::plates::forget(&ctx.app, plates).await;
        crate::server::erased::write_down(&ctx.app);
        leptos_axum::redirect("/characters?gone=1");
        Ok(())
    })
    .await
}

/// Brings an earlier version back.
#[server(prefix = "/fn", endpoint = "ocs/restore")]
pub async fn restore_oc(oc_id: OcId, #[server(default)] version: i32) -> Result<(), AppError> {
    use crate::error::reply;
    reply(async {
        let (_, me, mut tx) = begin::change().await?;
        let made = super::store::restore(&mut tx, me, oc_id, version).await?;
        tx.commit().await?;
        leptos_axum::redirect(&super::page_url(&made.slug));
        Ok(())
    })
    .await
}

/// Gives a character something to carry. Answers with all it carries.
#[server(prefix = "/fn", endpoint = "ocs/add_item")]
pub async fn add_item(oc_id: OcId, #[server(default)] item: ItemForm) -> Result<(), AppError> {
    use crate::error::reply;
    reply(async {
        let (_, me, mut tx) = begin::change().await?;
        super::store::add_item(&mut tx, me, oc_id, &item).await?;
        tx.commit().await
    })
    .await
}

/// Carries a thing, keeps it, or takes it away (`change` is `carry`, `keep` or `remove`).
#[server(prefix = "/fn", endpoint = "ocs/change_item")]
pub async fn change_item(oc_id: OcId, item_id: ItemId, #[server(default)] change: String) -> Result<(), AppError> {
    use crate::error::reply;
    reply(async {
        let (_, _, mut tx) = begin::change().await?;
        match change.as_str() {
            "carry" => super::store::equip_item(&mut tx, oc_id, item_id, true).await?,
            "keep" => super::store::equip_item(&mut tx, oc_id, item_id, false).await?,
            "remove" => super::store::remove_item(&mut tx, oc_id, item_id).await?,
            _ => return Err(AppError::invalid("change", "Carry it, keep it or take it away.")),
        }
        tx.commit().await
    })
    .await
}

/// Takes the uploaded plate away; the drawn one comes back.
#[server(prefix = "/fn", endpoint = "ocs/remove_plate")]
pub async fn remove_plate(oc_id: OcId) -> Result<(), AppError> {
    use crate::error::reply;
    reply(async {
        let (_, me, mut tx) = begin::change().await?;
        let made = super::store::set_avatar(&mut tx, me, oc_id, None).await?;
        tx.commit().await?;
        leptos_axum::redirect(&format!("{}/edit?saved=plate#plate", super::page_url(&made.slug)));
        Ok(())
    })
    .await
}
