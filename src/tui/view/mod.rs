//! What the screen shows: a pure function of the app's state, one widget a file.

mod calls;
mod card;
mod compare;
mod confirm;
mod fit;
mod footer;
mod header;
mod help;
mod incoming;
mod line;
mod log;
mod message;
mod meter;
mod pad;
mod people;
mod services;
mod suggestions;
mod theme;
mod trace;
mod transfer_request;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span, Text};

use crate::app::{App, Screen, keymap, text};

use fit::fit;
pub use theme::Theme;

/// The smallest terminal that is drawn on.
const SMALLEST: (u16, u16) = (40, 10);
/// From this many rows on there is room for air, a larger card and two rows of keys.
const TALL: u16 = 20;
/// From this many columns on the log, or the trace, stands beside the calls.
const WIDE: u16 = 150;
/// Columns of the calls on a wide screen.
const WIDE_LEFT: u16 = 84;
/// Below the calls, the recent ones show from this many rows on.
const RECENT_ROWS: u16 = 8;
/// Columns inside a pop-up, where there is room.
const POP_UP: u16 = 58;

/// Draws everything.
pub fn draw(frame: &mut Frame, app: &App, theme: Theme) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return too_small(frame, area, theme);
    }
    let top = app.screens.iter().rev().find(|screen| !matches!(screen, Screen::Confirm));
    match top {
        Some(Screen::Message(reader)) => full(frame, area, app, theme, |frame, area| {
            message::draw(frame, area, app, *reader, theme);
        }),
        Some(Screen::Compare(reader)) => full(frame, area, app, theme, |frame, area| {
            compare::draw(frame, area, app, *reader, theme);
        }),
        Some(Screen::Help(reader)) => full(frame, area, app, theme, |frame, area| {
            help::draw(frame, area, app, *reader, theme);
        }),
        Some(Screen::Log(reader)) => full(frame, area, app, theme, |frame, area| {
            log::draw_all(frame, area, app, *reader, theme);
        }),
        Some(
            Screen::Line(_)
            | Screen::Pad(_)
            | Screen::People(_)
            | Screen::Services(_)
            | Screen::Trace
            | Screen::Confirm,
        )
        | None => {
            main(frame, area, app, theme);
        }
    }
    pop_ups(frame, area, app, theme);
}

/// A text that takes the whole screen but the keys.
fn full(frame: &mut Frame, area: Rect, app: &App, theme: Theme, draw: impl FnOnce(&mut Frame, Rect)) {
    let [text, keys] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    draw(frame, text);
    footer::draw(frame, keys, app, theme);
}

fn main(frame: &mut Frame, area: Rect, app: &App, theme: Theme) {
    let is_tall = area.height >= TALL;
    let air = u16::from(is_tall);
    let [head, _, body, rule, typed, keys] = Layout::vertical([
        Constraint::Length(header::rows(app).min(area.height / 4)),
        Constraint::Length(air),
        Constraint::Fill(1),
        Constraint::Length(air),
        Constraint::Length(1),
        Constraint::Length(1 + air),
    ])
    .areas(area);
    header::draw(frame, head, app, theme);
    if area.width >= WIDE {
        let [left, right] = Layout::horizontal([Constraint::Length(WIDE_LEFT), Constraint::Fill(1)]).areas(body);
        calls_pane(frame, left, app, theme);
        if let Some(pane) = app.people_pane() {
            people::draw(frame, right, app, pane, theme);
        } else if app.trace_is_open() {
            trace::draw(frame, right, app, theme);
        } else {
            log::draw_pane(frame, right, app, theme);
        }
    } else if let Some(pane) = app.people_pane() {
        people::draw(frame, body, app, pane, theme);
    } else if app.trace_is_open() {
        trace::draw(frame, body, app, theme);
    } else {
        let lines = if is_tall { (body.height / 5).max(3) } else { 1 };
        let [calls, last] = Layout::vertical([Constraint::Fill(1), Constraint::Length(lines)]).areas(body);
        calls_pane(frame, calls, app, theme);
        log::draw_last(frame, last, app, theme);
    }
    frame.render_widget(Line::styled("─".repeat(usize::from(rule.width)), theme.dim()), rule);
    suggestions::draw(frame, body, app, theme);
    line::draw(frame, typed, app, theme);
    footer::draw(frame, keys, app, theme);
}

