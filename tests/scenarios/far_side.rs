//! What the far side may want in a standing call: re-INVITE and UPDATE (RFC 3261 section 14, RFC 3311, RFC 3264).

use offhook::ua::Config;
use offhook::ua::event::Event;

use crate::harness::*;

#[test]
fn a_refresh_with_the_same_version_leaves_the_media_alone() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    for method in ["INVITE", "UPDATE"] {
        leg.request(method).sdp(&sdp::bob());
        let ok = leg.expect(200);
        assert!(!ok.header("Contact").is_empty());
        ok.has_line("m=audio 49170");
        if method == "INVITE" {
            leg.ack();
        }
        phone.assert_silent();
    }
    // A refresh without description.
    leg.request("UPDATE");
    let ok = leg.expect(200);
    assert_eq!((ok.body().as_str(), ok.header("Content-Length").as_str()), ("", "0"));
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn another_codec() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    let mut version = 1;
    for method in ["INVITE", "UPDATE"] {
        version += 1;
        let (format, name) = if method == "INVITE" { (8, "PCMA") } else { (0, "PCMU") };
        let lines = format!("a=rtpmap:{format} {name}/8000\r\n");
        leg.request(method).sdp(&sdp::at("192.0.2.201", 3456, version, &format.to_string(), &lines));
        leg.expect(200).has_line(&format!("m=audio 49170 RTP/AVP {format}"));
        if method == "INVITE" {
            leg.ack();
        }
        expect_event!(phone, Event::Media { media, .. } => assert_eq!(media.send_payload_type, format));
        phone.assert_silent();
    }
    hang_up(&phone, call, &leg);
}

#[test]
fn the_far_side_moves_by_update() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_in(&phone);
    let moved = phone.peer("bob", "192.0.2.211:5062");
    leg.peer = moved.clone();
    leg.request("UPDATE").sdp(&sdp::at("192.0.2.211", 6000, 2, "0", ""));
    leg.expect(200);
    expect_event!(phone, Event::Media { media, .. } => assert_eq!(media.remote_rtp.port(), 6000));
    hang_up(&phone, call, &leg); // the BYE goes to the new Contact
}

#[test]
fn without_offer_ours_comes_in_the_200_and_the_answer_in_the_ack() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    leg.request("INVITE");
    let ok = leg.expect(200);
    ok.has_line("m=audio 49170 RTP/AVP 0 8 101");
    leg.ack().sdp(&sdp::at("192.0.2.201", 7000, 2, "0", ""));
    expect_event!(phone, Event::Media { media, .. } => assert_eq!(media.remote_rtp.port(), 7000));
    // An ACK whose answer is missing leaves the call as it was.
    leg.request("INVITE");
    leg.expect(200);
    leg.ack();
    expect_event!(phone, Event::CallError { .. });
    hang_up(&phone, call, &leg);
}

#[test]
fn our_offer_states_what_we_want_not_the_last_direction() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    leg.request("INVITE").sdp(&sdp::directed(2, "sendonly"));
    leg.expect(200).has_line("a=recvonly");
    leg.ack();
    phone.skip_events();
    leg.request("INVITE");
    let ok = leg.expect(200);
    assert!(!ok.body().contains("only") && !ok.body().contains("inactive"), "RFC 6337 section 5.3: {}", ok.body());
    leg.ack().sdp(&sdp::directed(3, "sendrecv"));
    expect_event!(phone, Event::Media { media, .. } => assert!(media.send && media.receive_audio));
    expect_event!(phone, Event::RemoteResumed { .. });
    hang_up(&phone, call, &leg);
}

#[test]
fn an_offer_that_we_cannot_take_is_refused_and_the_call_goes_on() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    let g729 = sdp::at("192.0.2.201", 3456, 2, "18", "");
    let no_audio =
        "v=0\r\no=- 1 9 IN IP4 192.0.2.201\r\ns=-\r\nc=IN IP4 192.0.2.201\r\nt=0 0\r\nm=video 4 RTP/AVP 99\r\n";
    for method in ["INVITE", "UPDATE"] {
        for (offer, code) in [(g729.as_str(), 488), (no_audio, 488), ("this is no description", 400)] {
            let asked = leg.request(method).sdp(offer).sent();
            let refusal = leg.expect(code);
            if method == "INVITE" {
                asked.ack(&refusal);
            }
        }
    }
    phone.assert_silent();
    leg.request("INVITE").sdp(&sdp::bob());
    leg.expect(200);
    leg.ack();
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn glare_491_to_theirs_while_ours_is_under_way() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    phone.hold(call);
    let ours = leg.expect("INVITE");
    let theirs = leg.request("INVITE").sdp(&sdp::directed(2, "sendonly")).sent();
    theirs.ack(&leg.expect(491));
    leg.request("UPDATE").sdp(&sdp::directed(2, "sendonly"));
    leg.expect(491);
    ours.reply(200).sdp(&sdp::directed(2, "recvonly"));
    leg.expect("ACK");
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Held { .. });
    hang_up(&phone, call, &leg);
}

