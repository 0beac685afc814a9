//! SIP messages as packets, for Wireshark (the pcapng format: draft-ietf-opsawg-pcapng).
//!
//! What went by UDP or TCP becomes a packet with the addresses that it had. What went by TLS would be taken for rubbish
//! there, because it is not encrypted here: it becomes what Wireshark itself makes of decrypted messages, an exported PDU.

use std::collections::HashMap;
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, SystemTime};

use super::Message;
use crate::sip::transport::Transport;

/// `LINKTYPE_RAW` and `LINKTYPE_WIRESHARK_UPPER_PDU` (the link-layer header types of tcpdump).
const RAW: u16 = 101;
const UPPER_PDU: u16 = 252;
/// The interfaces, in the order in which they are described.
const ON_THE_WIRE: u32 = 0;
const DECRYPTED: u32 = 1;
/// The numbers of IP (RFC 790).
const TCP: u8 = 6;
const UDP: u8 = 17;
/// What an IP packet holds at most; a longer message is cut off in it.
const LONGEST: usize = 65_000;

/// Writes packets.
pub struct Pcapng {
    /// What each direction of each TCP connection has carried.
    carried: HashMap<(SocketAddr, SocketAddr), u32>,
}

impl Pcapng {
    /// Writes what stands before the packets.
    pub fn begin(out: &mut dyn Write) -> io::Result<Pcapng> {
        // The section's length is not known: all ones.
        let section = [0x1A2B_3C4D_u32.to_le_bytes(), [1, 0, 0, 0], [0xFF; 4], [0xFF; 4]].concat();
        block(out, 0x0A0D_0D0A, &section)?;
        for (link, name) in [(RAW, &b"offhook"[..]), (UPPER_PDU, &b"TLS, decrypted"[..])] {
            let mut description = link.to_le_bytes().to_vec();
            description.extend([0, 0, 0, 0, 0, 0]);
            // if_name, and if_tsresol: nanoseconds.
            option(&mut description, 2, name);
            option(&mut description, 9, &[9]);
            option(&mut description, 0, &[]);
            block(out, 1, &description)?;
        }
        Ok(Pcapng { carried: HashMap::new() })
    }

    /// Writes a message as often as it went.
    pub fn message(&mut self, out: &mut dyn Write, message: &Message) -> io::Result<()> {
        let bytes = wire(&message.entry.text);
        let bytes = bytes.get(..LONGEST).unwrap_or(&bytes);
        let entry = &message.entry;
        let (from, to) = if entry.sent { (entry.local, entry.remote) } else { (entry.remote, entry.local) };
        for after in std::iter::once(&0).chain(&message.again) {
            let time = entry.time + Duration::from_millis(u64::from(*after));
            let (interface, packet) = match entry.transport {
                Transport::Udp => (ON_THE_WIRE, ip(from, to, UDP, &udp(from, to, bytes))),
                Transport::Tcp => (ON_THE_WIRE, ip(from, to, TCP, &self.tcp(from, to, bytes))),
                Transport::Tls => (DECRYPTED, exported(from, to, bytes)),
            };
            enhanced(out, interface, time, &packet)?;
        }
        Ok(())
    }

    /// RFC 9293 section 3.1.
    fn tcp(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
        let acknowledged = self.carried.get(&(to, from)).copied().unwrap_or(0).wrapping_add(1);
        let carried = self.carried.entry((from, to)).or_default();
        let sequence = carried.wrapping_add(1);
        *carried = carried.wrapping_add(length(bytes));
        let mut segment = ports(from, to);
        segment.extend(sequence.to_be_bytes());
        segment.extend(acknowledged.to_be_bytes());
        // Five words of header; PSH and ACK; the window; no urgent data.
        segment.extend([0x50, 0x18, 0xFF, 0xFF, 0, 0, 0, 0]);
        segment.extend(bytes);
        checksummed(segment, 16, from, to, TCP)
    }
}

/// The message as it stood on the wire, but for what is masked: its length is that of the body as it is here.
fn wire(text: &str) -> Vec<u8> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text.trim_end(), ""));
    // A masked key is none that could be read: under its own name it would spoil the whole description.
    let mut body = body.replace("a=crypto:", "a=masked-crypto:").replace('\n', "\r\n");
    if !body.is_empty() && !body.ends_with("\r\n") {
        body.push_str("\r\n");
    }
    let mut out = String::with_capacity(text.len() + 64);
    for line in head.lines() {
        let name = line.split(':').next().unwrap_or_default().trim();
        if name.eq_ignore_ascii_case("content-length") || name.eq_ignore_ascii_case("l") {
            out.push_str(&format!("{name}: {}\r\n", body.len()));
        } else {
            out.push_str(line);
            out.push_str("\r\n");
        }
    }
    out.push_str("\r\n");
    out.push_str(&body);
    out.into_bytes()
}

