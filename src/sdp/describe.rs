//! What an audio stream of a description says, and how ours is written.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sipx_sdp::rtpmap::Rtpmap;
use sipx_sdp::{Address, Attribute, Direction, MediaDescription, SessionDescription};

use super::crypto::Profile;
use super::numbers::{COMFORT_NOISE, Formats};
use super::{Capabilities, Codec, ExtendedReports, LocalMedia, OpusWishes, Refusal, ice, xr};

/// Streams of a description that is still answered; no phone needs more.
const MAX_STREAMS: usize = 32;

/// Characters of the peer's text that an error repeats.
const MAX_QUOTE: usize = 120;

/// Encoding names of static payload types that this phone lacks (RFC 3551 tables 4 and 5), for the words of a refusal.
const STATIC_NAMES: [(u8, &str); 7] =
    [(3, "GSM"), (4, "G723"), (5, "DVI4"), (7, "LPC"), (12, "QCELP"), (15, "G728"), (18, "G729")];

/// Reads a description. Trailing blanks, unknown lines and an `m=` line without formats are forgiven.
pub(super) fn parse(text: &str) -> Result<SessionDescription, Refusal> {
    let description =
        sipx_sdp::parse(&repaired(text)).map_err(|error| Refusal::Malformed(printable(&error.to_string())))?;
    if description.media.len() > MAX_STREAMS {
        return Err(Refusal::Malformed(format!("more than {MAX_STREAMS} m= lines")));
    }
    Ok(description)
}

/// Some peers reject a stream with `m=video 0 RTP/AVP` alone, and some leave blanks at the end of lines.
fn repaired(text: &str) -> String {
    let mut repaired = String::with_capacity(text.len() + 16);
    for line in text.lines().map(str::trim_end) {
        repaired.push_str(line);
        if line.starts_with("m=") && line.split_whitespace().count() == 3 {
            repaired.push_str(" 0");
        }
        repaired.push('\n');
    }
    repaired
}

/// The peer's text, fit for a screen: bounded and without control characters.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).take(MAX_QUOTE).collect()
}

/// The profile of a stream that this phone can take part in: RTP audio that is not rejected.
pub(super) fn profile_of_audio(media: &MediaDescription) -> Option<Profile> {
    let is_audio = media.media.eq_ignore_ascii_case("audio") && !media.is_rejected();
    Profile::of(&media.protocol).filter(|_| is_audio)
}

/// The direction of a stream from its author's side. `c=0.0.0.0` takes away that it receives, whatever the attribute says
/// (RFC 3264 section 8.4).
pub(super) fn direction(session: &SessionDescription, media: &MediaDescription) -> Direction {
    let declared = media.declared_direction().unwrap_or_else(|| session.direction());
    let zero = session.address_for(media).is_some_and(|address| address.is_unspecified());
    direction_of(declared.sends(), declared.receives() && !zero)
}

/// The direction by its two halves.
pub(super) fn direction_of(sends: bool, receives: bool) -> Direction {
    match (sends, receives) {
        (true, true) => Direction::SendRecv,
        (true, false) => Direction::SendOnly,
        (false, true) => Direction::RecvOnly,
        (false, false) => Direction::Inactive,
    }
}

/// What a payload type of the peer's stands for.
enum Meaning {
    Codec(Codec),
    TelephoneEvent(u32),
    /// At this clock rate.
    ComfortNoise(u32),
    Foreign(String),
    /// A dynamic type without rtpmap.
    Unknown,
}

