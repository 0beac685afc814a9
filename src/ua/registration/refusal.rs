//! Refusals in words, with what a person can try.

use crate::sip::Response;

use super::super::auth::AuthError;
use super::Registration;

impl Registration {
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