fn length(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

fn length16(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes()
}

fn ports(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    [from.port().to_be_bytes(), to.port().to_be_bytes()].concat()
}

/// RFC 768.
fn udp(from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut datagram = ports(from, to);
    datagram.extend(length16(bytes.len() + 8));
    datagram.extend([0, 0]);
    datagram.extend(bytes);
    checksummed(datagram, 6, from, to, UDP)
}

/// Fills in the checksum over the packet and what stands for its IP header (RFC 9293 section 3.1, RFC 8200 section 8.1).
fn checksummed(mut packet: Vec<u8>, at: usize, from: SocketAddr, to: SocketAddr, protocol: u8) -> Vec<u8> {
    let mut pseudo = Vec::new();
    for address in addresses(from, to) {
        pseudo.extend(address);
    }
    pseudo.extend(length(&packet).to_be_bytes());
    pseudo.extend([0, 0, 0, protocol]);
    pseudo.extend(&packet);
    // RFC 768: what comes out as zero is sent as all ones.
    let sum = match checksum(&pseudo) {
        0 => 0xFFFF,
        sum => sum,
    };
    packet.splice(at..at + 2, sum.to_be_bytes());
    packet
}

/// RFC 1071.
fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0)));
    let mut sum: u32 = words.fold(0, u32::wrapping_add);
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

/// Both addresses; where one is of IPv6 the other is written as such too.
fn addresses(from: SocketAddr, to: SocketAddr) -> [Vec<u8>; 2] {
    let both = [from.ip().to_canonical(), to.ip().to_canonical()];
    let all_4 = both.iter().all(IpAddr::is_ipv4);
    both.map(|address| match address {
        IpAddr::V4(address) if all_4 => address.octets().to_vec(),
        IpAddr::V4(address) => address.to_ipv6_mapped().octets().to_vec(),
        IpAddr::V6(address) => address.octets().to_vec(),
    })
}

/// RFC 791 section 3.1, RFC 8200 section 3.
fn ip(from: SocketAddr, to: SocketAddr, protocol: u8, bytes: &[u8]) -> Vec<u8> {
    let [source, target] = addresses(from, to);
    let mut packet = Vec::with_capacity(bytes.len() + 40);
    if source.len() == 4 {
        packet.extend([0x45, 0]);
        packet.extend(length16(bytes.len() + 20));
        packet.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
        packet.extend(source);
        packet.extend(target);
        let sum = checksum(&packet);
        packet.splice(10..12, sum.to_be_bytes());
    } else {
        packet.extend([0x60, 0, 0, 0]);
        packet.extend(length16(bytes.len()));
        packet.extend([protocol, 64]);
        packet.extend(source);
        packet.extend(target);
    }
    packet.extend(bytes);
    packet
}

/// Wireshark's `exported_pdu_tlvs.h`: the dissector's name, addresses, ports, and what it is to read.
fn exported(from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let [source, target] = addresses(from, to);
    let (source_tag, target_tag) = if source.len() == 4 { (20, 21) } else { (22, 23) };
    let port = |address: SocketAddr| u32::from(address.port()).to_be_bytes().to_vec();
    // Port type 2: TCP.
    let tags: [(u16, Vec<u8>); 6] = [
        (12, b"sip".to_vec()),
        (source_tag, source),
        (target_tag, target),
        (24, 2u32.to_be_bytes().to_vec()),
        (25, port(from)),
        (26, port(to)),
    ];
    let mut packet = Vec::new();
    for (tag, value) in tags {
        packet.extend(tag.to_be_bytes());
        packet.extend(length16(value.len().next_multiple_of(4)));
        packet.extend(&value);
        pad(&mut packet);
    }
    packet.extend([0; 4]);
    packet.extend(bytes);
    packet
}

fn enhanced(out: &mut dyn Write, interface: u32, time: SystemTime, packet: &[u8]) -> io::Result<()> {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let nanoseconds = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
    let mut body = interface.to_le_bytes().to_vec();
    body.extend(((nanoseconds >> 32) as u32).to_le_bytes());
    body.extend((nanoseconds as u32).to_le_bytes());
    body.extend(length(packet).to_le_bytes());
    body.extend(length(packet).to_le_bytes());
    body.extend(packet);
    pad(&mut body);
    block(out, 6, &body)
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    body.extend(code.to_le_bytes());
    body.extend(u16::try_from(value.len()).unwrap_or(0).to_le_bytes());
    body.extend(value);
    pad(body);
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

/// A block of a type: its length stands at both ends.
fn block(out: &mut dyn Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let total = (length(body) + 12).to_le_bytes();
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&total)?;
    out.write_all(body)?;
    out.write_all(&total)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1071 section 3.
    #[test]
    fn the_checksum_is_that_of_the_rfc() {
        assert_eq!(checksum(&[0x00, 0x01, 0xF2, 0x03, 0xF4, 0xF5, 0xF6, 0xF7]), !0xDDF2);
        assert_eq!(checksum(&[0x12]), !0x1200);
    }

    #[test]
    fn a_header_that_is_right_sums_up_to_nothing() {
        let (from, to) = (([192, 0, 2, 7], 5060).into(), ([198, 51, 100, 1], 5060).into());
        let packet = ip(from, to, UDP, &udp(from, to, b"OPTIONS"));
        assert_eq!((checksum(&packet[..20]), packet.len()), (0, 20 + 8 + 7));
    }

    #[test]
    fn the_length_is_that_of_the_body_as_it_is_written() {
        let message = wire("INFO sip:b SIP/2.0\nl: 40\nCall-ID: x\n\nSignal=***\nDuration=160");
        let text = String::from_utf8(message).unwrap();
        assert_eq!(text, "INFO sip:b SIP/2.0\r\nl: 26\r\nCall-ID: x\r\n\r\nSignal=***\r\nDuration=160\r\n");
        assert_eq!(wire("BYE sip:b SIP/2.0\nContent-Length: 0"), b"BYE sip:b SIP/2.0\r\nContent-Length: 0\r\n\r\n");
    }
}
