//! Refusals in words, with what a person can try.

use crate::sip::{HeaderName, Response, number};

use super::super::auth::AuthError;
use super::{Job, Outstanding, Registration};

/// 423s that one command follows.
const MAX_TOO_BRIEF: u8 = 2;

impl Registration {
    /// RFC 3261 section 10.2.8: 423 names the shortest lifetime, which is asked for at once.
    pub(super) fn lengthen(&mut self, outstanding: &Outstanding, response: &Response) -> bool {
        let asks = match outstanding.job {
            Job::Register | Job::Add { keep: true, .. } => outstanding.too_brief < MAX_TOO_BRIEF,
            Job::Add { keep: false, .. } | Job::Unregister | Job::Query | Job::Clear => false,
        };
        match number(&response.headers, &HeaderName::MinExpires) {
            Some(least) if asks && least > self.expires => {
                self.expires = least;
                true
            }
            Some(_) | None => false,
        }
    }

    /// What a person can try.
    pub(super) fn advice(&self, code: u16) -> String {
        match code {
            300..=399 => {
                ": it sends elsewhere, which a registration does not follow - check account.registrar".to_owned()
            }
            403 => format!(": the registrar refuses {} - check account.uri and its credentials", self.address),
            404 => format!(": the registrar knows no {} - check account.uri", self.address),
            _ => String::new(),
        }
    }
}

/// What a person can try.
pub(super) fn remedy(error: &AuthError) -> &'static str {
    match error {
        AuthError::NoCredentials { .. } => " - check account.credentials",
        AuthError::Refused { .. } => " - check account.auth_user and its password",
        AuthError::Untrusted | AuthError::Unsupported { .. } | AuthError::Malformed => "",
    }
}

/// The reason phrase.
pub(super) fn reason_of(response: &Response) -> String {
    String::from_utf8_lossy(&response.reason).into_owned()
}