/// An audio stream as its author describes it.
#[derive(Debug, Clone)]
pub(super) struct Audio {
    /// The formats that this build knows, in the author's order.
    pub formats: Formats,
    /// Numbers bound to anything else, or to one of the formats once more.
    pub foreign: Vec<u8>,
    /// The names of all its codecs, for a person.
    pub names: String,
    /// The direction from the author's side; see [`direction`].
    pub direction: Direction,
    /// Where the author receives; `None`: `c=0.0.0.0`.
    pub rtp: Option<SocketAddr>,
    /// Where it receives RTCP; `None`: nowhere.
    pub rtcp: Option<SocketAddr>,
    /// A guess for an author that gave no address: the `o=` line's, with the stream's port.
    pub origin: Option<SocketAddr>,
    /// The author takes RTCP at its RTP port (RFC 5761 section 5.1.1).
    pub rtcp_mux: bool,
    /// What it asks of the Opus that it is sent.
    pub opus: OpusWishes,
    /// The extended reports that it wants; `None`: it does not know them.
    pub xr: Option<ExtendedReports>,
    /// What it says of ICE, if it speaks that.
    pub ice: Option<ice::Description>,
    ptime_ms: Option<u32>,
    max_ptime_ms: Option<u32>,
}

impl Audio {
    /// Reads an audio stream of a description. Host names aren't resolved here: they are refused.
    pub fn read(session: &SessionDescription, media: &MediaDescription) -> Result<Audio, Refusal> {
        let mut audio = Audio {
            formats: Formats::default(),
            foreign: Vec::new(),
            names: String::new(),
            direction: direction(session, media),
            rtp: None,
            rtcp: None,
            origin: session
                .origin
                .address
                .ip()
                .filter(|ip| !ip.is_unspecified() && is_unicast(*ip))
                .map(|ip| SocketAddr::new(ip, media.port)),
            rtcp_mux: media.attribute("rtcp-mux").is_some(),
            opus: OpusWishes::default(),
            xr: xr::read(session, media),
            ice: ice::Description::read(session, media),
            ptime_ms: milliseconds(session, media, "ptime"),
            max_ptime_ms: milliseconds(session, media, "maxptime"),
        };
        audio.read_formats(media);
        audio.read_addresses(session, media)?;
        Ok(audio)
    }

    /// Milliseconds a packet that the author wants, else `ours`.
    pub fn ptime_ms(&self, ours: u8) -> u8 {
        let wanted = self.ptime_ms.unwrap_or(u32::from(ours));
        let bounded = wanted.min(self.max_ptime_ms.unwrap_or(u32::MAX)).clamp(10, 60);
        u8::try_from(bounded).unwrap_or(ours)
    }

    fn read_formats(&mut self, media: &MediaDescription) {
        let mut seen = [false; 128];
        for number in media.formats.iter().filter_map(|format| format.parse::<u8>().ok()) {
            let Some(seen) = seen.get_mut(usize::from(number)).filter(|seen| !**seen) else { continue };
            *seen = true;
            match meaning(media, number) {
                Meaning::Codec(codec) => {
                    self.add_name(codec.name());
                    match self.formats.codecs.iter().any(|(_, known)| *known == codec) {
                        false => {
                            self.formats.codecs.push((number, codec));
                            if codec == Codec::Opus {
                                self.opus = OpusWishes::read(parameters(media, number));
                            }
                        }
                        true => self.foreign.push(number),
                    }
                }
                Meaning::TelephoneEvent(rate) => {
                    if !self.formats.telephone_events.iter().any(|(_, known)| *known == rate) {
                        self.formats.telephone_events.push((number, rate));
                    }
                }
                Meaning::ComfortNoise(rate) => {
                    if !self.formats.comfort_noises.iter().any(|(_, known)| *known == rate) {
                        self.formats.comfort_noises.push((number, rate));
                    }
                }
                Meaning::Foreign(name) => {
                    self.add_name(&name);
                    self.foreign.push(number);
                }
                Meaning::Unknown => self.foreign.push(number),
            }
        }
    }

    fn add_name(&mut self, name: &str) {
        if self.names.len() < MAX_QUOTE {
            let separator = if self.names.is_empty() { "" } else { ", " };
            let _ = write!(self.names, "{separator}{}", printable(name));
        }
    }

