//! ICE in session descriptions (RFC 8839): credentials, candidates, and when two sides use it.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use rand_chacha::ChaCha12Rng;
use rand_core::{RngCore, SeedableRng};
use sipx_sdp::{Attribute, MediaDescription, SessionDescription};

use super::LocalMedia;

/// Candidates of the peer's that are looked at; more are left out.
const MAX_CANDIDATES: usize = 20;
/// Characters of a candidate's line that are read.
const MAX_LINE: usize = 512;
/// RFC 8445 section 5.1.2.1: with a single address of ours there is nothing to choose between.
const LOCAL_PREFERENCE: u32 = 65_535;

/// When ICE is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Policy {
    /// Never.
    #[default]
    Off,
    /// Where the other side offers it.
    Answer,
    /// Offered, too.
    Offer,
}

/// What a side's checks are known by (RFC 8839 section 5.4).
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// `a=ice-ufrag`.
    pub ufrag: String,
    /// `a=ice-pwd`: a secret.
    pub password: String,
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({}, ***)", self.ufrag)
    }
}

/// The stream's component of a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Component {
    /// 1.
    Rtp,
    /// 2, where RTCP has a port of its own.
    Rtcp,
}

impl Component {
    fn number(self) -> u32 {
        match self {
            Component::Rtp => 1,
            Component::Rtcp => 2,
        }
    }
}

/// How a candidate was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An address of the host itself.
    Host,
    /// As a STUN server sees it.
    ServerReflexive,
    /// As the peer sees it.
    PeerReflexive,
    /// Of a relay.
    Relayed,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Kind::Host => "host",
            Kind::ServerReflexive => "srflx",
            Kind::PeerReflexive => "prflx",
            Kind::Relayed => "relay",
        }
    }

    fn of(name: &str) -> Option<Kind> {
        [Kind::Host, Kind::ServerReflexive, Kind::PeerReflexive, Kind::Relayed]
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    /// RFC 8445 section 5.1.2.2.
    fn preference(self) -> u32 {
        match self {
            Kind::Host => 126,
            Kind::PeerReflexive => 110,
            Kind::ServerReflexive => 100,
            Kind::Relayed => 0,
        }
    }
}

/// A place at which a side may be reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Equal for what is of one kind, base and server.
    pub foundation: String,
    /// Of what.
    pub component: Component,
    /// The highest is the best, 1 to 2^31 - 1.
    pub priority: u32,
    /// Where.
    pub address: SocketAddr,
    /// How it was found.
    pub kind: Kind,
    /// From where it is reached: of our own candidates, the socket.
    pub base: Option<SocketAddr>,
}

impl Candidate {
    /// One of ours.
    fn ours(component: Component, kind: Kind, address: SocketAddr, base: SocketAddr) -> Candidate {
        // RFC 8445 section 5.1.2.1.
        let priority = (kind.preference() << 24) | (LOCAL_PREFERENCE << 8) | (256 - component.number());
        Candidate {
            foundation: (kind.preference() / 10).to_string(),
            component,
            priority,
            address,
            kind,
            base: Some(base),
        }
    }

    /// Reads the value of `a=candidate` (RFC 8839 section 5.1). What is not UDP at an IP address is none.
    fn read(value: &str) -> Option<Candidate> {
        let mut parts = value.get(..MAX_LINE.min(value.len()))?.split_ascii_whitespace();
        let foundation = parts.next()?.to_owned();
        let component = match parts.next()? {
            "1" => Component::Rtp,
            "2" => Component::Rtcp,
            _ => return None,
        };
        if !parts.next()?.eq_ignore_ascii_case("udp") {
            return None;
        }
        let priority = parts.next()?.parse().ok().filter(|priority| (1..1 << 31).contains(priority))?;
        let ip: IpAddr = parts.next()?.parse().ok()?;
        let port = parts.next()?.parse().ok().filter(|port| *port != 0)?;
        let kind =
            parts.next().filter(|word| word.eq_ignore_ascii_case("typ")).and_then(|_| Kind::of(parts.next()?))?;
        let usable = !ip.is_unspecified() && !ip.is_multicast() && ip != IpAddr::V4(std::net::Ipv4Addr::BROADCAST);
        usable.then(|| Candidate {
            foundation,
            component,
            priority,
            address: SocketAddr::new(ip, port),
            kind,
            base: None,
        })
    }

    fn value(&self) -> String {
        let (ip, port) = (self.address.ip(), self.address.port());
        let (component, priority, kind) = (self.component.number(), self.priority, self.kind.name());
        let mut text = format!("{} {component} UDP {priority} {ip} {port} typ {kind}", self.foundation);
        if let (Some(base), true) = (self.base, self.kind != Kind::Host) {
            text.push_str(&format!(" raddr {} rport {}", base.ip(), base.port()));
        }
        text
    }
}

