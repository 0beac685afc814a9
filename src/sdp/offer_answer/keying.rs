//! Where the keys of SRTP come from: `a=crypto` lines, a DTLS handshake, or nowhere.

use sipx_sdp::{MediaDescription, SessionDescription};

use super::super::crypto::{self, Keying, Line, Profile, Srtp, SrtpRefusal};
use super::super::dtls::{self, Fingerprint, Offers, Ours};
use super::{Protection, Refusal, Session};

/// What an offer of ours says of keys.
#[derive(Debug, Clone, Default)]
pub(super) struct Offered {
    /// Its `a=crypto` lines.
    pub crypto: Vec<Line>,
    pub dtls: Option<dtls::Offered>,
}

impl Offered {
    /// As a line of ours says that is to be offered once more; `None`: it can't be, as it is.
    pub fn of(line: &MediaDescription) -> Option<Offered> {
        let dtls = dtls::Offered::of(line);
        (dtls.is_some() == dtls::is_in(line)).then(|| Offered { crypto: crypto::lines(line), dtls })
    }
}

/// What we take of an offered stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Taken {
    /// The stream without SRTP.
    Plain,
    /// The key of a line.
    Sdes(Line),
    /// A handshake.
    Dtls(dtls::Description),
}

/// Our part of the keys in an answer.
#[derive(Debug, Clone)]
pub(super) enum Answered {
    Plain,
    Sdes(Line, Srtp),
    Dtls(dtls::Agreed),
}

impl Answered {
    pub fn protection(&self) -> Protection {
        match self {
            Answered::Plain => Protection::None,
            Answered::Sdes(_, srtp) => (*srtp).into(),
            Answered::Dtls(agreed) => Protection::Dtls(Box::new(agreed.clone())),
        }
    }
}

impl Session {
    /// What the next offer or answer does about SRTP. Our keys come from `seed`, which nobody else may know or guess.
    pub fn set_keying(&mut self, keying: Keying, seed: [u8; 32]) {
        self.keying = keying;
        self.keys = crypto::Keys::new(seed);
    }

    /// Lets it use DTLS with the certificate that has this fingerprint, wherever [`Session::set_keying`] lets it use SRTP. The
    /// names of its associations come from `seed`.
    pub fn set_dtls(&mut self, fingerprint: Fingerprint, offers: Offers, seed: [u8; 32]) {
        self.dtls = Some(Ours::new(fingerprint, offers, seed));
    }

    /// DTLS was offered first and refused: the next offer does without, if SRTP need not be. False: it was not, or it must.
    pub fn give_up_dtls(&mut self) -> bool {
        let is_first = self.agreed.outcome.is_none();
        let was_offered = self.pending.as_ref().is_some_and(|pending| pending.keys.dtls.is_some());
        let may = match self.keying {
            Keying::Off | Keying::Required => false,
            Keying::Unprotected | Keying::Optional => true,
        };
        match &mut self.dtls {
            Some(ours) if is_first && was_offered && may => {
                ours.offers = Offers::Answered;
                true
            }
            Some(_) | None => false,
        }
    }

    /// The keys of the next offer: of the kind in use, else as configured.
    pub(super) fn keys_to_offer(&mut self) -> Offered {
        let in_use = self.agreed.outcome.as_ref().map(|(_, _, outcome)| &outcome.protection);
        match (in_use, self.keying, &mut self.dtls) {
            (Some(Protection::Dtls(agreed)), _, Some(ours)) => {
                Offered { crypto: Vec::new(), dtls: Some(ours.offer(Some(agreed))) }
            }
            (Some(Protection::Srtp(srtp)), _, _) => Offered { crypto: self.keys.offer(Some(srtp)), dtls: None },
            (_, Keying::Off, _) => Offered::default(),
            // A fingerprint is no secret: it is offered without TLS, too.
            (_, Keying::Unprotected | Keying::Optional | Keying::Required, Some(ours))
                if ours.offers == Offers::Made =>
            {
                Offered { crypto: Vec::new(), dtls: Some(ours.offer(None)) }
            }
            (_, Keying::Unprotected, _) => Offered::default(),
            (_, Keying::Optional | Keying::Required, _) => Offered { crypto: self.keys.offer(None), dtls: None },
        }
    }

    /// The transport protocol of an offer: the one in use, else by policy. Who need not have SRTP offers its keys within RTP/AVP
    /// (RFC 8643); who speaks DTLS looks for it in its own profile alone.
    pub(super) fn protocol_to_offer(&self, keys: &Offered) -> String {
        let first = match (self.keying, &keys.dtls) {
            (_, Some(_)) => "UDP/TLS/RTP/SAVP",
            (Keying::Off | Keying::Unprotected | Keying::Optional, None) => "RTP/AVP",
            (Keying::Required, None) => "RTP/SAVP",
        };
        self.agreed.lines.get(self.agreed.audio).map_or(first, |line| &line.protocol).to_owned()
    }

