//! The service examples of 1999, sections 2.5 to 2.7 and 2.11 to 2.12, where the phone does the proxy's work: it is asked
//! before a call rings, and sends it elsewhere (302 with Contact and Diversion, RFC 5806) or refuses it.

use offhook::ua::command::DiversionReason;
use offhook::ua::config::{AutoAnswer, TransferPolicy};
use offhook::ua::event::{EndedBy, Event};
use offhook::ua::{CallNo, Command, CommandError, Config};

use crate::harness::*;

/// A phone that is asked before a call rings.
fn asked(config: Config) -> Phone {
    let phone = Phone::new(config);
    phone.world().ua.ask_before_ringing();
    phone
}

fn incoming(phone: &Phone) -> CallNo {
    expect_event!(phone, Event::Incoming { call, .. } => call)
}

fn redirect(phone: &Phone, call: CallNo, reason: DiversionReason) -> Result<(), CommandError> {
    let targets = vec![uri("sip:userc@192.0.2.203"), uri("sip:voicemail@192.0.2.204")];
    phone.command(Command::Redirect { call, targets, reason }).map(|_| ())
}

/// 2.5 Call forwarding unconditional: nothing rings, the caller is told at once where to go.
#[test]
fn s2_5_call_forwarding_unconditional() {
    let phone = asked(direct());
    let usera = phone.bob();
    let invite = usera.invite().sdp(&sdp::bob()).sent();
    let call = incoming(&phone);
    usera.expect_nothing();
    redirect(&phone, call, DiversionReason::Unconditional).unwrap();
    let moved = usera.expect(302);
    assert_eq!(moved.headers("Contact"), ["<sip:userc@192.0.2.203>;q=1.0", "<sip:voicemail@192.0.2.204>;q=0.9"]);
    let diversion = moved.header("Diversion");
    assert!(diversion.ends_with(">;reason=unconditional;counter=1"), "{diversion}");
    invite.ack(&moved);
    expect_event!(phone, Event::Ended { by: EndedBy::Local, code: Some(302), .. });
    phone.assert_quiescent();
}

/// 2.6 Call forwarding busy.
#[test]
fn s2_6_call_forwarding_busy() {
    let phone = asked(direct());
    let usera = phone.bob();
    let invite = usera.invite().sdp(&sdp::bob()).sent();
    let call = incoming(&phone);
    redirect(&phone, call, DiversionReason::UserBusy).unwrap();
    let moved = usera.expect(302);
    assert!(moved.header("Diversion").contains(";reason=user-busy"));
    invite.ack(&moved);
    phone.skip_events();
    phone.assert_quiescent();
}

/// 2.7 Call forwarding no answer: it rings first.
#[test]
fn s2_7_call_forwarding_no_answer() {
    let phone = asked(direct());
    let usera = phone.bob();
    let invite = usera.invite().sdp(&sdp::bob()).sent();
    let call = incoming(&phone);
    phone.command(Command::Alert { call }).unwrap();
    usera.expect(180);
    phone.command(Command::Alert { call }).unwrap();
    phone.assert_silent();
    phone.advance(s(20));
    redirect(&phone, call, DiversionReason::NoAnswer).unwrap();
    let moved = usera.expect(302);
    assert!(moved.header("Diversion").contains(";reason=no-answer"));
    invite.ack(&moved);
    phone.skip_events();
    phone.assert_quiescent();
}

/// RFC 5806 section 9: a call that this phone, or many others, sent on before is not sent on again; nothing has changed.
#[test]
fn s2_5_a_call_that_comes_back_is_not_forwarded_again() {
    let phone = asked(direct());
    let usera = phone.bob();
    let probe = phone.bob();
    let probing = probe.invite().sdp(&sdp::bob()).sent();
    let first = incoming(&phone);
    redirect(&phone, first, DiversionReason::Unconditional).unwrap();
    let moved = probe.expect(302);
    let ours = moved.header("Diversion");
    probing.ack(&moved);
    phone.skip_events();

    let others: Vec<String> = (0..5).map(|number| format!("<sip:{number}@example.com>;reason=unconditional")).collect();
    for diversion in [format!("<sip:x@y>;reason=deflection, {ours}"), others.join(", ")] {
        let invite = usera.invite().with("Diversion", &diversion).sdp(&sdp::bob()).sent();
        let call = incoming(&phone);
        let refused = redirect(&phone, call, DiversionReason::Unconditional);
        assert_eq!(refused, Err(CommandError::DivertedBefore(call)), "{diversion}");
        phone.command(Command::Alert { call }).unwrap();
        usera.expect(180);
        phone.command(Command::Reject { call, code: 486 }).unwrap();
        let busy = usera.expect(486);
        invite.ack(&busy);
        phone.skip_events();
    }
    // Another one's diversion is kept behind ours.
    let invite = usera.invite().with("Diversion", "<sip:x@y>;reason=deflection").sdp(&sdp::bob()).sent();
    let call = incoming(&phone);
    redirect(&phone, call, DiversionReason::UserBusy).unwrap();
    let moved = usera.expect(302);
    assert_eq!(moved.headers("Diversion").len(), 2);
    assert_eq!(moved.headers("Diversion")[1], "<sip:x@y>;reason=deflection");
    invite.ack(&moved);
    phone.skip_events();
    phone.assert_quiescent();
}

