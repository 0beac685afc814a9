//! Offer and answer (RFC 3264) for one audio stream: pure functions over our side's history.

mod keying;
mod way;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sipx_sdp::{Attribute, Connection, Direction, MediaDescription, Origin, SessionDescription, Timing};

use super::crypto::{Keying, Keys, Profile, Srtp, SrtpRefusal};
use super::describe::{self, Audio};
use super::dtls;
use super::ice::{self, Role, Secrets};
use super::numbers::{Beside, Formats, Numbers};
use super::{Codec, ExtendedReports, OpusWishes, xr};
use keying::{Offered, Taken};

/// What we can speak, in order of preference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Codecs in our order of preference.
    pub codecs: Vec<Codec>,
    /// Milliseconds of sound a packet that we offer to receive (`a=ptime`), 10 to 60.
    pub ptime_ms: u8,
    /// Whether `telephone-event` (RFC 4733) is offered.
    pub telephone_event: bool,
    /// Whether we would rather be sent nothing than silence: comfort noise (RFC 3389) is offered, and of Opus `usedtx` is asked.
    /// Else comfort noise that is offered to us is not accepted either: who sends next to nothing looks like a lost call.
    pub dtx: bool,
    /// Whether RTCP at the RTP port (RFC 5761) is offered, and taken where it is offered.
    pub rtcp_mux: bool,
    /// When ICE is used.
    pub ice: ice::Policy,
}

impl Capabilities {
    /// Capabilities by the names of codecs, in order of preference, with `telephone-event`. Names that this build does not
    /// know are skipped and returned; when none is left the list of codecs is empty, and nothing can be agreed on.
    pub fn from_names(names: impl IntoIterator<Item = impl AsRef<str>>, ptime_ms: u8) -> (Capabilities, Vec<String>) {
        let mut codecs = Vec::new();
        let mut unknown = Vec::new();
        for name in names {
            match Codec::from_name(name.as_ref()) {
                Some(codec) if codecs.contains(&codec) => {}
                Some(codec) => codecs.push(codec),
                None => unknown.push(name.as_ref().to_owned()),
            }
        }
        (
            Capabilities {
                codecs,
                ptime_ms: ptime_ms.clamp(10, 60),
                telephone_event: true,
                dtx: false,
                rtcp_mux: true,
                ice: ice::Policy::Off,
            },
            unknown,
        )
    }
}

/// Where this phone receives sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LocalMedia {
    /// The address for `c=` and `o=`.
    pub address: IpAddr,
    /// The RTP port.
    pub rtp_port: u16,
    /// The RTCP port; `a=rtcp` (RFC 3605) is written when it is not `rtp_port + 1`.
    pub rtcp_port: u16,
    /// How a STUN server sees these ports.
    pub reflexive: Option<ice::Reflexive>,
    /// Which of the two stands in `c=` and `m=` before ICE has found a way.
    pub destination: ice::Destination,
    /// The way that ICE has found.
    pub path: Option<ice::Path>,
}

impl LocalMedia {
    /// Ports of our own at an address of our own.
    pub fn new(address: IpAddr, rtp_port: u16, rtcp_port: u16) -> LocalMedia {
        let destination = ice::Destination::Host;
        LocalMedia { address, rtp_port, rtcp_port, reflexive: None, destination, path: None }
    }
}

/// How a hold is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HoldStyle {
    /// `c=0.0.0.0` with `a=sendonly` (RFC 2543's way, still the one most PBXs know). With an IPv6 address it is written
    /// as [`HoldStyle::SendOnly`].
    Zero,
    /// The real address with `a=sendonly` (RFC 3264 section 8.4).
    SendOnly,
    /// As [`HoldStyle::SendOnly`], and RTP goes on: the other side hears music.
    Music,
    /// The real address with `a=inactive`.
    Inactive,
}

/// What we want of the session. Every offer states it, never the last negotiated direction (RFC 6337 section 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Intent {
    /// Talk: `a=sendrecv`.
    Talk,
    /// We hold the other side.
    Hold(HoldStyle),
}

impl Intent {
    fn direction(self) -> Direction {
        match self {
            Intent::Talk => Direction::SendRecv,
            Intent::Hold(HoldStyle::Zero | HoldStyle::SendOnly | HoldStyle::Music) => Direction::SendOnly,
            Intent::Hold(HoldStyle::Inactive) => Direction::Inactive,
        }
    }
}

/// What offer and answer agreed on, seen from our side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Negotiated {
    /// Where RTP goes. An unspecified address (`0.0.0.0`) never stands here: to a peer that gave none, and to which
    /// nothing is sent (see `send`), it is the last address that the peer gave, else that of its `o=` line, else ours.
    pub remote_rtp: SocketAddr,
    /// Where RTCP goes: `a=rtcp` or the RTP port + 1; with `rtcp_mux` where RTP does; `None` to a peer that sent `c=0.0.0.0`,
    /// or that has no such port.
    pub remote_rtcp: Option<SocketAddr>,
    /// RTP and RTCP share a port on both sides (RFC 5761).
    pub rtcp_mux: bool,
    /// The extended reports that the peer wants (RFC 3611).
    pub xr: ExtendedReports,
    /// ICE finds where packets go; then the two addresses above are only what the descriptions say.
    pub ice: Option<ice::Agreed>,
    /// The codec that we send.
    pub codec: Codec,
    /// The payload type with which the peer wants `codec`.
    pub send_payload_type: u8,
    /// The payload types that we accept, with their codecs.
    pub receive: Vec<(u8, Codec)>,
    /// The payload type with which the peer wants `telephone-event`, if it does, and its clock rate in Hz.
    pub send_telephone_event: Option<(u8, u32)>,
    /// The payload types with which we accept `telephone-event`, and their clock rates in Hz.
    pub receive_telephone_events: Vec<(u8, u32)>,
    /// How each side says what its silence sounds like.
    pub comfort_noise: ComfortNoise,
    /// What the peer asks of the Opus that we send.
    pub opus: OpusWishes,
    /// Milliseconds of sound a packet that the peer asked for, else ours.
    pub ptime_ms: u8,
    /// Whether we send RTP: both sides agree that we do, the peer gave an address, and we don't hold it (a hold of ours
    /// sends nothing, though `sendonly` would allow it, unless it is [`HoldStyle::Music`]).
    pub send: bool,
    /// Whether what the peer sends is played.
    pub receive_audio: bool,
    /// The other side holds us (`sendonly`, `inactive` or `c=0.0.0.0`). An answer that is not able to say so, because our
    /// offer was a hold, leaves it as it was.
    pub held_by_peer: bool,
    /// How packets are protected, both ways.
    pub protection: Protection,
}