    fn read_addresses(&mut self, session: &SessionDescription, media: &MediaDescription) -> Result<(), Refusal> {
        let address = match media.connection.as_ref().or(session.connection.as_ref()).map(|c| &c.address) {
            Some(Address::Ip(address)) => *address,
            Some(Address::Host(host)) => {
                let reason = format!("c= gives the host name {}, not an address", printable(host));
                return Err(Refusal::Malformed(reason));
            }
            None => return Err(Refusal::Malformed("no c= line for the audio".to_owned())),
        };
        if !is_unicast(address) {
            return Err(Refusal::NoAudio);
        }
        if !address.is_unspecified() {
            self.rtp = Some(SocketAddr::new(address, media.port));
            self.rtcp = match media.attribute("rtcp").and_then(|attribute| attribute.value.as_deref()) {
                Some(value) => rtcp(value, address),
                None => media.port.checked_add(1).map(|port| SocketAddr::new(address, port)),
            };
        }
        Ok(())
    }
}

fn is_unicast(address: IpAddr) -> bool {
    !address.is_multicast() && address != IpAddr::V4(Ipv4Addr::BROADCAST)
}

/// `a=rtcp:53020` or `a=rtcp:53020 IN IP4 192.0.2.1` (RFC 3605 section 2.1).
fn rtcp(value: &str, rtp_address: IpAddr) -> Option<SocketAddr> {
    let mut parts = value.split_whitespace();
    let port = parts.next()?.parse::<u16>().ok().filter(|port| *port != 0)?;
    let address = parts.nth(2).and_then(|address| address.parse().ok()).unwrap_or(rtp_address);
    (!address.is_unspecified() && is_unicast(address) && address.is_ipv4() == rtp_address.is_ipv4())
        .then(|| SocketAddr::new(address, port))
}

/// The value of `a=ptime` or `a=maxptime`, of the stream or else of the session.
fn milliseconds(session: &SessionDescription, media: &MediaDescription, name: &str) -> Option<u32> {
    let attribute =
        media.attribute(name).or_else(|| session.attributes.iter().find(|attribute| attribute.name == name));
    attribute?.value.as_deref()?.trim().parse().ok().filter(|milliseconds| *milliseconds > 0)
}

fn meaning(media: &MediaDescription, number: u8) -> Meaning {
    let rtpmaps = media.attributes.iter().filter(|attribute| attribute.name == "rtpmap");
    let value = rtpmaps.filter_map(|attribute| attribute.value.as_deref()).find_map(|value| {
        let mut parts = value.split_whitespace();
        (parts.next()?.parse() == Ok(number)).then(|| parts.next()).flatten()
    });
    // A static type is known without rtpmap, and with one that can't be read (RFC 3551 section 6).
    let Some(rtpmap) = value.and_then(|value| Rtpmap::parse(value).ok()) else {
        return static_meaning(number);
    };
    let name = rtpmap.encoding();
    match Codec::from_name(name) {
        Some(codec)
            if rtpmap.clock_rate() == codec.clock_rate() && rtpmap.channels() == u32::from(codec.channels()) =>
        {
            Meaning::Codec(codec)
        }
        None if name.eq_ignore_ascii_case("telephone-event")
            && matches!(rtpmap.clock_rate(), 8000 | 16_000 | 48_000) =>
        {
            Meaning::TelephoneEvent(rtpmap.clock_rate())
        }
        None if name.eq_ignore_ascii_case("CN") && matches!(rtpmap.clock_rate(), 8000 | 16_000) => {
            Meaning::ComfortNoise(rtpmap.clock_rate())
        }
        _ => Meaning::Foreign(format!("{name}/{}", rtpmap.clock_rate())),
    }
}

/// What `a=fmtp` says of a payload type.
fn parameters(media: &MediaDescription, number: u8) -> &str {
    let fmtps = media.attributes.iter().filter(|attribute| attribute.name == "fmtp");
    let mut lines = fmtps.filter_map(|attribute| attribute.value.as_deref()?.trim_start().split_once(' '));
    lines.find(|(format, _)| format.parse() == Ok(number)).map_or("", |(_, parameters)| parameters)
}

fn static_meaning(number: u8) -> Meaning {
    if let Some(codec) = Codec::of_static_type(number) {
        return Meaning::Codec(codec);
    }
    if number == COMFORT_NOISE {
        return Meaning::ComfortNoise(8000);
    }
    match STATIC_NAMES.iter().find(|(known, _)| *known == number) {
        Some((_, name)) => Meaning::Foreign((*name).to_owned()),
        None => Meaning::Unknown,
    }
}

