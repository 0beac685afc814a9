//! Names that strangers give themselves, as far as they show: more than a screen's row is no name.

use unicode_segmentation::UnicodeSegmentation as _;

use crate::phone::event::Kind;

use super::layout::clean;

/// What a person takes for characters.
const CHARACTERS: usize = 60;

/// A name as far as it shows.
pub fn short(text: &str) -> String {
    let text = clean(text);
    match text.grapheme_indices(true).nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
        None => text,
    }
}

/// Shortens those of an event.
pub fn shorten(kind: &mut Kind) {
    if let Kind::Incoming { name, .. }
    | Kind::PeerChanged { name, .. }
    | Kind::Message { name, .. }
    | Kind::Screened { name, .. }
    | Kind::Diverted { name, .. } = kind
    {
        *name = name.as_deref().map(short);
    }
}
