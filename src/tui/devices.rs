//! The devices of this machine, as the app lists them.

use tokio::sync::mpsc::UnboundedSender;

use crate::app::devices::Device;
use crate::audio::{self, DeviceInfo, name::HostName};

/// ALSA's names that are devices and no ways to make one out of others.
const ALSA: [&str; 3] = ["sysdefault:", "plughw:", "pipewire"];

/// Looks for them on a thread of its own: a sound server may take its time.
pub fn list<M: Send + 'static>(sender: UnboundedSender<M>, message: fn(Vec<Device>) -> M) {
    let spawned = std::thread::Builder::new().name("audio-list".into()).spawn(move || {
        // Whoever asked may have gone.
        let _ = sender.send(message(shown(&audio::list())));
    });
    if let Err(error) = spawned {
        tracing::error!(%error, "no thread");
    }
}

/// Those that a person may choose: what a speaker plays is no microphone, and where a sound server answers it has them all.
fn shown(found: &[DeviceInfo]) -> Vec<Device> {
    let has_server = found.iter().any(|device| device.host == HostName::PulseAudio && !device.monitor);
    let is_meant = |device: &&DeviceInfo| match device.host {
        HostName::PulseAudio => !device.monitor,
        HostName::Alsa => !has_server && ALSA.iter().any(|begin| device.id.starts_with(begin)),
    };
    found
        .iter()
        .filter(is_meant)
        .map(|device| Device {
            name: format!("{}:{}", device.host.as_str(), device.id),
            label: crate::app::layout::clean(label(device)),
            input: device.input,
            output: device.output,
            default: device.default,
        })
        .collect()
}

fn label(device: &DeviceInfo) -> &str {
    if device.description.is_empty() { &device.name } else { &device.description }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(host: HostName, id: &str, monitor: bool) -> DeviceInfo {
        DeviceInfo {
            host,
            id: id.into(),
            name: id.into(),
            description: format!("{id}, described"),
            input: true,
            output: !monitor,
            default: false,
            monitor,
        }
    }

    #[test]
    fn a_server_has_them_all_and_monitors_are_no_microphones() {
        let alsa = [info(HostName::Alsa, "plughw:CARD=0", false), info(HostName::Alsa, "surround51:CARD=0", false)];
        let names = |found: &[DeviceInfo]| -> Vec<String> { shown(found).into_iter().map(|it| it.name).collect() };
        assert_eq!(names(&alsa), ["alsa:plughw:CARD=0"]);
        let pulse = [info(HostName::PulseAudio, "usb", false), info(HostName::PulseAudio, "usb.monitor", true)];
        assert_eq!(names(&[&alsa[..], &pulse[..]].concat()), ["pulseaudio:usb"]);
        assert_eq!(shown(&pulse)[0].label, "usb, described");
    }
}
