//! What a username, an address, a password and a way back may be. Pure, without a database.

use crate::{
    error::{AppError, AppResult},
    text::{clean_line, is_refused},
};

/// Fewest characters of a password that is the only factor (NIST SP 800-63B-4).
pub const PASSWORD_MIN: usize = 15;
/// Most characters of a password.
pub const PASSWORD_MAX: usize = 1000;
/// Name of the site, which is no secret.
const SITE: &str = "soulforge";

/// Names that would pass for the site itself, or that stand for addresses and empty values elsewhere.
const RESERVED: &[&str] = &[
    "about",
    "abuse",
    "account",
    "accounts",
    "admin",
    "administrator",
    "all",
    "anonymous",
    "api",
    "assets",
    "autonomous",
    "avatar",
    "avatars",
    "billing",
    "bot",
    "characters",
    "chat",
    "confirm",
    "contact",
    "conversations",
    "deleted",
    "developers",
    "everyone",
    "forum",
    "guest",
    "help",
    "here",
    "home",
    "hostmaster",
    "house",
    "info",
    "legal",
    "library",
    "livez",
    "login",
    "logout",
    "luminor",
    "luminors",
    "mail",
    "me",
    "mod",
    "moderation",
    "moderator",
    "moderators",
    "myself",
    "new",
    "news",
    "nobody",
    "none",
    "noreply",
    "null",
    "official",
    "owner",
    "postmaster",
    "privacy",
    "readyz",
    "register",
    "root",
    "search",
    "security",
    "self",
    "service",
    "settings",
    "setup",
    "sign_in",
    "sign_out",
    "sign_up",
    "signin",
    "signout",
    "signup",
    "soulforge",
    "staff",
    "status",
    "studio",
    "summon",
    "superuser",
    "support",
    "sysadmin",
    "system",
    "team",
    "terms",
    "test",
    "undefined",
    "unknown",
    "user",
    "username",
    "users",
    "webmaster",
    "world",
    "www",
    "you",
];

/// A username: 3 to 30 letters, digits and underscores, not one of the site's own.
///
/// # Errors
/// `Invalid` with the name of the field.
pub fn username(field: &str, value: &str) -> AppResult<String> {
    let name = value.trim();
    if !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return Err(AppError::invalid(field, "Use letters a to z, digits and underscores only."));
    }
    if !(3..=30).contains(&name.len()) {
        return Err(AppError::invalid(field, "Use 3 to 30 characters."));
    }
    if is_reserved(name) {
        return Err(AppError::invalid(field, "This username is reserved. Choose another."));
    }
    Ok(name.to_owned())
}

fn is_reserved(name: &str) -> bool {
    let plain: String = name.chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect();
    plain.is_empty()
        || RESERVED.iter().any(|r| r.replace('_', "") == plain)
        || ["admin", "moderator", "soulforge"].iter().any(|r| plain.starts_with(r))
}

/// An e-mail address that could receive mail.
///
/// # Errors
/// `Invalid` with the name of the field.
pub fn email(field: &str, value: &str) -> AppResult<String> {
    let address = clean_line(field, value, 1, 254)?;
    let good = address.rsplit_once('@').is_some_and(|(local, domain)| {
        let labels: Vec<&str> = domain.split('.').collect();
        !local.is_empty()
            && local.len() <= 64
            && !local.contains('@')
            && labels.len() >= 2
            && labels.iter().all(|l| {
                !l.is_empty()
                    && !l.starts_with('-')
                    && !l.ends_with('-')
                    && l.chars().all(|c| c.is_alphanumeric() || c == '-')
            })
            && !address.chars().any(|c| c.is_whitespace() || "<>()[]\\,;:\"".contains(c))
    });
    if good { Ok(address) } else { Err(AppError::invalid(field, "Enter an e-mail address, like name@example.org.")) }
}

