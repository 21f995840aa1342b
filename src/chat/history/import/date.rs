//! Dates as other programs write them.

use chrono::{DateTime, NaiveDate, NaiveDateTime, NaiveTime, Utc};
use serde_json::Value;

/// A date in any of the ways in which SillyTavern has written it; without a zone it is taken for UTC.
pub(super) fn date(value: &Value) -> Option<DateTime<Utc>> {
    if let Some(number) = value.as_f64() {
        return from_number(number);
    }
    let text = value.as_str()?.trim();
    if let Ok(number) = text.parse::<f64>() {
        return from_number(number);
    }
    if let Ok(at) = DateTime::parse_from_rfc3339(text) {
        return Some(at.to_utc());
    }
    let spaced = text.to_ascii_lowercase().replace("am", " am").replace("pm", " pm");
    let spaced = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    let formats =
        ["%B %d, %Y %I:%M %p", "%B %d, %Y %I:%M:%S %p", "%B %d, %Y %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dt%H:%M:%S"];
    if let Some(at) = formats.iter().find_map(|f| NaiveDateTime::parse_from_str(&spaced, f).ok()) {
        return Some(at.and_utc());
    }
    // `2024-7-12@01h31m37s`, `2023-5-12 @15h 45m 30s 123ms`.
    let mut parts = text.split(|c: char| !c.is_ascii_digit()).filter(|p| !p.is_empty()).map(str::parse::<u32>);
    let mut part = || parts.next().and_then(Result::ok);
    let day = NaiveDate::from_ymd_opt(i32::try_from(part()?).ok()?, part()?, part()?)?;
    let time = NaiveTime::from_hms_opt(part().unwrap_or(0), part().unwrap_or(0), part().unwrap_or(0))?;
    Some(day.and_time(time).and_utc())
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
