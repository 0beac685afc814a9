//! The registrar's steps in the order of RFC 3261 section 10.3, each with a password.

use std::time::Duration;

use crate::exchange::{Config, Route};
use crate::sip::{HeaderName, Response, Uri};

use super::net::{Net, Peer, config, peer, rows};

/// A phone that has been challenged, and goes on counting.
struct Signed {
    phone: Peer,
    challenge: Response,
    nc: u32,
}

impl Signed {
    fn new(net: &mut Net, phone: Peer) -> Signed {
        net.send(&phone, &phone.register(900, 1, ""));
        let challenge = net.expect(&phone, 401);
        Signed { phone, challenge, nc: 0 }
    }

    /// REGISTER with credentials in the Call-ID `id`; `rest` are whole header lines.
    fn register(&mut self, id: u32, cseq: u32, rest: &str) -> String {
        self.nc += 1;
        let credentials = self.phone.credentials(&self.challenge, "REGISTER", "sip:example.com", self.nc);
        let text = self.phone.register(id, cseq, &format!("{rest}Authorization: {credentials}\r\n"));
        // A transaction of its own, whatever its CSeq is.
        text.replace(";branch=z9hG4bK", &format!(";branch=z9hG4bKn{}", self.nc))
    }

    #[track_caller]
    fn ask(&mut self, net: &mut Net, id: u32, cseq: u32, rest: &str, code: u16) -> Vec<String> {
        let request = self.register(id, cseq, rest);
        net.send(&self.phone, &request);
        rows(&net.expect(&self.phone, code).headers, &HeaderName::Contact)
    }

    /// Without Contact it is a query.
    #[track_caller]
    fn query(&mut self, net: &mut Net) -> Vec<String> {
        let serial = net.fresh();
        self.ask(net, 500 + serial, 1, "", 200)
    }
}

fn bob() -> (Net, Signed) {
    let mut net = Net::new(&config());
    let signed = Signed::new(&mut net, peer("bob", 40001));
    (net, signed)
}

#[test]
fn step_1_another_domain_is_not_ours_to_register() {
    let hops = vec![Uri::parse("sip:127.0.0.1:40009".into()).unwrap()];
    let routes = vec![Route { domain: "biloxi.example.org".into(), hops }];
    let mut net = Net::new(&Config { users: Vec::new(), routes, ..config() });
    let (bob, biloxi) = (peer("bob", 40001), peer("biloxi", 40009));
    let elsewhere =
        bob.register(1, 1, "Contact: <sip:bob@127.0.0.1:40001>\r\n").replace("example.com", "biloxi.example.org");
    net.send(&bob, &elsewhere);
    let passed_on = net.expect_request(&biloxi, "REGISTER");
    assert_eq!(passed_on.uri.to_string(), "sip:biloxi.example.org");
    assert!(net.core.bindings(net.now, "bob").is_empty());
    net.send(&biloxi, &biloxi.reply(&passed_on, 200, ""));
    net.expect(&bob, 200);
    net.assert_quiescent();
}

#[test]
fn step_2_an_extension_that_is_required_comes_before_the_password() {
    let (mut net, bob) = (Net::new(&config()), peer("bob", 40001));
    net.send(&bob, &bob.register(1, 1, "Require: gruu\r\nContact: <sip:bob@127.0.0.1:40001>\r\n"));
    assert_eq!(rows(&net.expect(&bob, 420).headers, &HeaderName::Unsupported), ["gruu"]);
    assert!(net.core.bindings(net.now, "bob").is_empty());
}

#[test]
fn steps_3_and_4_the_password_is_asked_and_is_for_one_address_of_record() {
    let (mut net, mut bob) = bob();
    let contact = "Contact: <sip:bob@127.0.0.1:40001>\r\n";
    let for_alice = bob.register(1, 1, contact).replace("To: <sip:bob@", "To: <sip:alice@");
    net.send(&bob.phone, &for_alice);
    net.expect(&bob.phone, 403);
    assert!(net.core.bindings(net.now, "alice").is_empty());
    bob.ask(&mut net, 1, 2, contact, 200);
    assert_eq!(net.core.bindings(net.now, "bob").len(), 1);
}

#[test]
fn step_5_the_address_of_record_is_compared_without_escapes_and_parameters() {
    let (mut net, mut bob) = bob();
    let contact = "Contact: <sip:bob@127.0.0.1:40001>\r\n";
    let escaped =
        bob.register(1, 1, contact).replace("To: <sip:bob@example.com>", "To: <sip:%62ob@EXAMPLE.com;user=phone>");
    net.send(&bob.phone, &escaped);
    net.expect(&bob.phone, 200);
    assert_eq!(bob.query(&mut net).len(), 1, "it is bob");
    let strange = bob.register(2, 1, contact).replace("To: <sip:bob@example.com>", "To: <sip:bob@example.org>");
    net.send(&bob.phone, &strange);
    net.expect(&bob.phone, 404);
}

