//! DTMF by INFO, both ways.

use offhook::ua::event::Event;
use offhook::ua::{Command, CommandError};

use crate::harness::*;

#[test]
fn digits_come_in_both_old_forms() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    for (content_type, body, digit, duration) in [
        ("application/dtmf-relay", "Signal=5\r\nDuration=240\r\n", '5', 240),
        ("application/dtmf-relay", "Signal= *\r\n", '*', 160),
        ("application/dtmf-relay; charset=utf-8", "Signal=11\nDuration=100", '#', 100),
        ("application/dtmf", "d", 'D', 160),
    ] {
        leg.request("INFO").body(content_type, body);
        leg.expect(200);
        expect_event!(phone, Event::Digit { digit: got, duration_ms, .. }
            => assert_eq!((got, duration_ms), (digit, duration)));
    }
    leg.request("INFO"); // a keep-alive
    leg.expect(200);
    leg.request("INFO").body("application/dtmf", "x");
    leg.expect(400);
    leg.request("INFO").body("application/media_control+xml", "<picture_fast_update/>");
    leg.expect(415);
    phone.assert_silent();
    hang_up(&phone, call, &leg);
}

#[test]
fn a_digit_that_comes_again_counts_once() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_out(&phone);
    let info = leg.request("INFO").body("application/dtmf-relay", "Signal=1\r\n").sent();
    info.again();
    leg.expect(200);
    leg.expect(200);
    expect_event!(phone, Event::Digit { .. });
    hang_up(&phone, call, &leg);
}

#[test]
fn digits_go_out() {
    let phone = Phone::new(direct());
    let (call, leg) = call_out(&phone);
    phone.command(Command::InfoDigit { call, digit: '#', duration_ms: 100 }).unwrap();
    let info = leg.expect("INFO");
    assert_eq!(info.header("Content-Type"), "application/dtmf-relay");
    assert_eq!(info.body(), "Signal=#\r\nDuration=100\r\n");
    info.reply(200);
    phone.assert_silent();
    phone.command(Command::InfoDigit { call, digit: 'a', duration_ms: 100 }).unwrap();
    let info = leg.expect("INFO");
    info.has_line("Signal=A");
    info.reply(415);
    expect_event!(phone, Event::CallError { .. });
    let bad = phone.command(Command::InfoDigit { call, digit: 'x', duration_ms: 100 });
    assert_eq!(bad, Err(CommandError::BadDigit('x')));
    hang_up(&phone, call, &leg);
}

#[test]
fn an_info_package_is_refused_with_those_that_are_taken_which_is_none() {
    let phone = Phone::new(direct());
    let (call, mut leg) = call_in(&phone);
    leg.request("INFO").with("Info-Package", "conference").body("application/x", "x");
    let refusal = leg.expect(469);
    assert_eq!(refusal.headers("Recv-Info"), [""]);
    hang_up(&phone, call, &leg);
}
