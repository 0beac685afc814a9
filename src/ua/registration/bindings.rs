//! What a registrar's 200 says: the bindings it holds, and for how long (RFC 3261 section 10.2.4).

use crate::sip::{Address, HeaderName, Response, Uri, leading_number, number};

use super::super::event::Binding;

/// Bindings that are read from one response.
const MAX_BINDINGS: usize = 64;
/// The longest text that is taken from the network for a person to read, in characters.
const MAX_TEXT: usize = 300;

/// All bindings of a response, ours marked when `contact` is given. What can't be read is left out, never fatal.
pub(super) fn read(response: &Response, contact: Option<&Uri>) -> Vec<Binding> {
    let general = number(&response.headers, &HeaderName::Expires);
    let addresses = addresses(response);
    let ours = contact.and_then(|contact| find(&addresses, contact));
    let binding = |(index, address): (usize, &Address)| Binding {
        uri: printable(&address.uri.to_bytes()),
        expires: address.param("expires").map_or(general, leading_number),
        ours: ours == Some(index),
    };
    addresses.iter().enumerate().map(binding).collect()
}

/// The address of ours in a response's bindings, with its parameters.
pub(super) fn ours(response: &Response, contact: &Uri) -> Option<Address> {
    let mut addresses = addresses(response);
    find(&addresses, contact).map(|place| addresses.swap_remove(place))
}

fn addresses(response: &Response) -> Vec<Address> {
    let rows = response.headers.get_all(&HeaderName::Contact).map(|row| row.value().into_owned());
    rows.flat_map(|row| split(&row).iter().filter_map(|part| Address::parse(part, "Contact").ok()).collect::<Vec<_>>())
        .take(MAX_BINDINGS)
        .collect()
}

/// Text from the network as a person may see it: control and direction characters replaced, and not without end.
pub(super) fn printable(bytes: &[u8]) -> String {
    let harmful = |c: char| {
        c.is_control()
            || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    let text = String::from_utf8_lossy(bytes);
    text.chars().take(MAX_TEXT).map(|c| if harmful(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Ours by URI equivalence (RFC 3261 section 10.2.4); else the only one with our random user, for gateways on the way
/// rewrite its address.
fn find(addresses: &[Address], contact: &Uri) -> Option<usize> {
    if let Some(index) = addresses.iter().position(|address| address.uri.equivalent(contact)) {
        return Some(index);
    }
    let user = contact.user()?;
    let mut alike = addresses.iter().enumerate().filter(|(_, address)| address.uri.user() == Some(user));
    match (alike.next(), alike.next()) {
        (Some((index, _)), None) => Some(index),
        (Some(_), Some(_)) | (None, _) => None,
    }
}

/// Cuts a row at the commas outside quotes and angle brackets, so that one bad contact does not hide the others.
pub(super) fn split(row: &[u8]) -> Vec<&[u8]> {
    let (mut quoted, mut escaped, mut angled) = (false, false, false);
    row.split(|&byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if !angled => quoted = !quoted,
            b'<' if !quoted => angled = true,
            b'>' if !quoted => angled = false,
            b',' => return !quoted && !angled,
            _ => {}
        }
        false
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::sip::{ResponseBuilder, StatusCode};

    fn response(rows: &[(HeaderName, &str)]) -> Response {
        let builder = ResponseBuilder::new(StatusCode::new(200).unwrap(), "OK").unwrap();
        rows.iter()
            .fold(builder, |builder, (name, value)| builder.header(name.clone(), value.to_string()).unwrap())
            .build()
    }

    fn list(rows: &[(HeaderName, &str)]) -> Vec<(String, Option<u32>, bool)> {
        let contact = Uri::parse(Bytes::from_static(b"sip:x7f@192.0.2.1:5060")).unwrap();
        read(&response(rows), Some(&contact)).into_iter().map(|b| (b.uri, b.expires, b.ours)).collect()
    }

    fn row(uri: &str, expires: Option<u32>, ours: bool) -> (String, Option<u32>, bool) {
        (uri.to_owned(), expires, ours)
    }

    #[test]
    fn every_binding_is_read_whatever_its_scheme() {
        let rows = [
            (
                HeaderName::Contact,
                r#""Bob, <at> home" <sip:x7f@192.0.2.1:5060>;expires=60;q=0.5, <mailto:bob@a.b>;expires=4294967295"#,
            ),
            (HeaderName::Contact, "<sip:other@192.0.2.2>;expires=\"99999999999\", <sip:[broken>, tel:+1234"),
            (HeaderName::Expires, "1800"),
        ];
        let expected = [
            row("sip:x7f@192.0.2.1:5060", Some(60), true),
            row("mailto:bob@a.b", Some(u32::MAX), false),
            row("sip:other@192.0.2.2", Some(u32::MAX), false),
            row("tel:+1234", Some(1800), false),
        ];
        assert_eq!(list(&rows), expected);
    }

    #[test]
    fn ours_is_known_by_its_user_when_a_gateway_rewrote_it() {
        let rewritten = [(HeaderName::Contact, "<sip:x7f@203.0.113.9:40000>, <sip:bob@192.0.2.1:5060>")];
        assert!(list(&rewritten)[0].2);
        let twice = [(HeaderName::Contact, "<sip:x7f@203.0.113.9:40000>, <sip:x7f@203.0.113.9:40001>")];
        assert!(list(&twice).iter().all(|(_, _, ours)| !ours));
    }

    #[test]
    fn text_cannot_harm_a_screen() {
        assert_eq!(printable("a\u{1b}[2J\u{202e}b\u{e9}".as_bytes()), "a\u{fffd}[2J\u{fffd}b\u{e9}");
        assert_eq!(printable(&[b'x'; 9000]).len(), MAX_TEXT);
    }
}
