//! Naming a dialog to someone else: Replaces (RFC 3891) and Target-Dialog (RFC 4538).
//!
//! Both are written from the point of view of who receives them: what he calls his local tag is our remote one. To mix
//! them up is the classic mistake.

use bytes::Bytes;

use crate::sip::{HeaderName, Headers, Uri, other};

use super::dialog::Dialog;

/// A dialog, as the receiver of its name sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DialogId {
    /// Call-ID.
    pub call_id: Bytes,
    /// The receiver's tag: `to-tag`, or `local-tag`.
    pub local_tag: Bytes,
    /// The other side's tag: `from-tag`, or `remote-tag`.
    pub remote_tag: Bytes,
}

impl DialogId {
    /// A dialog of our own.
    pub fn of_ours(dialog: &Dialog) -> DialogId {
        DialogId {
            call_id: dialog.call_id.clone(),
            local_tag: dialog.local_tag.clone(),
            remote_tag: dialog.remote_tag.clone(),
        }
    }

    /// Whether it names this dialog of ours. A tag of zero is a missing one as well (RFC 3891 section 6.1).
    pub fn names(&self, dialog: &Dialog) -> bool {
        self.is_same(&DialogId::of_ours(dialog))
    }

    /// The same for a dialog that is over.
    pub fn is_same(&self, ours: &DialogId) -> bool {
        let same = |theirs: &Bytes, ours: &Bytes| theirs == ours || (ours.is_empty() && theirs.as_ref() == b"0");
        self.call_id == ours.call_id
            && same(&self.local_tag, &ours.local_tag)
            && same(&self.remote_tag, &ours.remote_tag)
    }

    /// `call-id;LOCAL=tag;REMOTE=tag`, and the names of the parameters without a value.
    fn parse(value: &str, local: &str, remote: &str) -> Option<(DialogId, Vec<String>)> {
        let mut parts = value.split(';').map(str::trim);
        let call_id = parts.next().filter(|call_id| !call_id.is_empty() && !call_id.contains(char::is_whitespace))?;
        let (mut local_tag, mut remote_tag, mut flags) = (None, None, Vec::new());
        for part in parts {
            let Some((name, value)) = part.split_once('=') else {
                flags.push(part.to_ascii_lowercase());
                continue;
            };
            let slot = match name.trim() {
                name if name.eq_ignore_ascii_case(local) => &mut local_tag,
                name if name.eq_ignore_ascii_case(remote) => &mut remote_tag,
                _ => continue,
            };
            // Exactly one of each.
            if slot.replace(Bytes::copy_from_slice(value.trim().as_bytes())).is_some() {
                return None;
            }
        }
        let call_id = Bytes::copy_from_slice(call_id.as_bytes());
        Some((DialogId { call_id, local_tag: local_tag?, remote_tag: remote_tag? }, flags))
    }
}

/// A Replaces header field: the INVITE that has it takes the place of this dialog.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces {
    /// The dialog, as its receiver sees it.
    pub dialog: DialogId,
    /// Only while the dialog is an early one.
    pub early_only: bool,
}

impl Replaces {
    /// What makes the peer of our dialog put another one in its place.
    pub fn for_peer_of(dialog: &Dialog) -> Replaces {
        let dialog = DialogId {
            call_id: dialog.call_id.clone(),
            local_tag: dialog.remote_tag.clone(),
            remote_tag: dialog.local_tag.clone(),
        };
        Replaces { dialog, early_only: false }
    }

    /// Reads a value (RFC 3891 section 6.1); `None`: a part is missing, or there twice.
    pub fn parse(value: &str) -> Option<Replaces> {
        let (dialog, flags) = DialogId::parse(value, "to-tag", "from-tag")?;
        Some(Replaces { dialog, early_only: flags.iter().any(|flag| flag == "early-only") })
    }

    /// What a request's header fields say: nothing, a Replaces, or (an error) what can't be one.
    pub fn of(headers: &Headers) -> Result<Option<Replaces>, Malformed> {
        match (headers.count(&HeaderName::Replaces), headers.value(&HeaderName::Replaces)) {
            (1, Some(value)) => Replaces::parse(&String::from_utf8_lossy(&value)).map(Some).ok_or(Malformed),
            (0, _) => Ok(None),
            _ => Err(Malformed),
        }
    }

    /// What the header part of a Refer-To URI says (RFC 5589 section 7).
    pub fn in_uri(uri: &Uri) -> Result<Option<Replaces>, Malformed> {
        let mut rows =
            uri.headers().into_iter().flat_map(|headers| headers.iter()).filter(|row| row.has_name("Replaces"));
        let (first, second) = (rows.next(), rows.next());
        match (first, second) {
            (None, _) => Ok(None),
            (Some(row), None) => {
                let value = unescaped(row.value().unwrap_or_default()).ok_or(Malformed)?;
                Replaces::parse(&value).map(Some).ok_or(Malformed)
            }
            (Some(_), Some(_)) => Err(Malformed),
        }
    }

