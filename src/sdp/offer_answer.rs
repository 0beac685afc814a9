//! Offer and answer (RFC 3264) for one audio stream: pure functions over our side's history.
//!
//! | file | what |
//! |---|---|
//! | `wishes.rs` | what we bring: [`Capabilities`], [`LocalMedia`], [`Intent`] |
//! | `outcome.rs` | what it comes to: [`Negotiated`] or a [`Refusal`] |
//! | `exchange.rs` | one offer with its answer |
//! | `keying.rs`, `way.rs` | what they say of SRTP, and of ICE |

mod exchange;
mod keying;
mod outcome;
mod way;
mod wishes;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sipx_sdp::{Attribute, Connection, Direction, MediaDescription, Origin, SessionDescription, Timing};

use super::crypto::{Keying, Keys, Profile};
use super::describe::{self, Audio};
use super::dtls;
use super::ice::{self, Role, Secrets};
use super::numbers::{Beside, Formats, Numbers};
use super::xr;
use exchange::Exchange;
use keying::{Offered, Taken};

pub use outcome::{ComfortNoise, Negotiated, Protection, Refusal};
pub use wishes::{Capabilities, HoldStyle, Intent, LocalMedia};

/// Our side of the offers and answers of one dialog: the `o=` line, what is agreed on and what is pending.
///
/// A forked call has one of them for each early dialog: clones of the one that made the offer.
#[derive(Debug, Clone)]
pub struct Session {
    /// What the next offer or answer speaks; a change touches nothing that is agreed on.
    pub capabilities: Capabilities,
    keying: Keying,
    keys: Keys,
    dtls: Option<dtls::Ours>,
    session_id: u64,
    version: u64,
    /// The last description sent, refused or not: the next one that differs from it gets the next version.
    sent: Option<SessionDescription>,
    secrets: Secrets,
    /// The next offer begins ICE anew.
    restart: bool,
    agreed: Agreed,
    pending: Option<Pending>,
}

/// What the exchanges so far have settled.
#[derive(Debug, Clone, Default)]
struct Agreed {
    /// The `m=` lines of the dialog, all in their rejected form.
    lines: Vec<MediaDescription>,
    /// The place of ours among them.
    audio: usize,
    numbers: Numbers,
    /// The peer's last description.
    remote: Option<SessionDescription>,
    /// The last address that the peer gave.
    remote_rtp: Option<SocketAddr>,
    /// The last outcome and what it was asked with.
    outcome: Option<(LocalMedia, Intent, Negotiated)>,
}

/// An offer of ours, kept after its answer: a 200 repeats the answer that a 183 has given.
#[derive(Debug, Clone)]
struct Pending {
    before: Agreed,
    local: LocalMedia,
    intent: Intent,
    formats: Formats,
    rtcp_mux: bool,
    /// The keys in it.
    keys: Offered,
    ice: Option<ice::Credentials>,
    answered: bool,
}

impl Session {
    /// A new session; `session_id` is the `o=` line's session id and first version.
    pub fn new(capabilities: Capabilities, session_id: u64) -> Session {
        Session {
            capabilities,
            keying: Keying::Off,
            keys: Keys::default(),
            dtls: None,
            session_id,
            version: session_id,
            sent: None,
            secrets: Secrets::none(),
            restart: false,
            agreed: Agreed::default(),
            pending: None,
        }
    }

    /// Makes an offer. A second call before the answer replaces the first (it has failed or is sent again).
    ///
    /// It states `intent` whatever was agreed on before, with the payload types and the number of `m=` lines in use.
    pub fn offer(&mut self, local: &LocalMedia, intent: Intent) -> String {
        let formats = self.agreed.numbers.formats_to_offer(&self.capabilities);
        let direction = intent.direction();
        let keys = self.keys_to_offer();
        let protocol = self.protocol_to_offer(&keys);
        let ice = self.credentials_to_offer();
        // RFC 8839 section 4.4.1.2.2: what the checks have found goes with the credentials that found it.
        let goes_on = ice.is_some() && self.ice().map(|agreed| &agreed.local) == ice.as_ref();
        let local = &LocalMedia { path: local.path.filter(|_| goes_on), ..*local };
        let shown = local.shown(ice.is_some());
        let mut audio = describe::audio_line(&shown, &protocol, &formats, &self.capabilities, direction);
        let rtcp_mux = self.capabilities.rtcp_mux && formats.leave_room_for_rtcp();
        if rtcp_mux {
            audio.attributes.push(Attribute::flag("rtcp-mux"));
        }
        self.write_offered(&keys, &mut audio);
        xr::write(&mut audio);
        if let Some(credentials) = &ice {
            let is_shared = local.path.is_some_and(|path| path.rtcp.is_none());
            ice::write(&mut audio, credentials, &ice::candidates(local, !is_shared));
            if let (Some(path), Some(Role::Controlling)) = (&local.path, self.ice().map(|agreed| agreed.role)) {
                ice::write_remote_candidates(&mut audio, path);
            }
        }
        let lines = self.agreed.lines_with(audio);
        let address = connection_address(&shown, intent, direction, ice.is_some());
        let text = self.write(local, address, vec![Timing::default()], lines);
        let before = match self.pending.take() {
            Some(pending) if !pending.answered => pending.before,
            Some(_) | None => self.agreed.clone(),
        };
        self.pending = Some(Pending { before, local: *local, intent, formats, rtcp_mux, keys, ice, answered: false });
        text
    }

