//! When a REGISTER is sent again: before a binding ends, or after a failure (RFC 5626 section 4.5).

use std::time::Duration;

use rand_core::RngCore;

use crate::sip::{HeaderName, Response, number};

/// A refresh comes at least this long before the end: a lost one (32 s) and one more fit in.
const REFRESH_LEAD: Duration = Duration::from_secs(60);
/// RFC 5626 section 4.5: base-time.
const BASE_PAUSE: Duration = Duration::from_secs(30);
/// Its max-time. The default there is half an hour, which nobody wants to wait for after an outage.
const MAX_PAUSE: Duration = Duration::from_secs(300);
/// No Retry-After is believed beyond this.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(24 * 3600);

/// Whether a failure is worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Retry {
    Never,
    Pause,
    After(Duration),
}

/// Whether a refusal may heal by itself. RFC 3261 section 8.1.3.5: most of the 4xx come again for the same request.
pub(super) fn retry(response: &Response) -> Retry {
    let after = number(&response.headers, &HeaderName::RetryAfter).filter(|&seconds| seconds > 0);
    match (response.status.code(), after) {
        (401 | 403 | 404 | 407, _) => Retry::Never,
        (400.., Some(seconds)) => Retry::After(Duration::from_secs(seconds.into()).min(MAX_RETRY_AFTER)),
        (408 | 429 | 430 | 480 | 486 | 491 | 500..=599, None) => Retry::Pause,
        (_, _) => Retry::Never,
    }
}

/// RFC 5626 section 4.5: from half to the whole of a bound that doubles with each failure.
pub(super) fn random_pause(rng: &mut impl RngCore, failures: u32) -> Duration {
    let bound = BASE_PAUSE.saturating_mul(2u32.saturating_pow(failures)).min(MAX_PAUSE);
    let half = u64::try_from(bound.as_millis() / 2).unwrap_or(u64::MAX);
    Duration::from_millis(half + rng.next_u64() % (half + 1))
}

/// A tenth of the lifetime before its end, or [`REFRESH_LEAD`]; at half of a short one.
pub(super) fn refresh_after(expires: Duration) -> Duration {
    expires - (expires / 10).max(REFRESH_LEAD).min(expires / 2)
}