/// Whether a new password is long enough and holds nothing that is known about the person. No composition rules: length is
/// what counts. Cheap; how hard it is to guess is another question ([`hard_to_guess`]).
///
/// # Errors
/// `Invalid` with the name of the field.
pub fn password(field: &str, value: &str, username: &str, email: &str) -> AppResult<()> {
    let length = value.chars().count();
    if length < PASSWORD_MIN {
        let message =
            format!("Use at least {PASSWORD_MIN} characters. Try four random words: “purple cat eats toast”.");
        return Err(AppError::invalid(field, message));
    }
    if length > PASSWORD_MAX {
        return Err(AppError::invalid(field, format!("Use at most {PASSWORD_MAX} characters.")));
    }
    if value.chars().any(is_refused) {
        return Err(AppError::invalid(field, "This contains a hidden character. Please type it again."));
    }
    let lower = value.to_lowercase();
    let local = local_part(email);
    for (name, what) in [(username, "your username"), (local, "your e-mail name"), (SITE, "the name of this site")] {
        if name.chars().count() >= 4 && lower.contains(&name.to_lowercase()) {
            return Err(AppError::invalid(field, format!("Your password can't contain {what}.")));
        }
    }
    Ok(())
}

/// The name in an e-mail address.
fn local_part(email: &str) -> &str {
    email.rsplit_once('@').map_or("", |(local, _)| local)
}

/// Whether a new password is hard enough to guess. Takes up to some tens of milliseconds: on the server only through
/// `passwords::judge`, which has threads for it, and after the limit of the action.
///
/// # Errors
/// `Invalid` with the name of the field.
pub fn hard_to_guess(field: &str, value: &str, username: &str, email: &str) -> AppResult<()> {
    if guessable(&value.to_lowercase()) || guessed_soon(value, &[username, local_part(email), SITE]) {
        return Err(AppError::invalid(field, "That password is too easy to guess."));
    }
    Ok(())
}

/// Passwords and phrases of fifteen characters and more that are on every list, and the words that common ones are made of.
#[cfg(feature = "ssr")]
const COMMON: &str = include_str!("common_passwords.txt");

/// The browser does not carry the list; the server judges.
#[cfg(not(feature = "ssr"))]
const COMMON: &str = "";

/// What runs along the keyboard or the alphabet.
const RUNS: &[&str] = &[
    "abcdefghijklmnopqrstuvwxyz",
    "01234567890123456789",
    "qwertyuiop",
    "asdfghjkl",
    "zxcvbnm",
    "qwertzuiop",
    "azertyuiop",
    "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    "!@#$%^&*()",
];

/// Longest password whose guesses are estimated, characters.
#[cfg(feature = "ssr")]
const ESTIMATED_MAX: usize = 40;

/// Fewest effective characters: a common word or a run counts as one, a repetition as nothing.
const EFFECTIVE_MIN: usize = 6;

/// Whether somebody who tries the usual lists (thirty thousand passwords, words, names, dates, patterns of the keyboard, and
/// what is known about the person) finds it within a hundred million tries.
///
/// The estimate tries every spelling that digits and signs could stand for, so its work grows with the length much faster
/// than its verdict does: what is longer than [`ESTIMATED_MAX`] is judged by [`effective`] alone.
#[cfg(feature = "ssr")]
fn guessed_soon(value: &str, about: &[&str]) -> bool {
    value.chars().count() <= ESTIMATED_MAX && zxcvbn::zxcvbn(value, about).score() < zxcvbn::Score::Three
}

/// The browser does not carry the lists; the server judges.
#[cfg(not(feature = "ssr"))]
const fn guessed_soon(_: &str, _: &[&str]) -> bool {
    false
}

fn guessable(lower: &str) -> bool {
    let text: Vec<char> = lower.chars().collect();
    let plain: String = lower.chars().filter(|c| c.is_alphanumeric()).collect();
    if COMMON.lines().any(|line| line.len() >= PASSWORD_MIN && line.replace(' ', "") == plain) {
        return true;
    }
    effective(&text) < EFFECTIVE_MIN
}

/// Characters that somebody would have to guess, when words, runs and repetitions come cheap.
fn effective(text: &[char]) -> usize {
    let mut at = 0;
    let mut count = 0;
    while at < text.len() {
        let rest = text.get(at..).unwrap_or_default();
        let seen = text.get(..at).unwrap_or_default();
        let length = longest_word(rest).max(longest_run(rest));
        let again = longest_repeat(seen, rest);
        if again >= 2 && again >= length {
            at += again;
        } else if length >= 3 {
            at += length;
            count += 1;
        } else {
            at += 1;
            count += 1;
        }
    }
    count
}

