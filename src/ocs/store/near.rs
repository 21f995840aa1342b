//! A word that somebody mistyped in a search, and the word of the characters here that they may have meant.

use crate::error::AppResult;
use sqlx::PgConnection;

/// Characters whose words are looked through, the most talked with first.
const LOOKED_THROUGH: &str = "select search from ocs where is_public order by interaction_count desc, oc_id limit 1000";
/// Words that are compared.
const WORDS: i64 = 4000;
/// Shorter words are another word with every letter that differs.
const SHORTEST: usize = 4;

/// What was typed with the words that nobody here is described by put right; `None` where there is nothing to put right.
///
/// # Errors
/// When the database cannot be reached.
pub(super) async fn meant(tx: &mut PgConnection, typed: &str) -> AppResult<Option<String>> {
    let typed: Vec<String> = typed.split(|c: char| !c.is_alphanumeric()).map(str::to_lowercase).take(8).collect();
    if !typed.iter().any(|w| (SHORTEST..=30).contains(&w.chars().count())) {
        return Ok(None);
    }
    let known = sqlx::query_scalar!(
        r#"select word as "word!" from ts_stat($1) where length(word) between 3 and 32 order by ndoc desc, word limit $2"#,
        LOOKED_THROUGH,
        WORDS
    );
    let known = known.fetch_all(tx).await?;
    let put_right = |word: &String| {
        let length = word.chars().count();
        if !(SHORTEST..=30).contains(&length) || known.iter().any(|k| k.starts_with(word.as_str())) {
            return None;
        }
        let most = if length < 8 { 1 } else { 2 };
        let near = known.iter().map(|k| (distance(word, k), k)).filter(|(d, _)| *d <= most);
        near.min_by_key(|(d, _)| *d).map(|(_, k)| k.clone())
    };
    let right: Vec<Option<String>> = typed.iter().map(put_right).collect();
    if right.iter().all(Option::is_none) {
        return Ok(None);
    }
    let words = right.into_iter().zip(typed).map(|(right, typed)| right.unwrap_or(typed));
    Ok(Some(words.filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" ")))
}

/// How many letters must be added, left out, changed, or exchanged with their neighbour, to make one word the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut before: Vec<usize> = Vec::new();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    let mut last = None;
    for (i, c) in one.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, d) in other.iter().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX / 2);
            let mut least = (at(&row, j) + usize::from(c != *d)).min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            let is_swapped = j > 0 && last == Some(*d) && other.get(j - 1) == Some(&c);
            if is_swapped {
                least = least.min(at(&before, j - 1) + 1);
            }
            next.push(least);
        }
        before = std::mem::replace(&mut row, next);
        last = Some(c);
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_of_a_finger_are_one_letter() {
        for (one, other, letters) in [
            ("umbrela", "umbrella", 1),
            ("lumnia", "lumina", 1),
            ("lightouse", "lighthouse", 1),
            ("clocks", "clocks", 0),
            ("ghost", "toast", 3),
            ("", "abc", 3),
            ("abc", "", 3),
            ("zoë", "zoe", 1),
        ] {
            assert_eq!(distance(one, other), letters, "{one} {other}");
        }
    }
}
