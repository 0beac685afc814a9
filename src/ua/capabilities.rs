//! What this user agent can do, as it tells others: the methods in Allow and the extensions in Supported. Only what is
//! built stands here.

use crate::sip::Method;

/// The methods that this user agent takes (RFC 3261 section 20.5).
pub const ALLOW: &str = "INVITE, ACK, CANCEL, BYE, OPTIONS, PRACK, INFO, UPDATE, REFER, NOTIFY, MESSAGE";

/// The event packages whose notifications are taken (RFC 6665 section 8.2.2), that of REFER inside a call only.
pub const ALLOW_EVENTS: &str = "message-summary, dialog, reg, refer";

/// The option tags of the extensions that are built (RFC 3261 section 20.37); also those that a Require may name.
pub const EXTENSIONS: &[&str] = &["100rel", "199", "timer", "replaces", "norefersub", "tdialog"];

/// The kinds of body that an INVITE may bring (RFC 3261 section 20.1).
pub const ACCEPT: &str = "application/sdp, multipart/mixed, multipart/alternative";

/// Whether a method is one that we take: [`ALLOW`]'s.
pub fn takes(method: &Method) -> bool {
    let name = method.to_string();
    ALLOW.split(", ").any(|allowed| allowed == name)
}

/// Whether an extension is built.
pub fn extends(tag: &str) -> bool {
    EXTENSIONS.iter().any(|ours| ours.eq_ignore_ascii_case(tag))
}

/// The value of a Supported header field; `None`: nothing is supported.
pub fn supported() -> Option<String> {
    (!EXTENSIONS.is_empty()).then(|| EXTENSIONS.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_allowed_is_taken_and_nothing_else() {
        assert!(takes(&Method::Invite) && takes(&Method::Ack) && takes(&Method::Notify));
        assert!(!takes(&Method::Publish));
    }
}
