//! Names and the addresses that are made of them.
//!
//! Two characters that everybody sees never share a name, and neither do two of one person. Nothing here says anything about
//! somebody else's draft: it may be called like any other, and its address ends with letters that cannot be guessed until it is
//! shown for the first time.

use crate::{
    error::{AppError, AppResult},
    ids::OcId,
    ocs::style::Seeded,
};
use sqlx::PgConnection;
use unicode_normalization::UnicodeNormalization;

/// By-names that turn a taken name into a free one. None of them says anything about who carries it.
const BY_NAMES: [&str; 16] = [
    "Ashdown",
    "Vale",
    "Marlowe",
    "Quill",
    "Harrow",
    "Linden",
    "Sable",
    "Winter",
    "Rook",
    "Fairweather",
    "Thistle",
    "Lark",
    "Ember",
    "Hollow",
    "Wren",
    "Moss",
];

/// Who has a name already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// A character that everybody sees.
    Public,
    /// Another character of the asker's.
    Own,
}

/// The error for a taken name, with one that is free.
async fn taken_message(tx: &mut PgConnection, name: &str, by: Taken) -> AppResult<AppError> {
    let free = offer_name(tx, name).await?;
    let who = match by {
        Taken::Public => format!("There is a public character called {name} already."),
        Taken::Own => format!("You have a character called {name} already."),
    };
    Ok(AppError::conflict("name", format!("{who} {free} is free.")))
}

/// Makes sure that a character may be called so: beside the asker's own ones, and, if it is shown, beside all that are.
///
/// # Errors
/// `Conflict` on the field `name`, with one that is free.
pub(super) async fn must_be_free(
    tx: &mut PgConnection,
    name: &str,
    besides: Option<OcId>,
    is_public: bool,
) -> AppResult<()> {
    match taken_by(tx, name, besides).await? {
        Some(Taken::Public) if !is_public => Ok(()),
        Some(by) => Err(taken_message(tx, name, by).await?),
        None => Ok(()),
    }
}

/// What the database says when somebody was faster with the name, or with the address that is made of it.
pub(super) fn named<T>(written: Result<T, sqlx::Error>) -> AppResult<T> {
    written.map_err(|error| match &error {
        sqlx::Error::Database(db)
            if matches!(db.constraint(), Some("ocs_public_name_key" | "ocs_own_name_key" | "ocs_slug_key")) =>
        {
            AppError::conflict("name", "This name was taken a moment ago. Please choose another.")
        }
        _ => error.into(),
    })
}

/// `name` if it is free everywhere, else one near it that is.
///
/// # Errors
/// When the database cannot be reached.
pub async fn offer_name(tx: &mut PgConnection, name: &str) -> AppResult<String> {
    if taken_by(tx, name, None).await?.is_none() {
        return Ok(name.to_owned());
    }
    let base: String = name.chars().take(44).collect();
    let base = base.trim();
    let mut pick = Seeded::new(name, "by-name");
    let first = pick.below(16);
    let by_names = BY_NAMES.iter().cycle().skip(first as usize).take(BY_NAMES.len()).map(|n| format!("{base} {n}"));
    for candidate in by_names.chain((2..1000).map(|n| format!("{base} {n}"))) {
        if taken_by(tx, &candidate, None).await?.is_none() {
            return Ok(candidate);
        }
    }
    Err(AppError::conflict("name", "This name is taken. Please choose another."))
}

/// Who has a name, own characters first: a name that is one's own is taken for drafts, too.
async fn taken_by(tx: &mut PgConnection, name: &str, besides: Option<OcId>) -> AppResult<Option<Taken>> {
    let found = sqlx::query!(
        r#"select app.oc_name_taken($1, $2) as "shown!",
               exists (select from ocs where owner_id = (select app.user_id()) and name_key = lower($1)
                       and oc_id is distinct from $2) as "own!""#,
        name,
        besides.map(|id| id.0)
    )
    .fetch_one(tx)
    .await?;
    Ok(if found.own { Some(Taken::Own) } else { found.shown.then_some(Taken::Public) })
}

/// Letters behind the address of a draft, which nobody guesses.
const HIDDEN_LETTERS: usize = 8;

/// An address for a draft: its name, and letters by chance.
pub(super) fn hidden_slug(name: &str) -> String {
    let letters: String = uuid::Uuid::new_v4().simple().to_string().chars().take(HIDDEN_LETTERS).collect();
    format!("{}-{letters}", slug_of(name))
}

