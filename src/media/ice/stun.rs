//! The question to a STUN server and its answer (RFC 8489): how the world sees a socket. Checks between the two sides are
//! the library's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const BINDING_SUCCESS: [u8; 2] = [0x01, 0x01];
const MAPPED_ADDRESS: u16 = 0x0001;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;

/// Names one question, so that nobody else can answer it.
pub type TransactionId = [u8; 12];

/// A Binding request without attributes.
pub fn binding_request(id: &TransactionId) -> [u8; 20] {
    let mut bytes = [0; 20];
    bytes[1] = 0x01;
    bytes[4..8].copy_from_slice(&COOKIE);
    bytes[8..].copy_from_slice(id);
    bytes
}

/// The answer to a Binding request without attributes that this phone would have to understand: who asks is at `from`.
pub fn binding_response(request: &[u8], from: SocketAddr) -> Option<Vec<u8>> {
    let (header, attributes) = request.split_at_checked(20)?;
    let length = usize::from(u16::from_be_bytes([*header.get(2)?, *header.get(3)?]));
    if header.get(..2) != Some(&[0, 1]) || header.get(4..8) != Some(&COOKIE) || attributes.len() != length {
        return None;
    }
    let id = TransactionId::try_from(header.get(8..)?).ok()?;
    let masked = unmasked(SocketAddr::new(from.ip().to_canonical(), from.port()), &id);
    let mut value = vec![0, if masked.is_ipv4() { 1 } else { 2 }];
    value.extend(masked.port().to_be_bytes());
    match masked.ip() {
        IpAddr::V4(v4) => value.extend(v4.octets()),
        IpAddr::V6(v6) => value.extend(v6.octets()),
    }
    let mut bytes = BINDING_SUCCESS.to_vec();
    bytes.extend((value.len() as u16 + 4).to_be_bytes());
    bytes.extend(COOKIE);
    bytes.extend(id);
    bytes.extend(XOR_MAPPED_ADDRESS.to_be_bytes());
    bytes.extend((value.len() as u16).to_be_bytes());
    bytes.extend(value);
    Some(bytes)
}

/// Where a Binding success response to this question says that it came from.
pub fn mapped_address(bytes: &[u8], id: &TransactionId) -> Option<SocketAddr> {
    let (header, attributes) = bytes.split_at_checked(20)?;
    let length = usize::from(u16::from_be_bytes([*header.get(2)?, *header.get(3)?]));
    if header.get(..2) != Some(&BINDING_SUCCESS) || header.get(4..8) != Some(&COOKIE) || header.get(8..) != Some(id) {
        return None;
    }
    let mut rest = attributes.get(..length)?;
    let mut plain = None;
    while let [kind_high, kind_low, high, low, ..] = rest {
        let length = usize::from(u16::from_be_bytes([*high, *low]));
        let value = rest.get(4..4 + length)?;
        match u16::from_be_bytes([*kind_high, *kind_low]) {
            XOR_MAPPED_ADDRESS => return address(value).map(|seen| unmasked(seen, id)),
            // Servers of RFC 3489 know this one only.
            MAPPED_ADDRESS => plain = address(value),
            _ => {}
        }
        rest = rest.get(4 + length.next_multiple_of(4)..).unwrap_or_default();
    }
    plain
}

fn address(value: &[u8]) -> Option<SocketAddr> {
    let port = u16::from_be_bytes([*value.get(2)?, *value.get(3)?]);
    let ip = match value.get(1)? {
        1 => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(value.get(4..8)?).ok()?)),
        2 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(value.get(4..20)?).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