/// Comfort noise (RFC 3389) in a session; by default there is none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ComfortNoise {
    /// The payload type with which the peer takes it beside the codec that we send.
    pub send: Option<u8>,
    /// The payload types with which we accept it, and their clock rates in Hz.
    pub receive: Vec<(u8, u32)>,
}

/// How a stream's packets are protected.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Protection {
    /// Not at all.
    #[default]
    None,
    /// SRTP with these keys.
    Srtp(Box<Srtp>),
    /// SRTP with the keys that a handshake gives; nothing is sent or believed before that.
    Dtls(Box<dtls::Agreed>),
}

impl From<Srtp> for Protection {
    fn from(srtp: Srtp) -> Protection {
        Protection::Srtp(Box::new(srtp))
    }
}

impl Protection {
    /// The keys, where they are in the descriptions.
    pub fn srtp(&self) -> Option<&Srtp> {
        match self {
            Protection::None | Protection::Dtls(_) => None,
            Protection::Srtp(srtp) => Some(srtp),
        }
    }

    /// The handshake that gives the keys, where one does.
    pub fn dtls(&self) -> Option<&dtls::Agreed> {
        match self {
            Protection::None | Protection::Srtp(_) => None,
            Protection::Dtls(agreed) => Some(agreed),
        }
    }
}

/// Why a description can't be accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is not a session description: 400.
    #[error("the session description can't be read: {0}")]
    Malformed(String),
    /// It has no audio stream, or only rejected ones: 488.
    #[error("the session description has no audio that we can take")]
    NoAudio,
    /// No codec in common: 488.
    #[error("no codec in common (offered: {offered})")]
    NoCommonCodec {
        /// The encoding names offered.
        offered: String,
    },
    /// No SRTP, or SRTP, and one side does not want it so: 488.
    #[error("{0}")]
    Srtp(#[from] SrtpRefusal),
    /// An answer that does not fit its offer.
    #[error("the answer does not fit the offer: {0}")]
    BadAnswer(&'static str),
}

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

/// One offer with its answer, seen from our side.
struct Exchange<'a> {
    local: &'a LocalMedia,
    intent: Intent,
    /// The peer's stream.
    audio: &'a Audio,
    /// The formats in common under the peer's numbers, in its order.
    send: &'a Formats,
    /// Both sides take RTCP at the RTP port.
    rtcp_mux: bool,
    /// What both sides agree on about ICE.
    ice: Option<ice::Agreed>,
}

impl Exchange<'_> {
    /// Our direction: what both want (RFC 3264 section 6.1).
    fn direction(&self) -> Direction {
        let (ours, theirs) = (self.intent.direction(), self.audio.direction);
        describe::direction_of(ours.sends() && theirs.receives(), ours.receives() && theirs.sends())
    }

    /// What it comes to; `receive` has the formats under the numbers that we accept.
    fn outcome(&self, receive: &Formats, known: Option<SocketAddr>, ptime_ms: u8) -> Result<Negotiated, Refusal> {
        let Some(&(send_payload_type, codec)) = self.send.codecs.first() else {
            return Err(Refusal::NoCommonCodec { offered: self.audio.names.clone() });
        };
        let (local, audio) = (self.local, self.audio);
        if audio.rtp.is_some_and(|rtp| rtp.is_ipv4() != local.address.is_ipv4()) {
            return Err(Refusal::NoAudio);
        }
        let nowhere = SocketAddr::new(local.address, local.rtp_port);
        let direction = self.direction();
        let talking = self.intent == Intent::Talk;
        let speaking = talking || self.intent == Intent::Hold(HoldStyle::Music);
        Ok(Negotiated {
            remote_rtp: audio.rtp.or(known).or(audio.origin).unwrap_or(nowhere),
            remote_rtcp: if self.rtcp_mux { audio.rtp } else { audio.rtcp },
            rtcp_mux: self.rtcp_mux,
            xr: audio.xr.unwrap_or_default(),
            ice: self.ice.clone(),
            codec,
            send_payload_type,
            receive: receive.codecs.clone(),
            send_telephone_event: self.send.telephone_event_for(codec),
            receive_telephone_events: receive.telephone_events.clone(),
            comfort_noise: ComfortNoise {
                send: self.send.comfort_noise_for(codec),
                receive: receive.comfort_noises.clone(),
            },
            opus: audio.opus,
            ptime_ms: audio.ptime_ms(ptime_ms),
            send: speaking && direction.sends(),
            receive_audio: talking && direction.receives(),
            held_by_peer: !audio.direction.receives(),
            protection: Protection::None,
        })
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
