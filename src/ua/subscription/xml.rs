//! XML from the network, within limits: no document type, so no entities of its own, and no more elements than a
//! notification of a large switchboard has.

use roxmltree::{Document, Node, ParsingOptions};

/// The longest body that is read, in bytes.
const MAX_BYTES: usize = 65_536;
/// Elements, attributes' texts and the like in one document.
const MAX_NODES: u32 = 20_000;
/// How deep elements may nest.
const MAX_DEPTH: usize = 32;

/// The longest text or attribute that is kept, in bytes.
const MAX_TEXT: usize = 512;

/// Why a body is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadBody {
    /// Beyond the limits.
    #[error("it is too long or nests too deep")]
    TooLarge,
    /// Not well-formed, or with a document type.
    #[error("it is no well-formed XML: {0}")]
    Malformed(String),
    /// Another root than the package's.
    #[error("it is another document than {0}")]
    Other(&'static str),
}

/// Reads a document whose root has this name, and gives its root to `act`. Namespaces are not compared: some servers write
/// none, some a wrong one.
pub fn with_root<T>(body: &[u8], root: &'static str, act: impl FnOnce(Node<'_, '_>) -> T) -> Result<T, BadBody> {
    if body.len() > MAX_BYTES || too_deep(body) {
        return Err(BadBody::TooLarge);
    }
    let text = std::str::from_utf8(body).map_err(|error| BadBody::Malformed(error.to_string()))?;
    let options = ParsingOptions { nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text.trim_start_matches('\u{feff}').trim(), options)
        .map_err(|error| BadBody::Malformed(error.to_string()))?;
    let element = document.root_element();
    if element.tag_name().name() != root {
        return Err(BadBody::Other(root));
    }
    Ok(act(element))
}

/// Whether more start tags stand open than any honest document has. Counted before parsing, for parsers and destructors
/// may recurse; quotes and comments can only make it too careful.
fn too_deep(body: &[u8]) -> bool {
    let (mut open, mut closed) = (0_usize, 0_usize);
    for pair in body.windows(2) {
        match pair {
            [b'<', b'/'] | [b'/', b'>'] => closed += 1,
            [b'<', next] if next.is_ascii_alphabetic() || *next == b'_' => open += 1,
            _ => {}
        }
        if open > closed + MAX_DEPTH {
            return true;
        }
    }
    false
}

/// The elements right beneath with this name.
pub fn children<'a, 'input>(
    node: Node<'a, 'input>,
    name: &'static str,
) -> impl Iterator<Item = Node<'a, 'input>> + use<'a, 'input> {
    node.children().filter(move |child| child.is_element() && child.tag_name().name() == name)
}

/// The first element right beneath with this name.
pub fn child<'a, 'input>(node: Node<'a, 'input>, name: &'static str) -> Option<Node<'a, 'input>> {
    children(node, name).next()
}

/// An attribute, trimmed, if it is there and not too long.
pub fn attribute<'a>(node: Node<'a, '_>, name: &str) -> Option<&'a str> {
    node.attribute(name).map(str::trim).filter(|value| !value.is_empty() && value.len() <= MAX_TEXT)
}

/// An element's text, trimmed, if it is there and not too long.
pub fn text<'a>(node: Node<'a, '_>) -> Option<&'a str> {
    node.text().map(str::trim).filter(|value| !value.is_empty() && value.len() <= MAX_TEXT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<usize, BadBody> {
        with_root(body.as_bytes(), "a", |root| children(root, "b").count())
    }

    #[test]
    fn a_document_is_read_whatever_its_namespace() {
        assert_eq!(read("<a><b/><b/><c/></a>"), Ok(2));
        assert_eq!(read("\u{feff}<?xml version=\"1.0\"?>\r\n<x:a xmlns:x=\"urn:x\"><x:b/></x:a>"), Ok(1));
        assert_eq!(read("<b/>"), Err(BadBody::Other("a")));
        assert!(matches!(read("<a><b></a>"), Err(BadBody::Malformed(_))));
        assert!(matches!(with_root(b"<a>\xff</a>", "a", |_| ()), Err(BadBody::Malformed(_))));
    }

    #[test]
    fn bombs_do_not_go_off() {
        let entities = "<!DOCTYPE a [<!ENTITY x \"xxxxxxxxxx\"><!ENTITY y \"&x;&x;&x;&x;\">]><a>&y;</a>";
        assert!(matches!(read(entities), Err(BadBody::Malformed(_))));
        let external = "<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>";
        assert!(matches!(read(external), Err(BadBody::Malformed(_))));
        assert_eq!(read(&"<a>".repeat(5_000)), Err(BadBody::TooLarge));
        let nested = format!("{}{}", "<a>".repeat(100), "</a>".repeat(100));
        assert_eq!(read(&nested), Err(BadBody::TooLarge));
        let long = format!("<a>{}</a>", " ".repeat(MAX_BYTES));
        assert_eq!(read(&long), Err(BadBody::TooLarge));
        let many = format!("<a>{}</a>", "<b/>".repeat(12_000));
        assert_eq!(read(&many), Ok(12_000));
        let many = format!("<a>{}</a>", "<b/>\n".repeat(11_000));
        assert!(matches!(read(&many), Err(BadBody::Malformed(_))), "the nodes are counted");
    }
}
