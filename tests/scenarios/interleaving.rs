//! Whatever order the requests and responses of a call come in, it comes to an end and nothing is left over.

use std::collections::VecDeque;

use offhook::sip::Message;
use offhook::ua::{CallNo, Command};
use proptest::prelude::*;

use crate::harness::*;

/// What happens next.
#[derive(Debug, Clone)]
enum Step {
    /// The person does something.
    Person(Deed),
    /// Bob answers the oldest request that waits for it.
    Reply(u16, bool),
    /// Bob sends something in the dialog.
    Ask(&'static str, bool),
    /// Bob acknowledges what came reliably.
    Prack(bool),
    Ack(bool),
    Cancel,
    /// A datagram of Bob's comes again.
    Again(usize),
    Wait(u64),
}

#[derive(Debug, Clone, Copy)]
enum Deed {
    Answer,
    Offer,
    Hold,
    Resume,
    Transfer,
    Digit,
    HangUp,
}

fn step() -> impl Strategy<Value = Step> {
    use Deed::*;
    let deed = prop::sample::select(vec![
        Answer, Answer, Offer, Hold, Hold, Hold, Resume, Resume, Resume, Transfer, Digit, HangUp,
    ]);
    let mut codes = vec![200; 20];
    codes.extend([100, 180, 183, 183, 183, 199, 202, 302, 401, 408, 422, 481, 486, 488, 491, 491, 500, 500, 503, 603]);
    let methods = vec![
        "INVITE", "INVITE", "INVITE", "UPDATE", "UPDATE", "UPDATE", "INFO", "OPTIONS", "REFER", "NOTIFY", "BYE",
        "PRACK", "MESSAGE",
    ];
    prop_oneof![
        3 => deed.prop_map(Step::Person),
        8 => (prop::sample::select(codes), any::<bool>()).prop_map(|(code, flag)| Step::Reply(code, flag)),
        4 => (prop::sample::select(methods), any::<bool>()).prop_map(|(method, offer)| Step::Ask(method, offer)),
        2 => any::<bool>().prop_map(Step::Prack),
        4 => any::<bool>().prop_map(Step::Ack),
        1 => Just(Step::Cancel),
        2 => any::<usize>().prop_map(Step::Again),
        4 => prop::sample::select(vec![0, 100, 500, 1500, 5000, 33_000, 300_000]).prop_map(Step::Wait),
    ]
}

struct Scene {
    phone: Phone,
    bob: Peer,
    call: CallNo,
    /// Requests of the phone's that Bob has not answered finally.
    waiting: VecDeque<Got>,
    invited: Option<Asked>,
    leg: Option<Leg>,
    rack: String,
    sent: Vec<String>,
    number: u32,
}

impl Scene {
    fn new(outgoing: bool, fields: &[(&str, &str)], offer: bool) -> Scene {
        let phone = Phone::new(direct());
        let bob = phone.bob();
        let mut scene = Scene {
            phone: phone.clone(),
            bob: bob.clone(),
            call: CallNo(1),
            waiting: VecDeque::new(),
            invited: None,
            leg: None,
            rack: "1 1 INVITE".to_owned(),
            sent: Vec::new(),
            number: 0,
        };
        if outgoing {
            phone.dial_direct("sip:bob@192.0.2.201");
        } else {
            let invite = fields.iter().fold(bob.invite(), |invite, (name, value)| invite.with(name, value));
            scene.invited = Some(if offer { invite.sdp(&sdp::bob()) } else { invite }.sent());
        }
        scene.look();
        scene
    }

    /// Takes what has come to Bob.
    fn look(&mut self) {
        let inbox = self.phone.world().inboxes.remove(&self.bob.address).unwrap_or_default();
        for message in inbox {
            let got = Got { peer: self.bob.clone(), message };
            match &got.message {
                Message::Request(request) => {
                    if request.method.as_bytes() == b"INVITE" && self.leg.is_none() {
                        self.leg = Some(got.leg());
                    }
                    let known = self.waiting.iter().any(|other| other.header("Via") == got.header("Via"));
                    if request.method.as_bytes() != b"ACK" && !known {
                        self.waiting.push_back(got);
                    }
                }
                Message::Response(response) => {
                    let code = response.status.code();
                    if got.header("CSeq").ends_with("INVITE") && (180..300).contains(&code) {
                        if self.leg.is_none() {
                            self.leg = Some(got.leg());
                        }
                        if code < 200 && !got.header("RSeq").is_empty() {
                            self.rack = format!("{} {} INVITE", got.header("RSeq"), got.seq());
                        }
                    }
                    let refused = self.invited.as_ref().filter(|invited| code >= 300 && invited.seq == got.seq());
                    if let Some(invited) = refused.filter(|_| got.header("CSeq").ends_with("INVITE")) {
                        invited.ack(&got);
                    }
                }
            }
        }
    }

