//! What a status code means to a person, and what can be done about it. One table for screen, plain text and events.

/// What was tried when the code came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Attempt {
    /// A registration.
    Register,
    /// A call.
    Call,
}

/// A row of the table: code, words, advice for a registration, advice for a call.
type Row = (u16, &'static str, Option<&'static str>, Option<&'static str>);

const PASSWORD: Option<&str> = Some("check account.auth_user and the password");
const URI: Option<&str> = Some("check account.uri: the PBX may know no such user, or not from this address");
const TARGET: Option<&str> = Some("check the number");
const LATER: Option<&str> = Some("try again later");
const SERVER: Option<&str> = Some("check account.registrar and account.proxies, and that the PBX is up");
const CODECS: Option<&str> = Some("add a codec to audio.codecs: the other side takes none of those offered");
const PBX: Option<&str> = Some("the fault is in the PBX: ask who runs it");

/// RFC 3261 section 21, and those of its extensions that phones meet.
const TABLE: &[Row] = &[
    (300, "several places to call instead", None, Some("call one of them")),
    (301, "moved for good", SERVER, Some("call the new address")),
    (302, "moved for now", SERVER, Some("call the new address")),
    (305, "to be called through a proxy", None, Some("add the proxy to account.proxies")),
    (380, "another service instead", None, Some("the message says which: call that one")),
    (400, "the message was not understood", PBX, PBX),
    (401, "the password was refused", PASSWORD, PASSWORD),
    (402, "payment is required", None, Some("check the account's credit")),
    (403, "forbidden", URI, Some("the PBX does not let this account call there")),
    (404, "not found: the PBX knows no such number", URI, TARGET),
    (405, "the PBX does not take this kind of message", SERVER, PBX),
    (406, "not acceptable", None, CODECS),
    (407, "the password was refused", PASSWORD, PASSWORD),
    (
        408,
        "no answer in time",
        SERVER,
        Some("the other side or the network is silent: check the connection, or try again later"),
    ),
    (410, "gone: the number is no longer in use", URI, TARGET),
    (413, "the message is too large", PBX, PBX),
    (414, "the address is too long", URI, TARGET),
    (415, "the kind of content is not supported", PBX, PBX),
    (416, "the kind of address is not supported", URI, Some("call a sip: address")),
    (420, "an extension is not supported", PBX, PBX),
    (421, "an extension is required", PBX, PBX),
    (422, "the session's refresh interval is too short", None, PBX),
    (423, "the registration's lifetime is too short", Some("raise account.expires"), None),
    (429, "the PBX wants to know who transfers", None, PBX),
    (433, "anonymous callers are refused", None, Some("call from an account that shows who it is")),
    (436, "the caller's identity can't be checked", None, PBX),
    (480, "not available", None, Some("nobody answered, or no phone is registered there: try again later")),
    (481, "the call is not known there any more", None, Some("call again: the other side has lost the call")),
    (482, "the message went in a circle", PBX, PBX),
    (483, "the message went through too many servers", PBX, PBX),
    (484, "the number is incomplete", URI, Some("dial the whole number")),
    (485, "the number stands for several people", URI, TARGET),
    (486, "busy", None, Some("they are on another call: try again later")),
    (487, "cancelled", None, Some("it was taken back on the way before anyone answered: call again")),
    (488, "no codec in common", None, CODECS),
    (489, "the PBX does not know this kind of event", None, PBX),
    (491, "both sides changed the call at once", None, LATER),
    (493, "the message could not be decrypted", PBX, PBX),
    (494, "a security agreement is required", PBX, PBX),
    (500, "an error in the PBX", LATER, LATER),
    (501, "the PBX can't do that", SERVER, PBX),
    (502, "a server behind the PBX failed", LATER, LATER),
    (503, "the service is not available", SERVER, Some("the PBX is overloaded or can't be reached: try again later")),
    (504, "a server behind the PBX did not answer", LATER, LATER),
    (505, "the PBX speaks another version of SIP", PBX, PBX),
    (513, "the message is too large", PBX, PBX),
    (580, "the network can't carry the call", None, LATER),
    (600, "busy everywhere", None, Some("none of their phones is free: try again later")),
    (603, "declined", None, Some("they don't take calls now: leave a message, or try another day")),
    (604, "not found: the number exists nowhere", URI, TARGET),
    (606, "not acceptable", None, CODECS),
    (607, "the call was unwanted", None, Some("don't call there again unless asked to")),
    (608, "rejected by a service on the way", None, Some("a filter took it for unwanted: reach them another way")),
];

/// What a final status code means. A code that the table lacks stands for the first of its class (RFC 3261 section 8.1.3.2).
pub fn words(code: u16) -> &'static str {
    match row(code) {
        Some((_, words, _, _)) => words,
        None => match code {
            100..=199 => "on its way",
            200..=299 => "done",
            300..=399 => "to be called elsewhere",
            400..=499 => "refused",
            500..=599 => "an error in the PBX",
            600..=699 => "refused everywhere",
            _ => "an unknown answer",
        },
    }
}

/// What a person can do about it, if anything.
pub fn advice(code: u16, attempt: Attempt) -> Option<&'static str> {
    let (_, _, register, call) = row(code)?;
    match attempt {
        Attempt::Register => *register,
        Attempt::Call => *call,
    }
}

fn row(code: u16) -> Option<&'static Row> {
    TABLE.binary_search_by_key(&code, |(code, ..)| *code).ok().and_then(|place| TABLE.get(place))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted() {
        assert!(TABLE.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn every_code_has_words() {
        for code in 0..=999 {
            assert!(!words(code).is_empty(), "{code}");
        }
        assert_eq!(words(486), "busy");
        assert_eq!(words(603), "declined");
        assert_eq!(words(404), "not found: the PBX knows no such number");
        assert_eq!(words(499), "refused");
    }

    #[test]
    fn advice_depends_on_what_was_tried() {
        assert_eq!(advice(403, Attempt::Register), URI);
        assert_eq!(advice(401, Attempt::Call), PASSWORD);
        assert!(advice(486, Attempt::Call).is_some_and(|advice| advice.ends_with("try again later")));
        for code in [380, 408, 480, 481, 484, 486, 487, 488, 503, 600, 603, 606] {
            assert!(advice(code, Attempt::Call).is_some(), "{code}");
        }
        assert_eq!(advice(603, Attempt::Register), None);
        assert_eq!(advice(699, Attempt::Call), None);
    }
}
