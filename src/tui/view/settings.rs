//! The settings of the file: a list, and below it what the chosen one is for.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};

use crate::app::layout::wrap;
use crate::app::settings::{Panel, Row, Shown};
use crate::app::text;

use super::fit::{block, fit, left, width};
use super::message::inside;
use super::theme::Theme;

/// Rows of the text about the chosen one, where there is room.
const ABOUT: u16 = 5;
const SMALL_ABOUT: u16 = 4;

/// Draws it.
pub fn draw(frame: &mut Frame, area: Rect, panel: &Panel, theme: Theme) {
    let visible = panel.visible();
    let shown = match panel.shown {
        _ if !panel.query.is_empty() => text::settings_found(visible.len(), &panel.query),
        Shown::Often => text::FEW.to_owned(),
        Shown::All => text::ALL.to_owned(),
    };
    let block = block(Line::styled(format!(" {} ", text::SETTINGS_TITLE), theme.strong()), theme)
        .title(Line::styled(format!(" {shown} "), theme.dim()).right_aligned());
    let inner = inside(&block, area);
    frame.render_widget(block, area);
    match &panel.rows {
        None => return frame.render_widget(Line::styled(text::SETTINGS_READ, theme.dim()), inner),
        Some(Err(why)) => {
            let rows = wrap(why, usize::from(inner.width));
            let rows: Vec<Line> = rows.into_iter().map(|row| Line::styled(row.to_owned(), theme.bad())).collect();
            return frame.render_widget(Text::from(rows), inner);
        }
        Some(Ok(_)) => {}
    }
    let about = if inner.height >= 18 { ABOUT } else { SMALL_ABOUT };
    let [list, rule, below] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(1), Constraint::Length(about)]).areas(inner);
    draw_list(frame, list, panel, &visible, theme);
    frame.render_widget(Line::styled("─".repeat(usize::from(rule.width)), theme.dim()), rule);
    match panel.chosen() {
        Some(row) => frame.render_widget(Text::from(about_lines(row, below, theme)), below),
        None => frame.render_widget(Line::styled(text::NO_SUCH_SETTING, theme.dim()), below),
    }
}

fn draw_list(frame: &mut Frame, area: Rect, panel: &Panel, visible: &[&Row], theme: Theme) {
    let columns = usize::from(area.width);
    let names = visible.iter().map(|row| width(row.setting.key)).max().unwrap_or(0).min(columns / 2);
    let mut lines: Vec<Line> = Vec::new();
    let mut chosen = 0;
    let mut before = None;
    for (place, row) in visible.iter().enumerate() {
        let section = (row.setting.section, row.setting.account);
        if before != Some(section) {
            before = Some(section);
            lines.push(Line::styled(fit(&text::section(&row.setting), columns), theme.dim()));
        }
        if place == panel.row {
            chosen = lines.len();
        }
        lines.push(setting(row, place == panel.row, (names, columns), theme));
    }
    let rows = usize::from(area.height).max(1);
    // The heading above the first one shows with it.
    let first = if chosen <= 1 { 0 } else { chosen.saturating_sub(rows / 2).min(lines.len().saturating_sub(rows)) };
    let lines: Vec<Line> = lines.into_iter().skip(first).take(rows).collect();
    frame.render_widget(Text::from(lines), area);
}

fn setting(row: &Row, is_chosen: bool, (names, columns): (usize, usize), theme: Theme) -> Line<'static> {
    let strong = if is_chosen { theme.strong() } else { Style::new() };
    let (value, style) = match (&row.value, &row.setting.default) {
        (Some(value), _) => (value.as_str(), theme.good()),
        (None, Some(default)) => (default.as_str(), theme.dim()),
        (None, None) => (text::UNSET, theme.dim()),
    };
    // Not by colour alone: what the file says has a mark.
    let mark = if row.value.is_some() { "● " } else { "  " };
    let rest = columns.saturating_sub(names + 6);
    Line::from(vec![
        Span::styled(if is_chosen { "▸ " } else { "  " }, theme.accent()),
        Span::styled(left(row.setting.key, names) + "  ", strong),
        Span::styled(mark, theme.good()),
        Span::styled(fit(value, rest), style),
    ])
}

fn about_lines(row: &Row, area: Rect, theme: Theme) -> Vec<Line<'static>> {
    let columns = usize::from(area.width);
    let facts = text::setting_facts(&row.setting);
    let mut last: Vec<Line> = Vec::new();
    if let Some(by) = &row.overridden {
        last.push(Line::styled(fit(&text::overridden(by), columns), theme.warning()));
    }
    last.extend(wrap(&facts, columns).into_iter().map(|row| Line::styled(row.trim_end().to_owned(), theme.dim())));
    let room = usize::from(area.height).saturating_sub(last.len());
    let mut lines: Vec<Line> = wrap(&row.setting.about, columns)
        .into_iter()
        .take(room)
        .map(|row| Line::raw(row.trim_end().to_owned()))
        .collect();
    lines.extend(last);
    lines
}
