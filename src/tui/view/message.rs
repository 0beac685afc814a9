//! One SIP message in full.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::Block;

use crate::app::layout::{page_rows, text_columns, wrap};
use crate::app::{App, Reader, text};

use super::fit::block;
use super::theme::Theme;
use super::trace::arrow;

/// Draws it from row `reader.top` on.
pub fn draw(frame: &mut Frame, area: Rect, app: &App, reader: Reader, theme: Theme) {
    let Some(selected) = app.trace.selected() else { return };
    let entry = &selected.entry;
    let columns = text_columns(app.size.0);
    let mut rows: Vec<Line> = Vec::new();
    let mut part = Part::First;
    for line in entry.text.lines() {
        let name = match part {
            Part::Headers => line.split_once(':').map_or(0, |(name, _)| name.len() + 1),
            Part::First | Part::Body => 0,
        };
        for (place, row) in wrap(line, columns).into_iter().enumerate() {
            rows.push(match (part, place) {
                (Part::First, _) => Line::styled(row.to_owned(), theme.strong()),
                (Part::Headers, 0) => {
                    let (name, value) = row.split_at_checked(name).unwrap_or((row, ""));
                    Line::from(vec![Span::styled(name.to_owned(), theme.accent()), Span::raw(value.to_owned())])
                }
                (Part::Body, 0) if line.as_bytes().get(1) == Some(&b'=') => {
                    // `a=rtpmap:`: the name of an attribute is what one looks for.
                    let end = if line.starts_with("a=") { line.find(':').unwrap_or(line.len()) } else { 2 };
                    let (name, value) = row.split_at_checked(end).unwrap_or((row, ""));
                    Line::from(vec![Span::styled(name.to_owned(), theme.accent()), Span::raw(value.to_owned())])
                }
                (Part::Headers | Part::Body, _) => Line::styled(row.to_owned(), Style::new()),
            });
        }
        part = match part {
            Part::First => Part::Headers,
            Part::Headers if line.is_empty() => Part::Body,
            Part::Headers | Part::Body => part,
        };
    }
    let page = page_rows(app.size.1);
    let last = (reader.top + page).min(rows.len());
    let time = text::clock_ms(entry.time, app.settings.utc_offset);
    let title = format!(" {} {}  {time} ", arrow(entry.sent), entry.remote);
    let position = text::position(reader.top + 1, last, rows.len());
    let block = block(Line::styled(title, theme.strong()), theme)
        .title(Line::styled(format!(" {position} "), theme.dim()).right_aligned());
    let inner = inside(&block, area);
    frame.render_widget(block, area);
    let shown: Vec<Line> = rows.into_iter().skip(reader.top).take(page).collect();
    frame.render_widget(Text::from(shown), inner);
}

#[derive(Clone, Copy)]
enum Part {
    First,
    Headers,
    Body,
}

/// What is inside a frame, with a column of air on both sides.
pub fn inside(block: &Block, area: Rect) -> Rect {
    let inner = block.inner(area);
    Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }
}
