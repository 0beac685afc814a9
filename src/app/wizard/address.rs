//! The address of an account while it is typed: what is wrong with it, in words, and what may be meant.

use crate::config::address;
use crate::sip::{Scheme, Uri};

/// Suggestions at most.
const MOST: usize = 4;

/// What this machine knows that may help.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hints {
    /// The person's name on this machine.
    pub user: Option<String>,
    /// The domains in which this machine is.
    pub domains: Vec<String>,
}

/// What is to be said of what was typed so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing is there: no account.
    Empty,
    /// It may become an address; this is missing.
    Partial(&'static str),
    /// It is one.
    Good(Address),
    /// It can't be one.
    Bad(String),
}

/// An address of record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// In full, with its scheme: as it is written into the file.
    pub uri: String,
    /// Who.
    pub user: String,
    /// Where it registers, with the port if there is one.
    pub host: String,
    /// How, in a word.
    pub transport: &'static str,
    /// It can be so, but seldom is.
    pub doubt: Option<&'static str>,
}

const NO_HOST: &str = "then @ and the name or the number (IP address) of the PBX";
const NO_USER: &str = "your user or number comes before the @";
const NO_DOT: &str = "a host without a dot: right for a name of your own network only";
const EXAMPLE: &str = "example.com is nobody's PBX: put the name of yours";

/// Judges what was typed.
pub fn check(typed: &str) -> Verdict {
    let typed = typed.trim();
    if typed.is_empty() {
        return Verdict::Empty;
    }
    let lower = typed.to_ascii_lowercase();
    if let Some(scheme) = ["http:", "https:"].iter().find(|scheme| lower.starts_with(**scheme)) {
        return Verdict::Bad(format!("{scheme} is a web page; an address looks like alice@pbx.example.com"));
    }
    if lower.starts_with("tel:") {
        return Verdict::Bad("a telephone number does not say which PBX: write NUMBER@HOST".into());
    }
    let full = in_full(typed);
    let (scheme, rest) = full.split_once(':').unwrap_or(("sip", &full));
    match rest.split_once('@') {
        None => return Verdict::Partial(NO_HOST),
        Some(("", _)) => return Verdict::Partial(NO_USER),
        Some((_, "")) => return Verdict::Partial(NO_HOST),
        Some((_, host)) if host.ends_with(['.', ':', ';', '=']) => return Verdict::Partial(NO_HOST),
        Some((user, host)) => {
            if let Some(wrong) = [',', ' ', '@', '/'].iter().find(|wrong| host.contains(**wrong)) {
                let name = if *wrong == ' ' { "a blank".into() } else { format!("'{wrong}'") };
                return Verdict::Bad(format!("{name} can't stand in the PBX's name"));
            }
            if user.contains(' ') {
                return Verdict::Bad("a blank can't stand in a user: is it the name that others see?".into());
            }
        }
    }
    match address::of_record(&format!("{scheme}:{rest}")) {
        Ok(uri) => Verdict::Good(address_of(&uri)),
        Err(fault) => Verdict::Bad(format!("this is no address: {fault}")),
    }
}

/// With its scheme, without what stands around it.
fn in_full(typed: &str) -> String {
    let inner = typed.split_once('<').map_or(typed, |(_, rest)| rest.split('>').next().unwrap_or(rest));
    let known = ["sips:", "sip:", "mailto:"].iter().find_map(|scheme| {
        let begins = inner.get(..scheme.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(scheme));
        begins.then(|| (*scheme, &inner[scheme.len()..]))
    });
    match known {
        Some(("sips:", rest)) => format!("sips:{}", rest.trim_start_matches("//")),
        Some((_, rest)) => format!("sip:{}", rest.trim_start_matches("//")),
        None => format!("sip:{inner}"),
    }
}

fn address_of(uri: &Uri) -> Address {
    let user = uri.decoded_user().map(|user| String::from_utf8_lossy(&user).into_owned()).unwrap_or_default();
    let name = uri.host().map(|host| host.to_string()).unwrap_or_default();
    let host = uri.port().map_or_else(|| name.clone(), |port| format!("{name}:{port}"));
    let transport = match (uri.scheme(), uri.transport().map(|word| word.to_ascii_lowercase())) {
        (Scheme::Sips, _) => "TLS",
        (_, Some(word)) if word == b"tls" => "TLS",
        (_, Some(word)) if word == b"tcp" => "TCP",
        _ => "UDP",
    };
    let doubt = match name.as_str() {
        name if name == "example.com" || name.ends_with(".example.com") => Some(EXAMPLE),
        "localhost" => None,
        name if !name.contains(['.', ':']) => Some(NO_DOT),
        _ => None,
    };
    Address { uri: uri.to_string(), user, host, transport, doubt }
}

