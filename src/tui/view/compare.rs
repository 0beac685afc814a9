//! An offer beside its answer. `=` marks what both say, `<` and `>` what only one does, `≠` what differs.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};

use crate::app::compare::{description, offer_and_answer, rows};
use crate::app::layout::page_rows;
use crate::app::{App, Reader, text};

use super::fit::{block, fit, left};
use super::message::inside;
use super::theme::Theme;
use super::trace::short;

/// Draws them from row `reader.top` on.
pub fn draw(frame: &mut Frame, area: Rect, app: &App, reader: Reader, theme: Theme) {
    let Some((offer, answer)) = offer_and_answer(&app.trace) else { return };
    let rows = rows(description(&offer).unwrap_or_default(), description(&answer).unwrap_or_default());
    let page = page_rows(app.size.1);
    let position = text::position(reader.top + 1, (reader.top + page).min(rows.len()), rows.len());
    let title = text::offer_and_answer(&short(&offer.summary), &short(&answer.summary));
    let title = fit(&title, usize::from(area.width).saturating_sub(position.len() + 8));
    let block = block(Line::styled(format!(" {title} "), theme.strong()), theme)
        .title(Line::styled(format!(" {position} "), theme.dim()).right_aligned());
    let inner = inside(&block, area);
    frame.render_widget(block, area);
    let columns = usize::from(inner.width).saturating_sub(3) / 2;
    let shown = rows.into_iter().skip(reader.top).take(page).map(|(ours, theirs)| {
        let (sign, style) = match (ours, theirs) {
            (Some(ours), Some(theirs)) if ours == theirs => ("=", theme.dim()),
            (Some(_), Some(_)) => ("≠", theme.warning()),
            (Some(_), None) => ("<", theme.accent()),
            (None, _) => (">", theme.accent()),
        };
        Line::from(vec![
            Span::styled(left(ours.unwrap_or_default(), columns), if sign == "=" { style } else { Style::new() }),
            Span::styled(format!(" {sign} "), style),
            Span::styled(fit(theirs.unwrap_or_default(), columns), if sign == "=" { style } else { Style::new() }),
        ])
    });
    let shown: Vec<Line> = shown.collect();
    frame.render_widget(Text::from(shown), inner);
}
