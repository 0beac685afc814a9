//! Figures 5 to 8 of RFC 3261, row by row, with what RFC 6026 changed in 5 and 7: each state, each input, what comes out and
//! which state is next, on a transport that loses messages and on one that does not.
//!
//! A row that is not in a table must change nothing: all states meet all inputs.

use std::time::Duration;

use offhook::sip::transport::{Flow, Transport};
use offhook::sip::{
    ClientState, ClientTransaction, Limits, Message, Output, Reliability, Request, Response, ResponseBuilder,
    ServerState, ServerTransaction, StatusCode, Timer, Timers, TuEvent, parse_datagram,
};
use offhook::transaction::Transactions;

/// What happens to a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum In {
    /// The network brings, or the transaction user sends, a response with this code.
    Code(u16),
    /// The request comes again.
    Again,
    /// An ACK comes.
    Ack,
    /// A timer fires.
    Fires(Timer),
    /// The transport failed.
    Broken,
}

use In::{Ack, Again, Broken, Code, Fires};

/// State, input, what comes out (unreliable; reliable), next state.
type Row<S> = (S, In, &'static str, &'static str, S);

const SAME: &str = "as on an unreliable one";

fn request(method: &str) -> Request {
    let text = format!(
        "{method} sip:bob@192.0.2.4 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n\
         From: <sip:alice@192.0.2.1>;tag=1\r\nTo: <sip:bob@192.0.2.4>\r\nCall-ID: c\r\nCSeq: 1 {method}\r\n\
         Content-Length: 0\r\n\r\n"
    );
    match parse_datagram(text.into(), &Limits::datagram()) {
        Ok(Message::Request(request)) => request,
        other => panic!("{other:?}"),
    }
}

fn response(method: &str, code: u16) -> Response {
    ResponseBuilder::to_request(&request(method), StatusCode::new(code).unwrap(), "Reason").unwrap().build()
}