/// Length of the common word at the start, with digits read as the letters they stand for.
fn longest_word(rest: &[char]) -> usize {
    let read: String = rest
        .iter()
        .take(24)
        .map(|c| match c {
            '0' => 'o',
            '1' | '!' => 'i',
            '3' => 'e',
            '4' | '@' => 'a',
            '5' | '$' => 's',
            '7' => 't',
            c => *c,
        })
        .collect();
    COMMON
        .lines()
        .filter(|w| w.len() < PASSWORD_MIN && w.len() >= 3 && !w.starts_with('#') && read.starts_with(w))
        .map(str::len)
        .max()
        .unwrap_or(0)
}

/// Length of the run along the keyboard or alphabet at the start, either way, or of one character repeated.
fn longest_run(rest: &[char]) -> usize {
    let same = rest.iter().take_while(|c| rest.first() == Some(c)).count();
    let along = RUNS.iter().map(|run| {
        let forward: Vec<char> = run.chars().collect();
        let backward: Vec<char> = run.chars().rev().collect();
        [forward, backward]
            .iter()
            .flat_map(|way| {
                (0..way.len()).map(move |from| way.iter().skip(from).zip(rest).take_while(|(a, b)| a == b).count())
            })
            .max()
            .unwrap_or(0)
    });
    along.max().unwrap_or(0).max(same)
}

/// Length of what stands at the start of `rest` and was seen before.
fn longest_repeat(seen: &[char], rest: &[char]) -> usize {
    (0..seen.len()).map(|from| seen.iter().skip(from).zip(rest).take_while(|(a, b)| a == b).count()).max().unwrap_or(0)
}

/// A day of birth as forms send it: `2001-02-28`.
///
/// # Errors
/// `Invalid` with the name of the field for a day that is none, in the future, or too long ago.
#[cfg(feature = "ssr")]
pub fn birth_date(field: &str, value: &str, today: chrono::NaiveDate) -> AppResult<chrono::NaiveDate> {
    let value = value.trim();
    if value.is_empty() {
        return Err(AppError::invalid(field, "Enter your date of birth."));
    }
    let day: chrono::NaiveDate =
        value.parse().map_err(|_| AppError::invalid(field, "Enter a date like 2001-02-28."))?;
    if day > today || years_since(day, today).is_none_or(|years| years > 125) {
        return Err(AppError::invalid(field, "Check the year of this date."));
    }
    Ok(day)
}

/// Full years since a day of birth; `None` before it.
#[cfg(feature = "ssr")]
#[must_use]
pub fn years_since(birth: chrono::NaiveDate, today: chrono::NaiveDate) -> Option<u32> {
    today.years_since(birth)
}

/// Whether somebody born then is old enough for an account here.
///
/// # Errors
/// `Invalid` with the name of the field, in kind words.
#[cfg(feature = "ssr")]
pub fn old_enough(field: &str, birth: chrono::NaiveDate, minimum: u32, today: chrono::NaiveDate) -> AppResult<()> {
    if years_since(birth, today).is_some_and(|years| years >= minimum) {
        return Ok(());
    }
    Err(AppError::invalid(
        field,
        format!(
            "Accounts here are for people aged {minimum} or older. Thank you for being honest; please come back then."
        ),
    ))
}

/// Whether a change of the day of birth is one that people make themselves. Nobody grows up by typing: whoever is under
/// eighteen by the day that is kept neither takes it back nor makes themselves older with it.
///
/// # Errors
/// `Forbidden` for such a change.
#[cfg(feature = "ssr")]
pub fn may_change_birth(
    kept: Option<chrono::NaiveDate>,
    wanted: Option<chrono::NaiveDate>,
    today: chrono::NaiveDate,
) -> AppResult<()> {
    let grown = |day: chrono::NaiveDate| years_since(day, today).is_some_and(|y| y >= super::doors::GROWN);
    if kept.is_some_and(|day| !grown(day)) && wanted.is_none_or(grown) {
        return Err(AppError::forbidden(
            "This date can't be changed here. If it is wrong, write to the people who run this site.",
        ));
    }
    Ok(())
}

