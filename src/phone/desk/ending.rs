//! Calls that end: the tone for it, the figures that are waited for, what a person can do about it.

use std::time::{Duration, Instant};

use crate::media::session::Stats;
use crate::phone::advice;
use crate::phone::event::{CallRef, Kind, RtpCount};
use crate::phone::lines::{Line, seconds};
use crate::phone::media_thread::{Order, Tone};
use crate::ua::CallNo;
use crate::ua::event::EndedBy;

use super::Desk;

/// How long the end of a call waits for the figures of its sound.
const CLOSING: Duration = Duration::from_millis(300);

/// A call that is over and whose sound is being closed.
#[derive(Debug)]
pub(super) struct Closing {
    call: CallRef,
    by: EndedBy,
    code: Option<u16>,
    reason: String,
    duration_s: f64,
    stats: Option<Stats>,
    advice: Option<String>,
    pub(super) until: Instant,
}

impl Desk {
    pub(super) fn ended(
        &mut self,
        now: Instant,
        call: CallNo,
        by: EndedBy,
        code: Option<u16>,
        reason: String,
        answered_for: Option<Duration>,
    ) {
        let Some(line) = self.lines.remove(call) else { return };
        if by != EndedBy::Remote {
            self.requests.remove(&call);
        }
        if line.conference {
            self.leave_conference();
        }
        if let Some(tone) = tone_of_failure(&line, by, code) {
            self.order(Order::Tone { call, tone });
        } else if line.ringback {
            self.order(Order::Tone { call, tone: Tone::Silence });
        }
        if line.sound_open {
            self.order(Order::Close { call });
        }
        let closing = Closing {
            call: line.call,
            by,
            code,
            reason,
            duration_s: answered_for.map(seconds).unwrap_or_default(),
            stats: line.stats,
            advice: advice_for(line.incoming, by, code),
            until: now + CLOSING,
        };
        self.closing.insert(call, closing);
        if !line.sound_open {
            self.finish(call, None);
        }
    }

    pub(super) fn finish(&mut self, call: CallNo, stats: Option<Stats>) {
        let Some(closing) = self.closing.remove(&call) else { return };
        let stats = stats.or(closing.stats).unwrap_or_default();
        self.tell(Kind::Ended {
            call: closing.call,
            by: closing.by,
            code: closing.code,
            reason: closing.reason,
            duration_s: closing.duration_s,
            rtp: RtpCount { sent: stats.sent, received: stats.received, lost: stats.lost },
            advice: closing.advice,
        });
    }

    /// Tells every end that still waits.
    pub(in crate::phone) fn finish_all(&mut self) {
        while let Some(call) = self.closing.keys().next().copied() {
            self.finish(call, None);
        }
    }
}

/// The tone in the ear when a call of ours was not answered, unless we gave up ourselves.
fn tone_of_failure(line: &Line, by: EndedBy, code: Option<u16>) -> Option<Tone> {
    let given_up = by == EndedBy::Local && matches!(code, None | Some(487));
    let failed = !line.incoming && line.established.is_none() && !given_up;
    match code {
        Some(486 | 600) if failed => Some(Tone::Busy),
        Some(_) | None if failed => Some(Tone::Congestion),
        Some(_) | None => None,
    }
}

/// What a person can do about a call that ended; nothing when it ended as it should. Most codes advise who calls: of those
/// that end a call which comes in, only one is about us.
pub(super) fn advice_for(incoming: bool, by: EndedBy, code: Option<u16>) -> Option<String> {
    let given_up = by == EndedBy::Local && code == Some(487);
    let is_theirs = incoming && code != Some(488);
    let code = code.filter(|code| *code >= 300 && !given_up && !is_theirs)?;
    advice::advice(code, advice::Attempt::Call).map(String::from)
}
