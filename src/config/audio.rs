//! `[audio]`: the sound cards, the codecs, the tones.

use std::path::PathBuf;

use super::keys::{Key, Kind, file, not_empty};
use crate::media::codec::Dtx;
use crate::media::processing::{Settings, Switch};
use crate::media::tones::countries::{self, Country};
use crate::sdp::Codec;

/// `[audio]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Audio {
    /// A device, `null`, `tone:440`, or a .wav file (looped).
    pub input: String,
    /// A device, `null`, or a .wav file (written).
    pub output: String,
    /// A device or `null`.
    pub ring: String,
    /// Codec names in order of preference, as configured (those unknown to this build are skipped with a notice).
    pub codecs: Vec<String>,
    /// Milliseconds a packet, 10 to 60.
    pub ptime: u8,
    /// Whether silence is sent.
    pub dtx: Dtx,
    /// Device periods.
    pub latency: Latency,
    /// Whose tones of ringing, busy and congestion are heard.
    pub tones: &'static Country,
    /// A WAV file to ring with, in place of the built-in tone.
    pub ring_tone: Option<PathBuf>,
    /// `echo_cancellation`, `noise_suppression`, `auto_gain`.
    pub processing: Settings,
}

impl Default for Audio {
    fn default() -> Self {
        Audio {
            input: "default".into(),
            output: "default".into(),
            ring: "default".into(),
            codecs: ["opus", "G722", "PCMU", "PCMA"].map(String::from).to_vec(),
            ptime: 20,
            dtx: Dtx::WhenAsked,
            latency: Latency::Low,
            tones: countries::EUROPE,
            ring_tone: None,
            processing: Settings::default(),
        }
    }
}

/// Device periods.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Latency {
    /// 10 ms in, 5 ms out.
    Low,
    /// 20 ms both.
    Safe,
}

const DEVICE: &str = "a device in quotes, such as \"default\" (see offhook devices)";

/// The processing of the voice: `true` where it is of use, "always" whatever the devices.
const SWITCH: &[&str] = &["false", "true", "always"];

/// The words of [`SWITCH`].
const SWITCHES: [Switch; 3] = [Switch::Off, Switch::On, Switch::Always];

/// `[audio]`.
pub const KEYS: &[Key<Audio>] = &[
    Key { name: "input", kind: Kind::Text { expected: DEVICE, set: |audio, text| device(&mut audio.input, text) } },
    Key { name: "output", kind: Kind::Text { expected: DEVICE, set: |audio, text| device(&mut audio.output, text) } },
    Key { name: "ring", kind: Kind::Text { expected: DEVICE, set: |audio, text| device(&mut audio.ring, text) } },
    Key {
        name: "codecs",
        kind: Kind::List { expected: "a list of codec names such as [\"PCMU\", \"PCMA\"]", set: set_codecs },
    },
    Key { name: "ptime", kind: Kind::Number { min: 10, max: 60, set: |audio, n| audio.ptime = n as u8 } },
    Key {
        name: "dtx",
        kind: Kind::Flag { set: |audio, on| audio.dtx = if on { Dtx::Always } else { Dtx::WhenAsked } },
    },
    Key {
        name: "latency",
        kind: Kind::Choice {
            words: &["low", "safe"],
            set: |audio, i| audio.latency = [Latency::Low, Latency::Safe][i],
        },
    },
    Key { name: "tones", kind: Kind::Text { expected: "a country such as \"de\", \"uk\" or \"us\"", set: set_tones } },
    Key {
        name: "ring_tone",
        kind: Kind::Text { expected: "the path of a .wav file", set: |audio, text| file(&mut audio.ring_tone, text) },
    },
    Key {
        name: "echo_cancellation",
        kind: Kind::Choice { words: SWITCH, set: |audio, i| audio.processing.echo = SWITCHES[i] },
    },
    Key {
        name: "noise_suppression",
        kind: Kind::Choice { words: SWITCH, set: |audio, i| audio.processing.noise = SWITCHES[i] },
    },
    Key {
        name: "auto_gain",
        kind: Kind::Choice { words: SWITCH, set: |audio, i| audio.processing.gain = SWITCHES[i] },
    },
];

fn device(slot: &mut String, text: &str) -> Result<(), String> {
    not_empty(text)?;
    *slot = text.into();
    Ok(())
}

fn set_tones(audio: &mut Audio, code: &str) -> Result<(), String> {
    let known = || countries::COUNTRIES.iter().map(|country| country.code).collect::<Vec<_>>().join(", ");
    audio.tones = countries::of(code).ok_or_else(|| format!("there are {}", known()))?;
    Ok(())
}

fn set_codecs(audio: &mut Audio, names: Vec<String>) -> Result<(), String> {
    if !names.iter().any(|name| Codec::from_name(name).is_some()) {
        return Err(format!("this build has {}", Codec::ALL.map(Codec::name).join(", ")));
    }
    audio.codecs = names;
    Ok(())
}
