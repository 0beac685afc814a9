//! A phone of ours, and what a peer writes.

mod answered;
mod answers;
mod comfort;
mod mux;
mod offers;
mod rubbish;
mod way;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::sdp::ice;
use crate::sdp::offer_answer::{Capabilities, HoldStyle, Intent, LocalMedia, Session};

const LOCAL: LocalMedia = LocalMedia {
    address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    rtp_port: 5004,
    rtcp_port: 5005,
    reflexive: None,
    destination: ice::Destination::Host,
    path: None,
};
const ZERO: Intent = Intent::Hold(HoldStyle::Zero);
/// The least that a peer can write.
const AVP: &str = "m=audio 4000 RTP/AVP 0\r\n";

fn phone() -> Session {
    let (capabilities, unknown) = Capabilities::from_names(["PCMU", "PCMA"], 20);
    assert!(unknown.is_empty());
    Session::new(capabilities, 1000)
}

/// The peer's description: its version, its `c=` address and what follows `t=`.
fn peer(version: u32, address: &str, media: &str) -> String {
    let media = media.replace('\n', "\r\n");
    format!(
        "v=0\r\no=bob 77 {version} IN IP4 198.51.100.7\r\ns=call\r\nc=IN IP4 {address}\r\nt=0 0\r\n{}\r\n",
        media.trim()
    )
}

fn audio(version: u32, direction: &str) -> String {
    peer(version, "198.51.100.7", &format!("m=audio 4000 RTP/AVP 0\na={direction}"))
}

fn line<'a>(description: &'a str, start: &str) -> &'a str {
    description.lines().find(|line| line.starts_with(start)).unwrap_or("")
}

fn version(description: &str) -> u64 {
    line(description, "o=").split(' ').nth(2).unwrap().parse().unwrap()
}

fn direction(description: &str) -> &str {
    let all = ["a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"];
    description.lines().find(|line| all.contains(line)).unwrap_or("none")
}

/// The `m=` lines, without `m=`, joined by `; `.
fn streams(description: &str) -> String {
    description.lines().filter_map(|line| line.strip_prefix("m=")).collect::<Vec<_>>().join("; ")
}

fn socket(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// One phone's offer suits another one, whatever both want.
#[test]
fn two_phones_understand_each_other() {
    let far = LocalMedia::new("192.0.2.2".parse().unwrap(), 7000, 7009);
    let (mut alice, mut bob) = (phone(), phone());
    bob.capabilities.rtcp_mux = false;
    for (hers, his) in [(Intent::Talk, Intent::Talk), (ZERO, Intent::Talk), (ZERO, ZERO), (Intent::Talk, ZERO)] {
        let offer = alice.offer(&LOCAL, hers);
        let (answer, bobs) = bob.answer(&offer, &far, his).unwrap();
        let alices = alice.handle_answer(&answer).unwrap();
        let talking = hers == Intent::Talk && his == Intent::Talk;
        assert_eq!((alices.send, bobs.send), (talking, talking), "{hers:?} {his:?}");
        assert_eq!(bobs.held_by_peer, hers == ZERO);
        assert_eq!(bobs.remote_rtp, socket("192.0.2.1:5004"));
        assert_eq!(alices.remote_rtp.port(), 7000);
        assert!(alices.remote_rtcp.is_none_or(|rtcp| rtcp == socket("192.0.2.2:7009")));
    }
}
