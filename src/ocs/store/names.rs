//! Names are unique, and addresses are made of them.

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

/// The error for a taken name, with one that is free.
///
/// # Errors
/// When the database cannot be reached.
pub async fn taken_message(tx: &mut PgConnection, name: &str) -> AppResult<AppError> {
    let free = offer_name(tx, name).await?;
    Ok(AppError::conflict("name", format!("Somebody is called {name} already. {free} is free.")))
}

/// `name` if nobody has it, else one near it that is free.
///
/// # Errors
/// When the database cannot be reached.
pub async fn offer_name(tx: &mut PgConnection, name: &str) -> AppResult<String> {
    if !is_taken(tx, name).await? {
        return Ok(name.to_owned());
    }
    let base: String = name.chars().take(44).collect();
    let base = base.trim();
    let mut pick = Seeded::new(name, "by-name");
    let first = pick.below(16);
    let by_names = BY_NAMES.iter().cycle().skip(first as usize).take(BY_NAMES.len()).map(|n| format!("{base} {n}"));
    for candidate in by_names.chain((2..1000).map(|n| format!("{base} {n}"))) {
        if !is_taken(tx, &candidate).await? {
            return Ok(candidate);
        }
    }
    Err(AppError::conflict("name", "This name is taken. Please choose another."))
}

pub(super) async fn is_taken(tx: &mut PgConnection, name: &str) -> AppResult<bool> {
    Ok(sqlx::query_scalar!(r#"select app.oc_name_taken($1) as "taken!""#, name).fetch_one(tx).await?)
}

/// An address for a name that nobody has yet: `mira-of-the-glass-storms`, or with `-2` behind it.
///
/// # Errors
/// When the database cannot be reached.
pub(super) async fn free_slug(tx: &mut PgConnection, name: &str) -> AppResult<String> {
    let base = slug_of(name);
    for n in 1..1000_u16 {
        let slug = if n == 1 { base.clone() } else { format!("{base}-{n}") };
        let taken =
            sqlx::query_scalar!(r#"select app.oc_slug_taken($1) as "taken!""#, slug).fetch_one(&mut *tx).await?;
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
    let base = slug_of(name);
    let is_numbered = old.strip_prefix(&base).and_then(|rest| rest.strip_prefix('-'));
    if old == base || is_numbered.is_some_and(|n| n.bytes().all(|b| b.is_ascii_digit())) {
        return Ok(old);
    }
    // An address that it had before is its own to take again.
    sqlx::query!("delete from oc_slugs where slug = $1 and oc_id = $2", base, id.0).execute(&mut *tx).await?;
    let slug = free_slug(tx, name).await?;
    if is_known {
        sqlx::query!("insert into oc_slugs (slug, oc_id) values ($1, $2) on conflict do nothing", old, id.0)
            .execute(tx)
            .await?;
    }
    Ok(slug)
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
    use super::slug_of;

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
