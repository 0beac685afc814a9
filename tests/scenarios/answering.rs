//! How a call comes to stand: 2xx and ACK, forks, early media, offers in unusual places (RFC 3261 section 13).

use offhook::ua::config::AutoAnswer;
use offhook::ua::event::{EndedBy, Event};
use offhook::ua::{Command, Config};

use crate::harness::*;

#[test]
fn our_200_is_sent_again_until_the_ack_comes() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    bob.invite().sdp(&sdp::bob());
    bob.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(call);
    let first = bob.expect(200);
    for wait in [500, 1000, 2000, 4000, 4000] {
        phone.advance(ms(wait - 1));
        bob.expect_nothing();
        phone.advance(ms(1));
        assert_eq!(bob.expect(200).text(), first.text());
    }
    let leg = first.leg();
    leg.ack();
    leg.ack();
    phone.skip_events();
    phone.advance(s(60));
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn an_ack_that_never_comes_ends_the_call_by_bye() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    bob.invite().sdp(&sdp::bob());
    bob.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(call);
    phone.skip_events();
    phone.advance(s(32));
    for _ in 0..11 {
        bob.expect(200);
    }
    bob.expect("BYE").reply(481);
    expect_event!(phone, Event::Ended { by: EndedBy::Timeout, code: Some(408), .. });
    phone.assert_quiescent();
}

#[test]
fn hung_up_before_the_ack_the_bye_waits_for_it() {
    // RFC 3261 section 15.1.1
    let phone = Phone::new(direct());
    let bob = phone.bob();
    bob.invite().sdp(&sdp::bob());
    bob.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(call);
    let leg = bob.expect(200).leg();
    phone.skip_events();
    phone.hang_up(call);
    phone.hang_up(call);
    phone.assert_silent();
    phone.advance(ms(500));
    bob.expect(200);
    leg.ack();
    leg.expect("BYE").reply(200);
    expect_event!(phone, Event::Ended { by: EndedBy::Local, code: None, .. });
    phone.assert_quiescent();
}

#[test]
fn an_invite_that_comes_again_is_one_call() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let invite = bob.invite().sdp(&sdp::bob()).sent();
    let ringing = bob.expect(180);
    invite.again();
    assert_eq!(bob.expect(180).text(), ringing.text());
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(call);
    let leg = bob.expect(200).leg();
    invite.again();
    bob.expect_nothing(); // RFC 6026: the 2xx is the core's to repeat
    leg.ack();
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

#[test]
fn several_branches_ring_and_one_answers() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    invite.reply(180).tag("one");
    invite.reply(183).tag("two").sdp(&sdp::at("192.0.2.202", 4000, 1, "0", ""));
    invite.reply(183).tag("three").sdp(&sdp::at("192.0.2.203", 5000, 1, "0", ""));
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ringing { code: 180, early_media: false, .. });
    expect_event!(phone, Event::Media { media, .. } => assert_eq!(media.remote_rtp.port(), 4000));
    expect_event!(phone, Event::Ringing { code: 183, early_media: true, .. });
    expect_event!(phone, Event::Media { media, .. } => assert_eq!(media.remote_rtp.port(), 5000));
    expect_event!(phone, Event::Ringing { code: 183, early_media: true, .. });
    let leg = invite.leg_with("one");
    invite.reply(200).tag("one").sdp(&sdp::bob());
    assert_eq!(leg.expect("ACK").tag("To"), "one");
    expect_event!(phone, Event::Media { media, .. } => assert_eq!(media.remote_rtp.port(), 3456));
    expect_event!(phone, Event::Established { .. });
    hang_up(&phone, call, &leg);
}

#[test]
fn a_second_200_gets_its_ack_and_a_bye() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    let first = invite.leg_with("one");
    let ok = invite.reply(200).tag("one").sdp(&sdp::bob()).sent();
    first.expect("ACK");
    let second = invite.reply(200).tag("two").contact("<sip:other@192.0.2.201:5070>").sdp(&sdp::bob()).sent();
    let other = phone.peer("other", "192.0.2.201:5070");
    assert_eq!(other.expect("ACK").tag("To"), "two");
    let bye = other.expect("BYE");
    assert_eq!(bye.tag("To"), "two");
    bob.send(&second);
    other.expect("ACK");
    bye.reply(200);
    bob.send(&ok);
    first.expect("ACK"); // the first one's again
    phone.skip_events();
    hang_up(&phone, call, &first);
}

#[test]
fn a_200_that_comes_again_long_after_has_its_ack_repeated() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    let leg = invite.leg();
    let ok = invite.reply(200).sdp(&sdp::bob()).sent();
    let ack = leg.expect("ACK");
    phone.advance(s(33)); // Timer M has gone off
    bob.send(&ok);
    assert_eq!(leg.expect("ACK").seq(), ack.seq());
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

