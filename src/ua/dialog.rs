//! Dialogs (RFC 3261 section 12): what two user agents remember of each other.

use bytes::Bytes;

use crate::sip::{
    Address, CSeq, Contact, From, HeaderName, Headers, Method, RecordRoute, Request, Response, To, Uri, push, set, text,
};

/// One dialog, early or confirmed.
#[derive(Debug, Clone)]
pub struct Dialog {
    /// Call-ID.
    pub call_id: Bytes,
    /// Our tag.
    pub local_tag: Bytes,
    /// The peer's tag; empty where it is from RFC 2543 times, or has not come yet.
    pub remote_tag: Bytes,
    /// Our From (or To) value, tag included.
    local: Bytes,
    /// The peer's To (or From) value, tag included.
    remote: Bytes,
    /// The CSeq number of our last request.
    pub local_seq: u32,
    /// The CSeq number of the peer's last request, once it sent one.
    pub remote_seq: Option<u32>,
    /// The routes, in the order in which a request of ours takes them.
    routes: Vec<Uri>,
    /// The peer's Contact: the Request-URI of our requests.
    pub target: Uri,
}

impl Dialog {
    /// The dialog that a response to our request makes (RFC 3261 section 12.1.2). Without a usable Contact, the request's
    /// own URI is the target: early responses may lack one.
    pub fn from_response(request: &Request, response: &Response) -> Option<Dialog> {
        let from = request.headers.typed::<From>()?.ok()?;
        let to = response.headers.typed::<To>()?.ok()?;
        let mut routes = record_routes(&response.headers);
        routes.reverse();
        Some(Dialog {
            call_id: value(&request.headers, &HeaderName::CallId)?,
            local_tag: Bytes::copy_from_slice(from.tag()?),
            remote_tag: Bytes::copy_from_slice(to.tag().unwrap_or_default()),
            local: value(&request.headers, &HeaderName::From)?,
            remote: value(&response.headers, &HeaderName::To)?,
            local_seq: request.headers.typed::<CSeq>()?.ok()?.sequence,
            remote_seq: None,
            routes,
            target: contact(&response.headers).unwrap_or_else(|| request.uri.clone()),
        })
    }

    /// The dialog that an INVITE to us makes, with the tag that we give it (RFC 3261 section 12.1.1).
    pub fn from_request(request: &Request, local_tag: &str) -> Option<Dialog> {
        let from = request.headers.typed::<From>()?.ok()?;
        let mut local = value(&request.headers, &HeaderName::To)?.to_vec();
        local.extend_from_slice(format!(";tag={local_tag}").as_bytes());
        Some(Dialog {
            call_id: value(&request.headers, &HeaderName::CallId)?,
            local_tag: Bytes::copy_from_slice(local_tag.as_bytes()),
            remote_tag: Bytes::copy_from_slice(from.tag().unwrap_or_default()),
            local: local.into(),
            remote: value(&request.headers, &HeaderName::From)?,
            local_seq: 0,
            remote_seq: request.headers.typed::<CSeq>()?.ok().map(|cseq| cseq.sequence),
            routes: record_routes(&request.headers),
            // RFC 2543 knew no From tag and needed no Contact: the caller's address is all there is then (RFC 4475 section
            // 3.4.1).
            target: contact(&request.headers)
                .or_else(|| Some(from.uri.clone()).filter(|uri| from.tag().is_none() && uri.scheme().is_sip()))?,
        })
    }

    /// The dialog that the first NOTIFY to a SUBSCRIBE of ours makes (RFC 6665 section 4.4.1): its To has our tag already.
    /// `local_seq`: the CSeq number of the SUBSCRIBE.
    pub fn from_notify(request: &Request, local_seq: u32) -> Option<Dialog> {
        let from = request.headers.typed::<From>()?.ok()?;
        Some(Dialog {
            call_id: value(&request.headers, &HeaderName::CallId)?,
            local_tag: to_tag(&request.headers)?,
            remote_tag: Bytes::copy_from_slice(from.tag().unwrap_or_default()),
            local: value(&request.headers, &HeaderName::To)?,
            remote: value(&request.headers, &HeaderName::From)?,
            local_seq,
            remote_seq: None,
            routes: record_routes(&request.headers),
            target: contact(&request.headers)?,
        })
    }

