//! A level meter: a bar from -60 to 0 dBFS.

use ratatui::style::Style;
use ratatui::text::Span;

use crate::app::text;

use super::fit::{left, right};
use super::theme::Theme;

/// Columns of a meter's name.
pub const NAME: usize = 5;
/// The level at which the bar begins, in dBFS.
const FLOOR: f32 = -60.0;
/// From here on it is loud.
const LOUD: f32 = -12.0;
/// From here on it is about to clip.
const CLIPS: f32 = -3.0;

/// A meter in exactly `columns`: its name, the bar, the level in figures or a `remark` instead.
pub fn meter(name: &str, db: f32, remark: Option<&str>, columns: usize, theme: Theme) -> Vec<Span<'static>> {
    let figures = right(&remark.map_or_else(|| text::decibels(db), str::to_owned), 7);
    let bar = columns.saturating_sub(NAME + 1 + 7);
    let filled = if remark.is_some() { 0 } else { filled(db, bar) };
    let (loud, clips) = (place(LOUD, bar), place(CLIPS, bar));
    let part = |from: usize, to: usize| "━".repeat(filled.min(to).saturating_sub(from));
    let remark_style = if remark.is_some() { theme.warning() } else { Style::new() };
    vec![
        Span::styled(left(name, NAME), theme.dim()),
        Span::styled(part(0, loud), theme.good()),
        Span::styled(part(loud, clips), theme.warning()),
        Span::styled(part(clips, bar), theme.bad()),
        Span::styled("╌".repeat(bar - filled), theme.border()),
        Span::styled(format!(" {figures}"), remark_style),
    ]
}

fn place(db: f32, bar: usize) -> usize {
    (((db - FLOOR) / -FLOOR).clamp(0.0, 1.0) * bar as f32) as usize
}

/// Cells of the bar that are filled; a sound however soft fills one.
fn filled(db: f32, bar: usize) -> usize {
    if db.is_nan() || db <= FLOOR {
        return 0;
    }
    place(db, bar).max(1).min(bar)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bar_is_as_long_as_the_sound_is_loud() {
        for (db, cells) in [(f32::NAN, 0), (-100.0, 0), (-60.0, 0), (-59.0, 1), (-30.0, 20), (0.0, 40), (6.0, 40)] {
            assert_eq!(filled(db, 40), cells, "{db} dB");
        }
        assert_eq!(filled(-6.0, 0), 0);
    }

    #[test]
    fn it_takes_exactly_its_columns() {
        for columns in 13..100 {
            for db in [-100.0, -33.3, -1.0, 3.0] {
                let spans = meter("mic", db, None, columns, Theme::TERMINAL);
                assert_eq!(spans.iter().map(Span::width).sum::<usize>(), columns);
            }
        }
    }
}