/// The dialog of a real PBX: 407 without qop, `100 Ringing`, 183 with SDP and no To tag, PCMA/8000/1, a tagged 200 with a
/// Session-Expires that nobody asked for.
#[test]
fn a_pbx_s_dialog() {
    let mut config = with_account("sip:151@10.135.0.1", "sip:10.135.0.1");
    config.accounts[0].route = vec![uri("sip:10.135.0.1;lr")];
    let phone = Phone::new(config);
    let pbx = phone.peer("001234567890", "10.135.0.1:5060");
    let call = phone.dial("sip:001234567890@10.135.0.1;user=phone");
    let first = pbx.expect("INVITE");
    assert_eq!(first.uri(), "sip:001234567890@10.135.0.1;user=phone");
    let challenge = "Digest realm=\"10.135.0.1\", nonce=\"WWdAiVlnPjECocBoyYtBDshUs+RxMS+3\"";
    first.reply(407).tag("b27e1a1d33761e85846fc98f5f3a7e58.d5d4").with("Proxy-Authenticate", challenge);
    pbx.expect("ACK");
    let invite = pbx.expect("INVITE");
    let credentials = invite.header("Proxy-Authorization");
    assert!(!credentials.contains("qop") && !credentials.contains("nc="), "{credentials}");
    invite.reply(100).reason("trying -- your call is important to us");
    invite.reply(100).reason("Ringing");
    let answer = "v=0\r\no=root 1673140232 1673140232 IN IP4 10.135.0.1\r\ns=Wildix 35935\r\nc=IN IP4 10.135.0.1\r\n\
                  t=0 0\r\nm=audio 13504 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000/1\r\na=ptime:20\r\na=sendrecv\r\n";
    invite.reply(183).no_tag().reason("Session in Progress").contact("<sip:none@10.135.0.1>").sdp(answer);
    expect_event!(phone, Event::Calling { .. });
    let media = expect_event!(phone, Event::Media { media, .. } => media);
    assert_eq!(media.remote_rtp, "10.135.0.1:13504".parse().unwrap());
    assert_eq!(media.send_payload_type, 8);
    expect_event!(phone, Event::Ringing { code: 183, early_media: true, .. });
    let mut leg = invite.leg_with("as27b249ee");
    invite
        .reply(200)
        .tag("as27b249ee")
        .contact("<sip:001234567890@10.135.0.1;transport=UDP>")
        .with("Supported", "replaces, timer")
        .with("Session-Expires", "600;refresher=uas")
        .with("P-Asserted-Identity", "\"+331XXXXXXXX\" <sip:+331XXXXXXXX@10.135.0.1>")
        .sdp(answer);
    leg.expect("ACK");
    expect_event!(phone, Event::PeerChanged { peer, .. } => assert_eq!(peer.name.as_deref(), Some("+331XXXXXXXX")));
    expect_event!(phone, Event::Established { .. });
    phone.assert_silent();
    // Its refresh, at half of the session's time.
    phone.advance(s(300));
    leg.request("INVITE").with("Session-Expires", "600;refresher=uac").sdp(answer);
    leg.expect(200);
    leg.ack();
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_200_without_sdp_stands_on_the_early_answer() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    let invite = bob.expect("INVITE");
    invite.reply(183).sdp(&sdp::bob());
    let leg = invite.leg();
    invite.reply(200);
    leg.expect("ACK");
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Ringing { code: 183, early_media: true, .. });
    expect_event!(phone, Event::Established { .. });
    hang_up(&phone, call, &leg);
}

#[test]
fn a_200_without_any_sdp_or_codec_is_ended() {
    let g729 = "v=0\r\no=- 1 1 IN IP4 192.0.2.201\r\ns=-\r\nc=IN IP4 192.0.2.201\r\nt=0 0\r\nm=audio 4 RTP/AVP 18\r\n";
    // What can't be read is no matter of codecs.
    for (answer, ended) in [("", 400), ("nonsense", 400), (g729, 488), (&sdp::at("192.0.2.201", 0, 1, "0", ""), 488)] {
        let phone = Phone::new(direct());
        let bob = phone.bob();
        phone.dial_direct("sip:bob@192.0.2.201");
        let invite = bob.expect("INVITE");
        if answer.is_empty() {
            invite.reply(200)
        } else {
            invite.reply(200).sdp(answer)
        };
        bob.expect("ACK");
        let bye = bob.expect("BYE");
        assert!(bye.header("Reason").starts_with(&format!("SIP;cause={ended};")));
        bye.reply(200);
        expect_event!(phone, Event::Calling { .. });
        expect_event!(phone, Event::Ended { by: EndedBy::Local, code: Some(code), .. } => assert_eq!(code, ended));
        phone.assert_quiescent();
    }
}