    /// The header field's value.
    pub fn value(&self) -> String {
        let text = |tag: &Bytes| if tag.is_empty() { "0".into() } else { String::from_utf8_lossy(tag).into_owned() };
        let DialogId { call_id, local_tag, remote_tag } = &self.dialog;
        let early_only = if self.early_only { ";early-only" } else { "" };
        let (to_tag, from_tag) = (text(local_tag), text(remote_tag));
        format!("{};to-tag={to_tag};from-tag={from_tag}{early_only}", String::from_utf8_lossy(call_id))
    }

    /// The value as it stands in a URI's header part: everything but letters, digits and a few marks is escaped
    /// (RFC 3261 section 25.1, `hvalue`).
    pub fn escaped(&self) -> String {
        escaped(&self.value())
    }
}

/// A header field that is there and can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed;

/// The dialog that a Target-Dialog header field names (RFC 4538 section 7); one that can't be read is ignored.
pub fn target_dialog(headers: &Headers) -> Option<DialogId> {
    let value = headers.value(&other("Target-Dialog"))?;
    DialogId::parse(&String::from_utf8_lossy(&value), "local-tag", "remote-tag").map(|(dialog, _)| dialog)
}

/// A text as it stands in a URI's header part.
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn unescaped(text: &[u8]) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        if *byte != b'%' {
            out.push(*byte);
            continue;
        }
        let digit = |byte: Option<&u8>| char::from(*byte?).to_digit(16);
        let (high, low) = (digit(bytes.next())?, digit(bytes.next())?);
        out.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(out).ok().filter(|text| !text.contains(['\r', '\n', '\0']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(text: &str) -> Bytes {
        Bytes::copy_from_slice(text.as_bytes())
    }

    #[test]
    fn the_examples_of_rfc_3891_are_read() {
        let replaces = Replaces::parse("98732@sip.example.com\r\n ;from-tag=r33th4x0r\r\n ;to-tag=ff87ff").unwrap();
        assert_eq!(replaces.dialog.call_id, "98732@sip.example.com");
        assert_eq!((replaces.dialog.local_tag, replaces.dialog.remote_tag), (bytes("ff87ff"), bytes("r33th4x0r")));
        let early = Replaces::parse("12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only").unwrap();
        assert!(early.early_only);
        assert_eq!(early.value(), "12adf2f34456gs5;to-tag=12345;from-tag=54321;early-only");
        let old = Replaces::parse("87134@171.161.34.23;to-tag=24796;from-tag=0").unwrap();
        let ours = |remote_tag| DialogId {
            call_id: bytes("87134@171.161.34.23"),
            local_tag: bytes("24796"),
            remote_tag: bytes(remote_tag),
        };
        assert!(old.dialog.is_same(&ours("")) && old.dialog.is_same(&ours("0")) && !old.dialog.is_same(&ours("1")));
    }

    #[test]
    fn exactly_one_of_each_tag() {
        for text in [
            "",
            ";to-tag=1;from-tag=2",
            "c;to-tag=1",
            "c;from-tag=2",
            "c;to-tag=1;to-tag=1;from-tag=2",
            "c d;to-tag=1;from-tag=2",
        ] {
            assert_eq!(Replaces::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_uri_carries_it_escaped() {
        let uri = |text: &str| Uri::parse(bytes(text)).unwrap();
        let refer_to = uri("sip:c@192.0.2.3?Replaces=a%40b%3Bto-tag%3D1%3bfrom-tag%3D2&Subject=x");
        let replaces = Replaces::in_uri(&refer_to).unwrap().unwrap();
        assert_eq!(replaces.value(), "a@b;to-tag=1;from-tag=2");
        assert_eq!(replaces.escaped(), "a%40b%3Bto-tag%3D1%3Bfrom-tag%3D2");
        assert_eq!(Replaces::in_uri(&uri("sip:c@192.0.2.3?Subject=x")), Ok(None));
        for text in [
            "sip:c@x?Replaces=a%0D%0AEvil%3A1%3Bto-tag%3D1%3Bfrom-tag%3D2",
            "sip:c@x?Replaces=a",
            "sip:c@x?Replaces=a%3Bto-tag%3D1%3Bfrom-tag%3D2&replaces=b",
        ] {
            assert_eq!(Replaces::in_uri(&uri(text)), Err(Malformed), "{text}");
        }
    }
}
