//! vCard 3 and 4 in (RFC 2426, RFC 6350), 4 out: names, numbers and SIP addresses; everything else is passed over.

use super::contacts::Contact;

/// Octets of a line before it is folded (RFC 6350 section 3.2).
const FOLD: usize = 75;

/// The contacts in a file; cards without a name or an address are counted, not kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cards {
    /// Those that can be called.
    pub contacts: Vec<Contact>,
    /// The others.
    pub skipped: usize,
}

/// Reads a file. What is no vCard gives nothing.
pub fn read(text: &str) -> Cards {
    let mut cards = Cards::default();
    let mut card: Option<Contact> = None;
    for line in unfold(text) {
        let Some(property) = Property::parse(&line) else { continue };
        match (property.name.as_str(), &mut card) {
            ("BEGIN", _) if property.value.eq_ignore_ascii_case("vcard") => card = Some(Contact::default()),
            ("END", _) if property.value.eq_ignore_ascii_case("vcard") => match card.take() {
                Some(done) if !done.name.is_empty() && !done.addresses.is_empty() => cards.contacts.push(done),
                Some(_) => cards.skipped += 1,
                None => {}
            },
            (_, Some(card)) => property.fill(card),
            (_, None) => {}
        }
    }
    cards
}

/// A file of one card each.
pub fn write<'a>(contacts: impl IntoIterator<Item = &'a Contact>) -> String {
    let mut out = String::new();
    for contact in contacts {
        let mut line = |text: String| fold(&text, &mut out);
        line("BEGIN:VCARD".into());
        line("VERSION:4.0".into());
        line(format!("FN:{}", escape(&contact.name)));
        if let Some(nick) = &contact.nick {
            line(format!("NICKNAME:{}", escape(nick)));
        }
        for address in &contact.addresses {
            let scheme = address.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
            line(match scheme.as_deref() {
                Some("sip" | "sips") => format!("IMPP:{address}"),
                Some("tel") => format!("TEL;VALUE=uri:{address}"),
                _ if address.contains('@') => format!("IMPP:sip:{address}"),
                _ => format!("TEL:{}", escape(address)),
            });
        }
        line("END:VCARD".into());
    }
    out
}

/// A content line (RFC 6350 section 3.3), its group left out.
struct Property {
    name: String,
    preferred: bool,
    value: String,
}

impl Property {
    fn parse(line: &str) -> Option<Property> {
        let colon = colon_of_value(line)?;
        let (head, value) = (&line[..colon], &line[colon + 1..]);
        let mut parts = head.split(';');
        let name = parts.next()?;
        let name = name.rsplit_once('.').map_or(name, |(_, name)| name).trim().to_ascii_uppercase();
        let is_first = |part: &str| {
            let part = part.to_ascii_uppercase();
            part == "PREF" || part == "PREF=1" || part.strip_prefix("TYPE=").is_some_and(|types| types.contains("PREF"))
        };
        Some(Property { name, preferred: parts.any(is_first), value: value.trim().to_owned() })
    }

    fn fill(self, card: &mut Contact) {
        match self.name.as_str() {
            "FN" => card.name = unescape(&self.value),
            // Surname; given; ...: for cards of version 3 that lack FN.
            "N" if card.name.is_empty() => {
                let parts: Vec<String> = split_unescaped(&self.value, ';').iter().map(|part| unescape(part)).collect();
                let part = |place: usize| parts.get(place).map(|part| part.trim()).unwrap_or_default();
                card.name = format!("{} {}", part(1), part(0)).trim().to_owned();
            }
            "NICKNAME" if card.nick.is_none() => {
                card.nick = split_unescaped(&self.value, ',').first().map(|nick| unescape(nick));
            }
            "TEL" | "IMPP" | "X-SIP" => self.address(card),
            _ => {}
        }
    }