#[test]
fn step_6_removing_all_is_all_or_nothing() {
    let (mut net, mut bob) = bob();
    bob.ask(&mut net, 1, 5, "Contact: <sip:desk@127.0.0.1:40001>\r\n", 200);
    bob.ask(&mut net, 2, 9, "Contact: <sip:mobile@127.0.0.1:40002>\r\n", 200);
    for wrong in ["Contact: *\r\n", "Contact: *\r\nExpires: 1\r\n", "Contact: *, <sip:a@b>\r\nExpires: 0\r\n"] {
        let cseq = 10 + net.fresh();
        bob.ask(&mut net, 1, cseq, wrong, 400);
    }
    // It comes late: the desk's own Call-ID has had a higher CSeq. The mobile, of another Call-ID, stays too.
    bob.ask(&mut net, 1, 4, "Contact: *\r\nExpires: 0\r\n", 500);
    assert_eq!(bob.query(&mut net).len(), 2);
    // A Call-ID that bound nothing may remove what others bound, whatever its CSeq is.
    assert!(bob.ask(&mut net, 3, 1, "Contact: *\r\nExpires: 0\r\n", 200).is_empty());
    assert!(bob.query(&mut net).is_empty());
    net.assert_quiescent();
}

#[test]
fn step_7_each_contact_has_its_own_lifetime() {
    let (mut net, mut bob) = bob();
    let contacts = "Contact: <sip:a@192.0.2.1>;expires=120;q=0.2, <sip:b@192.0.2.2>;q=0.7\r\n\
                    Contact: <sip:c@192.0.2.3>;expires=7200\r\nExpires: 300\r\n";
    let bound = bob.ask(&mut net, 1, 1, contacts, 200);
    let expected = [
        "<sip:c@192.0.2.3>;expires=7200",
        "<sip:b@192.0.2.2>;q=0.700;expires=300",
        "<sip:a@192.0.2.1>;q=0.200;expires=120",
    ];
    assert_eq!(bound, expected, "the contact's own, else the header field's");
    assert_eq!(
        bob.ask(&mut net, 1, 2, "Contact: <sip:d@192.0.2.4>;q=0.1\r\n", 200)[3],
        "<sip:d@192.0.2.4>;q=0.100;expires=3600"
    );
    net.advance(Duration::from_secs(121));
    // The nonce still holds, and one contact is gone.
    assert_eq!(
        bob.query(&mut net),
        [
            "<sip:c@192.0.2.3>;expires=7079",
            "<sip:b@192.0.2.2>;q=0.700;expires=179",
            "<sip:d@192.0.2.4>;q=0.100;expires=3479"
        ]
    );
}

#[test]
fn step_7_one_contact_that_is_refused_refuses_all() {
    let (mut net, mut bob) = bob();
    bob.ask(&mut net, 1, 5, "Contact: <sip:a@192.0.2.1>\r\n", 200);
    let brief = bob.register(1, 6, "Contact: <sip:b@192.0.2.2>;expires=600, <sip:a@192.0.2.1>;expires=59\r\n");
    net.send(&bob.phone, &brief);
    let refused = net.expect(&bob.phone, 423);
    assert_eq!(rows(&refused.headers, &HeaderName::MinExpires), ["60"]);
    // The second one has seen this CSeq of this Call-ID.
    bob.ask(&mut net, 1, 5, "Contact: <sip:b@192.0.2.2>, <sip:a@192.0.2.1>;q=0.5\r\n", 500);
    assert_eq!(bob.query(&mut net), ["<sip:a@192.0.2.1>;expires=3600"]);
}

#[test]
fn step_7_contacts_are_compared_as_uris_and_an_old_request_changes_none() {
    let (mut net, mut bob) = bob();
    bob.ask(&mut net, 1, 5, "Contact: <sip:bob@PHONE.example.com>;q=0.3\r\n", 200);
    // RFC 3261 section 19.1.4: the host's case does not matter, the user's does.
    let both = bob.ask(
        &mut net,
        1,
        6,
        "Contact: <sip:bob@phone.example.com>;q=0.4, <sip:BOB@phone.example.com>;q=0.1\r\n",
        200,
    );
    assert_eq!(
        both,
        ["<sip:bob@phone.example.com>;q=0.400;expires=3600", "<sip:BOB@phone.example.com>;q=0.100;expires=3600"]
    );
    let old = "Contact: <sip:new@192.0.2.9>, <sip:bob@phone.example.com>;expires=0\r\n";
    bob.ask(&mut net, 1, 3, old, 500);
    assert_eq!(bob.query(&mut net), both);
    // The same from a phone that was started anew, with a Call-ID of its own.
    assert_eq!(
        bob.ask(&mut net, 2, 1, old, 200),
        ["<sip:new@192.0.2.9>;expires=3600", "<sip:BOB@phone.example.com>;q=0.100;expires=3600"]
    );
}

#[test]
fn step_8_a_repeated_request_gets_its_answer_again() {
    let (mut net, mut bob) = bob();
    let request = bob.register(1, 1, "Contact: <sip:bob@127.0.0.1:40001>\r\n");
    net.send(&bob.phone, &request);
    let first = net.expect(&bob.phone, 200);
    // The answer was lost. It is the same transaction: neither the nonce count nor the CSeq is old.
    net.advance(Duration::from_millis(500));
    net.send(&bob.phone, &request);
    let second = net.expect(&bob.phone, 200);
    assert_eq!(rows(&second.headers, &HeaderName::Contact), rows(&first.headers, &HeaderName::Contact));
    net.assert_quiescent();
}