    /// The call is answered as it should be.
    fn establish(&mut self, outgoing: bool) {
        let steps = match outgoing {
            true => vec![Step::Reply(183, true), Step::Reply(200, true), Step::Reply(200, true)],
            false => vec![Step::Person(Deed::Offer), Step::Prack(true), Step::Person(Deed::Answer), Step::Ack(true)],
        };
        for step in &steps {
            self.act(step);
        }
    }

    fn description(&mut self) -> String {
        self.number += 1;
        sdp::directed(self.number, ["sendrecv", "sendonly", "inactive"][self.number as usize % 3])
    }

    fn act(&mut self, step: &Step) {
        let call = self.call;
        match step {
            Step::Person(deed) => {
                let _ = self.phone.command(match deed {
                    Deed::Answer => Command::Answer { call, media: MEDIA },
                    Deed::Offer => Command::OfferEarly { call, media: MEDIA },
                    Deed::Hold => Command::Hold { call },
                    Deed::Resume => Command::Resume { call },
                    Deed::Transfer => Command::Transfer { call, target: uri("sip:carol@192.0.2.203") },
                    Deed::Digit => Command::InfoDigit { call, digit: '5', duration_ms: 100 },
                    Deed::HangUp => Command::Hangup { call },
                });
            }
            Step::Reply(code, flag) => self.reply(*code, *flag),
            Step::Ask(method, offer) => {
                let description = self.description();
                let Some(leg) = &mut self.leg else { return };
                let ask = leg.request(method).with("Refer-To", "<sip:carol@192.0.2.203>").with("Event", "refer");
                let ask = ask.with("Supported", "timer").with("RAck", &self.rack).with("Session-Expires", "200");
                let offer = *offer && matches!(*method, "INVITE" | "UPDATE" | "PRACK");
                let ask = if offer { ask.sdp(&description) } else { ask }.sent();
                self.sent.push(ask.text.clone());
                if *method == "INVITE" {
                    self.invited = Some(ask);
                }
            }
            Step::Prack(answer) => {
                let description = self.description();
                let Some(leg) = &mut self.leg else { return };
                let prack = leg.request("PRACK").with("RAck", &self.rack);
                self.sent.push(if *answer { prack.sdp(&description) } else { prack }.sent().text);
            }
            Step::Ack(answer) => {
                let description = self.description();
                let Some(leg) = &self.leg else { return };
                let ack = leg.ack();
                self.sent.push(if *answer { ack.sdp(&description) } else { ack }.sent().text);
            }
            Step::Cancel => {
                if let Some(invited) = &self.invited {
                    self.sent.push(invited.cancel().sent().text);
                }
            }
            Step::Again(which) => {
                if let Some(text) = self.sent.get(which % self.sent.len().max(1)) {
                    self.bob.send(text);
                }
            }
            Step::Wait(milliseconds) => self.phone.advance(ms(*milliseconds)),
        }
        self.look();
    }

    fn reply(&mut self, code: u16, flag: bool) {
        let Some(got) = self.waiting.pop_front() else { return };
        let invite = got.header("CSeq").ends_with("INVITE");
        let code = if invite || code >= 200 { code } else { 200 };
        let description = self.description();
        let mut reply = got.reply(code).with("Allow", "INVITE, ACK, BYE, UPDATE, PRACK");
        if invite && self.number.is_multiple_of(3) {
            reply = reply.tag("fork");
        }
        if code < 200 && flag {
            reply = reply.with("Require", "100rel").with("RSeq", &self.number.to_string());
        }
        reply = match code {
            200..300 if flag => reply.with("Session-Expires", "180;refresher=uac"),
            401 => reply.challenge("WWW-Authenticate", "x", "n"),
            422 => reply.with("Min-SE", "2400"),
            500 if flag => reply.with("Retry-After", "3"),
            _ => reply,
        };
        let described = matches!(code, 183 | 200) && (flag || code == 200);
        self.sent.push(if described && invite { reply.sdp(&description) } else { reply }.sent());
        if code < 200 {
            self.waiting.push_front(got);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_order_ends_in_silence(
        outgoing in any::<bool>(),
        offer in any::<bool>(),
        up in any::<bool>(),
        fields in prop::sample::select(vec![
            vec![],
            vec![("Require", "100rel")],
            vec![("Supported", "100rel, timer"), ("Session-Expires", "120")],
            vec![("Expires", "20")],
        ]),
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let mut scene = Scene::new(outgoing, &fields, offer);
        if up {
            scene.establish(outgoing);
        }
        for step in &steps {
            scene.act(step);
        }
        let phone = scene.phone.clone();
        phone.command(Command::Shutdown).unwrap();
        phone.advance(s(400));
        phone.skip_datagrams();
        phone.skip_until_quiet();
        phone.assert_quiescent();
    }
}