/// 2.11 Incoming call screening: 403 before anything rings.
#[test]
fn s2_11_incoming_call_screening() {
    let phone = asked(direct());
    let usera = phone.bob();
    for code in [403, 603] {
        let invite = usera.invite().sdp(&sdp::bob()).sent();
        let call = incoming(&phone);
        phone.command(Command::Reject { call, code }).unwrap();
        let refused = usera.expect(code);
        invite.ack(&refused);
        expect_event!(phone, Event::Ended { by: EndedBy::Local, code: Some(ended), .. } => assert_eq!(ended, code));
    }
    phone.assert_quiescent();
}

/// A caller who gives up, or a phone that leaves, before it is decided what becomes of the call.
#[test]
fn s2_11_a_call_that_nobody_decides_on() {
    let phone = asked(direct());
    let usera = phone.bob();
    let invite = usera.invite().sdp(&sdp::bob()).sent();
    let call = incoming(&phone);
    phone.hang_up(call);
    let busy = usera.expect(486);
    invite.ack(&busy);
    expect_event!(phone, Event::Ended { .. });
    assert!(matches!(phone.command(Command::Alert { call }), Err(CommandError::NoSuchCall(_))));
    phone.assert_quiescent();
}

/// Auto-answer comes after the decision.
#[test]
fn s2_11_an_auto_answered_call_is_decided_on_first() {
    let phone = asked(Config { auto_answer: AutoAnswer::Always, ..direct() });
    let usera = phone.bob();
    usera.invite().sdp(&sdp::bob());
    let call = incoming(&phone);
    phone.assert_silent();
    phone.command(Command::Alert { call }).unwrap();
    expect_event!(phone, Event::AnswerDue { call: due, .. } => assert_eq!(due, call));
    phone.answer(call);
    let leg = usera.expect(200).leg();
    leg.ack();
    phone.skip_events();
    hang_up(&phone, call, &leg);
}

fn screened(config: Config) -> Phone {
    let phone = Phone::new(config);
    let forbids = |_: Option<offhook::ua::AccountId>, target: &offhook::sip::Uri| {
        target.to_string().contains("0900").then(|| "no premium".to_owned())
    };
    phone.world().ua.screen_outgoing(Box::new(forbids));
    phone
}

/// 2.12 Outgoing call screening: refused before anything leaves.
#[test]
fn s2_12_outgoing_call_screening() {
    let phone = screened(direct());
    let dial = Command::Dial { account: None, target: uri("sip:0900123@192.0.2.201"), media: MEDIA };
    let error = phone.command(dial).unwrap_err();
    assert_eq!(error.to_string(), "this phone does not call sip:0900123@192.0.2.201: rule 'no premium' forbids it");
    phone.assert_quiescent();
    let (call, leg) = call_out(&phone);
    hang_up(&phone, call, &leg);
}

/// 2.12 for a redirection that would be followed, and for a transfer that a person accepts.
#[test]
fn s2_12_nobody_else_makes_the_phone_call_there() {
    let phone = screened(Config { redirects: TransferPolicy::Follow, ..direct() });
    let bob = phone.bob();
    phone.dial_direct("sip:bob@192.0.2.201");
    bob.expect("INVITE").reply(302).no_tag().with("Contact", "<sip:0900123@192.0.2.203>");
    bob.expect("ACK");
    expect_event!(phone, Event::Calling { .. });
    expect_event!(phone, Event::Ended { code: Some(302), .. });
    phone.assert_quiescent();

    let (call, mut leg) = call_in(&phone);
    leg.request("REFER").with("Refer-To", "<sip:0900123@192.0.2.203>");
    leg.expect(202);
    leg.expect("NOTIFY").reply(200);
    expect_event!(phone, Event::TransferRequest { .. });
    let refused = phone.command(Command::AcceptTransfer { call, media: MEDIA });
    assert!(matches!(refused, Err(CommandError::Screened { .. })), "{refused:?}");
    phone.command(Command::RefuseTransfer { call }).unwrap();
    let told = leg.expect("NOTIFY");
    assert!(told.body().starts_with("SIP/2.0 603"), "{}", told.body());
    told.reply(200);
    hang_up(&phone, call, &leg);
}
