//! Colours and signs. No colour is the only signal: weight, signs and words say the same, for `NO_COLOR` too.

use ratatui::style::{Color, Modifier, Style};

use crate::app::log::Level;

/// How things are set apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Theme {
    /// Which colours are meant.
    pub palette: Palette,
    /// How many the terminal has.
    pub depth: Depth,
    /// Which signs it has.
    pub glyphs: Glyphs,
}

/// A choice of colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Palette {
    /// The terminal's own sixteen, whatever the person made of them.
    Terminal,
    /// For a dark background.
    Dark,
    /// For a light one.
    Light,
    /// Bright colours of full weight, and nothing faint.
    Contrast,
}

/// How many colours a terminal has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// None are wanted.
    None,
    /// Sixteen.
    Sixteen,
    /// The cube of 256.
    Indexed,
    /// All of them.
    True,
}

/// Which signs a terminal can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyphs {
    /// Those of Unicode.
    Unicode,
    /// ASCII alone.
    Ascii,
}

/// What a colour says.
#[derive(Clone, Copy)]
enum Role {
    Accent,
    Good,
    Warning,
    Bad,
    Dim,
    Border,
}

impl Role {
    /// As red, green and blue, on a dark background and on a light one: at least 4.5 to 1 on both, but for borders.
    fn rgb(self) -> [(u8, u8, u8); 2] {
        match self {
            Role::Accent => [(0x79, 0xC0, 0xFF), (0x05, 0x50, 0xAE)],
            Role::Good => [(0x7E, 0xE7, 0x87), (0x11, 0x63, 0x29)],
            Role::Warning => [(0xE3, 0xB3, 0x41), (0x7D, 0x4E, 0x00)],
            Role::Bad => [(0xFF, 0x7B, 0x72), (0xA4, 0x0E, 0x26)],
            Role::Dim => [(0x8B, 0x94, 0x9E), (0x57, 0x60, 0x6A)],
            Role::Border => [(0x48, 0x4F, 0x58), (0xAF, 0xB8, 0xC1)],
        }
    }

    /// One of the sixteen; `None`: the terminal's usual colour.
    fn named(self, palette: Palette) -> Option<Color> {
        Some(match (self, palette) {
            (Role::Accent, Palette::Terminal | Palette::Dark) => Color::Cyan,
            (Role::Accent, Palette::Light) => Color::Blue,
            (Role::Accent, Palette::Contrast) => Color::LightCyan,
            (Role::Good, Palette::Contrast) => Color::LightGreen,
            (Role::Good, _) => Color::Green,
            // Yellow can't be read on white.
            (Role::Warning, Palette::Light) => Color::Magenta,
            (Role::Warning, Palette::Contrast) => Color::LightYellow,
            (Role::Warning, _) => Color::Yellow,
            (Role::Bad, Palette::Contrast) => Color::LightRed,
            (Role::Bad, _) => Color::Red,
            (Role::Dim | Role::Border, _) => return None,
        })
    }
}

impl Theme {
    /// The terminal's own sixteen colours, and Unicode.
    pub const TERMINAL: Theme = Theme { palette: Palette::Terminal, depth: Depth::Sixteen, glyphs: Glyphs::Unicode };

    fn colour(self, role: Role) -> Style {
        let (dark, light) = (self.rgb(role, 0), self.rgb(role, 1));
        let colour = match (self.depth, self.palette) {
            (Depth::None, _) => None,
            (Depth::Indexed | Depth::True, Palette::Dark) => Some(dark),
            (Depth::Indexed | Depth::True, Palette::Light) => Some(light),
            (_, palette) => role.named(palette),
        };
        colour.map_or(Style::new(), |colour| Style::new().fg(colour))
    }

    fn rgb(self, role: Role, which: usize) -> Color {
        let (red, green, blue) = role.rgb()[which];
        match self.depth {
            Depth::Indexed => Color::Indexed(nearest(red, green, blue)),
            Depth::None | Depth::Sixteen | Depth::True => Color::Rgb(red, green, blue),
        }
    }