    /// Offers once more what stands, to the letter, so that the `o=` line says that nothing has changed (RFC 4028 section 7.4);
    /// where our last description does not state `intent`, as an answer may not, this is [`Session::offer`].
    pub fn offer_again(&mut self, local: &LocalMedia, intent: Intent) -> String {
        let same = |(last_local, last_intent, _): &&(LocalMedia, Intent, Negotiated)| {
            (last_local, *last_intent) == (local, intent)
                && self.pending.as_ref().is_none_or(|pending| pending.answered)
                && !self.restart
        };
        let (Some((_, _, outcome)), Some(sent)) = (self.agreed.outcome.as_ref().filter(same), &self.sent) else {
            return self.offer(local, intent);
        };
        let line = sent.media.get(self.agreed.audio);
        let Some(line) = line.filter(|line| describe::direction(sent, line) == intent.direction()) else {
            return self.offer(local, intent);
        };
        let Some(keys) = Offered::of(line) else { return self.offer(local, intent) };
        let telephone_events = outcome.receive_telephone_events.clone();
        let comfort_noises = outcome.comfort_noise.receive.clone();
        let formats = Formats { codecs: outcome.receive.clone(), telephone_events, comfort_noises };
        let rtcp_mux = line.attribute("rtcp-mux").is_some();
        let text = sent.to_string_sdp();
        let before = self.agreed.clone();
        let ice = outcome.ice.as_ref().map(|agreed| agreed.local.clone());
        self.pending = Some(Pending { before, local: *local, intent, formats, rtcp_mux, keys, ice, answered: false });
        text
    }

    /// Takes the peer's answer to the last [`Session::offer`]. A later answer to the same offer (a 200 after a 183)
    /// replaces the first one. After an error nothing has changed.
    pub fn handle_answer(&mut self, answer: &str) -> Result<Negotiated, Refusal> {
        let Some(pending) = &self.pending else {
            return Err(Refusal::BadAnswer("there was no offer"));
        };
        let answer = describe::parse(answer)?;
        if answer.media.len() != self.agreed.lines.len().max(1) {
            return Err(Refusal::BadAnswer("it has another number of m= lines"));
        }
        let line = answer.media.get(self.agreed.audio).ok_or(Refusal::NoAudio)?;
        if !line.media.eq_ignore_ascii_case("audio") {
            return Err(Refusal::BadAnswer("its m= lines are in another order"));
        }
        if line.is_rejected() {
            return Err(Refusal::NoAudio);
        }
        let protection = self.keys_of_answer(&pending.keys, &answer, line)?;
        let audio = Audio::read(&answer, line)?;
        let offered = &pending.formats;
        // RFC 3264 section 7: the numbers are those with which the peer wants to receive, and may differ from ours.
        let theirs = audio.formats.only(
            |codec| offered.codecs.iter().any(|(_, known)| *known == codec),
            Beside {
                telephone_events: !offered.telephone_events.is_empty(),
                comfort_noises: !offered.comfort_noises.is_empty(),
            },
        );
        let rtcp_mux = pending.rtcp_mux && audio.rtcp_mux && theirs.leave_room_for_rtcp();
        let peer = audio.ice.as_ref().filter(|peer| !peer.mismatch && peer.fits(audio.rtp));
        let ice = pending.ice.as_ref().zip(peer).map(|(ours, peer)| {
            // Who offers first nominates (RFC 8445 section 6.1.1), for as long as the session lasts.
            let role = pending.before.ice_role().unwrap_or(Role::Controlling);
            ice::agree(ours.clone(), ice::candidates(&pending.local, true), peer, role, rtcp_mux)
        });
        let exchange =
            Exchange { local: &pending.local, intent: pending.intent, audio: &audio, send: &theirs, rtcp_mux, ice };
        let mut negotiated = exchange.outcome(offered, self.agreed.remote_rtp, self.capabilities.ptime_ms)?;
        // To a hold the answer can't be `sendonly`, and some peers answer `c=0.0.0.0` with `inactive`.
        if pending.intent != Intent::Talk {
            let held_before = self.agreed.outcome.as_ref().is_some_and(|(_, _, outcome)| outcome.held_by_peer);
            negotiated.held_by_peer = !audio.direction.receives() && held_before;
        }
        negotiated.protection = protection;

        let formats = pending.formats.clone();
        let asked = (pending.local, pending.intent);
        if self.agreed.lines.is_empty() {
            self.agreed.lines.push(describe::rejected_line(line));
        }
        self.agreed.numbers.learn(&formats, &[]);
        self.keys.forget();
        self.agreed.settle(answer, audio.rtp, asked, &negotiated);
        if let Some(pending) = &mut self.pending {
            pending.answered = true;
        }
        Ok(negotiated)
    }

