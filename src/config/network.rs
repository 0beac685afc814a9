//! `[network]`: how the sound gets through the network.

use std::ops::RangeInclusive;

use super::keys::{Key, Kind};
use crate::sdp::ice::Policy;

/// `[network]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// When ICE is used.
    pub ice: Ice,
    /// The STUN server that tells how the world sees us: `host` or `host:port`.
    pub stun: Option<String>,
    /// Whether RTCP at the RTP port (RFC 5761) is offered and taken.
    pub rtcp_mux: bool,
    /// How SIP and RTP are marked (RFC 2474), 0 to 63.
    pub dscp_sip: u8,
    /// See `dscp_sip`.
    pub dscp_rtp: u8,
    /// Where RTP ports are taken from, and none from elsewhere; `None`: 10000 to 19999, and any other when these are in use.
    pub rtp_ports: Option<RangeInclusive<u16>>,
}

impl Default for Network {
    fn default() -> Self {
        Network {
            ice: Ice::Auto,
            stun: None,
            rtcp_mux: true,
            dscp_sip: crate::net::DSCP,
            dscp_rtp: 46,
            rtp_ports: None,
        }
    }
}

/// When ICE is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ice {
    /// Never.
    Off,
    /// Where the other side offers it; offered when there is a STUN server, for then we are expected to be behind NAT.
    Auto,
    /// Offered in every call.
    Always,
}

impl Network {
    /// When ICE is used, in the core's words.
    pub fn ice_policy(&self) -> Policy {
        match (self.ice, &self.stun) {
            (Ice::Off, _) => Policy::Off,
            (Ice::Auto, None) => Policy::Answer,
            (Ice::Auto, Some(_)) | (Ice::Always, _) => Policy::Offer,
        }
    }

    /// The STUN server's host and port (RFC 8489 section 16: 3478).
    pub fn stun_server(&self) -> Option<(&str, u16)> {
        self.stun.as_deref().and_then(|text| server(text).ok())
    }
}

/// What may stand in it.
pub const KEYS: &[Key<Network>] = &[
    Key {
        name: "ice",
        kind: Kind::Choice {
            words: &["off", "auto", "always"],
            set: |network, i| network.ice = [Ice::Off, Ice::Auto, Ice::Always][i],
        },
    },
    Key {
        name: "stun",
        kind: Kind::Text {
            expected: "a server such as \"stun.example.com:3478\"",
            set: |network, text| server(text).map(|_| network.stun = Some(text.into())),
        },
    },
    Key { name: "rtcp_mux", kind: Kind::Flag { set: |network, on| network.rtcp_mux = on } },
    Key { name: "dscp_sip", kind: Kind::Number { min: 0, max: 63, set: |network, n| network.dscp_sip = n as u8 } },
    Key { name: "dscp_rtp", kind: Kind::Number { min: 0, max: 63, set: |network, n| network.dscp_rtp = n as u8 } },
    Key {
        name: "rtp_ports",
        kind: Kind::Text {
            expected: "a range of ports such as \"10000-20000\"",
            set: |network, text| ports(text).map(|range| network.rtp_ports = Some(range)),
        },
    },
];

/// `host`, `host:port`, `192.0.2.1`, `[2001:db8::1]:3478`.
fn server(text: &str) -> Result<(&str, u16), String> {
    let text = text.trim();
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let port = match port.map(str::parse) {
        None => 3478,
        Some(Ok(port)) if port != 0 => port,
        Some(_) => return Err("the port is no port".into()),
    };
    let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:_".contains(&byte));
    if is_host { Ok((host, port)) } else { Err("that is no host".into()) }
}

/// A range with room for a pair of ports: RTP's is even (RFC 3550 section 11).
fn ports(text: &str) -> Result<RangeInclusive<u16>, String> {
    let (first, last) = text.split_once('-').ok_or("two ports with a hyphen between them")?;
    let port = |text: &str| text.trim().parse::<u16>().map_err(|_| format!("'{}' is no port", text.trim()));
    let (first, last) = (port(first)?, port(last)?);
    if first < 1024 {
        return Err("ports below 1024 belong to the system".into());
    }
    let even = first.next_multiple_of(2);
    if even >= last {
        return Err("there is no pair of an even port and the next one in it".into());
    }
    Ok(first..=last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_host_with_or_without_a_port() {
        assert_eq!(server("stun.example.com:19302"), Ok(("stun.example.com", 19_302)));
        assert_eq!(server("stun.example.com"), Ok(("stun.example.com", 3478)));
        assert_eq!(server("192.0.2.1:3479"), Ok(("192.0.2.1", 3479)));
        assert_eq!(server("[2001:db8::1]:3479"), Ok(("2001:db8::1", 3479)));
        assert_eq!(server("[2001:db8::1]"), Ok(("2001:db8::1", 3478)));
        assert_eq!(server("2001:db8::1"), Ok(("2001:db8::1", 3478)));
        for bad in ["", ":3478", "host:0", "host:x", "stun:host/x", "a b"] {
            assert!(server(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn ice_is_offered_where_a_server_says_how_the_world_sees_us() {
        let policy =
            |ice, stun: Option<&str>| Network { ice, stun: stun.map(String::from), ..Network::default() }.ice_policy();
        assert_eq!(policy(Ice::Auto, None), Policy::Answer);
        assert_eq!(policy(Ice::Auto, Some("stun.example.com")), Policy::Offer);
        assert_eq!(policy(Ice::Always, None), Policy::Offer);
        assert_eq!(policy(Ice::Off, Some("stun.example.com")), Policy::Off);
    }

    #[test]
    fn a_range_of_ports_has_room_for_a_pair() {
        assert_eq!(ports("10000-20000"), Ok(10_000..=20_000));
        assert_eq!(ports(" 4001 - 4003 "), Ok(4001..=4003));
        for bad in ["", "4000", "4000-", "4000-4000", "4001-4002", "5000-4000", "80-90", "1-70000", "a-b"] {
            assert!(ports(bad).is_err(), "{bad}");
        }
    }
}