/// Our audio stream.
pub(super) fn audio_line(
    local: &LocalMedia,
    protocol: &str,
    formats: &Formats,
    ours: &Capabilities,
    direction: Direction,
) -> MediaDescription {
    let beside = formats.comfort_noises.iter().chain(&formats.telephone_events).map(|(number, _)| *number);
    let numbers = formats.codecs.iter().map(|(number, _)| *number).chain(beside);
    let mut line = MediaDescription::audio(local.rtp_port, numbers.map(|number| number.to_string()).collect());
    line.protocol = protocol.to_owned();
    let attributes = &mut line.attributes;
    for (number, codec) in &formats.codecs {
        let channels = if codec.channels() == 1 { String::new() } else { format!("/{}", codec.channels()) };
        let rtpmap = format!("{number} {}/{}{channels}", codec.name(), codec.clock_rate());
        attributes.push(Attribute::valued("rtpmap", rtpmap));
        if let Some(parameters) = codec.parameters() {
            // RFC 7587 section 6.1: that we would rather be sent nothing than silence.
            let silent = if ours.dtx && *codec == Codec::Opus { ";usedtx=1" } else { "" };
            attributes.push(Attribute::valued("fmtp", format!("{number} {parameters}{silent}")));
        }
    }
    for (number, rate) in &formats.comfort_noises {
        attributes.push(Attribute::valued("rtpmap", format!("{number} CN/{rate}")));
    }
    for (number, rate) in &formats.telephone_events {
        attributes.push(Attribute::valued("rtpmap", format!("{number} telephone-event/{rate}")));
        attributes.push(Attribute::valued("fmtp", format!("{number} 0-16")));
    }
    attributes.push(Attribute::valued("ptime", ours.ptime_ms.to_string()));
    attributes.push(Attribute::flag(direction.as_str()));
    if local.rtp_port.checked_add(1) != Some(local.rtcp_port) {
        attributes.push(Attribute::valued("rtcp", local.rtcp_port.to_string()));
    }
    line
}

