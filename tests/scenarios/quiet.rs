//! Silence that need not be sent, in offers and answers: comfort noise (RFC 3389) and `usedtx` (RFC 7587).

use offhook::sdp::{Capabilities, ComfortNoise};
use offhook::ua::event::Event;
use offhook::ua::{Config, Event::Media};

use crate::harness::*;

fn phone(names: &[&str], dtx: bool) -> Phone {
    let capabilities = Capabilities { dtx, ..Capabilities::from_names(names, 20).0 };
    Phone::new(Config { capabilities, ..direct() })
}

fn bobs(formats: &str) -> String {
    sdp::at("192.0.2.201", 3456, 1, formats, "")
}

#[test]
fn offered_where_wanted_and_sent_where_the_answer_names_it() {
    for (answer, send) in [("0 13", Some(13)), ("0", None)] {
        let phone = phone(&["opus", "PCMU"], true);
        let bob = phone.bob();
        let call = phone.dial_direct("sip:bob@192.0.2.201");
        expect_event!(phone, Event::Calling { .. });
        let invite = bob.expect("INVITE");
        invite.has_line("m=audio 49170 RTP/AVP 96 0 13 ").has_line("a=rtpmap:13 CN/8000");
        invite.has_line("a=fmtp:96 useinbandfec=1;usedtx=1");
        let leg = invite.leg();
        invite.reply(200).sdp(&bobs(answer));
        leg.expect("ACK");
        let expected = ComfortNoise { send, receive: vec![(13, 8000)] };
        expect_event!(phone, Media { media, .. } => assert_eq!(media.comfort_noise, expected));
        expect_event!(phone, Event::Established { .. });
        hang_up(&phone, call, &leg);
    }
}

#[test]
fn accepted_from_who_offers_it_where_wanted() {
    for (dtx, formats, send) in [(true, "0 13", Some(13)), (false, "0", None)] {
        let phone = phone(&["PCMU"], dtx);
        let bob = phone.bob();
        bob.invite().sdp(&bobs("0 13 19"));
        bob.expect(180);
        let call = expect_event!(phone, Event::Incoming { call, .. } => call);
        phone.answer(call);
        let ok = bob.expect(200);
        assert!(ok.body().contains(&format!("m=audio 49170 RTP/AVP {formats}\r\n")), "{}", ok.body());
        let leg = ok.leg();
        leg.ack();
        expect_event!(phone, Media { media, .. } => assert_eq!(media.comfort_noise.send, send));
        expect_event!(phone, Event::Established { .. });
        hang_up(&phone, call, &leg);
    }
}
