//! Calls that come, ring and are answered.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::phone::event::{CallRef, Kind};
use crate::phone::lines::Line;
use crate::phone::media_thread::{Order, Tone};
use crate::phone::screen::harmless;
use crate::phone::snapshot::CallStage;
use crate::sdp::Negotiated;
use crate::sip::transport::Transport;
use crate::ua::event::Party;
use crate::ua::{AccountId, CallNo};

use super::told::harmless_party;
use super::{Desk, Effect};

/// Early media that brings no RTP for so long leaves our own ringback in the ear.
const SILENT_EARLY_MEDIA: Duration = Duration::from_secs(1);

impl Desk {
    pub(super) fn incoming(
        &mut self,
        call: CallNo,
        account: Option<AccountId>,
        from: Party,
        (called, diverted_from, forwarded, referred_by): (String, Option<String>, Vec<String>, Option<String>),
        arrived_at: Option<IpAddr>,
    ) {
        let (from, name) = harmless_party(from);
        let reference = CallRef { call, account: self.account_name(account), peer: from.clone() };
        let mut line = Line::new(reference.clone(), account, true);
        line.name.clone_from(&name);
        line.arrived_at = arrived_at;
        self.lines.insert(line);
        self.beep_due = true;
        self.prepare_due = true;
        let clean = |text: Option<String>| text.map(|text| harmless(&text).into_owned());
        self.tell(Kind::Incoming {
            call: reference,
            from,
            name,
            called: harmless(&called).into_owned(),
            diverted_from: clean(diverted_from),
            forwarded: forwarded.iter().map(|who| harmless(who).into_owned()).collect(),
            referred_by: clean(referred_by),
        });
    }

    pub(super) fn ringing(&mut self, now: Instant, call: CallNo, code: u16, early_media: bool) {
        let Some(line) = self.lines.get_mut(call) else { return };
        // 183 is no ringing (RFC 3261 section 21.1.5); what comes with it is heard.
        line.stage = match (line.stage, code) {
            (CallStage::Calling | CallStage::Early, 183) if early_media => CallStage::Early,
            (CallStage::Calling, 183) => CallStage::Calling,
            (CallStage::Calling | CallStage::Early, _) => CallStage::Ringing,
            (stage @ (CallStage::Ringing | CallStage::Established | CallStage::Ending), _) => stage,
        };
        let reference = line.call.clone();
        let first_sound = early_media && !std::mem::replace(&mut line.early_media, early_media);
        if early_media {
            if first_sound && !line.ringback {
                line.ringback_due = Some(now + SILENT_EARLY_MEDIA);
            }
        } else {
            self.ringback(call);
        }
        if code != 183 || !early_media {
            self.tell(Kind::Ringing { call: reference.clone(), code });
        }
        if first_sound {
            self.tell(Kind::EarlyMedia { call: reference });
        }
    }

    /// The media thread keeps it silent while RTP comes: RTP always wins.
    pub(super) fn ringback(&mut self, call: CallNo) {
        let Some(line) = self.lines.get_mut(call) else { return };
        if !std::mem::replace(&mut line.ringback, true) {
            self.order(Order::Tone { call, tone: Tone::Ringback });
        }
    }

    pub(super) fn media(&mut self, call: CallNo, media: Negotiated) {
        let Some(line) = self.lines.get_mut(call) else { return };
        line.set_media(media.clone());
        if line.waits() {
            line.kept_back = true;
            return;
        }
        // An INVITE without an offer is answered before the other side has told its codec.
        let security = line.security_now();
        let secured_anew = line.security.is_some_and(|told| told != security);
        let told_late = line.established.is_some() && !std::mem::replace(&mut line.told_established, true);
        self.order(Order::Configure { call, media: Box::new(media) });
        if told_late {
            self.tell_established(call);
        } else if secured_anew {
            self.with_line(call, |line| line.security = Some(security));
            self.tell_call(call, |call| Kind::Security { call, security });
        }
    }

    /// By what a call's messages travel.
    pub(in crate::phone) fn note_transport(&mut self, call: CallNo, transport: Option<Transport>) {
        self.with_line(call, |line| line.transport = transport);
    }

    pub(super) fn established(&mut self, now: Instant, call: CallNo) {
        let Some(line) = self.lines.get_mut(call) else { return };
        line.stage = CallStage::Established;
        line.established = Some(now);
        line.ringback_due = None;
        line.told_established = line.media.is_some();
        let tell = line.told_established;
        let kept_back = line.media.clone().filter(|_| std::mem::take(&mut line.kept_back));
        if std::mem::take(&mut line.ringback) {
            self.order(Order::Tone { call, tone: Tone::Silence });
        }
        if let Some(media) = kept_back {
            self.order(Order::Configure { call, media: Box::new(media) });
        }
        self.order(Order::OpenMicrophone { call });
        if tell {
            self.tell_established(call);
        }
        self.effects.extend(self.lines.too_many(call).into_iter().map(Effect::Hold));
    }

    fn tell_established(&mut self, call: CallNo) {
        let Some(line) = self.lines.get_mut(call) else { return };
        let Some(media) = &line.media else { return };
        let security = line.security_now();
        line.security = Some(security);
        let established = Kind::Established {
            call: line.call.clone(),
            codec: media.codec.name().to_string(),
            security,
            remote_rtp: media.remote_rtp.to_string(),
        };
        self.tell(established);
    }
}