/// What comes out, in words: `send 180`, `tell 200`, `A in 1s`, `stop A`, `end`.
fn words(outputs: &[Output]) -> String {
    let word = |output: &Output| match output {
        Output::Send(message) => match message.as_ref() {
            Message::Request(request) => format!("send {}", request.method),
            Message::Response(response) => format!("send {}", response.status.code()),
        },
        Output::SetTimer { timer, after } => format!("{timer:?} in {after:?}"),
        Output::ClearTimer(timer) => format!("stop {timer:?}"),
        Output::ToTu(event) => match event.as_ref() {
            TuEvent::Request(request) => format!("tell {}", request.method),
            TuEvent::Response(response) => format!("tell {}", response.status.code()),
            TuEvent::Ack(_) => "tell ACK".to_owned(),
            TuEvent::Timeout => "tell timeout".to_owned(),
            TuEvent::TransportError => "tell transport error".to_owned(),
            other => format!("{other:?}"),
        },
        Output::Terminated(_) => "end".to_owned(),
        other => format!("{other:?}"),
    };
    outputs.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// What never reaches the library's machines, for our map stands before them: see `what_the_map_keeps_away`.
fn above<S: std::fmt::Debug>(state: &S, input: In) -> bool {
    match (format!("{state:?}").as_str(), input) {
        ("Completed" | "Accepted" | "Confirmed", Broken) => true,
        ("Completed", Code(code)) => code < 300,
        _ => false,
    }
}

/// Sends every input into every state, on both kinds of transport, and compares with the table.
fn check<S: Copy + PartialEq + std::fmt::Debug, M>(
    table: &[Row<S>],
    ways: &[(S, &[In])],
    inputs: &[In],
    begin: impl Fn(Reliability) -> M,
    feed: impl Fn(&mut M, In) -> Vec<Output>,
    state: impl Fn(&M) -> S,
) {
    let mut wrong = Vec::new();
    for reliability in [Reliability::Unreliable, Reliability::Reliable] {
        for (from, way) in ways {
            for input in inputs.iter().filter(|input| !above(from, **input)) {
                let mut machine = begin(reliability);
                for step in *way {
                    feed(&mut machine, *step);
                }
                assert_eq!(state(&machine), *from, "the way to it is wrong");
                let found = (words(&feed(&mut machine, *input)), state(&machine));
                let row = table.iter().find(|(state, event, ..)| state == from && event == input);
                let expected = match row {
                    Some((.., reliable, next)) if reliability.is_reliable() && *reliable != SAME => (*reliable, *next),
                    Some((_, _, words, _, next)) => (*words, *next),
                    None => ("", *from),
                };
                if (found.0.as_str(), found.1) != expected {
                    wrong.push(format!("{reliability:?}: {from:?}, {input:?}: expected {expected:?}, found {found:?}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    for (from, input, ..) in table {
        assert!(
            ways.iter().any(|(state, _)| state == from) && inputs.contains(input),
            "{from:?} {input:?} is not tried"
        );
    }
}

fn feed_client(method: &'static str) -> impl Fn(&mut ClientTransaction, In) -> Vec<Output> {
    move |machine, input| match input {
        Code(code) => machine.on_response(response(method, code)),
        Fires(timer) => machine.on_timer(timer),
        Broken => machine.on_transport_error(),
        Again | Ack => unreachable!("a client receives no request"),
    }
}

fn feed_server(method: &'static str) -> impl Fn(&mut ServerTransaction, In) -> Vec<Output> {
    move |machine, input| match input {
        Code(code) => machine.on_tu_response(response(method, code)),
        Again => machine.on_request(&request(method)),
        Ack => machine.on_request(&request("ACK")),
        Fires(timer) => machine.on_timer(timer),
        Broken => machine.on_transport_error(),
    }
}

fn client(method: &'static str) -> impl Fn(Reliability) -> ClientTransaction {
    move |reliability| ClientTransaction::new(request(method), reliability, Timers::default()).0
}

fn server(method: &'static str) -> impl Fn(Reliability) -> ServerTransaction {
    move |reliability| ServerTransaction::new(request(method), reliability, Timers::default()).0
}

/// What the beginning of a transaction brings: (unreliable, reliable).
fn beginnings(outputs: impl Fn(Reliability) -> Vec<Output>) -> (String, String) {
    (words(&outputs(Reliability::Unreliable)), words(&outputs(Reliability::Reliable)))
}

/// Figure 5 with RFC 6026 section 7.2 (Accepted, Timer M) and section 8.4.
#[test]
#[rustfmt::skip]
fn figure_5_invite_client() {
    use ClientState::*;
    let begin = beginnings(|reliability| ClientTransaction::new(request("INVITE"), reliability, Timers::default()).1);
    assert_eq!(begin, ("send INVITE, A in 500ms, B in 32s".to_owned(), "send INVITE, B in 32s".to_owned()));
    let table = [
        (Calling, Code(180), "stop A, stop B, tell 180", SAME, Proceeding),
        (Calling, Code(200), "stop A, stop B, tell 200, M in 32s", SAME, Accepted),
        (Calling, Code(486), "stop A, stop B, send ACK, tell 486, D in 32s", "stop A, stop B, send ACK, tell 486, D in 0ns", Completed),
        (Calling, Fires(Timer::A), "send INVITE, A in 1s", SAME, Calling),
        (Calling, Fires(Timer::B), "tell timeout, end", SAME, Terminated),
        (Calling, Broken, "tell transport error, end", SAME, Terminated),
        (Proceeding, Code(180), "tell 180", SAME, Proceeding),
        (Proceeding, Code(200), "stop B, tell 200, M in 32s", SAME, Accepted),
        (Proceeding, Code(486), "stop B, send ACK, tell 486, D in 32s", "stop B, send ACK, tell 486, D in 0ns", Completed),
        (Proceeding, Broken, "tell transport error, end", SAME, Terminated),
        (Completed, Code(486), "send ACK", SAME, Completed),
        (Completed, Fires(Timer::D), "end", SAME, Terminated),
        (Accepted, Code(200), "tell 200", SAME, Accepted),
        (Accepted, Fires(Timer::M), "end", SAME, Terminated),
    ];
    let ways: [(ClientState, &[In]); 4] =
        [(Calling, &[]), (Proceeding, &[Code(180)]), (Completed, &[Code(486)]), (Accepted, &[Code(200)])];
    let inputs = [Code(180), Code(200), Code(486), Fires(Timer::A), Fires(Timer::B), Fires(Timer::D), Fires(Timer::M), Broken];
    check(&table, &ways, &inputs, client("INVITE"), feed_client("INVITE"), ClientTransaction::state);
}

/// Figure 6.
#[test]
#[rustfmt::skip]
fn figure_6_non_invite_client() {
    use ClientState::*;
    let begin = beginnings(|reliability| ClientTransaction::new(request("OPTIONS"), reliability, Timers::default()).1);
    assert_eq!(begin, ("send OPTIONS, E in 500ms, F in 32s".to_owned(), "send OPTIONS, F in 32s".to_owned()));
    let table = [
        (Trying, Code(100), "tell 100", SAME, Proceeding),
        (Trying, Code(200), "stop E, stop F, tell 200, K in 5s", "stop E, stop F, tell 200, K in 0ns", Completed),
        (Trying, Code(404), "stop E, stop F, tell 404, K in 5s", "stop E, stop F, tell 404, K in 0ns", Completed),
        (Trying, Fires(Timer::E), "send OPTIONS, E in 1s", SAME, Trying),
        (Trying, Fires(Timer::F), "tell timeout, end", SAME, Terminated),
        (Trying, Broken, "tell transport error, end", SAME, Terminated),
        (Proceeding, Code(100), "tell 100", SAME, Proceeding),
        (Proceeding, Code(200), "stop E, stop F, tell 200, K in 5s", "stop E, stop F, tell 200, K in 0ns", Completed),
        (Proceeding, Code(404), "stop E, stop F, tell 404, K in 5s", "stop E, stop F, tell 404, K in 0ns", Completed),
        // In Proceeding it is T2 at once (section 17.1.2.2).
        (Proceeding, Fires(Timer::E), "send OPTIONS, E in 4s", SAME, Proceeding),
        (Proceeding, Fires(Timer::F), "tell timeout, end", SAME, Terminated),
        (Proceeding, Broken, "tell transport error, end", SAME, Terminated),
        (Completed, Fires(Timer::K), "end", SAME, Terminated),
    ];
    let ways: [(ClientState, &[In]); 3] = [(Trying, &[]), (Proceeding, &[Code(100)]), (Completed, &[Code(200)])];
    let inputs = [Code(100), Code(200), Code(404), Fires(Timer::E), Fires(Timer::F), Fires(Timer::K), Broken];
    check(&table, &ways, &inputs, client("OPTIONS"), feed_client("OPTIONS"), ClientTransaction::state);
}

/// Figure 7 with RFC 6026 section 7.1 (Accepted, Timer L).
#[test]
#[rustfmt::skip]
fn figure_7_invite_server() {
    use ServerState::*;
    let begin = beginnings(|reliability| ServerTransaction::new(request("INVITE"), reliability, Timers::default()).1);
    assert_eq!(begin, ("tell INVITE, Trying100 in 200ms".to_owned(), "tell INVITE, Trying100 in 200ms".to_owned()));
    let table = [
        (Proceeding, Code(180), "stop Trying100, send 180", SAME, Proceeding),
        (Proceeding, Code(200), "stop Trying100, send 200, L in 32s", SAME, Accepted),
        (Proceeding, Code(486), "stop Trying100, send 486, G in 500ms, H in 32s", "stop Trying100, send 486, H in 32s", Completed),
        (Proceeding, Fires(Timer::Trying100), "send 100", SAME, Proceeding),
        (Proceeding, Broken, "tell transport error, end", SAME, Terminated),
        (Completed, Again, "send 486", SAME, Completed),
        (Completed, Ack, "stop G, stop H, I in 5s", "stop G, stop H, I in 0ns", Confirmed),
        (Completed, Fires(Timer::G), "send 486, G in 1s", SAME, Completed),
        (Completed, Fires(Timer::H), "tell timeout, end", SAME, Terminated),
        (Accepted, Ack, "tell ACK", SAME, Accepted),
        (Accepted, Code(200), "send 200", SAME, Accepted),
        (Accepted, Fires(Timer::L), "end", SAME, Terminated),
        (Confirmed, Fires(Timer::I), "end", SAME, Terminated),
    ];
    let ways: [(ServerState, &[In]); 4] =
        [(Proceeding, &[]), (Completed, &[Code(486)]), (Accepted, &[Code(200)]), (Confirmed, &[Code(486), Ack])];
    let inputs = [
        Again, Ack, Code(180), Code(200), Code(486), Fires(Timer::Trying100), Fires(Timer::G), Fires(Timer::H),
        Fires(Timer::I), Fires(Timer::L), Broken,
    ];
    check(&table, &ways, &inputs, server("INVITE"), feed_server("INVITE"), ServerTransaction::state);
}

/// A retransmitted INVITE is answered by the latest provisional response (figure 7, Proceeding).
#[test]
fn figure_7_repeats_the_latest_provisional() {
    for reliability in [Reliability::Unreliable, Reliability::Reliable] {
        let mut machine = server("INVITE")(reliability);
        let feed = feed_server("INVITE");
        feed(&mut machine, Code(180));
        feed(&mut machine, Code(183));
        assert_eq!(words(&feed(&mut machine, Again)), "send 183");
        assert_eq!(machine.state(), ServerState::Proceeding);
    }
}

/// Figure 8.
#[test]
#[rustfmt::skip]
fn figure_8_non_invite_server() {
    use ServerState::*;
    let begin = beginnings(|reliability| ServerTransaction::new(request("OPTIONS"), reliability, Timers::default()).1);
    assert_eq!(begin, ("tell OPTIONS".to_owned(), "tell OPTIONS".to_owned()));
    let final_response = ("stop Trying100, send 200, J in 32s", "stop Trying100, send 200, J in 0ns");
    let table = [
        (Trying, Code(183), "stop Trying100, send 183", SAME, Proceeding),
        (Trying, Code(200), final_response.0, final_response.1, Completed),
        (Trying, Broken, "tell transport error, end", SAME, Terminated),
        (Proceeding, Again, "send 183", SAME, Proceeding),
        (Proceeding, Code(183), "stop Trying100, send 183", SAME, Proceeding),
        (Proceeding, Code(200), final_response.0, final_response.1, Completed),
        (Proceeding, Broken, "tell transport error, end", SAME, Terminated),
        (Completed, Again, "send 200", SAME, Completed),
        (Completed, Fires(Timer::J), "end", SAME, Terminated),
    ];
    let ways: [(ServerState, &[In]); 3] = [(Trying, &[]), (Proceeding, &[Code(183)]), (Completed, &[Code(200)])];
    let inputs = [Again, Code(183), Code(200), Fires(Timer::J), Broken];
    check(&table, &ways, &inputs, server("OPTIONS"), feed_server("OPTIONS"), ServerTransaction::state);
}

/// What the machines do not keep to is caught before them: a late 180 or 2xx after a refusal is not acknowledged (figure 5),
/// and a transport error ends nothing that has its final response (figures 5 to 7).
#[test]
fn what_the_map_keeps_away() {
    let flow = Flow {
        transport: Transport::Udp,
        local: "192.0.2.1:5060".parse().unwrap(),
        remote: "192.0.2.4:5060".parse().unwrap(),
    };
    let now = std::time::Instant::now();
    for (method, code) in [("INVITE", 486), ("INVITE", 200), ("OPTIONS", 200)] {
        let mut map = Transactions::new(Timers::default(), 10);
        let id = map.send_request(now, request(method), flow).unwrap();
        map.handle_message(now, flow, Message::Response(response(method, code)));
        while map.poll_transmit().is_some() || map.poll_event().is_some() {}
        if code == 486 {
            map.handle_message(now, flow, Message::Response(response(method, 180)));
            map.handle_message(now, flow, Message::Response(response(method, 200)));
        }
        map.handle_transport_error(now, flow);
        assert!(map.poll_transmit().is_none() && map.poll_event().is_none(), "{method} {code}");
        assert!(map.client_request(id).is_some(), "{method} {code}");
    }
}

/// The intervals of timers A, E and G (sections 17.1.1.2, 17.1.2.2, 17.2.1): doubled, and but for A never longer than T2.
#[test]
fn the_intervals_grow() {
    let next = |outputs: Vec<Output>| {
        outputs.into_iter().find_map(|output| match output {
            Output::SetTimer { after, .. } => Some(after),
            _ => None,
        })
    };
    let seconds = |list: [u64; 5]| list.map(Duration::from_secs).map(Some).to_vec();
    let mut invite = client("INVITE")(Reliability::Unreliable);
    let a: Vec<_> = (0..5).map(|_| next(invite.on_timer(Timer::A))).collect();
    assert_eq!(a, seconds([1, 2, 4, 8, 16]));
    let mut options = client("OPTIONS")(Reliability::Unreliable);
    let e: Vec<_> = (0..5).map(|_| next(options.on_timer(Timer::E))).collect();
    assert_eq!(e, seconds([1, 2, 4, 4, 4]));
    let mut refused = server("INVITE")(Reliability::Unreliable);
    feed_server("INVITE")(&mut refused, Code(486));
    let g: Vec<_> = (0..5).map(|_| next(refused.on_timer(Timer::G))).collect();
    assert_eq!(g, seconds([1, 2, 4, 4, 4]));
}
