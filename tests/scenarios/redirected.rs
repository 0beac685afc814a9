//! A called side that sends us elsewhere (RFC 3261 sections 8.1.3.4 and 21.3; RFC 3665 section 3.6 without its late offer).

use offhook::ua::config::TransferPolicy;
use offhook::ua::event::{EndedBy, Event};
use offhook::ua::{CallNo, Config};

use crate::harness::*;

fn following() -> Config {
    Config { redirects: TransferPolicy::Follow, ..direct() }
}

fn dial(phone: &Phone) -> CallNo {
    let call = phone.dial_direct("sip:bob@192.0.2.201");
    expect_event!(phone, Event::Calling { .. });
    call
}

#[test]
fn the_contact_with_the_highest_q_is_called_in_the_same_call() {
    let phone = Phone::new(following());
    let (bob, carol) = (phone.bob(), phone.peer("carol", "192.0.2.203:5060"));
    let call = dial(&phone);
    let first = bob.expect("INVITE");
    first
        .reply(302)
        .no_tag()
        .with("Contact", "<sip:dave@192.0.2.204>;q=0.2, <sip:carol@192.0.2.203?Subject=forged>;q=0.9");
    bob.expect("ACK");
    expect_event!(phone, Event::PeerChanged { peer, .. } => assert_eq!(peer.uri, "sip:carol@192.0.2.203"));
    let second = carol.expect("INVITE");
    assert_eq!(second.uri(), "sip:carol@192.0.2.203");
    assert_eq!(second.header("Call-ID"), first.header("Call-ID"));
    assert_eq!(second.header("To"), first.header("To"));
    assert_eq!(second.seq(), first.seq() + 1);
    let leg = second.leg();
    second.reply(200).sdp(&sdp::bob());
    leg.expect("ACK");
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_circle_ends_after_five_rounds() {
    let phone = Phone::new(following());
    let bob = phone.bob();
    dial(&phone);
    for _ in 0..6 {
        bob.expect("INVITE").reply(302).contact("<sip:bob@192.0.2.201>");
        bob.expect("ACK");
    }
    bob.expect_nothing();
    for _ in 0..5 {
        expect_event!(phone, Event::PeerChanged { .. });
    }
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, code: Some(302), .. });
    phone.assert_quiescent();
}

#[test]
fn a_redirection_that_is_not_followed_says_where_to() {
    let phone = Phone::new(direct());
    let bob = phone.bob();
    dial(&phone);
    bob.expect("INVITE").reply(302).contact("<sip:carol@192.0.2.203>");
    bob.expect("ACK");
    expect_event!(phone, Event::Ended { by: EndedBy::Remote, code: Some(302), reason, .. } => {
        assert!(reason.contains("sip:carol@192.0.2.203"), "{reason}");
    });
    phone.assert_quiescent();
}
