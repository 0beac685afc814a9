//! `[network]`: how the sound gets through the network.

use std::ops::RangeInclusive;

use super::keys::{Key, Kind};

/// `[network]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// Whether RTCP at the RTP port (RFC 5761) is offered and taken.
    pub rtcp_mux: bool,
    /// Where RTP ports are taken from, and none from elsewhere; `None`: 10000 to 19999, and any other when these are in use.
    pub rtp_ports: Option<RangeInclusive<u16>>,
}

impl Default for Network {
    fn default() -> Self {
        Network { rtcp_mux: true, rtp_ports: None }
    }
}

/// What may stand in it.
pub const KEYS: &[Key<Network>] = &[
    Key { name: "rtcp_mux", kind: Kind::Flag { set: |network, on| network.rtcp_mux = on } },
    Key {
        name: "rtp_ports",
        kind: Kind::Text {
            expected: "a range of ports such as \"10000-20000\"",
            set: |network, text| ports(text).map(|range| network.rtp_ports = Some(range)),
        },
    },
];

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
    fn a_range_of_ports_has_room_for_a_pair() {
        assert_eq!(ports("10000-20000"), Ok(10_000..=20_000));
        assert_eq!(ports(" 4001 - 4003 "), Ok(4001..=4003));
        for bad in ["", "4000", "4000-", "4000-4000", "4001-4002", "5000-4000", "80-90", "1-70000", "a-b"] {
            assert!(ports(bad).is_err(), "{bad}");
        }
    }
}