    /// Whether it has greys of its own; else the terminal makes what is faint.
    fn has_greys(self) -> bool {
        matches!(self.depth, Depth::Indexed | Depth::True) && matches!(self.palette, Palette::Dark | Palette::Light)
    }

    /// What belongs to the phone itself: keys, prompts, the selection.
    pub fn accent(self) -> Style {
        self.colour(Role::Accent)
    }

    /// What goes well.
    pub fn good(self) -> Style {
        self.colour(Role::Good)
    }

    /// What to look at.
    pub fn warning(self) -> Style {
        self.colour(Role::Warning)
    }

    /// What failed.
    pub fn bad(self) -> Style {
        self.colour(Role::Bad).add_modifier(Modifier::BOLD)
    }

    /// What matters less.
    pub fn dim(self) -> Style {
        self.faint(Role::Dim)
    }

    /// Frames and rules.
    pub fn border(self) -> Style {
        self.faint(Role::Border)
    }

    fn faint(self, role: Role) -> Style {
        match self.palette {
            Palette::Contrast => Style::new(),
            _ if self.has_greys() => self.colour(role),
            Palette::Terminal | Palette::Dark | Palette::Light => Style::new().add_modifier(Modifier::DIM),
        }
    }

    /// What matters more.
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// The row that keys act on, beside its sign.
    pub fn selected(self) -> Style {
        match self.palette {
            Palette::Contrast => self.strong().add_modifier(Modifier::REVERSED),
            Palette::Terminal | Palette::Dark | Palette::Light => self.strong(),
        }
    }

    /// A line of the log.
    pub fn level(self, level: Level) -> Style {
        match level {
            Level::Info => Style::new(),
            Level::Good => self.good(),
            Level::Warning => self.warning(),
            Level::Error => self.bad(),
        }
    }
}

/// The nearest colour of the cube of xterm's 256, or of its greys.
fn nearest(red: u8, green: u8, blue: u8) -> u8 {
    const STEPS: [u8; 6] = [0, 95, 135, 175, 215, 255];
    let distance =
        |a: [u8; 3]| -> u32 { [red, green, blue].iter().zip(a).map(|(x, y)| u32::from(x.abs_diff(y)).pow(2)).sum() };
    let step = |value: u8| STEPS.iter().enumerate().min_by_key(|(_, step)| step.abs_diff(value)).map_or(0, |(i, _)| i);
    let (r, g, b) = (step(red), step(green), step(blue));
    let cube = [STEPS[r], STEPS[g], STEPS[b]];
    let mean = ((u32::from(red) + u32::from(green) + u32::from(blue)) / 3) as u8;
    let grey = mean.saturating_sub(3).div_euclid(10).min(23);
    let of_grey = 8 + 10 * grey;
    if distance([of_grey; 3]) < distance(cube) { 232 + grey } else { (16 + 36 * r + 6 * g + b) as u8 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_of_256_is_near() {
        assert_eq!(nearest(255, 255, 255), 231);
        assert_eq!(nearest(0, 0, 0), 16);
        assert_eq!(nearest(0x8B, 0x94, 0x9E), 246);
        assert_eq!(nearest(0xFF, 0x7B, 0x72), 209);
    }

    /// The contrast of WCAG 2, on the backgrounds that terminals have.
    #[test]
    fn words_can_be_read() {
        let linear = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let luminance = |(r, g, b)| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
        for role in [Role::Accent, Role::Good, Role::Warning, Role::Bad, Role::Dim] {
            let [dark, light] = role.rgb().map(luminance);
            let on_dark = (dark + 0.05) / (luminance((0x1E, 0x1E, 0x1E)) + 0.05);
            let on_light = (luminance((0xFF, 0xFF, 0xFF)) + 0.05) / (light + 0.05);
            assert!(on_dark >= 4.5 && on_light >= 4.5, "{on_dark} {on_light}");
        }
    }
}
