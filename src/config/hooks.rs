//! `[hooks]`: programs that are run when something happens.

use super::keys::{Key, Kind};

/// Programs that are run, each with its arguments; empty: none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Hooks {
    /// When a call comes in and rings.
    pub incoming: Vec<String>,
    /// When a call is answered, here or there.
    pub answered: Vec<String>,
    /// When a call has ended.
    pub ended: Vec<String>,
}

const PROGRAM: &str = "a program and its arguments, such as [\"notify-send\", \"a call\"]";

/// `[hooks]`.
pub const KEYS: &[Key<Hooks>] = &[
    Key {
        name: "incoming",
        kind: Kind::List { expected: PROGRAM, set: |hooks, words| program(words).map(|words| hooks.incoming = words) },
    },
    Key {
        name: "answered",
        kind: Kind::List { expected: PROGRAM, set: |hooks, words| program(words).map(|words| hooks.answered = words) },
    },
    Key {
        name: "ended",
        kind: Kind::List { expected: PROGRAM, set: |hooks, words| program(words).map(|words| hooks.ended = words) },
    },
];

/// A list that begins with a program.
fn program(words: Vec<String>) -> Result<Vec<String>, String> {
    match words.first() {
        Some(program) if program.trim().is_empty() => Err("the program has no name".into()),
        _ if words.iter().any(|word| word.contains('\0')) => Err("a word holds a NUL".into()),
        _ => Ok(words),
    }
}
