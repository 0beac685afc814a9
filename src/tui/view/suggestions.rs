//! What may be meant by what is typed, above the line.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::Clear;

use crate::app::mouse::Target;
use crate::app::{App, text};

use super::fit::{left, width};
use super::hits::Hits;
use super::people::lamp_style;
use super::theme::Theme;

/// Suggestions that show at once.
const ROWS: u16 = 6;
/// Columns of the widest label.
const LABEL: usize = 28;

/// Draws them over the last rows of `body`, under a rule.
pub fn draw(frame: &mut Frame, body: Rect, app: &App, theme: Theme, hits: &mut Hits) {
    let suggestions = app.suggestions();
    let Some(line) = app.line().filter(|_| !suggestions.is_empty()) else { return };
    let most = usize::from(ROWS.min(body.height.saturating_sub(2)).max(1));
    let choice = line.choice.filter(|choice| *choice < suggestions.len());
    // The chosen one stays in sight.
    let first = (choice.unwrap_or(0) + 1).saturating_sub(most);
    let columns = usize::from(body.width);
    let labels = suggestions.iter().map(|suggestion| width(&suggestion.label)).max().unwrap_or(0).min(LABEL);
    let shown = suggestions.len().saturating_sub(first).min(most);
    let rows = u16::try_from(shown + 1).unwrap_or(u16::MAX).min(body.height);
    let area = Rect { y: body.y + body.height - rows, height: rows, ..body };
    let mut lines = vec![Line::styled("─".repeat(columns), theme.border())];
    for (place, suggestion) in suggestions.iter().enumerate().skip(first).take(most) {
        let is_chosen = choice == Some(place);
        hits.add(super::row_of(area, lines.len()), Target::Suggestion(place));
        let lamp = suggestion.lamp.map(|lamp| format!("{} {}", text::lamp_sign(lamp), text::lamp(lamp, None)));
        let lamp = lamp.unwrap_or_default();
        let rest = columns.saturating_sub(3 + labels + 2 + width(&lamp) + 1);
        lines.push(Line::from(vec![
            Span::styled(if is_chosen { " ▸ " } else { "   " }, theme.accent()),
            Span::styled(
                left(&suggestion.label, labels) + "  ",
                if is_chosen { theme.selected() } else { Style::new() },
            ),
            Span::styled(left(&suggestion.detail, rest), theme.dim()),
            Span::styled(lamp, suggestion.lamp.map_or(Style::new(), |lamp| lamp_style(lamp, theme))),
        ]));
    }
    frame.render_widget(Clear, area);
    frame.render_widget(Text::from(lines), area);
}
