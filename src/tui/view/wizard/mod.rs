//! The first minutes: one question a screen.

mod call;
mod devices;
mod fields;
mod finish;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};

use crate::app::layout::wrap;
use crate::app::wizard::outcome::{Said, Tone};
use crate::app::wizard::{Step, Wizard, keys, words};

use super::fit::{fit, width};
use super::line::{around_cursor, masked};
use super::theme::Theme;
use super::{SMALLEST, TALL, footer, too_small};

/// Columns of the text: longer lines are hard to read.
const COLUMNS: u16 = 74;
/// From this many columns on all steps stand under the title.
const TRAIL: u16 = 72;

/// Draws everything.
pub fn draw(frame: &mut Frame, wizard: &Wizard, theme: Theme) {
    draw_all(frame, wizard, theme);
    if theme.glyphs == super::Glyphs::Ascii {
        super::ascii::replace(frame.buffer_mut());
    }
}

fn draw_all(frame: &mut Frame, wizard: &Wizard, theme: Theme) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return too_small(frame, area, theme);
    }
    let is_tall = area.height >= TALL;
    let has_trail = is_tall && area.width >= TRAIL;
    let [title, trail, _, body, keys] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(if has_trail { 2 } else { 0 }),
        Constraint::Length(1),
        Constraint::Fill(1),
        Constraint::Length(if is_tall { 2 } else { 1 }),
    ])
    .areas(area);
    draw_title(frame, title, wizard, theme);
    if has_trail {
        draw_trail(frame, Rect { y: trail.y + 1, height: 1, ..trail }, wizard, theme);
    }
    let body = middle(body);
    match wizard.step {
        Step::Address => fields::address(frame, body, wizard, theme),
        Step::Password => fields::password(frame, body, wizard, theme),
        Step::Sound => devices::draw(frame, body, wizard, theme),
        Step::Call => call::draw_call(frame, body, wizard, theme),
        Step::Register => call::draw_trial(frame, body, wizard, theme),
        Step::Finish => finish::draw(frame, body, wizard, theme),
    }
    match &wizard.notice {
        Some(notice) => {
            let columns = usize::from(keys.width).saturating_sub(2);
            let rows = wrap(notice, columns).into_iter().take(usize::from(keys.height));
            let rows: Vec<Line> = rows.map(|row| Line::styled(format!(" {row}"), theme.bad())).collect();
            frame.render_widget(Text::from(rows), keys);
        }
        None => footer::draw_keys(frame, keys, keys::footer(wizard), theme),
    }
}

/// The text's place: at most [`COLUMNS`] wide, in the middle of a wide screen, and not far down a tall one.
fn middle(area: Rect) -> Rect {
    let columns = COLUMNS.min(area.width.saturating_sub(2));
    let x = if area.width >= 100 { area.x + (area.width - columns) / 2 } else { area.x + 1 };
    let down = area.height.saturating_sub(24) / 3;
    Rect { x, y: area.y + down, width: columns, height: area.height - down }
}

fn draw_title(frame: &mut Frame, area: Rect, wizard: &Wizard, theme: Theme) {
    let steps = wizard.steps();
    let at = steps.iter().position(|step| *step == wizard.step).map_or(0, |place| place + 1);
    let progress = words::progress(at, steps.len(), words::step(wizard.step));
    let columns = usize::from(area.width);
    let before = format!("── {} ", words::TITLE);
    let name = format!("{} ", words::SUBTITLE);
    let after = format!(" {progress} ──");
    let rule = columns.saturating_sub(width(&before) + width(&name) + width(&after));
    let line = Line::from(vec![
        Span::styled("── ", theme.dim()),
        Span::styled(format!("{} ", words::TITLE), theme.accent().patch(theme.strong())),
        Span::raw(name),
        Span::styled("─".repeat(rule), theme.dim()),
        Span::raw(format!(" {progress} ")),
        Span::styled("──", theme.dim()),
    ]);
    frame.render_widget(line, area);
}

fn draw_trail(frame: &mut Frame, area: Rect, wizard: &Wizard, theme: Theme) {
    let steps = wizard.steps();
    let at = steps.iter().position(|step| *step == wizard.step).unwrap_or(0);
    let mut spans = Vec::new();
    for (place, step) in steps.iter().enumerate() {
        let (mark, style) = match place.cmp(&at) {
            std::cmp::Ordering::Less => ("✓", theme.good()),
            std::cmp::Ordering::Equal => ("●", theme.accent().patch(theme.strong())),
            std::cmp::Ordering::Greater => ("○", theme.dim()),
        };
        spans.push(Span::styled(format!("{mark} {}", words::step(*step)), style));
        spans.push(Span::raw("   "));
    }
    spans.pop();
    frame.render_widget(Line::from(spans).centered(), area);
}

/// A question and what is said with it, as rows; where there is little room only the question.
fn question(ask: &str, about: &str, area: Rect, theme: Theme) -> Vec<Line<'static>> {
    let columns = usize::from(area.width);
    let mut lines = vec![Line::styled(fit(ask, columns), theme.strong())];
    lines.extend(wrap(about, columns).into_iter().map(|row| Line::styled(row.trim_end().to_owned(), theme.dim())));
    lines.push(Line::default());
    lines
}

/// A result: a mark, what happened, and what to do.
fn result(said: &Said, columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let (mark, style) = match said.tone {
        Tone::Good => ("✓", theme.good()),
        Tone::Doubtful => ("!", theme.warning()),
        Tone::Bad => ("✗", theme.bad()),
    };
    let mut lines = Vec::new();
    for (place, row) in wrap(&said.what, columns.saturating_sub(2)).into_iter().enumerate() {
        let mark = if place == 0 { mark } else { " " };
        lines.push(Line::styled(format!("{mark} {}", row.trim_end()), style));
    }
    if let Some(remedy) = &said.remedy {
        let rows = wrap(remedy, columns.saturating_sub(2));
        lines.extend(rows.into_iter().map(|row| Line::raw(format!("  {}", row.trim_end()))));
    }
    lines
}

/// How the text of a field shows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shows {
    /// As it is.
    Text,
    /// A sign for each character.
    Bullets,
}

/// Puts a field's prompt and text in a row, and the cursor into it.
fn field(
    frame: &mut Frame,
    area: Rect,
    (prompt, input, shows): (&str, &tui_input::Input, Shows),
    hint: &str,
    theme: Theme,
) {
    let prompt = format!("{prompt} › ");
    let columns = usize::from(area.width).saturating_sub(width(&prompt) + 1);
    let (text, cursor) = match shows {
        Shows::Text => around_cursor(input, columns),
        Shows::Bullets => around_cursor(&masked(input), columns),
    };
    let (text, style) = if input.value().is_empty() { (hint.to_owned(), theme.dim()) } else { (text, Style::new()) };
    let column = width(&prompt) + cursor;
    let line = Line::from(vec![
        Span::styled(prompt, theme.accent().patch(theme.strong())),
        Span::styled(fit(&text, columns + 1), style),
    ]);
    frame.render_widget(line, area);
    let column = u16::try_from(column).unwrap_or(u16::MAX).min(area.width.saturating_sub(1));
    frame.set_cursor_position(Position { x: area.x + column, y: area.y });
}

/// Splits a place after so many rows, as far as there are.
fn split(area: Rect, rows: usize) -> (Rect, Rect) {
    let rows = u16::try_from(rows).unwrap_or(u16::MAX).min(area.height);
    (Rect { height: rows, ..area }, Rect { y: area.y + rows, height: area.height - rows, ..area })
}

#[cfg(test)]
mod tests;
