//! Whether a call's offers and answers carry the keys of SRTP: by the account's policy, and by the way they go.

use crate::sdp::dtls::{Fingerprint, Offers};
use crate::sdp::{Intent, Keying, LocalMedia, Refusal, Session};
use crate::sip::transport::{Flow, Transport};
use crate::sip::{HeaderName, Request, set};

use super::config::{SrtpKeying, SrtpPolicy};
use super::core::Core;
use super::{AccountId, UserAgent};

impl Core {
    /// What an account's calls do about SRTP on this way. RFC 4568 section 8.1: keys belong where nobody else reads them, so that
    /// only who requires SRTP sends them without TLS.
    pub fn keying(&self, account: Option<AccountId>, flow: &Flow) -> Keying {
        let account = account.and_then(|account| self.config.accounts.get(account.0));
        match (account.map_or(self.config.srtp, |account| account.srtp), flow.transport) {
            (SrtpPolicy::Off, _) => Keying::Off,
            (SrtpPolicy::Optional, Transport::Tls) => Keying::Optional,
            (SrtpPolicy::Optional, Transport::Udp | Transport::Tcp) => Keying::Unprotected,
            (SrtpPolicy::AnyWay, _) => Keying::Optional,
            (SrtpPolicy::Required, _) => Keying::Required,
        }
    }

    /// Lets a call of an account use DTLS, where this phone has a certificate; the names of its associations come from `seed`.
    pub fn let_use_dtls(&self, session: &mut Session, account: Option<AccountId>, seed: [u8; 32]) {
        let Some(certificate) = self.certificate else { return };
        let account = account.and_then(|account| self.config.accounts.get(account.0));
        let offers = match account.map_or(self.config.srtp_keying, |account| account.srtp_keying) {
            SrtpKeying::Sdes => Offers::Answered,
            SrtpKeying::Dtls => Offers::Made,
        };
        session.set_dtls(certificate, offers, seed);
    }

    /// Whether an offer could be answered at all.
    pub fn try_offer(&self, offer: &str, flow: &Flow, account: Option<AccountId>) -> Result<(), Refusal> {
        let local = LocalMedia::new(flow.local.ip(), 9, 10);
        let mut session = Session::new(self.config.capabilities.clone(), 0);
        session.set_keying(self.keying(account, flow), [0; 32]);
        self.let_use_dtls(&mut session, account, [0; 32]);
        session.answer(offer, &local, Intent::Talk).map(|_| ())
    }
}

impl UserAgent {
    /// What tells the certificate with which this phone's handshakes are made; without one there is no DTLS-SRTP.
    pub fn use_certificate(&mut self, fingerprint: Fingerprint) {
        self.core.certificate = Some(fingerprint);
    }
}

/// Takes the keys out of a plain offer that was made for TLS and leaves by another way, for TLS has failed there: without them it
/// is the offer of a plain call.
pub fn withhold_keys(request: &mut Request, flow: &Flow) {
    if flow.transport == Transport::Tls {
        return;
    }
    if let Some(body) = std::str::from_utf8(request.body()).ok().and_then(crate::sdp::crypto::without_optional_keys) {
        set(&mut request.headers, HeaderName::ContentLength, body.len().to_string());
        request.set_body(body.into());
    }
}
