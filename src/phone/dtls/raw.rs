//! What OpenSSL's Rust library does not reach: the timer of retransmissions (RFC 6347 section 4.2.4), and a reason.

use std::ffi::{c_int, c_long, c_uint, c_void};
use std::time::Duration;

use foreign_types::ForeignTypeRef as _;
use openssl::ssl::SslRef;
use openssl::x509::X509VerifyResult;

/// `DTLSv1_get_timeout` is a macro over `SSL_ctrl` with this number (openssl/ssl.h).
const DTLS_CTRL_GET_TIMEOUT: c_int = 73;

/// The first retransmission. RFC 6347 says a second; a person waits for this, and browsers take less.
const FIRST: Duration = Duration::from_millis(200);
/// The longest pause between two.
const LONGEST: Duration = Duration::from_secs(2);

/// Why a certificate is refused that is another one than expected.
pub(super) fn rejected() -> X509VerifyResult {
    // SAFETY: the function takes one of OpenSSL's own numbers, as this one is.
    unsafe { X509VerifyResult::from_raw(openssl_sys::X509_V_ERR_CERT_REJECTED) }
}

type TimerCallback = extern "C" fn(*mut openssl_sys::SSL, c_uint) -> c_uint;

unsafe extern "C" {
    /// OpenSSL 1.1.1 and later: asks `callback` for the length of the next timer in microseconds.
    fn DTLS_set_timer_cb(ssl: *mut openssl_sys::SSL, callback: TimerCallback);
}

/// The pause after one of `last` microseconds; after none, the first.
extern "C" fn next(_: *mut openssl_sys::SSL, last: c_uint) -> c_uint {
    let micros = |duration: Duration| duration.as_micros() as c_uint;
    match last {
        0 => micros(FIRST),
        last => last.saturating_mul(2).min(micros(LONGEST)),
    }
}

/// Lets a handshake retransmit as often as a call needs it.
pub(super) fn hasten(ssl: &mut SslRef) {
    // SAFETY: `ssl` is a valid SSL of ours for the time of the call, which only stores the pointer to `next`; `next` lives for
    // ever, reads nothing that it is given but a number, and can't panic.
    unsafe { DTLS_set_timer_cb(ssl.as_ptr(), next) }
}

/// How long it is until something is to be sent once more; `None`: nothing waits for an answer.
pub(super) fn remaining(ssl: &SslRef) -> Option<Duration> {
    let mut time = libc::timeval { tv_sec: 0, tv_usec: 0 };
    let place: *mut c_void = (&raw mut time).cast();
    // SAFETY: `ssl` is valid for the time of the call. For this number SSL_ctrl reads the SSL and writes one `timeval` to where
    // its last argument points: `place` is one that lives until after it is read.
    let is_set = unsafe { openssl_sys::SSL_ctrl(ssl.as_ptr(), DTLS_CTRL_GET_TIMEOUT, 0 as c_long, place) };
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let micros = u64::try_from(time.tv_usec).unwrap_or(0);
    (is_set > 0).then(|| Duration::from_secs(seconds) + Duration::from_micros(micros))
}
