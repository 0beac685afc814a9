//! Text from elsewhere, made harmless for a screen, a log, a notification or a file name.

use std::borrow::Cow;

/// What stands in the place of a character that could do harm.
const REPLACEMENT: char = '\u{FFFD}';

/// Control characters move a terminal's cursor and begin its escape sequences; the bidirectional ones of Unicode make text
/// read as something else; the line separators break a line-based stream.
pub fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{061C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}' |
            '\u{2028}' | '\u{2029}' | '\u{FEFF}')
}

/// The text with each harmful character replaced.
pub fn harmless(text: &str) -> Cow<'_, str> {
    if text.contains(is_harmful) { Cow::Owned(text.replace(is_harmful, "\u{FFFD}")) } else { Cow::Borrowed(text) }
}

/// The same for a text of several lines: line breaks stay, carriage returns before them go.
pub fn harmless_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            out.push('\n');
        }
        let line = line.strip_suffix('\r').unwrap_or(line);
        out.extend(line.chars().map(|character| match character {
            '\t' => ' ',
            other if is_harmful(other) => REPLACEMENT,
            other => other,
        }));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_overrides_are_replaced_and_letters_stay() {
        assert_eq!(harmless("Zoë \u{1b}[31mred\u{7}"), "Zoë \u{FFFD}[31mred\u{FFFD}");
        assert_eq!(harmless("a\u{202e}b\u{2066}c\u{85}d\r\ne"), "a\u{FFFD}b\u{FFFD}c\u{FFFD}d\u{FFFD}\u{FFFD}e");
        assert!(matches!(harmless("Иван 王 😀"), Cow::Borrowed(_)));
    }

    #[test]
    fn lines_stay_lines() {
        assert_eq!(harmless_lines("INVITE\r\nVia:\tx\u{1b}\r\n\r\na\rb"), "INVITE\nVia: x\u{FFFD}\n\na\u{FFFD}b");
    }
}