#[test]
fn a_new_offer_while_our_own_waits_for_its_answer_gets_491() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    leg.request("INVITE");
    leg.expect(200);
    let first = leg.invite_seq;
    let second = leg.request("INVITE").sdp(&sdp::directed(2, "sendonly")).sent();
    second.ack(&leg.expect(491));
    leg.invite_seq = first;
    leg.ack().sdp(&sdp::bob());
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_reinvite_that_overtakes_the_ack_is_answered() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    bob.invite().sdp(&sdp::bob());
    bob.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(call);
    let mut leg = bob.expect(200).leg();
    phone.skip_events();
    let late = leg.ack().taken();
    leg.request("INVITE").sdp(&sdp::directed(2, "sendonly"));
    leg.expect(200);
    bob.send(&late);
    leg.ack();
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::RemoteHeld { .. });
    phone.advance(s(40));
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn an_older_request_is_out_of_order() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    leg.request("OPTIONS");
    leg.expect(200);
    leg.seq -= 2;
    leg.request("OPTIONS");
    leg.expect(500); // RFC 3261 section 12.2.2
    leg.seq += 10;
    leg.request("OPTIONS"); // gaps are allowed
    leg.expect(200);
    hang_up(&phone, call, &leg);
}

#[test]
fn who_we_talk_to_may_change() {
    let mut config = alice();
    config.direct_calls = true;
    let phone = Phone::new(config);
    let proxy = phone.peer("ss1", "192.0.2.111:5060");
    phone.register();
    let register = proxy.expect("REGISTER");
    register.reply(200).with("Contact", &format!("{};expires=3600", register.header("Contact")));
    phone.skip_events();
    proxy.invite().sdp(&sdp::bob());
    proxy.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(call);
    let mut leg = proxy.expect(200).leg();
    leg.ack();
    phone.skip_events();
    leg.request("UPDATE").with("P-Asserted-Identity", "\"Carol\" <sip:carol@atlanta.example.com>");
    leg.expect(200);
    expect_event!(phone, Event::PeerChanged { peer, .. } => {
        assert_eq!((peer.uri.as_str(), peer.name.as_deref()), ("sip:carol@atlanta.example.com", Some("Carol")));
    });
    hang_up(&phone, call, &leg);

    // A peer is not believed.
    let phone = Phone::new(Config { direct_calls: true, ..direct() });
    let (call, mut leg) = call_out(&phone);
    leg.request("UPDATE").with("P-Asserted-Identity", "\"The Bank\" <sip:bank@example.com>");
    leg.expect(200);
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn who_rings_may_be_told_by_update_before_the_answer() {
    let phone = Phone::new(alice());
    let proxy = phone.peer("ss1", "192.0.2.111:5060");
    let call = phone.dial("sip:bob@biloxi.example.com");
    expect_event!(phone, Event::Calling { .. });
    let invite = proxy.expect("INVITE");
    invite.reply(180);
    expect_event!(phone, Event::Ringing { .. });
    let mut early = invite.leg();
    early.request("UPDATE").with("P-Asserted-Identity", "\"Carol\" <sip:carol@biloxi.example.com>");
    assert!(!early.expect(200).header("Contact").is_empty());
    expect_event!(phone, Event::PeerChanged { peer, .. } => assert_eq!(peer.name.as_deref(), Some("Carol")));
    // RFC 3311 section 5.2: our offer has no answer yet.
    early.request("UPDATE").sdp(&sdp::directed(2, "sendonly"));
    early.expect(491);
    // Of no dialog that we know.
    let mut other = invite.leg_with("other");
    other.request("UPDATE");
    other.expect(481);
    invite.reply(200).sdp(&sdp::bob());
    early.expect("ACK");
    phone.skip_events();
    early.seq -= 1;
    early.request("OPTIONS"); // the number of the second UPDATE is not lower
    early.expect(200);
    early.seq -= 2;
    early.request("OPTIONS");
    early.expect(500);
    hang_up(&phone, call, &early);
}

#[test]
fn a_call_that_stands_outlives_a_refusal_by_the_network() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    // What another request to the same address met.
    phone.refuse("192.0.2.201:5060");
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}
