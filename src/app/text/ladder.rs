//! The words of the ladder, and of a call's figures over time.

use std::time::{Duration, SystemTime};

use crate::app::call::Figure;
use crate::app::trace::Message;
use crate::app::trace::notes::{Note, Sound, What};
use crate::app::trace::timers::{self, Timer};
use crate::media::session::Stats;
use crate::phone::event::Direction;

use super::{SRTP, duration, times};

/// A wait between two rows.
pub fn wait(wait: Duration) -> String {
    match wait.as_millis() {
        ms @ 0..1_000 => format!("+{ms} ms"),
        ms @ 1_000..60_000 => format!("+{}.{} s", ms / 1_000, ms / 100 % 10),
        _ => format!("+{}", duration(wait.as_secs())),
    }
}

/// Whether a wait is one that is to be seen: half a second or more, T1 of RFC 3261.
pub fn is_long(wait: &str) -> bool {
    match wait.strip_suffix(" ms").and_then(|ms| ms.strip_prefix('+')) {
        Some(ms) => ms.parse::<u32>().is_ok_and(|ms| ms >= 500),
        None => !wait.is_empty(),
    }
}

/// How often a message came, and by which timer, with its waits in seconds.
pub fn again(message: &Message) -> String {
    let count = times(message.times);
    let Some(timer) = timers::of(message).filter(|_| !count.is_empty()) else { return count };
    let name = match timer {
        Timer::A => "timer A",
        Timer::E => "timer E",
        Timer::G => "timer G",
        Timer::Success => "until ACK",
        Timer::Reliable => "until PRACK",
    };
    let waits: Vec<String> = timers::waits(message).into_iter().map(seconds).collect();
    format!("{count} {name} {} s", waits.join(" "))
}

/// Milliseconds as seconds, with as few digits as tell them.
fn seconds(ms: u32) -> String {
    let tenths = ms.saturating_add(50) / 100;
    if tenths.is_multiple_of(10) { (tenths / 10).to_string() } else { format!("{}.{}", tenths / 10, tenths % 10) }
}

/// What lies between messages.
pub fn note(note: &Note) -> String {
    match &note.what {
        What::Sound(sound) => self::sound(sound, note.time, note.time),
        What::Digits(direction, count) => {
            let digits = if *count == 1 { "digit" } else { "digits" };
            let way = match direction {
                Direction::Sent => "sent",
                Direction::Received => "received",
            };
            format!("DTMF {count} {digits} {way}")
        }
        What::TimedOut => "gave up: no answer in time (timer B or F)".into(),
    }
}

/// The sound of a call: by which codec, how long up to `now`, how good, how much.
pub fn sound(sound: &Sound, began: SystemTime, now: SystemTime) -> String {
    let lasted = sound.ended.unwrap_or(now).duration_since(began).unwrap_or_default();
    let mut words = vec!["RTP".to_owned()];
    words.push(if sound.codec.is_empty() { "early".into() } else { sound.codec.clone() });
    words.push(duration(lasted.as_secs()));
    if sound.srtp {
        words.push(SRTP.into());
    }
    words.extend(sound.mos.map(|mos| format!("MOS {mos:.1}")));
    let (sent, received, lost) = sound.packets;
    if sent + received > 0 {
        words.push(format!("{sent} out {received} in"));
    }
    if lost > 0 {
        words.push(format!("{lost} lost"));
    }
    words.join(" ")
}

/// A figure's name, in few letters.
pub fn figure_name(figure: Figure) -> &'static str {
    match figure {
        Figure::Mos => "MOS",
        Figure::Loss => "loss",
        Figure::Jitter => "jit.",
        Figure::RoundTrip => "rtt",
        Figure::Buffer => "buf.",
    }
}

/// A figure's value.
pub fn figure(figure: Figure, stats: &Stats) -> String {
    let Some(value) = figure.of(stats) else { return "-".into() };
    match figure {
        Figure::Mos => format!("{value:.1}"),
        Figure::Loss => format!("{:.1} %", value * 100.0),
        Figure::Jitter | Figure::RoundTrip | Figure::Buffer => format!("{value:.0} ms"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_as_short_as_they_tell() {
        let words = |ms| wait(Duration::from_millis(ms));
        assert_eq!([0, 37, 1_540, 64_000].map(words), ["+0 ms", "+37 ms", "+1.5 s", "+01:04"]);
        assert_eq!([37, 500, 1_540].map(|ms| is_long(&words(ms))), [false, true, true]);
        assert_eq!([500, 1_000, 1_996].map(seconds), ["0.5", "1", "2"]);
    }
}
