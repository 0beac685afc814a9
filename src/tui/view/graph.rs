//! A figure of a call over time, a sign for every five seconds.

use ratatui::text::Span;

use crate::app::call::{Call, Figure};
use crate::app::text;
use crate::media::session::Stats;

use super::fit::{left, right, width};
use super::meter::NAME;
use super::theme::Theme;

/// The signs, from the least to the most.
const SIGNS: [&str; 8] = ["▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"];

/// How good a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grade {
    /// Nobody notices anything.
    Good,
    /// Some do.
    Fair,
    /// Everybody does.
    Poor,
}

/// The grade of a value of a figure: ITU-T G.109 for MOS, G.1010 and common practice for the others.
pub fn grade(figure: Figure, value: f32) -> Grade {
    let (fair, poor) = match figure {
        Figure::Mos => {
            return if value >= 4.0 {
                Grade::Good
            } else if value >= 3.1 {
                Grade::Fair
            } else {
                Grade::Poor
            };
        }
        Figure::Loss => (0.01, 0.03),
        Figure::Jitter => (20.0, 50.0),
        Figure::RoundTrip => (200.0, 400.0),
        Figure::Buffer => (80.0, 160.0),
    };
    if value < fair {
        Grade::Good
    } else if value < poor {
        Grade::Fair
    } else {
        Grade::Poor
    }
}

/// The style of a grade.
pub fn style(grade: Grade, theme: Theme) -> ratatui::style::Style {
    match grade {
        Grade::Good => theme.good(),
        Grade::Fair => theme.warning(),
        Grade::Poor => theme.bad(),
    }
}

/// The graph in exactly `columns`: its name, the values that there is room for, the latest in figures.
pub fn graph(call: &Call, figure: Figure, columns: usize, theme: Theme) -> Vec<Span<'static>> {
    let latest = call.stats.as_ref().map(|stats| text::figure(figure, stats)).unwrap_or_default();
    let latest = right(&latest, 8);
    let room = columns.saturating_sub(NAME + width(&latest));
    let skipped = call.past_stats.len().saturating_sub(room);
    let mut spans = vec![Span::styled(left(text::figure_name(figure), NAME), theme.dim())];
    let mut drawn = 0;
    for stats in call.past_stats.iter().skip(skipped) {
        drawn += 1;
        spans.push(match figure.of(stats) {
            Some(value) => Span::styled(sign(figure, value), style(grade(figure, value), theme)),
            None => Span::styled("·", theme.dim()),
        });
    }
    spans.push(Span::styled("·".repeat(room - drawn), theme.border()));
    spans.push(Span::raw(latest));
    spans
}

/// The sign of a value: MOS fills from 1 to 4.5, the others from nothing to what nobody bears.
fn sign(figure: Figure, value: f32) -> &'static str {
    let share = match figure {
        Figure::Mos => (value - 1.0) / 3.5,
        Figure::Loss => value / 0.08,
        Figure::Jitter => value / 80.0,
        Figure::RoundTrip => value / 500.0,
        Figure::Buffer => value / 200.0,
    };
    let place = if share.is_finite() { share.clamp(0.0, 1.0) * 7.0 } else { 0.0 };
    SIGNS[(place.round() as usize).min(7)]
}

/// The quality of a call in one figure, for its row.
pub fn quality(stats: Option<&Stats>, theme: Theme) -> Span<'static> {
    let mos = stats.and_then(|stats| stats.mos);
    match mos {
        Some(mos) => Span::styled(format!("{mos:.1}"), style(grade(Figure::Mos, mos), theme)),
        None => Span::raw("   "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_worse_is_lower_or_higher() {
        assert_eq!([1.0, 3.0, 4.5].map(|mos| sign(Figure::Mos, mos)), ["▁", "▅", "█"]);
        assert_eq!([0.0, 0.04, 1.0, f32::NAN].map(|loss| sign(Figure::Loss, loss)), ["▁", "▅", "█", "▁"]);
        assert_eq!(grade(Figure::Mos, 4.36), Grade::Good);
        assert_eq!(grade(Figure::Jitter, 55.0), Grade::Poor);
    }
}
