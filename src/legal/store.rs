//! The pages in the database: a row for each version; the newest that has begun to hold is shown.

use super::{BODY_MAX, Edited, Page, PageForm, Shown, Version};
use crate::{
    error::{AppError, AppResult},
    server::{Ctx, Viewer, markdown},
    text::clean_text,
};
use chrono::{NaiveDate, Utc};

/// Versions that are listed.
const VERSIONS: i64 = 50;

/// A page as it holds today.
///
/// # Errors
/// When the database cannot be reached.
pub async fn shown(ctx: &Ctx, page: Page) -> AppResult<Shown> {
    let mut tx = ctx.begin().await?;
    let row = sqlx::query!(
        "select body, effective_on from site_pages where page = $1 and effective_on <= current_date
         order by effective_on desc, created_at desc limit 1",
        page.as_str()
    )
    .fetch_optional(&mut *tx)
    .await?;
    drop(tx);
    let (body, effective) = match row.filter(|r| !r.body.is_empty()) {
        Some(row) => (row.body, words(row.effective_on)),
        None => (page.default_text().to_owned(), String::new()),
    };
    Ok(Shown { page, html: headed(&body), effective })
}

fn words(day: NaiveDate) -> String {
    day.format("%-d %B %Y").to_string()
}

fn admin(ctx: &Ctx) -> AppResult<&Viewer> {
    let viewer = ctx.require()?;
    viewer.require_admin()?;
    Ok(viewer)
}

/// A page as an operator edits it, with what it said before.
///
/// # Errors
/// `SignInRequired`; `NotFound` for everybody but admins.
pub async fn edited(ctx: &Ctx, page: Page) -> AppResult<Edited> {
    admin(ctx)?;
    let mut tx = ctx.begin().await?;
    let rows = sqlx::query!(
        r#"select s.body, s.effective_on, s.created_at, coalesce(p.username, '') as "who!"
           from site_pages s left join profiles p on p.user_id = s.changed_by
           where s.page = $1 order by s.created_at desc limit $2"#,
        page.as_str(),
        VERSIONS
    )
    .fetch_all(&mut *tx)
    .await?;
    let newest = rows.first().map(|r| r.body.clone()).filter(|b| !b.is_empty());
    let versions = rows
        .into_iter()
        .map(|r| Version { at: r.created_at.into(), effective: words(r.effective_on), who: r.who, body: r.body })
        .collect();
    Ok(Edited {
        page,
        is_default: newest.is_none(),
        body: newest.unwrap_or_else(|| page.default_text().to_owned()),
        versions,
    })
}

/// Keeps another text of a page; the ones before stay.
///
/// # Errors
/// `NotFound` for everybody but admins, and for a page that is none; `ConfirmPassword`; `Invalid` with the field.
pub async fn save(ctx: &Ctx, form: &PageForm) -> AppResult<Page> {
    let viewer = ctx.require_admin_change()?;
    let page = Page::parse(&form.page).ok_or(AppError::NotFound)?;
    let body = clean_text("body", &form.body, 0, BODY_MAX)?;
    let day = match form.effective_on.trim() {
        "" => Utc::now().date_naive(),
        text => text.parse().map_err(|_| AppError::invalid("effective_on", "Enter a date like 2026-01-31."))?,
    };
    // The program's own text is kept as none: it changes with the program.
    let body = if body == page.default_text().trim() { String::new() } else { body };
    let mut tx = ctx.begin().await?;
    sqlx::query!(
        "insert into site_pages (page, body, effective_on, changed_by) values ($1, $2, $3, $4)",
        page.as_str(),
        body,
        day,
        viewer.id.0
    )
    .execute(&mut *tx)
    .await?;
    crate::server::audit(&mut tx, "legal.save", page.as_str(), serde_json::json!({})).await?;
    tx.commit().await?;
    Ok(page)
}

/// The body as HTML. In messages a line that begins with `#` is a line as any other; on these pages it is a heading.
fn headed(body: &str) -> String {
    let (mut html, mut text) = (String::new(), String::new());
    for line in body.lines() {
        match line.trim_start_matches('#') {
            title if title.len() < line.len() && title.starts_with(' ') => {
                html.push_str(&markdown::render(&text));
                text.clear();
                html.push_str(&format!("<h2>{}</h2>\n", crate::ui::escape(title.trim())));
            }
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    html.push_str(&markdown::render(&text));
    html
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headings_are_headings_and_nothing_more() {
        let html = headed("First.\n\n## Who <b> may\n\n- one\n#tag stays\n");
        assert!(html.starts_with("<p>First.</p>\n<h2>Who &lt;b&gt; may</h2>\n"), "{html}");
        assert!(html.contains("<li>one") && html.contains("#tag stays"), "{html}");
    }
}