    /// Whether a request from the peer belongs to this dialog (RFC 3261 section 12.2.2).
    pub fn matches(&self, headers: &Headers) -> bool {
        let tag = |tag: Option<Vec<u8>>| tag.unwrap_or_default();
        let to = headers.typed::<To>().and_then(Result::ok).and_then(|to| to.tag().map(<[u8]>::to_vec));
        let from = headers.typed::<From>().and_then(Result::ok).and_then(|from| from.tag().map(<[u8]>::to_vec));
        headers.value(&HeaderName::CallId).is_some_and(|call_id| call_id.as_ref() == self.call_id.as_ref())
            && tag(to) == self.local_tag.as_ref()
            && tag(from) == self.remote_tag.as_ref()
    }

    /// Takes the peer's CSeq number; false: it is lower than one before (RFC 3261 section 12.2.2: 500).
    #[must_use]
    pub fn accept_seq(&mut self, request: &Request) -> bool {
        let Some(Ok(cseq)) = request.headers.typed::<CSeq>() else { return false };
        if self.remote_seq.is_some_and(|last| cseq.sequence < last) {
            return false;
        }
        self.remote_seq = Some(cseq.sequence);
        true
    }

    /// Takes the Contact of a target refresh (RFC 3261 section 12.2).
    pub fn refresh_target(&mut self, headers: &Headers) {
        if let Some(target) = contact(headers) {
            self.target = target;
        }
    }

    /// The next request of ours in this dialog, without Via (RFC 3261 section 12.2.1.1).
    pub fn request(&mut self, method: Method) -> Request {
        self.local_seq += 1;
        self.build(method, self.local_seq)
    }

    /// Gives a request that is sent again the next CSeq number of ours, and says which that is.
    pub fn renumber(&mut self, request: &mut Request) -> u32 {
        self.local_seq += 1;
        set(&mut request.headers, HeaderName::CSeq, format!("{} {}", self.local_seq, request.method));
        self.local_seq
    }

    /// The ACK for a 2xx to our INVITE with this CSeq number (RFC 3261 section 13.2.2.4).
    pub fn ack(&self, sequence: u32) -> Request {
        self.build(Method::Ack, sequence)
    }

    fn build(&self, method: Method, sequence: u32) -> Request {
        let (uri, routes) = self.way();
        let mut request = Request::new(method.clone(), uri);
        let headers = &mut request.headers;
        for route in &routes {
            push(headers, HeaderName::Route, format!("<{route}>"));
        }
        push(headers, HeaderName::MaxForwards, "70");
        push(headers, HeaderName::From, self.local.clone());
        push(headers, HeaderName::To, self.remote.clone());
        push(headers, HeaderName::CallId, self.call_id.clone());
        push(headers, HeaderName::CSeq, format!("{sequence} {method}"));
        request
    }

    /// Request-URI and Route: a strict router (no `lr`) at the front becomes the Request-URI, and the target goes to the
    /// end (RFC 3261 section 12.2.1.1).
    fn way(&self) -> (Uri, Vec<Uri>) {
        match self.routes.split_first() {
            Some((first, rest)) if !first.params().is_some_and(|params| params.contains("lr")) => {
                (first.clone(), rest.iter().cloned().chain([self.target.clone()]).collect())
            }
            _ => (self.target.clone(), self.routes.clone()),
        }
    }
}

fn value(headers: &Headers, name: &HeaderName) -> Option<Bytes> {
    headers.value(name).map(|value| Bytes::from(value.into_owned()))
}