/// RFC 8489 section 14.2: some translators change addresses that they see in a payload.
fn unmasked(seen: SocketAddr, id: &TransactionId) -> SocketAddr {
    let mask: Vec<u8> = COOKIE.iter().chain(id).copied().collect();
    let port = seen.port() ^ u16::from_be_bytes([COOKIE[0], COOKIE[1]]);
    let ip = match seen.ip() {
        IpAddr::V4(v4) => {
            let mut octets = v4.octets();
            octets.iter_mut().zip(&mask).for_each(|(octet, mask)| *octet ^= mask);
            IpAddr::from(octets)
        }
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            octets.iter_mut().zip(&mask).for_each(|(octet, mask)| *octet ^= mask);
            IpAddr::from(octets)
        }
    };
    SocketAddr::new(ip, port)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: TransactionId = [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    /// RFC 5769 section 2.2.
    const V4: &[u8] = b"\x01\x01\x00\x3c\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\x00\x0b\x74\x65\x73\x74\x20\x76\x65\x63\x74\x6f\x72\x20\
        \x00\x20\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43\
        \x00\x08\x00\x14\x2b\x91\xf5\x99\xfd\x9e\x90\xc3\x8c\x74\x89\xf9\x2a\xf9\xba\x53\xf0\x6b\xe7\xd7\
        \x80\x28\x00\x04\xc0\x7d\x4c\x96";
    /// RFC 5769 section 2.3.
    const V6: &[u8] = b"\x01\x01\x00\x48\x21\x12\xa4\x42\xb7\xe7\xa7\x01\xbc\x34\xd6\x86\xfa\x87\xdf\xae\
        \x80\x22\x00\x0b\x74\x65\x73\x74\x20\x76\x65\x63\x74\x6f\x72\x20\
        \x00\x20\x00\x14\x00\x02\xa1\x47\x01\x13\xa9\xfa\xa5\xd3\xf1\x79\xbc\x25\xf4\xb5\xbe\xd2\xb9\xd9\
        \x00\x08\x00\x14\xa3\x82\x95\x4e\x4b\xe6\x7b\xf1\x17\x84\xc9\x7c\x82\x92\xc2\x75\xbf\xe3\xed\x41\
        \x80\x28\x00\x04\xc8\xfb\x0b\x4c";

    #[test]
    fn the_vectors_of_rfc_5769_give_their_addresses() {
        assert_eq!(mapped_address(V4, &ID), Some("192.0.2.1:32853".parse().unwrap()));
        assert_eq!(mapped_address(V6, &ID), Some("[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap()));
        // An answer to another question is none.
        assert_eq!(mapped_address(V4, &[1; 12]), None);
    }

    #[test]
    fn a_question_is_answered_with_where_it_came_from() {
        for from in ["192.0.2.1:32853", "[2001:db8::7]:5004"] {
            let from = from.parse().unwrap();
            let answer = binding_response(&binding_request(&ID), from).unwrap();
            assert_eq!(mapped_address(&answer, &ID), Some(from));
            assert_eq!(binding_response(&answer, from), None, "an answer is no question");
        }
        assert_eq!(binding_response(&binding_request(&ID)[..19], "192.0.2.1:1".parse().unwrap()), None);
    }

    #[test]
    fn a_request_is_a_header_and_its_echo_no_answer() {
        let request = binding_request(&ID);
        assert_eq!(request[..8], [0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]);
        assert!(super::super::is_stun(&request));
        assert_eq!(mapped_address(&request, &ID), None);
    }

    #[test]
    fn an_old_server_has_the_address_as_it_is() {
        let mut old = vec![1, 1, 0, 12, 0x21, 0x12, 0xa4, 0x42];
        old.extend(ID);
        old.extend([0, 1, 0, 8, 0, 1, 0x10, 0, 192, 0, 2, 9]);
        assert_eq!(mapped_address(&old, &ID), Some("192.0.2.9:4096".parse().unwrap()));
    }

    proptest! {
        #[test]
        fn no_change_of_an_answer_panics(
            changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
            cut in 0usize..100,
        ) {
            for vector in [V4, V6] {
                let mut bytes = vector.to_vec();
                for (index, value) in &changes {
                    let at = index.index(bytes.len());
                    bytes[at] = *value;
                }
                bytes.truncate(cut);
                let _ = mapped_address(&bytes, &ID);
            }
        }
    }
}