/// What may be meant by what was typed so far; the best first.
pub fn suggestions(typed: &str, hints: &Hints) -> Vec<String> {
    let typed = typed.trim();
    let bare = typed.strip_prefix("sip:").unwrap_or(typed);
    if let Some((user, host)) = bare.split_once('@').filter(|(_, host)| host.contains(',')) {
        return vec![format!("{user}@{}", host.replace(',', "."))];
    }
    let user = match bare.split_once('@') {
        Some((user, _)) => user,
        None if bare.is_empty() => hints.user.as_deref().unwrap_or_default(),
        None => bare,
    };
    if user.is_empty() || user.contains([' ', ':', '<', '/']) {
        return Vec::new();
    }
    let hosts = hints.domains.iter().flat_map(|domain| ["pbx.", "sip.", ""].map(|name| format!("{name}{domain}")));
    let mut found: Vec<String> =
        hosts.map(|host| format!("{user}@{host}")).filter(|text| text.starts_with(bare) && text != bare).collect();
    found.truncate(MOST);
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_is_missing_and_what_is_wrong() {
        for (typed, expected) in [
            ("", Verdict::Empty),
            ("alice", Verdict::Partial(NO_HOST)),
            ("sip:alice@", Verdict::Partial(NO_HOST)),
            ("alice@pbx.", Verdict::Partial(NO_HOST)),
            ("@pbx.lan", Verdict::Partial(NO_USER)),
            ("alice@pbx,lan", Verdict::Bad("',' can't stand in the PBX's name".into())),
            ("alice b@pbx.lan", Verdict::Bad("a blank can't stand in a user: is it the name that others see?".into())),
            ("tel:+49", Verdict::Bad("a telephone number does not say which PBX: write NUMBER@HOST".into())),
            ("alice@pbx.lan:99999", Verdict::Bad("this is no address: invalid port".into())),
        ] {
            assert_eq!(check(typed), expected, "{typed}");
        }
        assert!(matches!(check("https://pbx.lan/alice"), Verdict::Bad(_)));
    }

    #[test]
    fn a_good_one_is_written_in_full() {
        for (typed, uri, host, transport) in [
            ("alice@pbx.lan", "sip:alice@pbx.lan", "pbx.lan", "UDP"),
            (" SIP:alice@pbx.lan ", "sip:alice@pbx.lan", "pbx.lan", "UDP"),
            ("Alice <sip:alice@pbx.lan>", "sip:alice@pbx.lan", "pbx.lan", "UDP"),
            ("sips:alice@pbx.lan", "sips:alice@pbx.lan", "pbx.lan", "TLS"),
            ("101@192.0.2.1:5070;transport=tcp", "sip:101@192.0.2.1:5070;transport=tcp", "192.0.2.1:5070", "TCP"),
            ("mailto:alice@pbx.lan", "sip:alice@pbx.lan", "pbx.lan", "UDP"),
        ] {
            let Verdict::Good(address) = check(typed) else { panic!("{typed}: {:?}", check(typed)) };
            assert_eq!((address.uri.as_str(), address.host.as_str(), address.transport), (uri, host, transport));
            assert_eq!(address.doubt, None, "{typed}");
        }
        let doubt = |typed| match check(typed) {
            Verdict::Good(address) => address.doubt,
            _ => None,
        };
        assert_eq!(doubt("alice@pbx"), Some(NO_DOT));
        assert_eq!(doubt("alice@pbx.example.com"), Some(EXAMPLE));
    }

    #[test]
    fn suggestions_come_from_what_this_machine_knows() {
        let hints = Hints { user: Some("alice".into()), domains: vec!["corp.lan".into()] };
        assert_eq!(suggestions("", &hints), ["alice@pbx.corp.lan", "alice@sip.corp.lan", "alice@corp.lan"]);
        assert_eq!(suggestions("101", &hints)[0], "101@pbx.corp.lan");
        assert_eq!(suggestions("bob@s", &hints), ["bob@sip.corp.lan"]);
        assert_eq!(suggestions("bob@pbx,corp,lan", &hints), ["bob@pbx.corp.lan"]);
        assert_eq!(suggestions("bob@", &Hints::default()), [""; 0]);
    }
}
