//! What happened: the last lines below the calls, and all of it as a text of its own.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};

use crate::app::layout::{LOG_INDENT, log_text_columns, page_rows, text_columns, wrap};
use crate::app::log::LogLine;
use crate::app::{App, Reader, text};

use super::fit::block;
use super::theme::Theme;

/// Draws the last lines. The latest one shows from its beginning, however long it is.
pub fn draw_last(frame: &mut Frame, area: Rect, app: &App, theme: Theme) {
    let columns = log_text_columns(usize::from(area.width).saturating_sub(2));
    let rows = usize::from(area.height);
    let mut shown: Vec<Line> = Vec::new();
    for line in app.log.lines().rev() {
        let mut of_line = row_texts(line, columns, app.settings.utc_offset, theme);
        if shown.is_empty() {
            of_line.truncate(rows);
        }
        if of_line.len() + shown.len() > rows {
            break;
        }
        shown.splice(0..0, of_line);
    }
    let blank = rows.saturating_sub(shown.len());
    let mut lines = vec![Line::default(); blank];
    lines.append(&mut shown);
    let area = Rect { x: area.x + 1, width: area.width.saturating_sub(1), ..area };
    frame.render_widget(Text::from(lines), area);
}

/// Draws the last lines in a frame.
pub fn draw_pane(frame: &mut Frame, area: Rect, app: &App, theme: Theme) {
    let block = block(Line::styled(format!(" {} ", text::EVENTS), theme.strong()), theme);
    let inner = block.inner(area);
    frame.render_widget(block, area);
    draw_last(frame, inner, app, theme);
}

/// Draws all of it, `reader.top` rows up from the end.
pub fn draw_all(frame: &mut Frame, area: Rect, app: &App, reader: Reader, theme: Theme) {
    let columns = log_text_columns(text_columns(app.size.0));
    let utc_offset = app.settings.utc_offset;
    let rows: Vec<Line> = app.log.lines().flat_map(|line| row_texts(line, columns, utc_offset, theme)).collect();
    let page = page_rows(app.size.1);
    let end = rows.len().saturating_sub(reader.top);
    let start = end.saturating_sub(page);
    let position = text::position(if end == 0 { 0 } else { start + 1 }, end, rows.len());
    let block = block(Line::styled(format!(" {} ", text::EVENTS), theme.strong()), theme)
        .title(Line::styled(format!(" {position} "), theme.dim()).right_aligned());
    let inner = super::message::inside(&block, area);
    frame.render_widget(block, area);
    if rows.is_empty() {
        frame.render_widget(Line::styled(text::LOG_EMPTY, theme.dim()), inner);
        return;
    }
    let shown: Vec<Line> = rows.into_iter().skip(start).take(end - start).collect();
    frame.render_widget(Text::from(shown), inner);
}

fn row_texts(line: &LogLine, columns: usize, utc_offset: i32, theme: Theme) -> Vec<Line<'static>> {
    let style = theme.level(line.level);
    let rows = wrap(&line.text, columns).into_iter().enumerate().map(|(place, row)| {
        let before = if place == 0 { text::clock(line.time, utc_offset) } else { String::new() };
        Line::from(vec![
            Span::styled(format!("{before:LOG_INDENT$}"), theme.dim()),
            Span::styled(row.to_owned(), style),
        ])
    });
    rows.collect()
}
