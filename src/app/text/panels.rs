//! Words of the picker of devices, of the list of settings, and of push to talk.

use crate::config::settings::{self, Setting, Shape, Takes};
use crate::phone::command::DeviceRole;

type Label = (&'static str, &'static str);
/// The key of the picker.
pub const DEVICES: Label = ("audio", "choose audio devices");
/// The key of the settings.
pub const SETTINGS: Label = ("settings", "settings of the file");
/// The key that talks while the microphone is closed.
pub const TALK: Label = ("talk", "push to talk");
/// The same while it talks.
pub const TALK_ENDS: Label = ("stop talking", "push to talk");
/// The same while the microphone is open.
pub const TALK_BEGINS: Label = ("push to talk", "push to talk");
/// A key of the picker.
pub const USE_DEVICE: Label = ("use now", "use it, in the call too");
/// A key of the picker.
pub const KEEP_DEVICE: Label = ("use and keep", "and write it to the file");
/// A key of the picker.
pub const TEST_SOUND: Label = ("test sound", "play a test sound");
/// A key of the picker.
pub const NEXT_ROLE: Label = ("next list", "the next list");
/// A key of the settings.
pub const CHANGE_SETTING: Label = ("change", "another value");
/// A key of the settings.
pub const FIND_SETTING: Label = ("search", "search all settings");
/// A key of the settings.
pub const RESET_SETTING: Label = ("default", "back to the default");
/// A key of the settings.
pub const OTHER_SETTINGS: Label = ("all, or few", "all settings, or few");
/// The key of the line.
pub const SUBMIT_VALUE: Label = ("write", "carry it out");
/// Keys of the picker.
pub const GROUP_DEVICES: &str = "Audio devices";
/// Keys of the settings.
pub const GROUP_SETTINGS: &str = "Settings";

/// The picker's title.
pub const DEVICES_TITLE: &str = "Audio devices";
/// The title of the settings.
pub const SETTINGS_TITLE: &str = "Settings";
/// None has what is looked for.
pub const NO_SUCH_SETTING: &str = "no setting has it";
/// They are not there yet.
pub const SETTINGS_READ: &str = "the file is being read…";
/// There is no value.
pub const UNSET: &str = "not set";
/// What stands for which settings show.
pub const FEW: &str = "the usual ones";
/// What stands for which settings show.
pub const ALL: &str = "all of them";
/// The microphone is open by push to talk.
pub const ON_AIR: &str = "on air: Space ends it";
/// The same, where the terminal tells when a key is let go.
pub const ON_AIR_HELD: &str = "on air while Space is held";

/// A section of the file.
pub fn section(setting: &Setting) -> String {
    let name = match setting.section {
        settings::ACCOUNT if setting.account > 0 => return format!("Account {}", setting.account + 1),
        settings::ACCOUNT => "Account",
        "audio" => "Sound",
        "calls" => "Calls",
        "ui" => "Terminal UI",
        "sip" => "SIP",
        "network" => "Network",
        _ => "Other",
    };
    name.to_owned()
}

/// What stands for which settings show.
pub fn settings_found(count: usize, query: &str) -> String {
    format!("{count} with '{query}'")
}

/// The prompt of the line for a value.
pub fn prompt_value(setting: &Setting) -> String {
    let like = match setting.shape {
        Shape::List => ", with commas".to_owned(),
        Shape::Number(min, max) => format!(", {min} to {max}"),
        Shape::Flag | Shape::Choice(_) | Shape::Text | Shape::Secret => String::new(),
    };
    format!("{}{like}", setting.key)
}

/// When a change takes effect, and the default.
pub fn setting_facts(setting: &Setting) -> String {
    let takes = match setting.takes {
        Takes::Now => "takes effect at once",
        Takes::NextCall => "takes effect from the next call on",
        Takes::NextStart => "takes effect at the next start",
    };
    let default = setting.default.as_deref().map(|default| format!("default: {default} · "));
    let words = match setting.shape {
        Shape::Choice(words) => format!("{} · ", words.join(" | ")),
        Shape::Flag | Shape::Number(..) | Shape::Text | Shape::List | Shape::Secret => String::new(),
    };
    format!("{words}{}{takes}", default.unwrap_or_default())
}

/// Something wins over the file.
pub fn overridden(by: &str) -> String {
    format!("{by} wins over the file: a change shows when it is gone")
}

/// A setting was written.
pub fn setting_written(setting: &Setting) -> String {
    match setting.takes {
        Takes::Now => format!("{}: written, and in effect", setting.name()),
        Takes::NextCall => format!("{}: written; takes effect from the next call on", setting.name()),
        Takes::NextStart => format!("{}: written; takes effect at the next start", setting.name()),
    }
}

/// A setting was not written.
pub fn setting_refused(name: &str, why: &str) -> String {
    format!("{name}: not written: {why}")
}

/// A device is in use.
pub fn device_used(role: DeviceRole, name: &str) -> String {
    let role = match role {
        DeviceRole::Input => "microphone",
        DeviceRole::Output => "speaker",
        DeviceRole::Ring => "ring",
    };
    format!("{role}: {name} from now on; w keeps it in the file")
}