/// A way back: a path of this site, or else the start page. Never another host, whatever the browser makes of it.
#[must_use]
pub fn own_path(next: &str) -> String {
    let safe = next.starts_with('/')
        && !next.starts_with("//")
        && next.len() <= 500
        && next.bytes().all(|b| b.is_ascii_graphic())
        && !next.contains('\\')
        && !next.starts_with("/fn/")
        && !next.starts_with("/api/");
    if safe { next.to_owned() } else { "/".to_owned() }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    #[test]
    fn usernames() {
        for good in ["ada", "Ada_1", "a_b", "x".repeat(30).as_str()] {
            assert!(username("username", good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "ab",
            "ada lovelace",
            "zoë",
            "ada-l",
            "admin",
            "Admin_1",
            "___",
            "soul_forge",
            "me",
            "x".repeat(31).as_str(),
            "a\u{202E}da",
            "<b>",
        ] {
            assert!(username("username", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses() {
        for good in ["ada@example.org", "a.b+c@mail.example.co.uk", "zoë@exämple.org"] {
            assert!(email("email", good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "ada",
            "ada@localhost",
            "@example.org",
            "a b@example.org",
            "a@b@example.org",
            "ada@example..org",
            "ada@-x.org",
            "<a@example.org>",
            "ada@example.org\u{0}",
        ] {
            assert!(email("email", bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn passwords() {
        let check = |p: &str| {
            let (field, name, email) = ("password", "lovelace", "countess@example.org");
            password(field, p, name, email).and_then(|()| hard_to_guess(field, p, name, email))
        };
        for good in [
            "violet harbour lantern nine",
            "Zoë's umbrella ate my homework",
            "нравится читать по вечерам",
            "xK9#mQ2$vL7!pR4",
            "雨の日は猫と一緒に本を読んで過ごす",
            "ä violet harbour ".repeat(11).as_str(),
        ] {
            assert!(check(good).is_ok(), "{good}: {:?}", check(good));
        }
        for bad in [
            "short",
            "aaaaaaaaaaaaaaaaaaaa",
            "abcabcabcabcabcabc",
            "passwordpassword",
            "password12345678",
            "P@ssw0rd123456789",
            "qwertyuiopasdfghjkl",
            "123456789012345",
            "correct horse battery staple",
            "correcthorsebatterystaple",
            "iloveyouiloveyou1",
            "my name is lovelace yes",
            "the countess dances at night",
            "i use soulforge every day",
            "letmeinletmein123",
            "hidden\u{202E}character here",
            "michaeljordan23",
            "Liverpool1234567",
            "monkeydragon123",
            "december25121984",
            "jenniferjennifer",
        ] {
            assert_eq!(check(bad).err().map(|e| e.field().to_owned()).as_deref(), Some("password"), "{bad}");
        }
        assert!(check(&"lantern harbour violet ".repeat(50)).is_err());
    }

    #[test]
    fn ages() {
        let day = |text: &str| text.parse::<chrono::NaiveDate>().unwrap();
        let today = day("2026-03-01");
        for (text, good) in [
            ("2001-02-28", true),
            (" 2001-02-28 ", true),
            ("2026-03-01", true),
            ("2026-03-02", false),
            ("1880-01-01", false),
            ("28.2.2001", false),
            ("2001-02-30", false),
            ("", false),
        ] {
            assert_eq!(birth_date("b", text, today).is_ok(), good, "{text}");
        }
        for (birth, enough) in
            [("2013-03-01", true), ("2013-03-02", false), ("1990-01-01", true), ("2030-01-01", false)]
        {
            assert_eq!(old_enough("b", day(birth), 13, today).is_ok(), enough, "{birth}");
        }
        let (child, grown) = (Some(day("2012-01-01")), Some(day("1990-01-01")));
        for (kept, wanted, may) in [
            (None, child, true),
            (None, grown, true),
            (grown, child, true),
            (grown, None, true),
            (child, Some(day("2011-01-01")), true),
            (child, grown, false),
            (child, None, false),
        ] {
            assert_eq!(may_change_birth(kept, wanted, today).is_ok(), may, "{kept:?} {wanted:?}");
        }
    }

    #[test]
    fn ways_back() {
        assert_eq!(own_path("/c/lumina?x=1#top"), "/c/lumina?x=1#top");
        for bad in [
            "",
            "//evil.example",
            "/\\evil.example",
            "https://evil.example",
            "/a\r\nset-cookie: x=1",
            "javascript:alert(1)",
            "/\t/evil",
            "/fn/accounts/sign_out",
        ] {
            assert_eq!(own_path(bad), "/", "{bad}");
        }
    }
}
