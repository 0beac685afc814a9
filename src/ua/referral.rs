//! A REFER that came (RFC 3515): what it asks for, and the reports that follow.

use crate::sip::transport::Flow;
use std::time::{Duration, Instant};

use crate::sip::{CSeq, Contact, HeaderName, Headers, Method, Param, Request, Scheme, Uri, other, push, text};

use super::AccountId;
use super::dialog::{Dialog, refer_to};
use super::identity;
use super::replaces::Replaces;

/// How long a person has to decide.
pub const DECISION_PATIENCE: Duration = Duration::from_secs(30);

/// What a REFER asks for.
#[derive(Debug, Clone)]
pub struct Referral {
    /// Whom to call.
    pub target: Uri,
    /// The dialog of the target's that the call takes the place of: an attended transfer.
    pub replaces: Option<Replaces>,
    /// The Referred-By to pass on.
    pub referred_by: Option<String>,
    /// The `id` of the subscription's Event: the REFER's CSeq number.
    id: u32,
    /// Whether reports are wanted (RFC 4488).
    pub reports: bool,
    /// The call to the target is under way.
    pub following: bool,
    /// Until when a person may decide.
    pub until: Instant,
}

/// One that belongs to no call (any more).
#[derive(Debug)]
pub struct OpenReferral {
    /// By which account to call.
    pub account: Option<AccountId>,
    /// What is asked for.
    pub referral: Referral,
    /// Where the reports go, and by which way; none: nobody waits for them.
    pub reports_to: Option<(Dialog, Flow)>,
}

/// Why a REFER is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused {
    /// Status code.
    pub code: u16,
    /// Reason phrase.
    pub reason: &'static str,
}

impl Referral {
    /// Reads a REFER.
    ///
    /// # Errors
    /// The status code that refuses it.
    pub fn read(now: Instant, request: &Request) -> Result<Referral, Refused> {
        let refused = |code, reason| Refused { code, reason };
        let address = refer_to(&request.headers).ok_or(refused(400, "Bad Refer-To"))?;
        let sequence = request.headers.typed::<CSeq>().and_then(Result::ok).map_or(0, |cseq| cseq.sequence);
        let reports = !text(&request.headers, &HeaderName::ReferSub).to_ascii_lowercase().starts_with("false");
        Referral::to(now, address.uri, sequence, reports, &request.headers)
    }

    /// The targets of a BYE with Also, the transfer of the 1999 draft: nobody waits for reports.
    pub fn of_also(now: Instant, request: &Request) -> Option<Referral> {
        let address = identity::first_address(&request.headers, &other("Also"))?;
        Referral::to(now, address.uri, 0, false, &request.headers).ok()
    }

    fn to(now: Instant, mut target: Uri, id: u32, reports: bool, headers: &Headers) -> Result<Referral, Refused> {
        let refused = |code, reason| Refused { code, reason };
        if !matches!(target.scheme(), Scheme::Sip | Scheme::Sips | Scheme::Tel) {
            return Err(refused(416, "Unsupported URI Scheme"));
        }
        let method =
            target.params().and_then(|params| params.value("method")).map(|method| method.to_ascii_uppercase());
        if method.is_some_and(|method| method != b"INVITE") {
            return Err(refused(403, "Only INVITE"));
        }
        let replaces = Replaces::in_uri(&target).map_err(|_| refused(400, "Bad Replaces"))?;
        strip(&mut target);
        let referred_by = Some(text(headers, &HeaderName::ReferredBy)).filter(|by| !by.is_empty());
        let until = now + DECISION_PATIENCE;
        Ok(Referral { target, replaces, referred_by, id, reports, following: false, until })
    }

    /// The target, as a person reads it.
    pub fn to_text(&self) -> String {
        identity::uri_text(&self.target)
    }

    /// Who asks, as a person reads it.
    pub fn by_text(headers: &Headers) -> Option<String> {
        identity::first_address(headers, &HeaderName::ReferredBy).map(|address| identity::uri_text(&address.uri))
    }

    /// The NOTIFY that tells how it goes (RFC 3515 section 2.4.4); a final code ends the subscription.
    pub fn report(&self, dialog: &mut Dialog, code: u16, reason: &str) -> Request {
        let mut notify = dialog.request(Method::Notify);
        push(&mut notify.headers, HeaderName::Event, format!("refer;id={}", self.id));
        let state = if code >= 200 { "terminated;reason=noresource" } else { "active;expires=60" };
        push(&mut notify.headers, HeaderName::SubscriptionState, state);
        push(&mut notify.headers, HeaderName::ContentType, "message/sipfrag;version=2.0");
        let reason = if reason.is_empty() { super::request::default_reason(code) } else { reason };
        notify.set_body(format!("SIP/2.0 {code} {reason}\r\n").into());
        notify
    }
}

/// The dialog that a REFER outside any makes (RFC 3515 section 2.4.4), with the tag that we give it.
pub fn dialog_of_refer(request: &Request, tag: &str) -> Option<Dialog> {
    request.headers.typed_all::<Contact>().find_map(Result::ok)?;
    Dialog::from_request(request, tag)
}

/// Takes off what an address from elsewhere may not bring along: header fields (RFC 3261 section 19.1.5 warns of them)
/// and `method`.
pub fn strip(target: &mut Uri) {
    let names: Vec<String> = target
        .headers()
        .map(|headers| headers.iter().map(|param: &Param| String::from_utf8_lossy(param.name()).into_owned()).collect())
        .unwrap_or_default();
    for name in names {
        target.remove_header(&name);
    }
    target.remove_param("method");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_brings_no_header_fields_along() {
        let mut target = Uri::parse("sip:c@x;method=INVITE;user=phone?Subject=a&Route=%3Csip:evil%3E".into()).unwrap();
        strip(&mut target);
        assert_eq!(target.to_string(), "sip:c@x;user=phone");
    }
}
