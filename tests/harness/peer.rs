//! The other side, scripted: what it expects and what it says, written by hand so that the phone's own rooms are not
//! used to check themselves.

use std::net::SocketAddr;

use offhook::sip::{HeaderName, Message, text};
use offhook::ua::request::default_reason;

use super::phone::{Phone, bracketed, show};

/// A user agent, proxy or registrar at one address.
#[derive(Clone)]
pub struct Peer {
    pub phone: Phone,
    pub user: String,
    pub address: SocketAddr,
}

/// What is expected: a request's method, or a response's code.
pub enum What {
    Method(&'static str),
    Code(u16),
}

impl From<&'static str> for What {
    fn from(method: &'static str) -> What {
        What::Method(method)
    }
}

impl From<u16> for What {
    fn from(code: u16) -> What {
        What::Code(code)
    }
}

impl Peer {
    pub fn new(phone: Phone, user: &str, address: SocketAddr) -> Peer {
        Peer { phone, user: user.to_owned(), address }
    }

    /// The next datagram to this peer, which must be this.
    #[track_caller]
    pub fn expect(&self, what: impl Into<What>) -> Got {
        let next = self.phone.world().inboxes.get_mut(&self.address).and_then(std::collections::VecDeque::pop_front);
        let what = what.into();
        let Some(message) = next else {
            match what {
                What::Method(method) => panic!("{} expected {method}, and nothing came", self.user),
                What::Code(code) => panic!("{} expected {code}, and nothing came", self.user),
            }
        };
        let fits = match (&what, &message) {
            (What::Method(method), Message::Request(request)) => request.method.as_bytes() == method.as_bytes(),
            (What::Code(code), Message::Response(response)) => response.status.code() == *code,
            _ => false,
        };
        let expected = match what {
            What::Method(method) => method.to_owned(),
            What::Code(code) => code.to_string(),
        };
        assert!(fits, "{} expected {expected}, and this came: {}", self.user, show(&message));
        Got { peer: self.clone(), message }
    }

    /// Nothing has come.
    #[track_caller]
    pub fn expect_nothing(&self) {
        let world = self.phone.world();
        if let Some(message) = world.inboxes.get(&self.address).and_then(|inbox| inbox.front()) {
            panic!("{} expected nothing, and this came: {}", self.user, show(message));
        }
    }

    /// Sends a message as it stands.
    pub fn send(&self, text: &str) {
        self.phone.receive(self.address, text.as_bytes());
    }

    /// A request outside any dialog.
    pub fn request(&self, method: &str, uri: &str) -> Ask {
        let number = self.phone.number();
        Ask {
            peer: self.clone(),
            method: method.to_owned(),
            uri: uri.to_owned(),
            from: format!("<sip:{}@{}>;tag={}", self.user, self.address.ip(), self.user),
            to: format!("<{uri}>"),
            call_id: format!("call-{number}@{}", self.address.ip()),
            seq: 1,
            branch: format!("z9hG4bKpeer{number}"),
            extra: Vec::new(),
            body: String::new(),
            sent: false,
        }
    }

    /// An INVITE to the phone.
    pub fn invite(&self) -> Ask {
        let uri = format!("sip:alice@{}", self.phone.address());
        self.request("INVITE", &uri).with("Contact", &self.contact())
    }

    /// A Via as a server behind the phone's address translator completes it (RFC 3581 section 4).
    fn stamped(&self, via: String) -> String {
        match self.phone.world().source {
            Some(seen) => {
                format!("{};received={}", via.replace(";rport", &format!(";rport={}", seen.port())), seen.ip())
            }
            None => via,
        }
    }

    /// Its Contact.
    pub fn contact(&self) -> String {
        format!("<sip:{}@{}>", self.user, self.address)
    }
}

/// A message that came to a peer.
#[derive(Clone)]
pub struct Got {
    pub peer: Peer,
    pub message: Message,
}