/// Whether an address is one that [`hidden_slug`] made of this name.
fn is_hidden_slug(slug: &str, name: &str) -> bool {
    let rest = slug.strip_prefix(&slug_of(name)).and_then(|rest| rest.strip_prefix('-'));
    rest.is_some_and(|r| r.len() == HIDDEN_LETTERS && r.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// An address for a name that no other character has or had: `mira-of-the-glass-storms`, or with `-2` behind it.
///
/// # Errors
/// When the database cannot be reached.
async fn free_slug(tx: &mut PgConnection, id: OcId, name: &str) -> AppResult<String> {
    let base = slug_of(name);
    for n in 1..1000_u16 {
        let slug = if n == 1 { base.clone() } else { format!("{base}-{n}") };
        let taken = sqlx::query_scalar!(r#"select app.oc_slug_taken($1, $2) as "taken!""#, slug, id.0)
            .fetch_one(&mut *tx)
            .await?;
        if !taken && !RESERVED.contains(&slug.as_str()) {
            return Ok(slug);
        }
    }
    Ok(format!("{base}-{}", uuid::Uuid::now_v7().simple()))
}

/// The address of a character that is called `name` from now on and was at `old` before. An address that others may know
/// is kept and leads to the new one.
///
/// # Errors
/// When the database cannot be reached.
pub(super) async fn moved_slug(
    tx: &mut PgConnection,
    id: OcId,
    old: String,
    name: &str,
    is_known: bool,
) -> AppResult<String> {
    if !is_known {
        return Ok(if is_hidden_slug(&old, name) { old } else { hidden_slug(name) });
    }
    let base = slug_of(name);
    let is_numbered = old.strip_prefix(&base).and_then(|rest| rest.strip_prefix('-'));
    if old == base || is_numbered.is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit())) {
        return Ok(old);
    }
    free_slug(tx, id, name).await
}

/// The address of a character that is shown for the first time. Its owner's links to the draft lead to it.
///
/// # Errors
/// When the database cannot be reached.
pub(super) async fn shown_slug(tx: &mut PgConnection, id: OcId, old: String, name: &str) -> AppResult<String> {
    if !is_hidden_slug(&old, name) {
        return Ok(old);
    }
    free_slug(tx, id, name).await
}

/// Words with a meaning of their own in addresses.
const RESERVED: [&str; 4] = ["new", "edit", "versions", "summon"];

/// The letters of a name as they stand in an address: lower-case ASCII, digits and single hyphens, at most 60.
#[must_use]
pub fn slug_of(name: &str) -> String {
    let mut slug = String::new();
    for c in name.nfd().flat_map(char::to_lowercase) {
        let plain: &str = match c {
            'a'..='z' | '0'..='9' => {
                slug.push(c);
                continue;
            }
            '\'' | '’' | '\u{300}'..='\u{36f}' => continue,
            _ => transliterated(c),
        };
        if plain.is_empty() {
            if !slug.ends_with('-') && !slug.is_empty() {
                slug.push('-');
            }
        } else {
            slug.push_str(plain);
        }
    }
    let slug: String = slug.chars().take(60).collect();
    let slug = slug.trim_matches('-');
    if slug.is_empty() { "character".to_owned() } else { slug.to_owned() }
}

/// Letters that fold to ASCII by convention; empty for the rest.
const fn transliterated(c: char) -> &'static str {
    match c {
        'ß' => "ss",
        'æ' => "ae",
        'œ' => "oe",
        'ø' | 'ο' | 'ω' | 'о' => "o",
        'đ' | 'ð' | 'δ' | 'д' => "d",
        'ł' | 'λ' | 'л' => "l",
        'þ' | 'θ' => "th",
        'ı' | 'ι' | 'η' | 'и' | 'і' => "i",
        'ŋ' | 'ν' | 'н' => "n",
        'α' | 'а' => "a",
        'β' | 'в' => "v",
        'γ' | 'г' | 'ґ' => "g",
        'ε' | 'е' | 'э' => "e",
        'ζ' | 'з' => "z",
        'κ' | 'к' => "k",
        'μ' | 'м' => "m",
        'ξ' => "x",
        'π' | 'п' => "p",
        'ρ' | 'р' => "r",
        'σ' | 'ς' | 'с' => "s",
        'τ' | 'т' => "t",
        'υ' | 'ы' => "y",
        'φ' | 'ф' => "f",
        'χ' | 'х' => "h",
        'ψ' => "ps",
        'б' => "b",
        'ж' => "zh",
        'у' => "u",
        'ц' => "ts",
        'ч' => "ch",
        'ш' => "sh",
        'щ' => "shch",
        'ю' => "yu",
        'я' => "ya",
        'є' => "ye",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::{hidden_slug, is_hidden_slug, slug_of};

    #[test]
    fn addresses_of_drafts_say_nothing_about_others() {
        let (first, second) = (hidden_slug("Mira"), hidden_slug("Mira"));
        assert_ne!(first, second);
        assert!(first.starts_with("mira-") && is_hidden_slug(&first, "Mira"), "{first}");
        for other in ["mira", "mira-2", "mira-of-the-lamps", "mira-0123456z"] {
            assert!(!is_hidden_slug(other, "Mira"), "{other}");
        }
    }

    #[test]
    fn addresses_are_plain() {
        for (name, slug) in [
            ("Mira of the Glass Storms", "mira-of-the-glass-storms"),
            ("  Zoë   D'Arc!! ", "zoe-darc"),
            ("Þórr Ærøy", "thorr-aeroy"),
            ("Настя", "nastya"),
            ("Ωmega 7", "omega-7"),
            ("雨", "character"),
            ("<script>", "script"),
            ("---", "character"),
        ] {
            assert_eq!(slug_of(name), slug);
        }
        assert!(slug_of(&"long name ".repeat(20)).len() <= 60);
    }
}