    /// Answers the peer's offer: the answer to send and what it means. After an error nothing has changed.
    ///
    /// The first audio stream with a codec in common is taken, in the offer's order of preference; the others are
    /// rejected. An offer with the `o=` line of the last description stands for that description, whatever else has
    /// changed in it, unless the answer would not fit its streams, formats and directions.
    pub fn answer(&mut self, offer: &str, local: &LocalMedia, intent: Intent) -> Result<(String, Negotiated), Refusal> {
        let offer = describe::parse(offer)?;
        let known = self.agreed.remote.clone().filter(|known| is_same_description(known, &offer));
        let unchanged = known.is_some();
        let offer = known.unwrap_or(offer);

        let (place, audio, formats, keys) = self.first_usable(&offer, local)?;
        let keys = self.keys_to_answer(keys)?;
        let rtcp_mux = self.capabilities.rtcp_mux && audio.rtcp_mux && formats.leave_room_for_rtcp();
        let credentials = self.credentials_to_answer(&audio);
        let local = &self.local_to_answer(local, &audio, credentials.as_ref());
        let ice = credentials.as_ref().zip(audio.ice.as_ref()).map(|(ours, peer)| {
            let role = self.agreed.ice_role().unwrap_or(Role::Controlled);
            ice::agree(ours.clone(), ice::candidates(local, !rtcp_mux), peer, role, rtcp_mux)
        });
        let exchange = Exchange { local, intent, audio: &audio, send: &formats, rtcp_mux, ice };
        let mut negotiated = exchange.outcome(&formats, self.agreed.remote_rtp, self.capabilities.ptime_ms)?;
        if let Some((last_local, last_intent, last)) = &self.agreed.outcome
            && unchanged
            && (last_local, last_intent) == (local, &intent)
        {
            negotiated = last.clone();
        }
        negotiated.protection = keys.protection();

        let direction = exchange.direction();
        self.agreed.lines = offer.media.iter().map(describe::rejected_line).collect();
        self.agreed.audio = place;
        let protocol = self.agreed.lines.get(place).map_or("RTP/AVP", |line| line.protocol.as_str());
        let shown = local.shown(credentials.is_some());
        let mut line = describe::audio_line(&shown, protocol, &formats, &self.capabilities, direction);
        if rtcp_mux {
            line.attributes.push(Attribute::flag("rtcp-mux"));
        }
        self.write_answered(&keys, &mut line);
        // RFC 3611 section 5.2: who does not know them is not asked.
        if audio.xr.is_some() {
            xr::write(&mut line);
        }
        match (&credentials, &audio.ice) {
            (Some(credentials), _) => ice::write(&mut line, credentials, &ice::candidates(local, !rtcp_mux)),
            // RFC 8839 section 4.2.5: somebody on the way has written another default destination.
            (None, Some(peer)) if self.speaks_ice() && !peer.fits(audio.rtp) => {
                line.attributes.push(Attribute::flag("ice-mismatch"));
            }
            (None, _) => {}
        }
        let lines = self.agreed.lines_with(line);
        // RFC 3264 section 6: the t= line equals the offer's.
        let timing = offer.timing.clone();
        let address = connection_address(&shown, intent, direction, credentials.is_some());
        let text = self.write(local, address, timing, lines);
        self.agreed.numbers.learn(&formats, &audio.foreign);
        self.keys.forget();
        self.agreed.settle(offer, audio.rtp, (*local, intent), &negotiated);
        self.pending = None;
        Ok((text, negotiated))
    }

    /// The last offer was refused: the session is as it was before, except for the version of the `o=` line, which is
    /// never used again for another description.
    pub fn rollback(&mut self) {
        if let Some(pending) = self.pending.take() {
            self.agreed = pending.before;
        }
    }