/// The first Contact that is a sip or sips URI.
pub fn contact(headers: &Headers) -> Option<Uri> {
    headers.typed_all::<Contact>().filter_map(Result::ok).map(|contact| contact.0.uri).find(|uri| uri.scheme().is_sip())
}

fn record_routes(headers: &Headers) -> Vec<Uri> {
    headers.typed_all::<RecordRoute>().filter_map(Result::ok).map(|route| route.0.uri).collect()
}

/// The tag of a To header field, if it has one.
pub fn to_tag(headers: &Headers) -> Option<Bytes> {
    headers.typed::<To>().and_then(Result::ok).and_then(|to| to.tag().map(Bytes::copy_from_slice))
}

/// The address that Refer-To names, without what may not be trusted: see the transfer module.
pub fn refer_to(headers: &Headers) -> Option<Address> {
    if headers.count(&HeaderName::ReferTo) != 1 {
        return None;
    }
    Address::parse(text(headers, &HeaderName::ReferTo).as_bytes(), "Refer-To").ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::{Limits, Message, parse_datagram};

    fn response(extra: &str) -> Response {
        let text = format!(
            "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>;tag=2\r\n\
             Call-ID: c\r\nCSeq: 7 INVITE\r\nContact: <sip:b@192.0.2.2:5070>\r\n{extra}Content-Length: 0\r\n\r\n"
        );
        match parse_datagram(text.into(), &Limits::datagram()) {
            Ok(Message::Response(response)) => response,
            other => panic!("{other:?}"),
        }
    }

    fn request() -> Request {
        let text = "INVITE sip:b@x SIP/2.0\r\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\r\nFrom: <sip:a@x>;tag=1\r\nTo: <sip:b@x>\r\n\
             Call-ID: c\r\nCSeq: 7 INVITE\r\nContact: <sip:a@192.0.2.1>\r\nRecord-Route: <sip:p1;lr>, <sip:p2;lr>\r\n\
             Content-Length: 0\r\n\r\n";
        match parse_datagram(text.into(), &Limits::datagram()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    fn routes(request: &Request) -> Vec<String> {
        request.headers.get_all(&HeaderName::Route).map(|row| String::from_utf8_lossy(&row.value()).into()).collect()
    }

    #[test]
    fn loose_routes_are_taken_in_reverse_by_the_caller_and_in_order_by_the_callee() {
        let mut uac =
            Dialog::from_response(&request(), &response("Record-Route: <sip:p2;lr>\r\nRecord-Route: <sip:p1;lr>\r\n"))
                .unwrap();
        let bye = uac.request(Method::Bye);
        assert_eq!(bye.uri.to_string(), "sip:b@192.0.2.2:5070");
        assert_eq!(routes(&bye), ["<sip:p1;lr>", "<sip:p2;lr>"]);
        assert_eq!(text(&bye.headers, &HeaderName::CSeq), "8 BYE");
        let mut uas = Dialog::from_request(&request(), "9").unwrap();
        let bye = uas.request(Method::Bye);
        assert_eq!(routes(&bye), ["<sip:p1;lr>", "<sip:p2;lr>"]);
        assert_eq!(text(&bye.headers, &HeaderName::From), "<sip:b@x>;tag=9");
    }

    #[test]
    fn a_strict_router_becomes_the_request_uri() {
        let uac = Dialog::from_response(&request(), &response("Record-Route: <sip:p2;lr>, <sip:p1>\r\n")).unwrap();
        let ack = uac.ack(7);
        assert_eq!(ack.uri.to_string(), "sip:p1");
        assert_eq!(routes(&ack), ["<sip:p2;lr>", "<sip:b@192.0.2.2:5070>"]);
    }

    #[test]
    fn a_lower_sequence_number_is_refused() {
        let mut uas = Dialog::from_request(&request(), "9").unwrap();
        assert!(uas.accept_seq(&request()));
        uas.remote_seq = Some(8);
        assert!(!uas.accept_seq(&request()));
    }
}
