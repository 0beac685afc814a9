//! What the media thread tells, into events.

use crate::media::session;
use crate::phone::event::{Direction, Kind};
use crate::phone::media_thread::Report;
use crate::phone::screen::harmless;
use crate::ua::CallNo;

use super::Desk;

impl Desk {
    /// What the media thread tells.
    pub(in crate::phone) fn handle_report(&mut self, report: Report) {
        match report {
            Report::Session { call, event } => self.sound(call, event),
            Report::Processing(figures) => self.voice.figures = figures,
            Report::DigitSent { call, digit } => self.digit_sent(call, digit),
            Report::FileFailed { call, message } => self.tell_error(call, &message),
            Report::PlayEnded { call } => self.playing(call, None),
            Report::Recording { call, path } => self.recorded(call, path),
            Report::Device { role, name, state, detail } => {
                let detail = detail.map(|detail| harmless(&detail).into_owned());
                self.tell(Kind::Device { role, name: harmless(&name).into_owned(), state, detail });
            }
            Report::AudioWarning { role, warning, active } => {
                tracing::info!(?role, ?warning, active, "sound");
                self.warnings.retain(|known| *known != warning);
                self.warnings.extend(active.then_some(warning));
                self.tell(Kind::AudioWarning { role, warning, active });
            }
            Report::Closed { call, stats } => self.finish(call, Some(stats)),
        }
    }

    fn sound(&mut self, call: CallNo, event: session::Event) {
        match event {
            session::Event::Digit { digit, duration_ms: _ } => self.digit_received(call, digit),
            session::Event::DigitSent { digit } => self.digit_sent(call, digit),
            session::Event::Flowing { from: _ } => {
                let was_lost = self.lines.get_mut(call).is_some_and(|line| std::mem::take(&mut line.media_lost));
                if was_lost {
                    self.tell_call(call, |call| Kind::MediaBack { call });
                }
            }
            session::Event::Lost { seconds } => {
                self.with_line(call, |line| line.media_lost = true);
                self.tell_call(call, |call| Kind::MediaLost { call, seconds });
            }
            session::Event::Echo { delay_ms } => self.tell_call(call, |call| Kind::Echo { call, delay_ms }),
            session::Event::Stats(stats) => {
                self.with_line(call, |line| line.stats = Some(stats));
                let processing = self.voice.figures;
                self.tell_call(call, |call| Kind::Stats { call, stats, processing });
            }
            session::Event::Ice(event) => self.way(call, event),
            session::Event::Keyed { suite } => self.keyed(call, suite),
            session::Event::KeysFailed(failure) => self.keys_failed(call, failure),
        }
    }

    pub(super) fn digit_received(&mut self, call: CallNo, digit: char) {
        self.tell_call(call, |call| Kind::Dtmf { call, digit, direction: Direction::Received });
    }
}
