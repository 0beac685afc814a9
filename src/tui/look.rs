//! What the terminal can show, as its environment tells.

use crate::config::ui::{Ascii, Theme as Wanted, Ui};

use super::view::{Depth, Glyphs, Palette, Theme};

/// The theme that is configured, as far as the terminal has it.
pub fn theme(ui: &Ui, variable: impl Fn(&str) -> Option<String>) -> Theme {
    let variable = |name| variable(name).filter(|value| !value.is_empty());
    let term = variable("TERM").unwrap_or_default();
    let is_plain = ui.theme == Wanted::None || variable("NO_COLOR").is_some() || term == "dumb";
    let depth = if is_plain { Depth::None } else { depth(&term, variable("COLORTERM").as_deref()) };
    let palette = match ui.theme {
        Wanted::Dark => Palette::Dark,
        Wanted::Light => Palette::Light,
        Wanted::Contrast => Palette::Contrast,
        Wanted::None => Palette::Terminal,
        Wanted::Auto => background(variable("COLORFGBG").as_deref()),
    };
    let is_ascii = match ui.ascii {
        Ascii::Always => true,
        Ascii::Never => false,
        // The console's fonts have a few hundred signs.
        Ascii::Auto => term == "linux" || !is_utf8(variable),
    };
    Theme { palette, depth, glyphs: if is_ascii { Glyphs::Ascii } else { Glyphs::Unicode } }
}

fn depth(term: &str, colorterm: Option<&str>) -> Depth {
    match colorterm {
        Some("truecolor" | "24bit") => Depth::True,
        _ if term.ends_with("-direct") => Depth::True,
        _ if term.contains("256color") => Depth::Indexed,
        _ => Depth::Sixteen,
    }
}

/// rxvt, Konsole and others tell their colours: foreground, and behind the last semicolon the background.
fn background(colorfgbg: Option<&str>) -> Palette {
    match colorfgbg.and_then(|colours| colours.rsplit(';').next()).and_then(|colour| colour.parse::<u8>().ok()) {
        Some(7 | 9..=15) => Palette::Light,
        Some(0..=6 | 8) => Palette::Dark,
        Some(_) | None => Palette::Terminal,
    }
}

/// The first of these that is set decides (POSIX, chapter 8.2).
fn is_utf8(variable: impl Fn(&'static str) -> Option<String>) -> bool {
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(variable).unwrap_or_default();
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(ui: Ui, environment: &[(&str, &str)]) -> (Palette, Depth, Glyphs) {
        let find =
            |name: &str| environment.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let Theme { palette, depth, glyphs } = theme(&ui, find);
        (palette, depth, glyphs)
    }

    #[test]
    fn the_environment_tells_what_the_terminal_has() {
        let auto = Ui::default();
        let utf8 = ("LANG", "en_GB.UTF-8");
        let xterm = ("TERM", "xterm-256color");
        let plain = (Palette::Terminal, Depth::Sixteen, Glyphs::Ascii);
        assert_eq!(look(auto, &[]), plain);
        assert_eq!(look(auto, &[("TERM", "xterm"), utf8]), (plain.0, plain.1, Glyphs::Unicode));
        assert_eq!(look(auto, &[xterm, utf8]).1, Depth::Indexed);
        assert_eq!(look(auto, &[xterm, ("COLORTERM", "truecolor")]).1, Depth::True);
        assert_eq!(look(auto, &[xterm, ("NO_COLOR", "1"), ("COLORTERM", "truecolor")]).1, Depth::None);
        assert_eq!(look(auto, &[xterm, ("NO_COLOR", "")]).1, Depth::Indexed);
        assert_eq!(look(auto, &[("TERM", "dumb")]).1, Depth::None);
        assert_eq!(look(auto, &[("COLORFGBG", "0;default;15")]).0, Palette::Light);
        assert_eq!(look(auto, &[("COLORFGBG", "15;0")]).0, Palette::Dark);
        assert_eq!(look(auto, &[("LC_ALL", "C"), utf8]).2, Glyphs::Ascii);
        assert_eq!(look(auto, &[("LC_ALL", ""), ("LC_CTYPE", "C.utf8")]).2, Glyphs::Unicode);
        assert_eq!(look(auto, &[("TERM", "linux"), utf8]).2, Glyphs::Ascii);
    }

    #[test]
    fn what_is_configured_wins() {
        let ui = Ui { theme: Wanted::Light, ascii: Ascii::Never, ..Ui::default() };
        assert_eq!(look(ui, &[("COLORFGBG", "15;0")]), (Palette::Light, Depth::Sixteen, Glyphs::Unicode));
        let ui = Ui { theme: Wanted::None, ascii: Ascii::Always, ..Ui::default() };
        assert_eq!(look(ui, &[("LANG", "C.UTF-8")]).1, Depth::None);
        assert_eq!(look(ui, &[("LANG", "C.UTF-8")]).2, Glyphs::Ascii);
    }
}
