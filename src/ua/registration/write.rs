//! How a REGISTER is written (RFC 3261 section 10.2).

use crate::sip::{HeaderName, Method, Request, RequestBuilder, Uri, push};

use super::{Job, Outbound, Registration};

impl Registration {
    /// The REGISTER of a job, with the next CSeq number.
    pub(super) fn request(&mut self, job: &Job) -> Request {
        self.cseq += 1;
        let mut request = RequestBuilder::new(Method::Register, self.registrar.clone()).build();
        let name = self.display_name.as_deref().map(|name| format!("{} ", quoted(name))).unwrap_or_default();
        push(&mut request.headers, HeaderName::From, format!("{name}<{}>;tag={}", self.address, self.tag));
        push(&mut request.headers, HeaderName::To, format!("<{}>", self.address));
        push(&mut request.headers, HeaderName::CallId, self.call_id.clone());
        push(&mut request.headers, HeaderName::CSeq, format!("{} REGISTER", self.cseq));
        // RFC 3327 section 5.1, RFC 5626 section 4.2.1, RFC 5627 section 4.1.
        let supported = match (&self.instance, self.outbound) {
            (None, _) => "path",
            (Some(_), Outbound::Asked) if !self.gruu => "path, outbound",
            (Some(_), Outbound::Refused) if !self.gruu => "path",
            (Some(_), Outbound::Asked) => "path, outbound, gruu",
            (Some(_), Outbound::Refused) => "path, gruu",
        };
        push(&mut request.headers, HeaderName::Supported, supported);
        let (contacts, expires) = self.contacts(job);
        for contact in contacts {
            push(&mut request.headers, HeaderName::Contact, contact);
        }
        if let Some(expires) = expires {
            push(&mut request.headers, HeaderName::Expires, expires.to_string());
        }
        request
    }

    /// The Contact rows of a job, and its Expires.
    pub(super) fn contacts(&self, job: &Job) -> (Vec<String>, Option<u32>) {
        let lasting = |contact: &str, expires: u32| format!("<{contact}>;expires={expires}");
        let ours =
            |expires| self.contact.as_ref().map(|ours| format!("<{}>{};expires={expires}", text(ours), self.mark()));
        // RFC 5626 section 6: there the instance alone replaces our old binding.
        let former = self.former.iter().filter(|_| !self.granted.outbound).map(|former| lasting(&text(former), 0));
        match job {
            Job::Register => {
                let kept = self.extras.iter().map(|contact| lasting(contact, self.expires));
                (ours(self.expires).into_iter().chain(kept).chain(former).collect(), Some(self.expires))
            }
            Job::Unregister => (ours(0).into_iter().chain(former).collect(), Some(0)),
            Job::Query => (Vec::new(), None),
            Job::Add { contact, keep: true } => (vec![lasting(contact, self.expires)], Some(self.expires)),
            Job::Add { contact, keep: false } => (vec![format!("<{contact}>")], None),
            Job::Clear => (vec!["*".to_owned()], Some(0)),
        }
    }

    /// The parameters that name this phone in its Contact (RFC 5626 section 4.1).
    fn mark(&self) -> String {
        match (&self.instance, self.outbound) {
            (None, _) => String::new(),
            (Some(instance), Outbound::Asked) => format!(";+sip.instance=\"<{instance}>\";reg-id=1"),
            (Some(instance), Outbound::Refused) => format!(";+sip.instance=\"<{instance}>\""),
        }
    }
}

/// A URI as it stands on the wire.
pub(super) fn text(uri: &Uri) -> String {
    String::from_utf8_lossy(&uri.to_bytes()).into_owned()
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace(|c: char| c.is_control(), " ").replace('\\', "\\\\").replace('"', "\\\""))
}
