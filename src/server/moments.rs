//! Moments in words, on the viewer's own clock. Made on the server, so that page and browser agree and no browser needs a calendar.

use crate::ids::Stamp;
use chrono::{DateTime, Datelike, NaiveDate, Utc};

/// The viewer's time zone; UTC where its name says nothing.
fn zone(name: &str) -> chrono_tz::Tz {
    name.parse().unwrap_or(chrono_tz::UTC)
}

/// A line's moment, for a talk that is read from top to bottom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// `Today 14:05`, `Monday 14:05`, `3 November, 14:05`.
    pub stamp: Stamp,
    /// The day alone: `Today`, `Yesterday`, `Monday`, `3 November`, `3 November 2025`.
    pub day: String,
    /// The time alone: `14:05`.
    pub clock: String,
}

/// When something was said.
#[must_use]
pub fn said(at: DateTime<Utc>, timezone: &str, now: DateTime<Utc>) -> Said {
    let zone = zone(timezone);
    let (local, today) = (at.with_timezone(&zone), now.with_timezone(&zone).date_naive());
    let (day, is_near) = day(local.date_naive(), today);
    let clock = local.format("%H:%M").to_string();
    let text = if is_near { format!("{day} {clock}") } else { format!("{day}, {clock}") };
    Said { stamp: Stamp { text, ..Stamp::from(at) }, day, clock }
}

/// A day as one calls it, and whether it is near enough to be called by a word.
fn day(at: NaiveDate, today: NaiveDate) -> (String, bool) {
    match (today - at).num_days() {
        0 => ("Today".to_owned(), true),
        1 => ("Yesterday".to_owned(), true),
        2..=6 => (at.format("%A").to_string(), true),
        _ if at.year() == today.year() => (at.format("%-d %B").to_string(), false),
        _ => (at.format("%-d %B %Y").to_string(), false),
    }
}

/// In a list: `just now`, `2 min ago`, `3 h ago`, `Yesterday`, `Monday`, then the date.
#[must_use]
pub fn ago(at: DateTime<Utc>, timezone: &str, now: DateTime<Utc>) -> Stamp {
    let zone = zone(timezone);
    let text = match (now - at).num_minutes() {
        ..1 => "just now".to_owned(),
        minutes @ 1..60 => format!("{minutes} min ago"),
        minutes @ 60..720 => format!("{} h ago", minutes / 60),
        _ => match day(at.with_timezone(&zone).date_naive(), now.with_timezone(&zone).date_naive()).0 {
            today if today == "Today" => at.with_timezone(&zone).format("Today %H:%M").to_string(),
            day => day,
        },
    };
    Stamp { text, ..Stamp::from(at) }
}

/// To the second, for receipts: `3 November 2026, 14:05:09`.
#[must_use]
pub fn exact(at: DateTime<Utc>, timezone: &str) -> Stamp {
    let text = at.with_timezone(&zone(timezone)).format("%-d %B %Y, %H:%M:%S").to_string();
    Stamp { text, ..Stamp::from(at) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn days_are_those_of_the_viewer() {
        let now = at("2026-11-05T23:30:00Z");
        for (moment, zone, text, day, clock) in [
            ("2026-11-05T14:05:00Z", "UTC", "Today 14:05", "Today", "14:05"),
            // In Tokyo it is the sixth already.
            ("2026-11-05T14:05:00Z", "Asia/Tokyo", "Yesterday 23:05", "Yesterday", "23:05"),
            ("2026-11-05T15:05:00Z", "Asia/Tokyo", "Today 00:05", "Today", "00:05"),
            ("2026-11-02T08:00:00Z", "UTC", "Monday 08:00", "Monday", "08:00"),
            ("2026-10-29T08:00:00Z", "Europe/Vienna", "29 October, 09:00", "29 October", "09:00"),
            ("2025-12-31T23:59:00Z", "UTC", "31 December 2025, 23:59", "31 December 2025", "23:59"),
            ("2026-11-05T14:05:00Z", "Mars/Olympus", "Today 14:05", "Today", "14:05"),
            // A clock that is ahead.
            ("2026-11-06T00:10:00Z", "UTC", "6 November, 00:10", "6 November", "00:10"),
        ] {
            let said = said(at(moment), zone, now);
            assert_eq!((said.stamp.text.as_str(), said.day.as_str(), said.clock.as_str()), (text, day, clock));
            assert_eq!(said.stamp.iso, moment.replace('Z', ".000Z"));
        }
    }

    #[test]
    fn lists_count_from_now() {
        let now = at("2026-11-05T20:30:00Z");
        for (moment, text) in [
            ("2026-11-05T20:30:10Z", "just now"),
            ("2026-11-05T20:29:31Z", "just now"),
            ("2026-11-05T20:28:00Z", "2 min ago"),
            ("2026-11-05T17:00:00Z", "3 h ago"),
            ("2026-11-05T07:00:00Z", "Today 07:00"),
            ("2026-11-04T07:00:00Z", "Yesterday"),
            ("2026-11-01T07:00:00Z", "Sunday"),
            ("2026-10-01T07:00:00Z", "1 October"),
            ("2024-10-01T07:00:00Z", "1 October 2024"),
        ] {
            assert_eq!(ago(at(moment), "UTC", now).text, text, "{moment}");
        }
        assert_eq!(exact(at("2026-11-05T20:28:00Z"), "Asia/Tokyo").text, "6 November 2026, 05:28:00");
    }
}