/// What a stream of the peer's says of ICE.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Description {
    pub credentials: Credentials,
    pub candidates: Vec<Candidate>,
    /// The author only answers checks.
    pub lite: bool,
    /// It complies with RFC 8445, rather than with RFC 5245.
    pub ice2: bool,
    /// The answerer has seen a default destination without a candidate.
    pub mismatch: bool,
    /// The controlling side has concluded: these of our addresses are in use (RFC 8839 section 5.2).
    pub remote_candidates: Vec<(Component, SocketAddr)>,
}

impl Description {
    /// `None`: the author does not speak ICE.
    pub fn read(session: &SessionDescription, media: &MediaDescription) -> Option<Description> {
        let of_session = |name: &str| session.attributes.iter().find(|attribute| attribute.name == name);
        let value = |name: &str| media.attribute(name).or_else(|| of_session(name))?.value.as_deref().map(str::trim);
        let secret = |name: &str, length: std::ops::RangeInclusive<usize>| {
            let text = value(name)?;
            let fits = length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
            fits.then(|| text.to_owned())
        };
        let mismatch = media.attribute("ice-mismatch").is_some();
        let credentials = match (secret("ice-ufrag", 4..=256), secret("ice-pwd", 22..=256)) {
            (Some(ufrag), Some(password)) => Credentials { ufrag, password },
            _ => return None,
        };
        let lines = media.attributes.iter().filter(|attribute| attribute.name == "candidate");
        let candidates =
            lines.filter_map(|line| Candidate::read(line.value.as_deref()?)).take(MAX_CANDIDATES).collect();
        Some(Description {
            credentials,
            candidates,
            lite: of_session("ice-lite").is_some() || media.attribute("ice-lite").is_some(),
            ice2: value("ice-options").is_some_and(|options| options.split_whitespace().any(|tag| tag == "ice2")),
            mismatch,
            remote_candidates: remote_candidates(media),
        })
    }

    /// Whether the default destination is among the candidates (RFC 8839 section 4.2.5): something on the way may have written
    /// another one. Without any, or to nowhere, the peer counts on our checks to find it.
    pub fn fits(&self, rtp: Option<SocketAddr>) -> bool {
        let mut of_rtp = self.candidates.iter().filter(|candidate| candidate.component == Component::Rtp).peekable();
        let Some(rtp) = rtp.filter(|rtp| rtp.port() != 9) else { return true };
        of_rtp.peek().is_none() || of_rtp.any(|candidate| candidate.address == rtp)
    }

    fn has(&self, component: Component) -> bool {
        self.candidates.iter().any(|candidate| candidate.component == component)
    }
}

fn remote_candidates(media: &MediaDescription) -> Vec<(Component, SocketAddr)> {
    let lines = media.attributes.iter().filter(|attribute| attribute.name == "remote-candidates");
    let mut found = Vec::new();
    for value in lines.filter_map(|line| line.value.as_deref()).take(2) {
        let words: Vec<&str> = value.split_ascii_whitespace().take(6).collect();
        for triple in words.chunks_exact(3) {
            let component = match triple.first() {
                Some(&"1") => Component::Rtp,
                Some(&"2") => Component::Rtcp,
                _ => continue,
            };
            let address = triple.get(1).and_then(|ip| ip.parse::<IpAddr>().ok());
            let port = triple.get(2).and_then(|port| port.parse::<u16>().ok());
            if let (Some(address), Some(port)) = (address, port) {
                found.push((component, SocketAddr::new(address, port)));
            }
        }
    }
    found
}

/// Who nominates (RFC 8445 section 6.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// We do.
    Controlling,
    /// The peer does.
    Controlled,
}

/// What both sides have agreed on, from our side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreed {
    /// Ours.
    pub local: Credentials,
    /// The peer's.
    pub remote: Credentials,
    /// Where we may be reached.
    pub local_candidates: Vec<Candidate>,
    /// Where the peer may be.
    pub remote_candidates: Vec<Candidate>,
    /// Who nominates, as it was agreed on first.
    pub role: Role,
    /// The peer only answers checks.
    pub remote_lite: bool,
    /// The peer needs no offer that repeats what the checks have found (RFC 8839 section 4.3.4).
    pub remote_ice2: bool,
}

/// Where a component's packets go after the checks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ends {
    /// Our address as the peer sees it.
    pub local: SocketAddr,
    /// The peer's.
    pub remote: SocketAddr,
}

/// The pairs that the checks have found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Path {
    /// Of RTP.
    pub rtp: Ends,
    /// Of RTCP, where it has a port of its own.
    pub rtcp: Option<Ends>,
}

/// Our addresses as a STUN server sees them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reflexive {
    /// RTP's.
    pub rtp: SocketAddr,
    /// RTCP's.
    pub rtcp: Option<SocketAddr>,
}

