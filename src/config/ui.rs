//! `[ui]`: the terminal UI.

use super::keys::{Key, Kind};

/// The terminal UI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ui {
    /// How it tells of calls that come in and that were missed.
    pub notify: Notify,
    /// Its colours.
    pub theme: Theme,
    /// Whether it keeps to ASCII.
    pub ascii: Ascii,
    /// Whether it takes the mouse, which the terminal then does not use to select text.
    pub mouse: bool,
}

impl Default for Ui {
    fn default() -> Ui {
        Ui { notify: Notify::default(), theme: Theme::default(), ascii: Ascii::default(), mouse: true }
    }
}

/// How a person is told who does not look at the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Notify {
    /// The terminal's bell.
    #[default]
    Bell,
    /// The bell, and a notification that the terminal shows (OSC 9 or OSC 777).
    Osc,
    /// The bell, and a notification of the desktop, by D-Bus (builds with the feature `desktop`; else as [`Notify::Osc`]).
    Desktop,
    /// Not at all.
    Off,
}

/// Colours of the terminal UI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// For the background that the terminal tells of (`COLORFGBG`), else the terminal's own sixteen colours.
    #[default]
    Auto,
    /// For a dark background.
    Dark,
    /// For a light one.
    Light,
    /// Bright, and nothing faint.
    Contrast,
    /// No colours.
    None,
}

/// When the terminal UI keeps to ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Ascii {
    /// Where the locale is not UTF-8, and on the Linux console.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// Its keys.
pub const KEYS: &[Key<Ui>] = &[
    Key {
        name: "notify",
        kind: Kind::Choice {
            words: &["bell", "osc", "desktop", "off"],
            set: |ui, i| ui.notify = [Notify::Bell, Notify::Osc, Notify::Desktop, Notify::Off][i],
        },
    },
    Key {
        name: "theme",
        kind: Kind::Choice {
            words: &["auto", "dark", "light", "contrast", "none"],
            set: |ui, i| ui.theme = [Theme::Auto, Theme::Dark, Theme::Light, Theme::Contrast, Theme::None][i],
        },
    },
    Key {
        name: "ascii",
        kind: Kind::Choice {
            words: &["auto", "always", "never"],
            set: |ui, i| ui.ascii = [Ascii::Auto, Ascii::Always, Ascii::Never][i],
        },
    },
    Key { name: "mouse", kind: Kind::Flag { set: |ui, on| ui.mouse = on } },
];