/// The call in front and the list of calls.
fn calls_pane(frame: &mut Frame, area: Rect, app: &App, theme: Theme) {
    let Some(call) = app.shown_call() else {
        return calls::draw_idle(frame, area, app, theme);
    };
    let card = match area.height {
        height if height >= card::ROWS + 4 => card::ROWS,
        height if height >= card::COMPACT_ROWS + 2 => card::COMPACT_ROWS,
        _ => card::SMALLEST_ROWS,
    };
    let air = u16::from(area.height >= card + 5);
    // A heading, and a row for each call.
    let list = u16::try_from(app.calls.len() + 1).unwrap_or(u16::MAX);
    let [front, _, list, rest] = Layout::vertical([
        Constraint::Length(card),
        Constraint::Length(air),
        Constraint::Max(list),
        Constraint::Fill(1),
    ])
    .areas(area);
    card::draw(frame, front, app, call, theme);
    calls::draw(frame, list, app, theme);
    if rest.height >= RECENT_ROWS {
        calls::draw_recent(frame, rest, app, theme);
    }
}

/// What lies over all else. The question whether to quit comes first, then calls that come in.
fn pop_ups(frame: &mut Frame, area: Rect, app: &App, theme: Theme) {
    // The line, where one is typed, and the keys stay in sight.
    let area = Rect { height: area.height.saturating_sub(2), ..area };
    let top = app.screens.last();
    if let Some(panel) = app.panel().filter(|_| app.people_pane().is_none()) {
        services::draw(frame, area, app, panel, theme);
    }
    if let Some(Screen::Pad(call)) = top {
        pad::draw(frame, area, app, *call, theme);
    }
    if let Some(Screen::Confirm) = top {
        confirm::draw(frame, area, app, theme);
    } else if app.quitting {
    } else if let Some(call) = app.pop_up_call() {
        incoming::draw(frame, area, app, call, theme);
    } else if let Some(request) = app.pop_up_request() {
        transfer_request::draw(frame, area, app, request, theme);
    }
}

fn too_small(frame: &mut Frame, area: Rect, theme: Theme) {
    let columns = usize::from(area.width);
    let lines = vec![
        Line::styled(fit(text::TOO_SMALL, columns), theme.strong()).centered(),
        Line::styled(fit(&text::size_needed(SMALLEST.0, SMALLEST.1), columns), theme.dim()).centered(),
    ];
    let above = area.height.saturating_sub(2) / 2;
    let area = Rect { y: area.y + above, height: area.height - above, ..area };
    frame.render_widget(Text::from(lines), area);
}

/// Columns inside a pop-up.
fn pop_up_columns(area: Rect) -> u16 {
    POP_UP.min(area.width.saturating_sub(4))
}

/// The keys of a pop-up; while a line is typed they are text, and `instead` says so.
fn keys_row(app: &App, instead: &'static str, theme: Theme) -> Line<'static> {
    if app.context().is_text() {
        return Line::styled(format!("  {instead}"), theme.warning());
    }
    let mut spans = vec![Span::raw(" ")];
    for (key, label) in keymap::footer(app) {
        spans.push(Span::styled(format!(" {key}"), theme.accent().patch(theme.strong())));
        spans.push(Span::raw(format!(" {label}  ")));
    }
    Line::from(spans)
}

/// In a pop-up that is too low the last row, with the keys, takes the place of the last one that fits.
fn keep_last(lines: &mut Vec<Line<'static>>, inner: Rect) {
    let rows = usize::from(inner.height);
    if lines.len() > rows && rows > 0 {
        lines.drain(rows - 1..lines.len() - 1);
    }
}

#[cfg(test)]
mod tests;