impl Got {
    /// All of it, as it came.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.message.to_bytes()).into_owned()
    }

    /// A header field's value; empty where it is missing.
    pub fn header(&self, name: &str) -> String {
        let name = HeaderName::parse(&name.to_owned().into());
        match &self.message {
            Message::Request(request) => text(&request.headers, &name),
            Message::Response(response) => text(&response.headers, &name),
        }
    }

    /// All values of a header field.
    pub fn headers(&self, name: &str) -> Vec<String> {
        let name = HeaderName::parse(&name.to_owned().into());
        let headers = match &self.message {
            Message::Request(request) => &request.headers,
            Message::Response(response) => &response.headers,
        };
        headers.get_all(&name).map(|header| String::from_utf8_lossy(&header.value()).into_owned()).collect()
    }

    /// The Request-URI.
    #[track_caller]
    pub fn uri(&self) -> String {
        match &self.message {
            Message::Request(request) => request.uri.to_string(),
            Message::Response(_) => panic!("a response has no Request-URI"),
        }
    }

    pub fn body(&self) -> String {
        match &self.message {
            Message::Request(request) => String::from_utf8_lossy(request.body()).into_owned(),
            Message::Response(response) => String::from_utf8_lossy(response.body()).into_owned(),
        }
    }

    /// The number of its CSeq.
    pub fn seq(&self) -> u32 {
        self.header("CSeq").split(' ').next().unwrap().parse().unwrap()
    }

    /// The tag of a header field's value.
    pub fn tag(&self, name: &str) -> String {
        let value = self.header(name);
        value.split(";tag=").nth(1).map(|tag| tag.split(';').next().unwrap().to_owned()).unwrap_or_default()
    }

    /// The body has this line, or a line that begins like this.
    #[track_caller]
    pub fn has_line(&self, line: &str) -> &Got {
        assert!(self.body().lines().any(|other| other.starts_with(line)), "no {line} in\n{}", self.body());
        self
    }

    /// The version in the `o=` line of its body.
    #[track_caller]
    pub fn version(&self) -> u64 {
        let body = self.body();
        let origin = body.lines().find_map(|line| line.strip_prefix("o=")).expect("an o= line");
        origin.split(' ').nth(2).unwrap().parse().unwrap()
    }

    /// A response to this request; it leaves at the end of the statement.
    pub fn reply(&self, code: u16) -> Reply {
        Reply {
            got: self.clone(),
            code,
            reason: default_reason(code).to_owned(),
            tag: Some(self.peer.user.clone()),
            extra: Vec::new(),
            body: String::new(),
            contact: true,
            sent: false,
        }
    }

    /// The dialog that this INVITE makes with the peer, under its usual tag; or that this 2xx makes.
    #[track_caller]
    pub fn leg(&self) -> Leg {
        self.leg_with(&self.peer.user)
    }

    /// The same with another tag of the peer's.
    #[track_caller]
    pub fn leg_with(&self, tag: &str) -> Leg {
        let incoming = matches!(self.message, Message::Request(_));
        let (local, remote) = match incoming {
            true => (format!("{};tag={tag}", self.header("To")), self.header("From")),
            false => (self.header("From"), self.header("To")),
        };
        Leg {
            peer: self.peer.clone(),
            call_id: self.header("Call-ID"),
            local,
            remote,
            target: bracketed(&self.header("Contact")).to_string(),
            invite_seq: self.seq(),
            seq: if incoming { 100 } else { self.seq() },
        }
    }
}

/// A response that is being written; it leaves when dropped.
pub struct Reply {
    got: Got,
    code: u16,
    reason: String,
    tag: Option<String>,
    extra: Vec<(String, String)>,
    body: String,
    contact: bool,
    sent: bool,
}

