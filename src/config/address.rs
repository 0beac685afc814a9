//! Which addresses this build can use: the checks on URIs of the configuration.

use bytes::Bytes;

use crate::sip::{Param, Scheme, Uri};

/// Why an address can't be used, in words that follow "found ...".
pub type Fault = String;

const TRANSPORTS: &str = "this build speaks SIP over UDP, TCP and TLS";

/// An address of record: `sip:USER@HOST`, reachable by this build.
pub fn of_record(text: &str) -> Result<Uri, Fault> {
    let uri = hop(text)?;
    match uri.user() {
        Some(user) if !user.is_empty() => Ok(uri),
        Some(_) | None => Err("it names no user".into()),
    }
}

/// A registrar or proxy: `sip:HOST`, reachable by this build.
pub fn hop(text: &str) -> Result<Uri, Fault> {
    let uri = parse(text)?;
    if speakable(&uri) { Ok(uri) } else { Err(TRANSPORTS.into()) }
}

/// A `sip:` or `sips:` address, whether this build reaches it or not.
pub fn parse(text: &str) -> Result<Uri, Fault> {
    let uri = Uri::parse(Bytes::copy_from_slice(text.as_bytes())).map_err(|error| error.to_string())?;
    match uri.scheme() {
        Scheme::Sip | Scheme::Sips => Ok(uri),
        _ => Err("it is no sip: address".into()),
    }
}

/// Something that can be called: a sip, sips or tel address.
pub fn callable(text: &str) -> Result<Uri, Fault> {
    let uri = Uri::parse(Bytes::copy_from_slice(text.as_bytes())).map_err(|error| error.to_string())?;
    match uri.scheme() {
        Scheme::Sip | Scheme::Sips | Scheme::Tel => Ok(uri),
        _ => Err("it is no sip: or tel: address".into()),
    }
}

/// A watched address, with its name where one stands before it: `Bob <sip:201@pbx>`. A number or name without a host gets
/// that of `account`; without an account it is only looked at.
pub fn watched(text: &str, account: Option<&Uri>) -> Result<(Uri, Option<String>), Fault> {
    let text = text.trim();
    let (name, address) = match text.split_once('<') {
        Some((name, rest)) => (name.trim().trim_matches('"').trim(), rest.split('>').next().unwrap_or_default().trim()),
        None => ("", text),
    };
    if name.chars().any(char::is_control) {
        return Err("its name has control characters".into());
    }
    let name = (!name.is_empty()).then(|| name.to_owned());
    if address.contains(':') || address.contains('@') {
        let full = if address.contains(':') { address.to_owned() } else { format!("sip:{address}") };
        return of_record(&full).map(|uri| (uri, name));
    }
    if address.is_empty() {
        return Err("it is empty".into());
    }
    let host = account.and_then(registrar_of).map(|uri| uri.to_string());
    let host = host.as_deref().and_then(|host| host.strip_prefix("sip:")).unwrap_or("localhost");
    of_record(&format!("sip:{address}@{host}")).map(|uri| (uri, name))
}

/// Whether this build can speak the transport that the address asks for. A `sips:` address is never sent in the clear.
pub fn speakable(uri: &Uri) -> bool {
    crate::ua::Resolve::of(uri).is_ok()
}

/// The address with `;lr`, as a Route header field wants it (RFC 3261 section 19.1.1).
pub fn loose(mut uri: Uri) -> Uri {
    if !uri.params().is_some_and(|params| params.contains("lr")) {
        uri.push_param(Param::flag("lr"));
    }
    uri
}

/// The registrar of an address of record: its host, port and transport, without its user (RFC 3261 section 10.2).
pub fn registrar_of(uri: &Uri) -> Option<Uri> {
    let scheme = if matches!(uri.scheme(), Scheme::Sips) { "sips" } else { "sip" };
    let mut text = format!("{scheme}:{}", uri.host()?);
    if let Some(port) = uri.port() {
        text.push_str(&format!(":{port}"));
    }
    if let Some(transport) = uri.transport() {
        text.push_str(&format!(";transport={}", String::from_utf8_lossy(transport)));
    }
    Uri::parse(Bytes::from(text)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_record() {
        let table = [
            ("sip:alice@pbx.example.com", None),
            ("sip:alice@[2001:db8::1]:5070;transport=UDP", None),
            ("sip:+49-30-1@pbx;user=phone", None),
            ("alice@pbx", Some("missing or malformed URI scheme")),
            ("sip:pbx", Some("it names no user")),
            ("sip:alice@", Some("URI has no host")),
            ("sip:alice@pbx:99999", Some("invalid port")),
            ("sip:al ice@pbx", Some("illegal character in URI")),
            ("mailto:alice@pbx", Some("it is no sip: address")),
            ("sips:alice@pbx", None),
            ("sip:alice@pbx;transport=tls", None),
            ("sips:alice@pbx;transport=udp", Some(TRANSPORTS)),
            ("sip:alice@pbx;transport=sctp", Some(TRANSPORTS)),
        ];
        for (text, fault) in table {
            assert_eq!(of_record(text).err().as_deref(), fault, "{text}");
        }
    }

    #[test]
    fn a_route_is_loose_once() {
        let loosened = |text| loose(parse(text).unwrap()).to_string();
        assert_eq!(loosened("sip:p1.example.com"), "sip:p1.example.com;lr");
        assert_eq!(loosened("sip:p1;lr;transport=udp"), "sip:p1;lr;transport=udp");
        assert_eq!(loosened("sip:[::1]:5070"), "sip:[::1]:5070;lr");
    }

    #[test]
    fn a_watched_address_may_have_a_name_and_lack_a_host() {
        let account = parse("sip:alice@pbx.example.com:5070").unwrap();
        for (text, uri, name) in [
            ("sip:201@pbx", "sip:201@pbx", None),
            ("Bob <sip:201@pbx>", "sip:201@pbx", Some("Bob")),
            ("\"Bob B.\" <201>", "sip:201@pbx.example.com:5070", Some("Bob B.")),
            (" 201 ", "sip:201@pbx.example.com:5070", None),
            ("bob@pbx", "sip:bob@pbx", None),
        ] {
            let (read, called) = watched(text, Some(&account)).unwrap();
            assert_eq!((read.to_string().as_str(), called.as_deref()), (uri, name), "{text}");
        }
        for text in ["", "sip:pbx", "mailto:a@b", "Bob <>", "a b"] {
            assert!(watched(text, Some(&account)).is_err(), "{text}");
        }
    }

    #[test]
    fn the_registrar_is_the_host() {
        let registrar = |text| registrar_of(&parse(text).unwrap()).unwrap().to_string();
        assert_eq!(registrar("sip:alice@pbx.example.com;user=phone"), "sip:pbx.example.com");
        assert_eq!(registrar("sips:alice@pbx.example.com"), "sips:pbx.example.com");
        assert_eq!(registrar("sip:alice@[::1]:5070;transport=udp"), "sip:[::1]:5070;transport=udp");
    }
}
