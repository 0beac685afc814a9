//! Addresses that a person gave: which can be called at all, and as what the PBX understands them.

use crate::sip::{Scheme, Uri};

use super::CommandError;
use super::config::Account;

/// Whether an address can be called at all: sip, sips and tel only.
pub(super) fn callable(target: Uri) -> Result<Uri, CommandError> {
    match target.scheme() {
        Scheme::Sip | Scheme::Sips if target.host().is_some() => Ok(target),
        Scheme::Tel => Ok(target),
        _ => Err(CommandError::BadTarget(target.to_string())),
    }
}

/// A tel URI as the account's PBX understands it: `sip:+4930...@pbx.example.com;user=phone` (RFC 3261 section 19.1.6).
pub(super) fn tel_to_sip(target: Uri, account: Option<&Account>) -> Result<Uri, CommandError> {
    let Some(parts) = target.tel_parts() else { return Ok(target) };
    let number: String = parts.subscriber().iter().map(|byte| char::from(*byte)).collect();
    let number: String = number.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')')).collect();
    let host = account.and_then(|account| account.uri.host().map(ToString::to_string));
    host.and_then(|host| Uri::parse(format!("sip:{number}@{host};user=phone").into()).ok())
        .ok_or_else(|| CommandError::BadTarget(target.to_string()))
}