/// Which address of ours stands in `c=` and `m=` before the checks: a peer without ICE sends there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Destination {
    /// Our own: the peer is in our network, or nobody has told us another one.
    #[default]
    Host,
    /// The one that a STUN server sees.
    Reflexive,
}

/// Makes credentials, new ones each time, out of a seed.
#[derive(Clone)]
pub(super) struct Secrets(Option<ChaCha12Rng>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets(***)")
    }
}

impl Secrets {
    /// Without a seed there are none, and ICE is neither offered nor answered.
    pub fn none() -> Secrets {
        Secrets(None)
    }

    pub fn from_seed(seed: [u8; 32]) -> Secrets {
        Secrets(Some(ChaCha12Rng::from_seed(seed)))
    }

    pub fn are_there(&self) -> bool {
        self.0.is_some()
    }

    /// RFC 8445 section 5.3: at least 24 and 128 random bits; these have 48 and 144.
    pub fn next(&mut self) -> Option<Credentials> {
        const ICE_CHARS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let random = self.0.as_mut()?;
        let mut text = |length: usize| -> String {
            (0..length).map(|_| char::from(ICE_CHARS[(random.next_u32() & 63) as usize])).collect()
        };
        Some(Credentials { ufrag: text(8), password: text(24) })
    }
}

/// Our candidates: all of them, or what the checks have found.
pub(super) fn candidates(local: &LocalMedia, rtcp: bool) -> Vec<Candidate> {
    let mut all = Vec::new();
    for component in [Component::Rtp, Component::Rtcp] {
        if component == Component::Rtcp && !rtcp {
            continue;
        }
        let (port, reflexive, ends) = match component {
            Component::Rtp => (local.rtp_port, local.reflexive.map(|seen| seen.rtp), local.path.map(|path| path.rtp)),
            Component::Rtcp => {
                (local.rtcp_port, local.reflexive.and_then(|seen| seen.rtcp), local.path.and_then(|path| path.rtcp))
            }
        };
        let base = SocketAddr::new(local.address, port);
        let reflexive = reflexive.filter(|seen| *seen != base && seen.is_ipv4() == base.is_ipv4());
        match ends.map(|ends| ends.local) {
            // RFC 8839 section 4.4.1.2.2: after the nomination it stands alone.
            Some(found) if found == base => all.push(Candidate::ours(component, Kind::Host, base, base)),
            Some(found) if Some(found) == reflexive => {
                all.push(Candidate::ours(component, Kind::ServerReflexive, found, base));
            }
            Some(found) => all.push(Candidate::ours(component, Kind::PeerReflexive, found, base)),
            None => {
                all.push(Candidate::ours(component, Kind::Host, base, base));
                all.extend(reflexive.map(|seen| Candidate::ours(component, Kind::ServerReflexive, seen, base)));
            }
        }
    }
    all
}

/// Writes what a stream of ours says of ICE.
pub(super) fn write(line: &mut MediaDescription, credentials: &Credentials, candidates: &[Candidate]) {
    let attributes = &mut line.attributes;
    attributes.push(Attribute::valued("ice-ufrag", credentials.ufrag.clone()));
    attributes.push(Attribute::valued("ice-pwd", credentials.password.clone()));
    attributes.push(Attribute::valued("ice-options", "ice2"));
    attributes.extend(candidates.iter().map(|candidate| Attribute::valued("candidate", candidate.value())));
}

/// The controlling side's word of what the checks have found (RFC 8839 section 4.4.1.2.2).
pub(super) fn write_remote_candidates(line: &mut MediaDescription, path: &Path) {
    let mut value = format!("1 {} {}", path.rtp.remote.ip(), path.rtp.remote.port());
    if let Some(rtcp) = path.rtcp {
        value.push_str(&format!(" 2 {} {}", rtcp.remote.ip(), rtcp.remote.port()));
    }
    line.attributes.push(Attribute::valued("remote-candidates", value));
}

/// What it comes to when both sides speak ICE. Of RTCP only where it has a port of its own and the peer has candidates for it.
pub(super) fn agree(
    local: Credentials,
    local_candidates: Vec<Candidate>,
    peer: &Description,
    role: Role,
    rtcp_mux: bool,
) -> Agreed {
    let two = !rtcp_mux && peer.has(Component::Rtcp);
    let used = |candidate: &Candidate| two || candidate.component == Component::Rtp;
    Agreed {
        local,
        remote: peer.credentials.clone(),
        local_candidates: local_candidates.into_iter().filter(used).collect(),
        remote_candidates: peer.candidates.iter().filter(|candidate| used(candidate)).cloned().collect(),
        // RFC 8445 section 6.1.1: a lite peer never nominates.
        role: if peer.lite { Role::Controlling } else { role },
        remote_lite: peer.lite,
        remote_ice2: peer.ice2,
    }
}
