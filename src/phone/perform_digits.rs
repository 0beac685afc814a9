//! What the command `dtmf` does, in each of the three ways that digits can go.

use std::time::Instant;

use crate::config::Dtmf;
use crate::ua::{self, CallNo, CommandError};

use super::Reply;
use super::actor::Actor;
use super::info_digits;
use super::lines::NoLine;
use super::media_thread::{DigitsBy, Order};
use super::perform::{Outcome, refused};
use super::snapshot::CallStage;

impl Actor {
    pub(super) fn dtmf(&mut self, now: Instant, call: CallNo, digits: &str) -> Outcome {
        let digits: String = digits.chars().filter(|c| *c != ' ').map(|c| c.to_ascii_uppercase()).collect();
        if digits.is_empty() {
            return Err(refused("which digits? 0-9, A-D, * and #; a comma pauses for a second"));
        }
        if let Some(bad) = digits.chars().find(|digit| !matches!(digit, '0'..='9' | 'A'..='D' | '*' | '#' | ',')) {
            return Err(CommandError::BadDigit(bad).into());
        }
        let Some(line) = self.desk.lines.get(call) else { return Err(NoLine::NoSuchCall(call).into()) };
        let Some(media) = &line.media else {
            return Err(refused(format!("call {call} has no sound yet: digits can be sent once it has been answered")));
        };
        let takes_events = media.send_telephone_event.is_some();
        match self.calls_config.dtmf {
            Dtmf::Auto => self.sound_digits(call, digits, DigitsBy::Auto),
            Dtmf::Inband => self.sound_digits(call, digits, DigitsBy::Inband),
            Dtmf::Rfc4733 if takes_events => self.sound_digits(call, digits, DigitsBy::TelephoneEvent),
            Dtmf::Rfc4733 => Err(refused(
                "the other side takes no telephone-event: set calls.dtmf to \"auto\", \"info\" or \"inband\"",
            )),
            Dtmf::Info if line.stage != CallStage::Established => {
                Err(refused(format!("call {call} is not answered: digits by INFO can be sent then")))
            }
            Dtmf::Info if self.info.push(now, call, &digits) => Ok(Reply::Done),
            Dtmf::Info => {
                Err(refused(format!("more than {} digits wait to be sent in call {call}", info_digits::MAX_WAITING)))
            }
        }
    }

    fn sound_digits(&mut self, call: CallNo, digits: String, how: DigitsBy) -> Outcome {
        self.sound.order(Order::Digits { call, digits, how });
        Ok(Reply::Done)
    }

    pub(super) fn send_info_digit(&mut self, now: Instant, call: CallNo, digit: char) {
        let info = ua::Command::InfoDigit { call, digit, duration_ms: info_digits::LENGTH_MS };
        match self.core.command(now, info) {
            Ok(_) => self.desk.digit_sent(call, digit),
            Err(error) => {
                self.info.forget(call);
                self.complain(call, &error.to_string());
            }
        }
    }
}
