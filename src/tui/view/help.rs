//! All keys, as the keymap has them.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span, Text};

use crate::app::keymap::HelpRow;
use crate::app::layout::{help_columns, page_rows};
use crate::app::{App, Reader, text};

use super::fit::{block, fit, left};
use super::message::inside;
use super::theme::Theme;

/// Columns of the keys' names.
const NAMES: usize = 12;

/// Draws them from row `reader.top` on.
pub fn draw(frame: &mut Frame, area: Rect, app: &App, reader: Reader, theme: Theme) {
    let columns = help_columns(app.size.0);
    let all = columns.iter().map(Vec::len).max().unwrap_or(0);
    let page = page_rows(app.size.1);
    let position = text::position(reader.top + 1, (reader.top + page).min(all), all);
    let block = block(Line::styled(format!(" {} ", text::HELP_TITLE), theme.strong()), theme)
        .title(Line::styled(format!(" {position} "), theme.dim()).right_aligned());
    let inner = inside(&block, area);
    frame.render_widget(block, area);
    let places = Layout::horizontal(columns.iter().map(|_| Constraint::Fill(1))).spacing(2).split(inner);
    for (rows, place) in columns.iter().zip(places.iter()) {
        let width = usize::from(place.width);
        let shown = rows.iter().skip(reader.top).take(page);
        let lines: Vec<Line> = shown.map(|row| line(row, width, theme)).collect();
        frame.render_widget(Text::from(lines), *place);
    }
}

fn line(row: &HelpRow, columns: usize, theme: Theme) -> Line<'static> {
    match row {
        HelpRow::Title(title) => Line::styled(fit(title, columns), theme.strong()),
        HelpRow::Key(keys, help) => Line::from(vec![
            Span::styled(format!(" {}", left(keys, NAMES)), theme.accent()),
            Span::raw(fit(help, columns.saturating_sub(NAMES + 1))),
        ]),
        HelpRow::Blank => Line::default(),
    }
}
