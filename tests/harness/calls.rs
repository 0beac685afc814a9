//! Calls that stand, for the scenarios that are about what comes after.

use offhook::ua::event::EndedBy;
use offhook::ua::{CallNo, Event};

use super::{Leg, Peer, Phone, expect_event, sdp};

/// The phone calls Bob directly, and he answers.
#[track_caller]
pub fn call_out(phone: &Phone) -> (CallNo, Leg) {
    let bob = phone.bob();
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    expect_event!(phone, Event::Calling { .. });
    let leg = answered(&bob, &sdp::bob());
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Established { .. });
    (call, leg)
}

/// A peer answers the INVITE that has come, and gets its ACK.
#[track_caller]
pub fn answered(peer: &Peer, answer: &str) -> Leg {
    let invite = peer.expect("INVITE");
    let leg = invite.leg();
    invite.reply(200).sdp(answer);
    leg.expect("ACK");
    leg
}

/// Bob calls the phone directly, and it answers.
#[track_caller]
pub fn call_in(phone: &Phone) -> (CallNo, Leg) {
    let bob = phone.bob();
    bob.invite().sdp(&sdp::bob());
    bob.expect(180);
    let call = expect_event!(phone, Event::Incoming { call, .. } => call);
    phone.answer(call);
    let leg = bob.expect(200).leg();
    leg.ack();
    expect_event!(phone, Event::Media { .. });
    expect_event!(phone, Event::Established { .. });
    (call, leg)
}

/// The phone hangs up, and nothing is left.
#[track_caller]
pub fn hang_up(phone: &Phone, call: CallNo, leg: &Leg) {
    phone.hang_up(call);
    leg.expect("BYE").reply(200);
    expect_event!(phone, Event::Ended { by: EndedBy::Local, .. });
    phone.assert_quiescent();
}

/// Bob hangs up, and nothing is left.
#[track_caller]
pub fn hung_up(phone: &Phone, leg: &mut Leg) {
    leg.bye();
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, .. });
    phone.assert_quiescent();
}