impl Reply {
    pub fn with(mut self, name: &str, value: &str) -> Reply {
        self.extra.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn reason(mut self, reason: &str) -> Reply {
        self.reason = reason.to_owned();
        self
    }

    pub fn tag(mut self, tag: &str) -> Reply {
        self.tag = Some(tag.to_owned());
        self
    }

    pub fn no_tag(mut self) -> Reply {
        self.tag = None;
        self
    }

    /// Another Contact than the peer's address.
    pub fn contact(mut self, contact: &str) -> Reply {
        self.contact = false;
        self.with("Contact", contact)
    }

    pub fn sdp(mut self, body: &str) -> Reply {
        self.body = body.to_owned();
        self.with("Content-Type", "application/sdp")
    }

    /// A digest challenge; `name` is WWW-Authenticate or Proxy-Authenticate.
    pub fn challenge(self, name: &str, realm: &str, nonce: &str) -> Reply {
        self.with(name, &format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", qop=\"auth\", algorithm=MD5"))
    }

    fn text(&self) -> String {
        let Message::Request(request) = &self.got.message else { panic!("a response has no response") };
        let mut out = format!("SIP/2.0 {} {}\r\n", self.code, self.reason);
        for name in ["Via", "From", "To", "Call-ID", "CSeq"] {
            for (place, value) in self.got.headers(name).into_iter().enumerate() {
                let value = if name == "Via" && place == 0 { self.got.peer.stamped(value) } else { value };
                let bare = name == "To" && self.code > 100 && !value.contains(";tag=");
                let tag = self.tag.as_ref().filter(|_| bare).map(|tag| format!(";tag={tag}")).unwrap_or_default();
                out += &format!("{name}: {value}{tag}\r\n");
            }
        }
        let dialog = matches!(request.method.as_bytes(), b"INVITE" | b"UPDATE" | b"REFER");
        if dialog && self.contact && (101..300).contains(&self.code) {
            out += &format!("Contact: {}\r\n", self.got.peer.contact());
        }
        for (name, value) in &self.extra {
            out += &format!("{name}: {value}\r\n");
        }
        out + &format!("Content-Length: {}\r\n\r\n{}", self.body.len(), self.body)
    }

    /// Sends it, and gives its text to send again.
    pub fn sent(mut self) -> String {
        self.sent = true;
        let text = self.text();
        self.got.peer.send(&text);
        text
    }

    /// Its text, unsent.
    pub fn unsent(mut self) -> String {
        self.sent = true;
        self.text()
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.sent && !std::thread::panicking() {
            self.got.peer.send(&self.text());
        }
    }
}

/// A request that is being written; it leaves when dropped.
pub struct Ask {
    peer: Peer,
    method: String,
    uri: String,
    from: String,
    to: String,
    call_id: String,
    seq: u32,
    branch: String,
    extra: Vec<(String, String)>,
    body: String,
    sent: bool,
}

impl Ask {
    pub fn with(mut self, name: &str, value: &str) -> Ask {
        self.extra.push((name.to_owned(), value.to_owned()));
        self
    }

    pub fn from(mut self, from: &str) -> Ask {
        self.from = from.to_owned();
        self
    }

    pub fn to(mut self, to: &str) -> Ask {
        self.to = to.to_owned();
        self
    }

    pub fn uri(mut self, uri: &str) -> Ask {
        self.uri = uri.to_owned();
        self
    }

    pub fn seq(mut self, seq: u32) -> Ask {
        self.seq = seq;
        self
    }

    pub fn branch(mut self, branch: &str) -> Ask {
        self.branch = branch.to_owned();
        self
    }

    pub fn body(mut self, content_type: &str, body: &str) -> Ask {
        self.body = body.to_owned();
        self.with("Content-Type", content_type)
    }

    pub fn sdp(self, body: &str) -> Ask {
        self.body("application/sdp", body)
    }

    /// Its text, unsent.
    pub fn taken(mut self) -> String {
        self.sent = true;
        self.text()
    }