/// A stream that we don't take: it keeps its place, with port 0 (RFC 3264 section 6).
pub(super) fn rejected_line(offered: &MediaDescription) -> MediaDescription {
    let mut line = MediaDescription::audio(0, offered.formats.clone());
    line.media.clone_from(&offered.media);
    line.protocol.clone_from(&offered.protocol);
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &str) -> Result<Audio, Refusal> {
        let description = parse(&format!("v=0\r\no=- 1 1 IN IP4 192.0.2.9\r\ns=-\r\nt=0 0\r\n{lines}"))?;
        Audio::read(&description, &description.media[0])
    }

    #[test]
    fn payload_types_mean_what_rtpmap_says_else_what_the_rfc_does() {
        /// Formats, then the codecs, the telephone-event and the names that they stand for.
        type Row = (&'static str, Vec<(u8, Codec)>, Option<(u8, u32)>, &'static str);
        let table: [Row; 11] = [
            ("0 8", vec![(0, Codec::Pcmu), (8, Codec::Pcma)], None, "PCMU, PCMA"),
            ("8\r\na=rtpmap:8 PCMA/8000/1", vec![(8, Codec::Pcma)], None, "PCMA"),
            ("8\r\na=rtpmap:8  pcma/8000 ", vec![(8, Codec::Pcma)], None, "PCMA"),
            ("97 96\r\na=rtpmap:97 PCMU/8000", vec![(97, Codec::Pcmu)], None, "PCMU"),
            ("0\r\na=rtpmap:0 PCMU/16000", vec![], None, "PCMU/16000"),
            ("0\r\na=rtpmap:0 PCMU", vec![(0, Codec::Pcmu)], None, "PCMU"),
            ("0\r\na=rtpmap:0 PCMU/8000/2", vec![], None, "PCMU/8000"),
            ("0 0 98 97 300 x\r\na=rtpmap:97 telephone-event/8000", vec![(0, Codec::Pcmu)], Some((97, 8000)), "PCMU"),
            ("18 96\r\na=rtpmap:96 telephone-event/48000", vec![], Some((96, 48_000)), "G729"),
            (
                "96 97\r\na=rtpmap:96 opus/48000/2\r\na=rtpmap:97 L16/44100",
                vec![(96, Codec::Opus)],
                None,
                "opus, L16/44100",
            ),
            ("9 96\r\na=rtpmap:96 opus/48000", vec![(9, Codec::G722)], None, "G722, opus/48000"),
        ];
        for (formats, codecs, events, names) in table {
            let audio = read(&format!("c=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP {formats}\r\n")).unwrap();
            assert_eq!(audio.formats.codecs, codecs, "{formats}");
            assert_eq!(audio.formats.telephone_events.first().copied(), events, "{formats}");
            assert_eq!(audio.names, names, "{formats}");
        }
    }

    #[test]
    fn rtcp_goes_to_the_next_port_or_where_it_is_told() {
        let table = [
            ("4000", "", Some("192.0.2.1:4001")),
            ("4000", "a=rtcp:5005\r\n", Some("192.0.2.1:5005")),
            ("4000", "a=rtcp:5005 IN IP4 192.0.2.7\r\n", Some("192.0.2.7:5005")),
            ("4000", "a=rtcp:5005 IN IP4 0.0.0.0\r\n", None),
            ("4000", "a=rtcp:0\r\n", None),
            ("65535", "", None),
        ];
        for (port, attribute, expected) in table {
            let audio = read(&format!("c=IN IP4 192.0.2.1\r\nm=audio {port} RTP/AVP 0\r\n{attribute}")).unwrap();
            assert_eq!(audio.rtcp, expected.map(|address| address.parse().unwrap()), "{port} {attribute}");
        }
    }

    #[test]
    fn ptime_is_the_authors_within_bounds() {
        let table = [
            ("", 20),
            ("a=ptime:30\r\n", 30),
            ("a=ptime:5\r\n", 10),
            ("a=ptime:500\r\n", 60),
            ("a=ptime:0\r\n", 20),
            ("a=ptime:x\r\n", 20),
            ("a=maxptime:10\r\n", 10),
            ("a=ptime:60\r\na=maxptime:40\r\n", 40),
            ("a=maxptime:1\r\n", 10),
        ];
        for (attributes, expected) in table {
            let audio = read(&format!("c=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 0\r\n{attributes}")).unwrap();
            assert_eq!(audio.ptime_ms(20), expected, "{attributes}");
        }
    }

    #[test]
    fn an_address_that_can_not_be_used_is_refused_in_clear_words() {
        let host = read("c=IN IP4 media.example.com\r\nm=audio 4000 RTP/AVP 0\r\n").unwrap_err();
        assert!(host.to_string().contains("host name media.example.com"), "{host}");
        let none = read("m=audio 4000 RTP/AVP 0\r\n").unwrap_err();
        assert!(none.to_string().contains("no c= line"), "{none}");
        assert_eq!(read("c=IN IP4 224.2.1.1/127\r\nm=audio 4000 RTP/AVP 0\r\n").unwrap_err(), Refusal::NoAudio);
    }

    #[test]
    fn what_an_error_repeats_of_the_peers_text_is_harmless() {
        let error = parse(&format!("v=0\r\no=\u{1b}[2J\u{202e}{}\r\n", "x".repeat(5000))).unwrap_err().to_string();
        assert!(error.len() < 250 && error.chars().all(|c| c.is_ascii_graphic() || c == ' '), "{error}");
    }

    #[test]
    fn an_m_line_without_formats_and_unknown_lines_are_forgiven() {
        let audio =
            read("c=IN IP4 192.0.2.1\r\nb=AS:64\r\ny=what\r\nm=audio 4000 RTP/AVP 0 \r\na=x \r\nm=video 0 RTP/AVP\r\n");
        assert_eq!(audio.unwrap().formats.codecs, [(0, Codec::Pcmu)]);
    }
}
