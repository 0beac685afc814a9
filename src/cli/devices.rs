//! `offhook devices`: what can be heard with and spoken into.

use crate::audio::{self, DeviceInfo};

/// Every device, as text or as one JSON object a line.
pub fn devices(json: bool) -> String {
    let devices = audio::list();
    if json { as_json(&devices) } else { as_text(&devices) }
}

fn as_json(devices: &[DeviceInfo]) -> String {
    let line = |device| serde_json::to_string(device).map(|line| line + "\n").unwrap_or_default();
    devices.iter().map(line).collect()
}

fn as_text(devices: &[DeviceInfo]) -> String {
    let mut text = String::new();
    for (title, mut chosen) in [
        ("microphones (audio.input)", devices.iter().filter(|device| device.input).collect::<Vec<_>>()),
        ("speakers (audio.output, audio.ring)", devices.iter().filter(|device| device.output).collect()),
    ] {
        chosen.sort_by_key(|device| device.monitor);
        text.push_str(&format!("{title}, * is the default\n"));
        if chosen.is_empty() {
            text.push_str("  none found\n");
        }
        for device in chosen {
            let mark = if device.default { '*' } else { ' ' };
            text.push_str(&format!("{mark} {}", device.name));
            if device.description != device.name && !device.description.is_empty() {
                text.push_str(&format!("  ({})", device.description));
            }
            if device.monitor {
                text.push_str("  [what a speaker plays]");
            }
            text.push_str(&format!("\n    {}:{}\n", device.host.as_str(), device.id));
        }
    }
    text.push_str("always there: null, tone:440, a .wav file\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audio::name::HostName;

    #[test]
    fn monitors_come_last_and_the_default_is_marked() {
        let device = |name: &str, input, default, monitor| DeviceInfo {
            host: HostName::PulseAudio,
            id: format!("id_{name}"),
            name: name.into(),
            description: format!("{name}, described"),
            input,
            output: !input,
            default,
            monitor,
        };
        let devices = [device("loop", true, false, true), device("mic", true, true, false)];
        let expected = "\
microphones (audio.input), * is the default
* mic  (mic, described)
    pulseaudio:id_mic
  loop  (loop, described)  [what a speaker plays]
    pulseaudio:id_loop
speakers (audio.output, audio.ring), * is the default
  none found
always there: null, tone:440, a .wav file
";
        assert_eq!(as_text(&devices), expected);
        assert!(as_json(&devices).lines().all(|line| line.starts_with('{') && line.ends_with('}')));
    }
}
