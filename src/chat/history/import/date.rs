//! Dates as other programs write them.
//!
//! Only what can be read in one way is read: three numbers alone are no date, and `12/07/2024` without anything that says which
//! of them is the month is none either. A message without a date gets its place from its neighbours.

use chrono::{DateTime, FixedOffset, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use serde_json::Value;

/// A date in any of the ways in which SillyTavern and browsers have written it; without a zone it is taken for UTC.
pub(super) fn date(value: &Value) -> Option<DateTime<Utc>> {
    if let Some(number) = value.as_f64() {
        return from_number(number);
    }
    let text = value.as_str()?.trim();
    if let Ok(number) = text.parse::<f64>() {
        return from_number(number);
    }
    iso(text).or_else(|| stamped(text)).or_else(|| written(text))
}

/// Seconds or milliseconds since 1970.
fn from_number(number: f64) -> Option<DateTime<Utc>> {
    #[expect(clippy::cast_possible_truncation, reason = "bounded by the condition")]
    let milliseconds = if (1e11..1e14).contains(&number) {
        number as i64
    } else if (1e8..1e11).contains(&number) {
        (number * 1000.0) as i64
    } else {
        return None;
    };
    DateTime::from_timestamp_millis(milliseconds)
}

/// `2024-07-12T13:36:00+0900`, `2024-07-12 13:36:00.123`: ISO 8601 with what people do to it.
fn iso(text: &str) -> Option<DateTime<Utc>> {
    let zoned = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f %#z", "%Y-%m-%dT%H:%M%#z"];
    let bare = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"];
    DateTime::parse_from_rfc3339(text)
        .ok()
        .or_else(|| zoned.iter().find_map(|f| DateTime::parse_from_str(text, f).ok()))
        .map(|at| at.to_utc())
        .or_else(|| bare.iter().find_map(|f| NaiveDateTime::parse_from_str(text, f).ok()).map(|at| at.and_utc()))
}

/// `2024-7-12@01h31m37s`, `2023-5-12 @15h 45m 30s 123ms`: as older versions named their files and dated their lines.
fn stamped(text: &str) -> Option<DateTime<Utc>> {
    let (day, time) = text.split_once('@')?;
    let mut parts = day.trim().splitn(3, '-');
    let day = ymd(parts.next()?, parts.next()?, parts.next()?)?;
    let time: String = time.chars().filter(|c| !c.is_whitespace()).collect();
    let (hours, rest) = time.split_once('h')?;
    let (minutes, rest) = rest.split_once('m')?;
    let (seconds, rest) = rest.split_once('s')?;
    let thousandths = if rest.is_empty() { "0" } else { rest.strip_suffix("ms")? };
    let time = NaiveTime::from_hms_milli_opt(
        hours.parse().ok()?,
        minutes.parse().ok()?,
        seconds.parse().ok()?,
        thousandths.parse().ok()?,
    )?;
    Some(day.and_time(time).and_utc())
}

/// `Friday, July 12, 2024 1:38 PM`, `12 July 2024 13:39`, `12.07.2024, 13:32`, `7/12/24, 1:31 PM`.
fn written(text: &str) -> Option<DateTime<Utc>> {
    // Browsers set a narrow blank before AM and PM.
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c == ',').filter(|w| !w.is_empty()).collect();
    let at = words.iter().position(|w| w.contains(':')).unwrap_or(words.len());
    let (day, rest) = words.split_at(at);
    let mut clock = rest.iter().copied();
    let mut time = clock.next().unwrap_or("0:00");
    let mut half = None;
    for mark in ["am", "AM", "pm", "PM"] {
        if let Some(bare) = time.strip_suffix(mark) {
            (time, half) = (bare, Some(mark));
        }
    }
    let mut zone = None;
    for word in clock.filter(|w| *w != "at") {
        match (word, half, zone) {
            ("am" | "AM" | "a.m." | "A.M.", None, None) => half = Some(if word.starts_with('a') { "am" } else { "AM" }),
            ("pm" | "PM" | "p.m." | "P.M.", None, None) => half = Some(if word.starts_with('p') { "pm" } else { "PM" }),
            ("UTC" | "GMT" | "Z", _, None) => zone = FixedOffset::east_opt(0),
            (word, _, None) => {
                zone = Some(
                    DateTime::parse_from_str(&format!("2000-01-01 00:00 {word}"), "%Y-%m-%d %H:%M %#z")
                        .ok()?
                        .timezone(),
                )
            }
            // Something else stands there, and might change everything.
            _ => return None,
        }
    }
    let time = clock_time(time, half.map(str::to_ascii_lowercase).as_deref())?;
    let at = day_of(day, half)?.and_time(time);
    match zone {
        Some(zone) => Some(at.and_local_timezone(zone).single()?.to_utc()),
        None => Some(at.and_utc()),
    }
}