    fn address(self, card: &mut Contact) {
        let value = unescape(&self.value);
        let scheme = value.split_once(':').map(|(scheme, _)| scheme.to_ascii_lowercase());
        let address = match (self.name.as_str(), scheme.as_deref()) {
            (_, Some("sip" | "sips" | "tel")) => value,
            ("TEL", None) => value,
            ("X-SIP", None) => format!("sip:{value}"),
            // Another messenger's.
            _ => return,
        };
        match self.preferred {
            true => card.addresses.insert(0, address),
            false => card.addresses.push(address),
        }
    }
}

/// Lines without their folds: a line that begins with a blank goes on with the one before.
fn unfold(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for line in text.trim_start_matches('\u{feff}').lines() {
        match (line.strip_prefix([' ', '\t']), lines.last_mut()) {
            (Some(rest), Some(before)) => before.push_str(rest),
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

/// The colon that ends the parameters; one within quotes does not.
fn colon_of_value(line: &str) -> Option<usize> {
    let mut quoted = false;
    line.char_indices().find_map(|(place, c)| {
        quoted ^= c == '"';
        (c == ':' && !quoted).then_some(place)
    })
}

fn split_unescaped(text: &str, at: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        if c == at && !escaped {
            parts.push(String::new());
            continue;
        }
        escaped = c == '\\' && !escaped;
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        match (c, rest.as_str().chars().next()) {
            ('\\', Some('n' | 'N')) => {
                rest.next();
                out.push(' ');
            }
            ('\\', Some(next)) => {
                rest.next();
                out.push(next);
            }
            _ => out.push(c),
        }
    }
    out.trim().to_owned()
}

fn escape(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars() {
        if matches!(c, '\\' | ',' | ';') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Writes a line, folded where it is long.
fn fold(line: &str, out: &mut String) {
    let mut used = 0;
    for c in line.chars() {
        if used + c.len_utf8() > FOLD {
            out.push_str("\r\n ");
            used = 1;
        }
        out.push(c);
        used += c.len_utf8();
    }
    out.push_str("\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cards_of_both_versions_are_read() {
        let text = "BEGIN:VCARD\r\nVERSION:3.0\r\nN:Miller;Bob;;;\r\nNICKNAME:bob,bobby\r\n\
                    item1.TEL;TYPE=WORK,VOICE:+49 30 123\r\nTEL;TYPE=\"cell:x\",pref:0171\\,5\r\nEMAIL:bob@example.com\r\n\
                    X-SIP:bob@example.com\r\nIMPP;X-SERVICE-TYPE=XMPP:xmpp:bob@example.com\r\nEND:VCARD\r\n\
                    BEGIN:VCARD\nVERSION:4.0\nFN:Zoë\\, the\n  First\nTEL;VALUE=uri;PREF=1:tel:+4\n 930\nIMPP:sip:zoe@example.com\nEND:VCARD\n\
                    BEGIN:VCARD\nFN:Nobody\nEND:VCARD\nTEL:1\n";
        let cards = read(text);
        assert_eq!(cards.skipped, 1);
        let [bob, zoe] = cards.contacts.as_slice() else { panic!("{cards:?}") };
        assert_eq!((bob.name.as_str(), bob.nick.as_deref()), ("Bob Miller", Some("bob")));
        assert_eq!(bob.addresses, ["0171,5", "+49 30 123", "sip:bob@example.com"]);
        assert_eq!(zoe.name, "Zoë, the First");
        assert_eq!(zoe.addresses, ["tel:+4930", "sip:zoe@example.com"]);
    }

    #[test]
    fn what_is_written_is_read() {
        let name = format!("Dr. {} Zoë; a, b \\ c", "Łukasz ".repeat(20).trim());
        let addresses = vec!["sip:z@example.com".to_owned(), "tel:+4930".into(), "0171 5".into()];
        let contacts = [Contact { name, nick: Some("z".into()), addresses }];
        let text = write(&contacts);
        assert!(text.lines().all(|line| line.len() <= FOLD + 1), "{text}");
        assert_eq!(read(&text).contacts, contacts);
    }

    #[test]
    fn nonsense_gives_nothing() {
        for text in ["", "\u{0}", "BEGIN:VCARD", ":::\n;;;\n", "END:VCARD\nFN:x"] {
            assert_eq!(read(text), Cards::default(), "{text:?}");
        }
    }
}
