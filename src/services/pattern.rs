//! Numbers and addresses with wildcards: `*` any run of characters, `?` one character, `[1-9]` one of a set, `\` takes the
//! meaning from the next one. A small language on purpose: its time grows with text times pattern, whoever writes the text.

use std::fmt;

/// Characters of a pattern at most.
const LENGTH: usize = 200;

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs)]
pub enum PatternError {
    #[error("it is empty")]
    Empty,
    #[error("it is longer than {LENGTH} characters")]
    Long,
    #[error("a [ has no ]")]
    Open,
    #[error("a set [] is empty or runs backwards")]
    Set,
    #[error("it ends with a \\ that takes nothing")]
    Escape,
}

/// One part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(char),
    /// One character, captured: of these ranges, or any when there are none.
    One(Vec<(char, char)>),
    /// Any run, an empty one too, captured.
    Run,
}

/// A pattern; letters match without regard to their case (ASCII).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    parts: Vec<Part>,
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::str::FromStr for Pattern {
    type Err = PatternError;

    fn from_str(text: &str) -> Result<Pattern, PatternError> {
        if text.is_empty() {
            return Err(PatternError::Empty);
        }
        if text.chars().count() > LENGTH {
            return Err(PatternError::Long);
        }
        let mut parts = Vec::new();
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            parts.push(match c {
                '*' => Part::Run,
                '?' => Part::One(Vec::new()),
                '[' => Part::One(set(&mut rest)?),
                '\\' => Part::Literal(rest.next().ok_or(PatternError::Escape)?),
                other => Part::Literal(other),
            });
        }
        Ok(Pattern { text: text.to_owned(), parts })
    }
}

/// The ranges of a set, behind its `[`.
fn set(rest: &mut std::str::Chars<'_>) -> Result<Vec<(char, char)>, PatternError> {
    let (inner, behind) = rest.as_str().split_once(']').ok_or(PatternError::Open)?;
    *rest = behind.chars();
    let mut ranges = Vec::new();
    let mut inner = inner.chars().peekable();
    while let Some(from) = inner.next() {
        let to = match inner.next_if_eq(&'-') {
            Some(_) => inner.next().ok_or(PatternError::Set)?,
            None => from,
        };
        if from > to {
            return Err(PatternError::Set);
        }
        ranges.push((from, to));
    }
    if ranges.is_empty() { Err(PatternError::Set) } else { Ok(ranges) }
}

impl Part {
    fn takes(&self, c: char) -> bool {
        match self {
            Part::Literal(literal) => literal.eq_ignore_ascii_case(&c),
            Part::One(ranges) => ranges.is_empty() || ranges.iter().any(|(from, to)| (*from..=*to).contains(&c)),
            Part::Run => true,
        }
    }
}

impl Pattern {
    /// Whether all of the text matches.
    pub fn matches(&self, text: &str) -> bool {
        self.captures(text).is_some()
    }

    /// What each wildcard took, in their order; `None`: the text does not match. Every run but the last is as short as it
    /// can be.
    pub fn captures(&self, text: &str) -> Option<Vec<String>> {
        let text: Vec<char> = text.chars().collect();
        // Where each part begins in the text; a match that goes on behind the last run never needs an earlier one moved.
        let mut starts = Vec::with_capacity(self.parts.len() + 1);
        let (mut at, mut run): (usize, Option<(usize, usize)>) = (0, None);
        loop {
            let part = self.parts.get(starts.len());
            match (part, text.get(at)) {
                (None, None) => break,
                (Some(Part::Run), _) => {
                    run = Some((starts.len(), at));
                    starts.push(at);
                    continue;
                }
                (Some(part), Some(c)) if part.takes(*c) => {
                    starts.push(at);
                    at += 1;
                    continue;
                }
                (None, Some(_)) | (Some(_), _) => {}
            }
            // The last run takes one character more.
            let (part, end) = run.as_mut()?;
            *end += 1;
            if *end > text.len() {
                return None;
            }
            starts.truncate(*part + 1);
            at = *end;
        }
        starts.push(at);
        let piece = |place: usize| -> String {
            let (from, to) = (starts.get(place).copied().unwrap_or(at), starts.get(place + 1).copied().unwrap_or(at));
            text.get(from..to).unwrap_or_default().iter().collect()
        };
        let wild = self.parts.iter().enumerate().filter(|(_, part)| !matches!(part, Part::Literal(_)));
        Some(wild.map(|(place, _)| piece(place)).collect())
    }

    /// How many wildcards it has.
    pub fn wildcards(&self) -> usize {
        self.parts.iter().filter(|part| !matches!(part, Part::Literal(_))).count()
    }

    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn captures(pattern: &str, text: &str) -> Option<Vec<String>> {
        pattern.parse::<Pattern>().unwrap().captures(text)
    }

    fn strings(texts: &[&str]) -> Option<Vec<String>> {
        Some(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    #[test]
    fn wildcards_take_what_stands_there() {
        for (pattern, text, expected) in [
            ("0*", "0171234", strings(&["171234"])),
            ("0*", "0", strings(&[""])),
            ("0*", "1", None),
            ("0[1-9]*", "0301", strings(&["3", "01"])),
            ("0[1-9]*", "0049", None),
            ("*@*.example", "a@b.c.example", strings(&["a", "b.c"])),
            ("*a*b", "xaybzb", strings(&["x", "ybz"])),
            ("*ab", "aab", strings(&["a"])),
            ("1??", "123", strings(&["2", "3"])),
            ("1??", "12", None),
            ("\\*97", "*97", strings(&[])),
            ("\\*97", "x97", None),
            ("BOB", "bob", strings(&[])),
            ("*", "", strings(&[""])),
            ("[12x-z]", "y", strings(&["y"])),
            ("[12x-z]", "3", None),
            ("a*", "b", None),
        ] {
            assert_eq!(captures(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn what_is_no_pattern() {
        for (text, error) in [
            ("", PatternError::Empty),
            ("[12", PatternError::Open),
            ("[]", PatternError::Set),
            ("[9-1]", PatternError::Set),
            ("[1-]", PatternError::Set),
            ("0\\", PatternError::Escape),
        ] {
            assert_eq!(text.parse::<Pattern>(), Err(error), "{text}");
        }
        assert_eq!("0".repeat(LENGTH + 1).parse::<Pattern>(), Err(PatternError::Long));
    }

    #[test]
    fn a_text_that_is_made_to_be_slow_is_not() {
        let pattern: Pattern = "*a*a*a*a*a*a*a*a*b".parse().unwrap();
        assert!(!pattern.matches(&"a".repeat(4000)));
    }
}
