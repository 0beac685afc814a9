//! One place that a request went to, how it ended there, and which end is the best of several (RFC 3261 section 16.7).

use crate::sip::{self, CSeq, HeaderName, Method, Request, Response};
use crate::transaction::ClientId;

/// One place that a request went to.
#[derive(Debug)]
pub(crate) struct Branch {
    pub client: ClientId,
    pub progress: Progress,
    pub cancel: Cancel,
    /// Its stage's time was up.
    pub unanswered: bool,
}

/// How far it is.
#[derive(Debug)]
pub(crate) enum Progress {
    /// Nothing came yet.
    Calling,
    /// A provisional response came.
    Proceeding,
    /// It is over.
    Done(Final),
}

/// How a branch ended.
#[derive(Debug, Clone)]
pub(crate) enum Final {
    /// By a response from there, our Via off.
    Received(Box<Response>),
    /// Without one: the status code that stands for it.
    Own(u16),
}

impl Final {
    /// The status code.
    pub fn code(&self) -> u16 {
        match self {
            Final::Received(response) => response.status.code(),
            Final::Own(code) => *code,
        }
    }
}

/// RFC 3261 section 9.1: a CANCEL waits for a provisional response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cancel {
    No,
    Wanted(Cause),
    Sent,
}

/// Why a branch is cancelled: a phone whose call was answered elsewhere shows no missed call (RFC 3326).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    GivenUp,
    Unanswered,
    AnsweredElsewhere,
    RefusedElsewhere,
}

impl Branch {
    /// How it ended.
    pub fn done(&self) -> Option<&Final> {
        match &self.progress {
            Progress::Done(done) => Some(done),
            Progress::Calling | Progress::Proceeding => None,
        }
    }
}

/// RFC 3261 section 16.7 step 6: a 6xx first, else the lowest class; in 4xx what helps the caller to try again; else what
/// came first. To a caller that gave up nothing says more than 487.
pub(crate) fn best<'a>(finals: &[&'a Final], cancelled: bool) -> Option<&'a Final> {
    finals.iter().copied().min_by_key(|done| {
        let code = done.code();
        let class = if code >= 600 { 0 } else { code / 100 };
        let rank = match code {
            487 if cancelled => 0,
            401 | 407 | 415 | 420 | 484 => 1,
            // The caller did not give up: we cancelled this one ourselves.
            487 => 3,
            _ => 2,
        };
        (class, rank)
    })
}

/// RFC 3261 section 16.7 step 7: the challenges of all branches go back together.
pub(crate) fn gather_challenges(response: &mut Response, best: &Final, finals: &[&Final]) {
    for done in finals.iter().copied().filter(|done| !std::ptr::eq(*done, best)) {
        let Final::Received(other) = done else { continue };
        if !matches!(other.status.code(), 401 | 407) {
            continue;
        }
        for name in [HeaderName::WwwAuthenticate, HeaderName::ProxyAuthenticate] {
            for challenge in other.headers.get_all(&name) {
                response.headers.push(challenge.clone());
            }
        }
    }
}

/// The CANCEL for an INVITE that we sent (RFC 3261 section 9.1).
pub(crate) fn cancel_for(invite: &Request, cause: Cause) -> Option<Request> {
    let cseq = invite.headers.typed::<CSeq>()?.ok()?;
    let mut cancel = Request::new(Method::Cancel, invite.uri.clone());
    cancel.headers.push(invite.headers.get(&HeaderName::Via)?.clone());
    for name in [HeaderName::Route, HeaderName::From, HeaderName::To, HeaderName::CallId] {
        for header in invite.headers.get_all(&name) {
            cancel.headers.push(header.clone());
        }
    }
    sip::push(&mut cancel.headers, HeaderName::MaxForwards, "70");
    sip::push(&mut cancel.headers, HeaderName::CSeq, format!("{} CANCEL", cseq.sequence));
    match cause {
        Cause::GivenUp | Cause::Unanswered => {}
        Cause::AnsweredElsewhere => {
            sip::push(&mut cancel.headers, HeaderName::Reason, "SIP;cause=200;text=\"Call completed elsewhere\"");
        }
        Cause::RefusedElsewhere => {
            sip::push(&mut cancel.headers, HeaderName::Reason, "SIP;cause=603;text=\"Call declined elsewhere\"");
        }
    }
    sip::push(&mut cancel.headers, HeaderName::ContentLength, "0");
    Some(cancel)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(codes: &[u16], cancelled: bool) -> u16 {
        let finals: Vec<Final> = codes.iter().map(|code| Final::Own(*code)).collect();
        best(&finals.iter().collect::<Vec<_>>(), cancelled).expect("one").code()
    }

    #[test]
    fn the_best_response() {
        assert_eq!(chosen(&[486, 603, 404], false), 603);
        assert_eq!(chosen(&[500, 486, 302], false), 302);
        assert_eq!(chosen(&[503, 486, 404], false), 486);
        assert_eq!(chosen(&[404, 407, 486], false), 407);
        assert_eq!(chosen(&[486, 487], false), 486);
        assert_eq!(chosen(&[486, 487], true), 487);
        assert_eq!(chosen(&[487, 486], false), 486);
    }
}