    fn text(&self) -> String {
        let mut out = format!("{} {} SIP/2.0\r\n", self.method, self.uri);
        out += &format!("Via: SIP/2.0/UDP {};branch={}\r\n", self.peer.address, self.branch);
        out += &format!("Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {}\r\n", self.from, self.to, self.call_id);
        let method = self.method.as_str();
        out += &format!("CSeq: {} {method}\r\n", self.seq);
        for (name, value) in &self.extra {
            out += &format!("{name}: {value}\r\n");
        }
        out + &format!("Content-Length: {}\r\n\r\n{}", self.body.len(), self.body)
    }

    /// Sends it, and gives what is needed to follow it up.
    pub fn sent(mut self) -> Asked {
        self.sent = true;
        let text = self.text();
        self.peer.send(&text);
        let ask = self;
        Asked {
            peer: ask.peer.clone(),
            uri: ask.uri.clone(),
            from: ask.from.clone(),
            to: ask.to.clone(),
            call_id: ask.call_id.clone(),
            seq: ask.seq,
            branch: ask.branch.clone(),
            text,
        }
    }
}

impl Drop for Ask {
    fn drop(&mut self) {
        if !self.sent && !std::thread::panicking() {
            self.peer.send(&self.text());
        }
    }
}

/// A request that a peer has sent.
#[derive(Clone)]
pub struct Asked {
    pub peer: Peer,
    pub uri: String,
    pub from: String,
    pub to: String,
    pub call_id: String,
    pub seq: u32,
    pub branch: String,
    pub text: String,
}

impl Asked {
    /// Sends it once more.
    pub fn again(&self) {
        self.peer.send(&self.text);
    }

    fn follow(&self, method: &str, to: &str) -> Ask {
        let ask = self.peer.request(method, &self.uri).from(&self.from).to(to).seq(self.seq).branch(&self.branch);
        ask.call_id(&self.call_id)
    }

    /// Its CANCEL (RFC 3261 section 9.1).
    pub fn cancel(&self) -> Ask {
        self.follow("CANCEL", &self.to)
    }

    /// The ACK for a refusal (RFC 3261 section 17.1.1.3).
    pub fn ack(&self, refusal: &Got) {
        self.follow("ACK", &refusal.header("To"));
    }
}

impl Ask {
    pub fn call_id(mut self, call_id: &str) -> Ask {
        self.call_id = call_id.to_owned();
        self
    }
}

/// A dialog, as the peer sees it.
#[derive(Clone)]
pub struct Leg {
    pub peer: Peer,
    pub call_id: String,
    pub local: String,
    pub remote: String,
    pub target: String,
    pub invite_seq: u32,
    pub seq: u32,
}

impl Leg {
    /// The next request in it.
    pub fn request(&mut self, method: &str) -> Ask {
        self.seq += 1;
        if method == "INVITE" {
            self.invite_seq = self.seq;
        }
        self.build(method, self.seq)
    }

    fn build(&self, method: &str, seq: u32) -> Ask {
        let ask = self.peer.request(method, &self.target).from(&self.local).to(&self.remote).seq(seq);
        let ask = ask.call_id(&self.call_id);
        let contact = matches!(method, "INVITE" | "UPDATE" | "REFER" | "NOTIFY");
        if contact { ask.with("Contact", &self.peer.contact()) } else { ask }
    }

    /// The ACK for a 2xx to its last INVITE.
    pub fn ack(&self) -> Ask {
        self.build("ACK", self.invite_seq)
    }

    #[track_caller]
    pub fn expect(&self, what: impl Into<What>) -> Got {
        let got = self.peer.expect(what);
        assert_eq!(got.header("Call-ID"), self.call_id, "of another call: {}", show(&got.message));
        got
    }

    /// Hangs up, and expects the answer.
    #[track_caller]
    pub fn bye(&mut self) {
        self.request("BYE");
        self.peer.expect(200);
    }
}
