//! People, their lamps, past calls, and what is switched.

use std::time::{Duration, SystemTime};

use crate::app::App;
use crate::app::services::Service;
use crate::services::forwarding::{Forward, When};
use crate::services::history::{Direction, Entry, Outcome};
use crate::ua::event::Lamp;

use super::{OFF, ON, clock};

/// What became of a call, in a word.
pub fn past(entry: &Entry) -> &'static str {
    match (entry.result, entry.direction) {
        (Outcome::Answered, Direction::In) => "answered",
        (Outcome::Answered, Direction::Out) => "called",
        (Outcome::Missed, _) => "missed",
        (Outcome::Elsewhere, _) => "elsewhere",
        (Outcome::Refused, _) => "refused",
        (Outcome::Failed, _) => "failed",
        (Outcome::Cancelled, _) => "given up",
        (Outcome::Screened, _) => "screened",
        (Outcome::Diverted, _) => "forwarded",
    }
}

/// What became of a call, and why where that tells more.
pub fn past_detail(app: &App, entry: &Entry) -> String {
    let word = past(entry);
    match (entry.result, &entry.to, entry.code) {
        (Outcome::Diverted, Some(to), _) => format!("{word} to {}", app.short(to)),
        (Outcome::Screened, _, _) if !entry.reason.is_empty() => format!("{word}: {}", entry.reason),
        (Outcome::Failed, _, Some(code)) if entry.reason.starts_with(&code.to_string()) => {
            format!("{word}: {}", entry.reason)
        }
        (Outcome::Failed, _, Some(code)) => format!("{word}: {code} {}", entry.reason),
        _ => word.to_owned(),
    }
}

/// The sign of a lamp: each has one of its own.
pub fn lamp_sign(lamp: Lamp) -> &'static str {
    match lamp {
        Lamp::Unknown => "?",
        Lamp::Unregistered => "○",
        Lamp::Idle => "●",
        Lamp::Ringing => "♪",
        Lamp::Busy => "■",
    }
}

/// A lamp in a word, and with whom.
pub fn lamp(lamp: Lamp, with: Option<&str>) -> String {
    match (lamp, with) {
        (Lamp::Unknown, _) => "unknown".into(),
        (Lamp::Unregistered, _) => "away".into(),
        (Lamp::Idle, _) => "free".into(),
        (Lamp::Ringing, None) => "ringing".into(),
        (Lamp::Ringing, Some(who)) => format!("ringing: {who}"),
        (Lamp::Busy, None) => "busy".into(),
        (Lamp::Busy, Some(who)) => format!("busy: {who}"),
    }
}

/// When a call was: its time of day, before that its day.
pub fn day_and_clock(time: SystemTime, now: SystemTime, utc_offset: i32) -> String {
    let clock = clock(time, utc_offset);
    if day(time, utc_offset) == day(now, utc_offset) {
        return clock;
    }
    // Days since 1 March of year 0, in eras of 400 years of which each has as many days (Howard Hinnant, "chrono-compatible
    // low-level date algorithms").
    let days = day(time, utc_offset) + 719_468;
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = usize::try_from((month + 2) % 12).unwrap_or(0);
    let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"][month];
    format!("{day:2} {month} {}", clock.get(..5).unwrap_or_default())
}

fn day(time: SystemTime, utc_offset: i32) -> i64 {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = i64::try_from(since.as_secs()).unwrap_or(0).saturating_add(i64::from(utc_offset));
    seconds.div_euclid(24 * 3600)
}

/// What can be switched.
pub fn service(service: Service) -> &'static str {
    match service {
        Service::Dnd => "do not disturb",
        Service::Forward(When::Always) => "forward all calls",
        Service::Forward(When::Busy) => "forward when busy",
        Service::Forward(When::NoAnswer) => "forward when nobody answers",
    }
}

/// How a service stands, for one account or for all.
pub fn service_state(app: &App, service: Service, account: Option<&str>) -> String {
    let of = |name: &Option<String>| match (account, name) {
        (None, Some(name)) => format!("{name}: "),
        _ => String::new(),
    };
    let on: Vec<String> = match service {
        Service::Dnd => {
            let names: Vec<&str> = app.undisturbed(account).filter_map(|name| name.as_deref()).collect();
            match (account, app.undisturbed(account).count()) {
                (_, 0) => Vec::new(),
                (None, count) if count < app.accounts.len() => vec![format!("{ON}: {}", names.join(", "))],
                _ => vec![ON.into()],
            }
        }
        Service::Forward(when) => {
            let forwards = app.forwardings(account, when);
            let seconds = |seconds: Option<u32>| seconds.map(|n| format!(" after {n} s")).unwrap_or_default();
            let to = |forward: &Forward| format!("to {}{}", app.short(&forward.to), seconds(forward.seconds));
            forwards.map(|forward| of(&forward.account) + &to(forward)).collect()
        }
    };
    if on.is_empty() { OFF.into() } else { on.join(", ") }
}

/// The prompt of the line that takes where calls are forwarded.
pub fn prompt_forward(when: When, account: Option<&str>) -> String {
    let account = account.map(|account| format!(" ({account})")).unwrap_or_default();
    let what = match when {
        When::Always => "Forward all calls",
        When::Busy => "Forward when busy",
        When::NoAnswer => "Forward when nobody answers",
    };
    format!("{what}{account} to")
}

/// The prompt of the line that takes a text to somebody.
pub fn prompt_message(who: &str) -> String {
    format!("Message to {who}")
}

/// Seconds that a forwarding can't have.
pub fn seconds_range(range: &std::ops::RangeInclusive<u32>) -> String {
    format!("it rings {} to {} s before it is forwarded", range.start(), range.end())
}

/// How many of a list show, where it is searched.
pub fn found(query: &str, count: usize) -> String {
    if query.is_empty() { count.to_string() } else { format!("{count} with '{query}'") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_of_other_days_have_their_day() {
        let at = |text: &str| humantime::parse_rfc3339(text).unwrap();
        let now = at("2028-03-01T00:30:00Z");
        for (time, offset, expected) in [
            ("2028-03-01T00:10:05Z", 0, "00:10:05"),
            ("2028-02-29T23:10:05Z", 0, "29 Feb 23:10"),
            ("2028-02-29T23:10:05Z", 3600, "00:10:05"),
            ("2027-12-31T12:00:00Z", 0, "31 Dec 12:00"),
            ("2028-01-01T12:00:00Z", 0, " 1 Jan 12:00"),
        ] {
            assert_eq!(day_and_clock(at(time), now, offset), expected);
        }
    }
}
