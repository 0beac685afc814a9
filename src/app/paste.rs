//! What a person copies elsewhere, made a target: numbers in the formats of letters and web pages, `tel:` and `sip:` links.

use crate::services::address::without_separators;

/// The target in a text of one line: a number without its separators, an address without what stands around it. What is
/// neither stays as it is.
pub fn target(text: &str) -> String {
    let text: String = text.chars().filter_map(plain).collect();
    let text = inner(text.trim());
    if let Some(link) = without_scheme(text, &["sip", "sips"]) {
        // A link may be written with slashes, which a SIP address does not have.
        let scheme = &text[..text.len() - link.len()];
        return format!("{}{}", scheme.to_ascii_lowercase(), link.trim_start_matches("//"));
    }
    let body = without_scheme(text, &["tel", "callto"]).unwrap_or(text).trim().trim_start_matches("//");
    if let Some(number) = number(body) {
        return number;
    }
    // RFC 3966 section 5.1.5: a local number means nothing without its context.
    let (before, after) = body.split_once(';').unwrap_or((body, ""));
    if !after.to_ascii_lowercase().contains("phone-context") && text.len() != body.len() {
        return number(before).unwrap_or_else(|| text.to_owned());
    }
    // "Phone: 030 123", "Tel. 030/123".
    let begins = text.find(|c: char| c.is_ascii_digit() || matches!(c, '+' | '(')).unwrap_or(0);
    let (label, rest) = text.split_at(begins);
    let is_label =
        label.trim_end().ends_with([':', '.']) && label.chars().all(|c| c.is_alphabetic() || " :.".contains(c));
    match number(rest).filter(|_| is_label) {
        Some(number) => number,
        None => text.to_owned(),
    }
}

/// `None`: it only tells how text is laid out; digits, dashes and blanks of other kinds become ours.
fn plain(c: char) -> Option<char> {
    Some(match c {
        '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{ad}' => {
            return None;
        }
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ff0d}' => '-',
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{3000}' | '\t' => ' ',
        '\u{ff10}'..='\u{ff19}' => char::from_digit(u32::from(c) - 0xff10, 10).unwrap_or(c),
        '\u{ff0b}' => '+',
        '\u{ff08}' => '(',
        '\u{ff09}' => ')',
        _ => c,
    })
}

/// `"Bob" <sip:bob@example.com>`.
fn inner(text: &str) -> &str {
    text.split_once('<').and_then(|(_, rest)| rest.split_once('>')).map_or(text, |(inner, _)| inner.trim())
}

fn without_scheme<'a>(text: &'a str, schemes: &[&str]) -> Option<&'a str> {
    let (scheme, rest) = text.split_once(':')?;
    schemes.iter().any(|known| scheme.eq_ignore_ascii_case(known)).then_some(rest)
}

/// A number without its separators; the 0 that is only dialled inside a country is left out behind the country's code.
fn number(text: &str) -> Option<String> {
    let text = text.trim();
    let text = match text.starts_with('+') || text.starts_with("00") {
        true => text.replacen("(0)", "", 1),
        false => text.to_owned(),
    };
    // IP addresses have dots too, and those mean something.
    if text.parse::<std::net::Ipv4Addr>().is_ok() {
        return None;
    }
    let bare = without_separators(&text);
    let is_number =
        bare.contains(|c: char| c.is_ascii_digit()) && bare.chars().all(|c| c.is_ascii_digit() || "+*#".contains(c));
    (is_number && !bare.get(1..).is_some_and(|rest| rest.contains('+'))).then_some(bare)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_any_format_are_cleaned() {
        for (text, expected) in [
            ("+49 (30) 123-456", "+4930123456"),
            ("+49 (0)30 / 123 456", "+4930123456"),
            ("+49 (0) 171/123-45", "+4917112345"),
            ("0049 (0) 30 123", "004930123"),
            ("030/123.456", "030123456"),
            ("tel:+49-30-123456", "+4930123456"),
            ("TEL:+1-201-555-0123;ext=7", "+12015550123"),
            ("tel:863-1234;phone-context=example.com", "tel:863-1234;phone-context=example.com"),
            ("callto://+4930123", "+4930123"),
            ("Phone: +1 (201) 555‑0123", "+12015550123"),
            ("Tel. 030 123", "030123"),
            ("\u{202a}+49\u{a0}30\u{a0}123\u{202c}", "+4930123"),
            ("＋４９（３０）１２３", "+4930123"),
            ("*97#", "*97#"),
            ("sip:bob@example.com", "sip:bob@example.com"),
            ("SIP://bob@example.com", "sip:bob@example.com"),
            ("\"Bob\" <sips:bob@example.com;user=phone>", "sips:bob@example.com;user=phone"),
            ("bob@example.com", "bob@example.com"),
            ("Bob Miller", "Bob Miller"),
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7:5060", "192.0.2.7:5060"),
            ("meet at 10", "meet at 10"),
            ("", ""),
        ] {
            assert_eq!(target(text), expected, "{text}");
        }
    }
}