/// `1:31`, `13:34:00`, `0:33` with am: the hour after midnight is written both ways.
fn clock_time(text: &str, half: Option<&str>) -> Option<NaiveTime> {
    let mut parts = text.split(':');
    let mut part = || parts.next().map(str::parse::<u32>);
    let (hour, minute, second) = (part()?.ok()?, part()?.ok()?, part().transpose().ok()?.unwrap_or(0));
    let hour = match half {
        None => hour,
        Some(_) if hour > 12 => return None,
        Some("pm") => hour % 12 + 12,
        Some(_) => hour % 12,
    };
    parts.next().is_none().then(|| NaiveTime::from_hms_opt(hour, minute, second)).flatten()
}

/// A day of words and numbers, or of numbers alone where only one reading is possible.
fn day_of(words: &[&str], half: Option<&str>) -> Option<NaiveDate> {
    let is_name = |w: &&str| w.chars().all(|c| c.is_alphabetic() || c == '.');
    let named: Vec<&str> = words.iter().copied().filter(is_name).filter(|w| *w != "at" && !is_weekday(w)).collect();
    let numbers: Vec<&str> = words.iter().copied().filter(|w| !is_name(w)).collect();
    match (named.as_slice(), numbers.as_slice()) {
        ([month], [day, year]) => {
            let day = day.trim_end_matches(|c: char| c.is_alphabetic() || c == '.');
            NaiveDate::from_ymd_opt(full_year(year)?, month_of(month)?, day.parse().ok()?)
        }
        ([], [one]) => in_numbers(one, half),
        _ => None,
    }
}

fn is_weekday(word: &str) -> bool {
    word.trim_end_matches('.').parse::<chrono::Weekday>().is_ok()
}

fn month_of(word: &str) -> Option<u32> {
    word.trim_end_matches('.').parse::<chrono::Month>().ok().map(|m| m.number_from_month())
}

/// A year of four digits.
fn full_year(text: &str) -> Option<i32> {
    (text.len() == 4).then(|| text.parse().ok()).flatten()
}

fn ymd(year: &str, month: &str, day: &str) -> Option<NaiveDate> {
    NaiveDate::from_ymd_opt(full_year(year)?, month.parse().ok()?, day.parse().ok()?)
}

/// `12.07.2024`: with dots the day comes first. `2024/07/12`: the year first. `7/12/24`: with AM and PM in capitals, as American
/// browsers write them, the month comes first; without them only where one of the two is no month.
fn in_numbers(text: &str, half: Option<&str>) -> Option<NaiveDate> {
    let sign = text.chars().find(|c| !c.is_ascii_digit())?;
    let mut parts = text.trim_end_matches('.').split(sign);
    let (first, second, third) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    if first.len() == 4 {
        return matches!(sign, '/' | '.' | '-').then(|| ymd(first, second, third)).flatten();
    }
    let is_american = half.is_some_and(|h| h.chars().all(char::is_uppercase));
    let year = match third.len() {
        2 if sign == '.' || is_american => format!("20{third}"),
        _ => third.to_owned(),
    };
    let (a, b): (u32, u32) = (first.parse().ok()?, second.parse().ok()?);
    match sign {
        '.' => ymd(&year, second, first),
        '/' if a > 12 => ymd(&year, second, first),
        '/' if b > 12 || is_american => ymd(&year, first, second),
        _ => None,
    }
}
