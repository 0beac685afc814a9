//! How a subscription stands, as its notifier says it.

use std::time::Duration;

use crate::sip::{HeaderName, Response, number};

use super::super::identity::printable;

/// A Subscription-State header field (RFC 6665 section 8.2.3).
pub struct State {
    pub name: Name,
    pub reason: Option<String>,
    pub expires: Option<Duration>,
    pub retry_after: Option<Duration>,
}

/// How a subscription stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Name {
    Active,
    Pending,
    Terminated,
}

impl State {
    /// Reads a header field's value; `None`: it is empty.
    pub fn read(value: &str) -> Option<State> {
        let mut parts = value.split(';').map(str::trim);
        let name = match parts.next()?.to_ascii_lowercase().as_str() {
            "active" => Name::Active,
            "pending" => Name::Pending,
            "terminated" => Name::Terminated,
            // RFC 6665 section 8.4: an extension's state is one in which it lives.
            "" => return None,
            _ => Name::Pending,
        };
        let mut state = State { name, reason: None, expires: None, retry_after: None };
        for (name, value) in parts.filter_map(|part| part.split_once('=')) {
            match name.trim().to_ascii_lowercase().as_str() {
                "reason" => state.reason = Some(printable(&value.trim().to_ascii_lowercase())),
                "expires" => state.expires = seconds(value),
                "retry-after" => state.retry_after = seconds(value),
                _ => {}
            }
        }
        Some(state)
    }
}

/// Retry-After of a response, unless it is zero.
pub fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = number(&response.headers, &HeaderName::RetryAfter).filter(|seconds| *seconds > 0)?;
    Some(Duration::from_secs(seconds.into()))
}

/// Whole seconds.
pub fn seconds(value: &str) -> Option<Duration> {
    value.trim().parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscription_state_is_read_with_its_parameters() {
        let state = State::read("Terminated ; reason=Probation;retry-after=30 ;x").unwrap();
        assert!(state.name == Name::Terminated && state.expires.is_none());
        assert_eq!((state.reason.as_deref(), state.retry_after), (Some("probation"), Some(Duration::from_secs(30))));
        let state = State::read("active;expires=599").unwrap();
        assert!(state.name == Name::Active && state.expires == Some(Duration::from_secs(599)));
        assert!(State::read("").is_none());
        assert!(State::read("waiting").is_some_and(|state| state.name == Name::Pending));
    }
}