    /// The place of the first audio stream that we can take, what it says, the formats in common, and its keys. Streams with some
    /// come first: some offer the same stream twice.
    fn first_usable(
        &self,
        offer: &SessionDescription,
        local: &LocalMedia,
    ) -> Result<(usize, Audio, Formats, Taken), Refusal> {
        let mut refusal = None;
        let mut plain = None;
        for (place, line) in offer.media.iter().enumerate() {
            let Some(profile) = describe::profile_of_audio(line) else { continue };
            match self.usable(offer, line, profile, local) {
                Ok((audio, formats, Taken::Plain)) => plain = plain.or(Some((place, audio, formats, Taken::Plain))),
                Ok((audio, formats, keys)) => return Ok((place, audio, formats, keys)),
                Err(error) => refusal = refusal.or(Some(error)),
            }
        }
        plain.ok_or(refusal.unwrap_or(Refusal::NoAudio))
    }

    fn usable(
        &self,
        offer: &SessionDescription,
        line: &MediaDescription,
        profile: Profile,
        local: &LocalMedia,
    ) -> Result<(Audio, Formats, Taken), Refusal> {
        let keys = self.keys_of_offer(profile, offer, line)?;
        let audio = Audio::read(offer, line)?;
        let ours = &self.capabilities;
        let beside = Beside { telephone_events: ours.telephone_event, comfort_noises: ours.dtx };
        let formats = audio.formats.only(|codec| ours.codecs.contains(&codec), beside);
        if formats.codecs.is_empty() {
            return Err(Refusal::NoCommonCodec { offered: audio.names });
        }
        if audio.rtp.is_some_and(|rtp| rtp.is_ipv4() != local.address.is_ipv4()) {
            return Err(Refusal::NoAudio);
        }
        Ok((audio, formats, keys))
    }

    /// Writes a description; one that differs from the last gets the next version, and the `o=` line changes in nothing
    /// else (RFC 3264 section 8).
    fn write(
        &mut self,
        local: &LocalMedia,
        connection: IpAddr,
        timing: Vec<Timing>,
        media: Vec<MediaDescription>,
    ) -> String {
        let mut description = SessionDescription::new(local.address, self.session_id, self.version);
        description.connection = Some(Connection::new(connection));
        description.timing = timing;
        description.media = media;
        if let Some(sent) = &self.sent {
            description.origin = Origin { session_version: self.version, ..sent.origin.clone() };
            if description != *sent {
                self.version = self.version.wrapping_add(1);
                description.origin.session_version = self.version;
            }
        }
        let text = description.to_string_sdp();
        self.sent = Some(description);
        text
    }
}

impl Agreed {
    /// How packets are protected now.
    fn protection(&self) -> Option<&Protection> {
        self.outcome.as_ref().map(|(_, _, outcome)| &outcome.protection)
    }

    /// The `m=` lines of a description of ours: our audio in its place, the others rejected.
    fn lines_with(&self, audio: MediaDescription) -> Vec<MediaDescription> {
        let mut lines = self.lines.clone();
        match lines.get_mut(self.audio) {
            Some(line) => *line = audio,
            None => lines.push(audio),
        }
        lines
    }

    /// Who nominates; the role stays when ICE begins anew.
    fn ice_role(&self) -> Option<Role> {
        self.outcome.as_ref()?.2.ice.as_ref().map(|agreed| agreed.role)
    }

    fn settle(
        &mut self,
        remote: SessionDescription,
        remote_rtp: Option<SocketAddr>,
        (local, intent): (LocalMedia, Intent),
        negotiated: &Negotiated,
    ) {
        self.remote = Some(remote);
        self.remote_rtp = remote_rtp.or(self.remote_rtp);
        self.outcome = Some((local, intent, negotiated.clone()));
    }
}

/// The address for `c=`. A hold in the old style has none, but an `inactive` that answers the peer's hold does, and with ICE
/// it would ask to begin anew (RFC 8839 section 4.4.1.1.1).
fn connection_address(local: &LocalMedia, intent: Intent, direction: Direction, ice: bool) -> IpAddr {
    let zero = intent == Intent::Hold(HoldStyle::Zero) && direction == Direction::SendOnly && !ice;
    if zero && local.address.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { local.address }
}

/// Whether `offer` is the description that we know (RFC 3264 section 8: its `o=` line is the same), and an answer to that
/// one fits this one.
fn is_same_description(known: &SessionDescription, offer: &SessionDescription) -> bool {
    known.origin == offer.origin
        && known.media.len() == offer.media.len()
        && known.media.iter().zip(&offer.media).all(|(known_line, line)| {
            known_line.media == line.media
                && known_line.protocol == line.protocol
                && known_line.formats == line.formats
                && known_line.is_rejected() == line.is_rejected()
                && keying::same_keys((known, known_line), (offer, line))
                && describe::direction(known, known_line) == describe::direction(offer, line)
        })
}

#[cfg(test)]
mod tests;
