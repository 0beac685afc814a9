//! What the name of a device in the configuration means.

use std::path::PathBuf;

/// A device, as a person names it.
#[derive(Debug, Clone, PartialEq)]
pub enum Selector {
    /// The system's default device: the Pulse server's when one can be reached, else ALSA's.
    Default,
    /// A sound card's device.
    Card {
        /// The only host to search; all of them when `None`.
        host: Option<HostName>,
        /// Its name, description or id.
        name: String,
    },
    /// Silence in, nothing out.
    Null,
    /// A sine of this many Hz at -12 dBFS (input only).
    Tone(f32),
    /// A WAV file: looped as input, written as output.
    Wav(PathBuf),
}

/// A way to sound cards.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HostName {
    /// The PulseAudio server, or PipeWire in its place.
    PulseAudio,
    /// The kernel's sound system by libasound.
    Alsa,
}

impl HostName {
    /// All, in the order in which they are searched.
    pub const ALL: [HostName; 2] = [HostName::PulseAudio, HostName::Alsa];

    /// As it stands before the colon in a device's name.
    pub fn as_str(self) -> &'static str {
        match self {
            HostName::PulseAudio => "pulseaudio",
            HostName::Alsa => "alsa",
        }
    }
}

/// Why a name names nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// No name at all.
    #[error("a device needs a name ('default' is one)")]
    Empty,
    /// `tone:` without a frequency that can be heard.
    #[error("'{0}' is no tone: write tone:440, with 20 to 4000 Hz")]
    BadTone(String),
}

impl Selector {
    /// Understands a name. Whether such a device exists shows when it is opened.
    pub fn parse(name: &str) -> Result<Selector, NameError> {
        let name = name.trim();
        if name.is_empty() {
            return Err(NameError::Empty);
        }
        if name.eq_ignore_ascii_case("default") {
            return Ok(Selector::Default);
        }
        if name.eq_ignore_ascii_case("null") {
            return Ok(Selector::Null);
        }
        if let Some(frequency) = name.strip_prefix("tone:") {
            return match frequency.trim().parse::<f32>() {
                Ok(hertz) if (20.0..=4000.0).contains(&hertz) => Ok(Selector::Tone(hertz)),
                _ => Err(NameError::BadTone(name.to_owned())),
            };
        }
        let host = HostName::ALL.into_iter().find_map(|host| {
            let (before, device) = name.split_once(':')?;
            (before.eq_ignore_ascii_case(host.as_str()) && !device.is_empty()).then_some((host, device))
        });
        if let Some((host, device)) = host {
            return Ok(Selector::Card { host: Some(host), name: device.to_owned() });
        }
        if name.to_ascii_lowercase().ends_with(".wav") {
            return Ok(Selector::Wav(PathBuf::from(name)));
        }
        Ok(Selector::Card { host: None, name: name.to_owned() })
    }
}

/// The place of the device that `wanted` names among (id, description) pairs: the same id, else the same description,
/// else the only one whose description contains it; upper and lower case are alike.
pub fn best_match(wanted: &str, devices: &[(String, String)]) -> Option<usize> {
    let wanted = wanted.to_lowercase();
    let same = |text: &str| text.to_lowercase() == wanted;
    if let Some(found) = devices.iter().position(|(id, _)| same(id)) {
        return Some(found);
    }
    if let Some(found) = devices.iter().position(|(_, description)| same(description)) {
        return Some(found);
    }
    let mut containing = (0..devices.len()).filter(|&at| devices[at].1.to_lowercase().contains(&wanted));
    match (containing.next(), containing.next()) {
        (Some(only), None) => Some(only),
        (None, _) | (Some(_), Some(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_the_configuration_has_them() {
        let card = |host, name: &str| Ok(Selector::Card { host, name: name.to_owned() });
        for (name, expected) in [
            ("default", Ok(Selector::Default)),
            (" null ", Ok(Selector::Null)),
            ("tone:440", Ok(Selector::Tone(440.0))),
            ("tone:", Err(NameError::BadTone("tone:".into()))),
            ("tone:9e9", Err(NameError::BadTone("tone:9e9".into()))),
            ("tone:nan", Err(NameError::BadTone("tone:nan".into()))),
            ("alsa:hw:CARD=0,DEV=0", card(Some(HostName::Alsa), "hw:CARD=0,DEV=0")),
            ("pulseaudio:A_spk", card(Some(HostName::PulseAudio), "A_spk")),
            ("hw:CARD=0,DEV=0", card(None, "hw:CARD=0,DEV=0")),
            ("USB Headset", card(None, "USB Headset")),
            ("/tmp/said.WAV", Ok(Selector::Wav("/tmp/said.WAV".into()))),
            ("", Err(NameError::Empty)),
        ] {
            assert_eq!(Selector::parse(name), expected, "{name}");
        }
    }

    #[test]
    fn an_id_wins_over_a_description_and_that_over_a_part_of_one() {
        let devices = [("a", "Headset"), ("b", "USB Headset Pro"), ("headset", "Speaker"), ("d", "USB Speaker")]
            .map(|(id, description)| (id.to_owned(), description.to_owned()));
        assert_eq!(best_match("headset", &devices), Some(2));
        assert_eq!(best_match("Headset", &devices[..2]), Some(0));
        assert_eq!(best_match("pro", &devices), Some(1));
        assert_eq!(best_match("usb", &devices), None, "two contain it");
        assert_eq!(best_match("nothing", &devices), None);
    }
}