#[test]
fn an_invite_without_offer_is_answered_with_one() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    bob.invite();
    bob.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(call);
    let ok = bob.expect(200);
    ok.has_line("m=audio 49170 RTP/AVP 0 8 101");
    let mut leg = ok.leg();
    expect_event!(phone, Event::Established { .. });
    leg.ack().sdp(&sdp::bob());
    expect_event!(phone, Event::Media { media, .. } => assert_eq!(media.remote_rtp.port(), 3456));
    hung_up(&phone, &mut leg);
}

#[test]
fn an_ack_without_the_answer_ends_the_call() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    bob.invite();
    bob.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(call);
    let leg = bob.expect(200).leg();
    leg.ack();
    leg.expect("BYE").reply(200);
    expect_event!(phone, Event::Established { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Local, code: Some(488), .. });
    phone.assert_quiescent();
}

#[test]
fn a_bye_before_the_answer_ends_the_ringing() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let invite = bob.invite().sdp(&sdp::bob()).sent();
    let ringing = bob.expect(180);
    let mut early = ringing.leg();
    early.request("BYE");
    bob.expect(200);
    let terminated = bob.expect(487);
    assert_eq!(terminated.tag("To"), ringing.tag("To"));
    invite.ack(&terminated);
    expect_event!(phone, Event::Incoming { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, .. });
    phone.assert_quiescent();
}

#[test]
fn nobody_answers_for_the_ring_timeout() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let invite = bob.invite().sdp(&sdp::bob()).sent();
    bob.expect(180);
    phone.advance(s(119));
    bob.expect_nothing();
    phone.advance(s(1));
    invite.ack(&bob.expect(480));
    expect_event!(phone, Event::Incoming { .. });
    expect_event!(phone, Event::Ended { by: EndedBy::Timeout, code: Some(480), .. });
    phone.assert_quiescent();
}

#[test]
fn auto_answer_sends_no_180() {
    let phone = Phone::new(Config { auto_answer: AutoAnswer::Always, ..direct() });
    let bob = phone.bob();
    bob.invite().sdp(&sdp::bob());
    bob.expect_nothing();
    expect_event!(phone, Event::Incoming { .. });
    let call = expect_event!(phone, Event::AnswerDue { call, .. } => call);
    phone.answer(call);
    let leg = bob.expect(200).leg();
    leg.ack();
    phone.skip_events();
    hang_up(&phone, call, &leg);

    // Nobody gives the command: it does not wait for ever.
    let invite = bob.invite().sdp(&sdp::bob()).sent();
    phone.skip_events();
    phone.advance(ms(200));
    bob.expect(100);
    phone.advance(s(120));
    invite.ack(&bob.expect(480));
    expect_event!(phone, Event::Ended { by: EndedBy::Timeout, .. });
    phone.assert_quiescent();
}

#[test]
fn auto_answer_after_a_while_and_only_when_idle() {
    let phone = Phone::new(Config { auto_answer: AutoAnswer::Idle, auto_answer_after: s(3), ..direct() });
    let bob = phone.bob();
    bob.invite().sdp(&sdp::bob());
    bob.expect(180);
    expect_event!(phone, Event::Incoming { .. });
    phone.advance(s(3));
    let call = expect_event!(phone, Event::AnswerDue { call, .. } => call);
    phone.answer(call);
    let leg = bob.expect(200).leg();
    leg.ack();
    phone.skip_events();
    let carol = phone.peer("carol", "192.0.2.203:5060");
    let invite = carol.invite().sdp(&sdp::bob()).sent();
    carol.expect(180);
    let second = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.advance(s(10));
    phone.assert_silent();
    phone.command(Command::Reject { call: second, code: 603 }).unwrap();
    invite.ack(&carol.expect(603));
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_contact_that_asks_for_tcp_still_gets_its_ack_and_its_bye() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    phone.skip_events();
    let invite = bob.expect("INVITE");
    let leg = invite.leg();
    invite.reply(200).contact("<sip:bob@192.0.2.201;transport=tcp>").sdp(&sdp::bob());
    leg.expect("ACK");
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_refusal_sends_nobody_back_to_us() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    for code in [302, 485, 486] {
        let invite = bob.invite().sdp(&sdp::bob()).sent();
        bob.expect(180);
        let call = expect_event!(phone, Event::Incoming { call, .. } => call);
        phone.command(Command::Reject { call, code }).unwrap();
        let refusal = bob.expect(code);
        assert_eq!(refusal.header("Contact"), "", "RFC 3261 section 21.3: it would be called next");
        assert!(!refusal.tag("To").is_empty());
        invite.ack(&refusal);
        expect_event!(phone, Event::Ended { by: EndedBy::Local, .. });
    }
    phone.assert_quiescent();
}
