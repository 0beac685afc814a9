//! What came of the test call and of the registration: a line that says it, and what to do about it.

use crate::phone::advice;

/// What came of the test call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Called {
    /// What was said came back after so many ms.
    Voice(u32),
    /// There is no microphone, so a tone was sent; it came back after so many ms.
    Tone(u32),
    /// The microphone gave nothing to send back.
    Silent,
    /// Something was said, and nothing came back.
    Lost,
    /// There was no call.
    Failed(String),
}

/// What came of the registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tried {
    /// The PBX took the account, after so many ms.
    Registered(u64),
    /// It refused it, or a server on the way did.
    Refused {
        /// SIP's status code.
        code: u16,
        /// Where.
        host: String,
        /// What was said with it.
        reason: String,
    },
    /// No name server knows it.
    Unknown {
        /// The name.
        host: String,
    },
    /// Nobody answered for so many seconds.
    Silent {
        /// Where.
        host: String,
        /// For how long.
        seconds: u64,
    },
    /// It could not be tried.
    Failed(String),
}

/// Whether a thing went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Yes.
    Good,
    /// Yes, but.
    Doubtful,
    /// No.
    Bad,
}

/// A result in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// How it went.
    pub tone: Tone,
    /// What happened.
    pub what: String,
    /// What to do, if anything.
    pub remedy: Option<String>,
}

fn said(tone: Tone, what: impl Into<String>, remedy: &str) -> Said {
    Said { tone, what: what.into(), remedy: (!remedy.is_empty()).then(|| remedy.to_owned()) }
}

/// What came of the test call.
pub fn of_call(called: &Called) -> Said {
    match called {
        Called::Voice(ms) => said(
            Tone::Good,
            format!("your voice came back after {ms} ms"),
            if *ms > 400 {
                "That is long: latency = \"low\" under [audio], or a wired headset, makes it shorter."
            } else {
                ""
            },
        ),
        Called::Tone(ms) => said(
            Tone::Good,
            format!("a test tone came back after {ms} ms"),
            "There is no microphone, so nothing of yours was sent.",
        ),
        Called::Silent => said(
            Tone::Doubtful,
            "the call stood, but the microphone stayed silent",
            "Is it muted, at the headset or in the mixer? Say something during the call; Esc leads back to the devices.",
        ),
        Called::Lost => said(
            Tone::Bad,
            "you were heard here, but nothing came back",
            "A firewall may stop packets even on this machine (UDP on 127.0.0.1).",
        ),
        Called::Failed(why) => said(Tone::Bad, format!("no call: {why}"), "You can go on all the same."),
    }
}

/// What came of the registration.
pub fn of_trial(tried: &Tried) -> Said {
    match tried {
        Tried::Registered(ms) => said(Tone::Good, format!("registered, after {ms} ms: calls can come and go"), ""),
        Tried::Silent { host, seconds } => said(
            Tone::Bad,
            format!("no answer from {host} for {seconds} s"),
            "Is the name right, the PBX up, and does a firewall let UDP port 5060 through? \
             If it wants TCP or TLS, add ;transport=tcp or ;transport=tls to the address.",
        ),
        Tried::Unknown { host } => said(
            Tone::Bad,
            format!("{host} leads nowhere: no address was found for that name"),
            "Is it spelled right? Esc, twice, leads back to it. Or this machine has no network now.",
        ),
        Tried::Refused { code, host, reason } => {
            let what = format!("{host}: {} ({code}{})", advice::words(*code), quoted(reason, *code));
            said(Tone::Bad, what, remedy(*code))
        }
        Tried::Failed(why) => said(Tone::Bad, why.clone(), ""),
    }
}

/// Reason phrases that say no more than their code (RFC 3261 section 21).
const PLAIN: [(u16, &str); 10] = [
    (401, "Unauthorized"),
    (403, "Forbidden"),
    (404, "Not Found"),
    (407, "Proxy Authentication Required"),
    (408, "Request Timeout"),
    (423, "Interval Too Brief"),
    (480, "Temporarily Unavailable"),
    (500, "Server Internal Error"),
    (501, "Not Implemented"),
    (503, "Service Unavailable"),
];

/// The other side's own words, where they say more than the code.
fn quoted(reason: &str, code: u16) -> String {
    let reason = reason.trim();
    let is_plain = PLAIN.iter().any(|(known, phrase)| *known == code && phrase.eq_ignore_ascii_case(reason));
    if reason.is_empty() || is_plain { String::new() } else { format!(", \"{reason}\"") }
}

/// What to do when a registration is refused, in terms of the steps before.
fn remedy(code: u16) -> &'static str {
    match code {
        401 | 407 => {
            "Esc leads back to the password: type it again. Some PBXs want another user name with it: account.auth_user in the file."
        }
        403 | 404 | 410 | 484 | 604 => {
            "The PBX does not know this user, or not from here. Esc, twice, leads back to the address; ask who runs the PBX."
        }
        408 | 503 | 504 => {
            "Is the PBX's name right, and is it up? If it wants TCP or TLS, add ;transport=tcp or ;transport=tls to the address."
        }
        423 => "The PBX wants a longer registration: raise account.expires in the file.",
        405 | 501 => {
            "This server takes no registrations: the account may need another one (account.registrar in the file)."
        }
        _ => advice::advice(code, advice::Attempt::Register).unwrap_or("Try again later, or ask who runs the PBX."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_failure_has_a_remedy() {
        for code in [300, 401, 403, 404, 405, 407, 408, 423, 480, 500, 503, 603] {
            let said = of_trial(&Tried::Refused { code, host: "pbx.lan".into(), reason: String::new() });
            assert_eq!(said.tone, Tone::Bad);
            assert!(said.remedy.is_some_and(|remedy| remedy.len() > 10), "{code}");
        }
        let said = of_trial(&Tried::Refused { code: 403, host: "pbx.lan".into(), reason: "Not your IP".into() });
        assert_eq!(said.what, "pbx.lan: forbidden (403, \"Not your IP\")");
        let said = of_trial(&Tried::Refused { code: 403, host: "pbx.lan".into(), reason: "Forbidden".into() });
        assert_eq!(said.what, "pbx.lan: forbidden (403)");
    }
}
