//! How packets are marked on the wire (RFC 4594: signalling CS3 or AF31, voice EF), and from which ports they leave.

use crate::rig::baresip::Answers;
use crate::rig::phone::Setup;
use crate::rig::wire::Packet;
use crate::rig::{self, DEADLINE};

#[test]
fn signalling_and_sound_are_marked_and_the_sound_s_ports_are_those_configured() {
    let Some(rig) = rig::take() else { return };
    let _bob = rig.baresip("bob", None, Answers::Itself);
    let ports = "rtp_ports = \"14000-14003\"";
    for (network, sip, sound) in [
        (ports, 24, 46),
        ("rtp_ports = \"14000-14003\"\ndscp_sip = 26\ndscp_rtp = 34", 26, 34),
        ("rtp_ports = \"14000-14003\"\ndscp_sip = 0\ndscp_rtp = 0", 0, 0),
    ] {
        rig.wire().clear();
        let mut alice = rig.registered(&Setup { network, ..Setup::default() });
        alice.tell("call sip:bob@127.0.0.1");
        let established = alice.expect("established");
        let bob: std::net::SocketAddrV4 =
            established["remote_rtp"].as_str().unwrap_or_default().parse().expect("an address");
        let is_sound = |packet: &Packet| packet.to == bob && packet.is_rtp();
        let is_report = |packet: &Packet| {
            packet.to.port() == bob.port() + 1 && packet.payload.get(1).is_some_and(|kind| (200..=201).contains(kind))
        };
        assert!(rig.wire().wait(20, DEADLINE, is_sound) && rig.wire().wait(1, DEADLINE, is_report));
        let is_ours = |packet: &Packet| (14_000..14_004).contains(&packet.from.port());
        assert_eq!(rig.wire().count(|packet| (is_sound(packet) || is_report(packet)) && !is_ours(packet)), 0);
        assert_eq!(rig.wire().count(|packet| is_ours(packet) && packet.dscp != sound), 0, "sound as {sound}");
        alice.tell("hangup");
        alice.expect("ended");
        // alice's port is neither Kamailio's nor baresip's.
        let is_alices = |packet: &Packet| {
            packet.sip().is_some() && packet.to.port() == 5060 && !(5100..5200).contains(&packet.from.port())
        };
        assert!(rig.wire().count(is_alices) >= 4, "{}", rig.wire().ladder());
        assert_eq!(rig.wire().count(|packet| is_alices(packet) && packet.dscp != sip), 0, "signalling as {sip}");
        alice.tell("quit");
        alice.wait(DEADLINE).expect("an end");
    }
}