    pub(super) fn write_offered(&self, keys: &Offered, line: &mut MediaDescription) {
        line.attributes.extend(keys.crypto.iter().map(Line::write));
        if let (Some(ours), Some(offered)) = (&self.dtls, &keys.dtls) {
            ours.write_offer(offered, line);
        }
    }

    /// What an answer makes of the keys that we offered.
    pub(super) fn keys_of_answer(
        &self,
        offered: &Offered,
        answer: &SessionDescription,
        line: &MediaDescription,
    ) -> Result<Protection, Refusal> {
        let Some(dtls) = &offered.dtls else { return crypto::of_answer(self.keying, &offered.crypto, line) };
        let profile = Profile::of(&line.protocol);
        match (dtls::Description::read(answer, line), profile, self.keying) {
            (_, None, _) => Err(Refusal::BadAnswer("it has another transport protocol")),
            (Some(peer), Some(_), _) => Ok(Protection::Dtls(Box::new(Ours::of_answer(dtls, &peer)?))),
            (None, Some(Profile::Secure | Profile::Dtls), _) | (None, Some(Profile::Plain), Keying::Required) => {
                Err(SrtpRefusal::Missing.into())
            }
            (None, Some(Profile::Plain), Keying::Off | Keying::Unprotected | Keying::Optional) => Ok(Protection::None),
        }
    }

    /// What we take of an offered stream. Who offers keys both ways gets the way in use, else the one that we would offer.
    pub(super) fn keys_of_offer(
        &self,
        profile: Profile,
        offer: &SessionDescription,
        line: &MediaDescription,
    ) -> Result<Taken, SrtpRefusal> {
        let description = dtls::Description::read(offer, line);
        let (description, ours) = match (self.keying, description, &self.dtls) {
            (Keying::Off, _, _) | (_, None, _) => return self.sdes_of_offer(profile, line),
            (_, Some(_), None) if profile == Profile::Dtls => return Err(SrtpRefusal::NoDtls),
            (_, Some(_), None) => return self.sdes_of_offer(profile, line),
            (Keying::Unprotected | Keying::Optional | Keying::Required, Some(description), Some(ours)) => {
                (description, ours)
            }
        };
        let prefers_dtls = match self.agreed.protection() {
            Some(Protection::Dtls(_)) => true,
            Some(Protection::Srtp(_)) => false,
            Some(Protection::None) | None => ours.offers == Offers::Made,
        };
        match (profile, self.sdes_of_offer(profile, line)) {
            (Profile::Plain | Profile::Secure, Ok(Taken::Sdes(line))) if !prefers_dtls => Ok(Taken::Sdes(line)),
            _ => Ok(Taken::Dtls(description)),
        }
    }

    fn sdes_of_offer(&self, profile: Profile, line: &MediaDescription) -> Result<Taken, SrtpRefusal> {
        crypto::of_offer(self.keying, profile, line).map(|line| line.map_or(Taken::Plain, Taken::Sdes))
    }

    /// Our keys for the stream that is taken.
    pub(super) fn keys_to_answer(&mut self, taken: Taken) -> Result<Answered, Refusal> {
        match taken {
            Taken::Plain => Ok(Answered::Plain),
            Taken::Sdes(line) => self.answer_to(line).map(|(line, srtp)| Answered::Sdes(line, srtp)),
            Taken::Dtls(description) => {
                let ours = self.dtls.as_mut().ok_or(SrtpRefusal::NoDtls)?;
                let in_use = self.agreed.outcome.as_ref().and_then(|(_, _, outcome)| outcome.protection.dtls());
                Ok(Answered::Dtls(ours.of_offer(&description, in_use)?))
            }
        }
    }

    pub(super) fn write_answered(&self, answered: &Answered, line: &mut MediaDescription) {
        match (answered, &self.dtls) {
            (Answered::Plain, _) | (Answered::Dtls(_), None) => {}
            (Answered::Sdes(ours, _), _) => line.attributes.push(ours.write()),
            (Answered::Dtls(agreed), Some(ours)) => ours.write_answer(agreed, line),
        }
    }

    /// Our line for the one of the peer's that is taken. While the peer keeps its key we keep ours.
    fn answer_to(&mut self, line: Line) -> Result<(Line, Srtp), Refusal> {
        let in_use = self.agreed.protection().and_then(Protection::srtp);
        let in_use = in_use.filter(|srtp| srtp.receive == line.key).map(|srtp| srtp.send);
        let send = in_use.or_else(|| self.keys.fresh(line.key.suite())).ok_or(SrtpRefusal::NoSuite)?;
        let srtp = Srtp { send, receive: line.key, mki_length: line.mki_length };
        Ok((Line { tag: line.tag, key: send, mki_length: 0 }, srtp))
    }
}

/// Whether two streams of the peer's say the same of keys.
pub(super) fn same_keys(
    (one, one_line): (&SessionDescription, &MediaDescription),
    (other, other_line): (&SessionDescription, &MediaDescription),
) -> bool {
    crypto::values(one_line).eq(crypto::values(other_line))
        && dtls::Description::read(one, one_line) == dtls::Description::read(other, other_line)
}
