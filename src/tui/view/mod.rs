//! What the screen shows: a pure function of the app's state, one widget a file.

mod ascii;
mod calls;
mod card;
mod compare;
mod confirm;
mod devices;
mod fit;
mod footer;
mod graph;
mod header;
mod help;
mod hits;
mod incoming;
mod lanes;
mod line;
mod log;
mod message;
mod meter;
mod pad;
mod people;
mod picker;
mod services;
mod settings;
mod suggestions;
mod theme;
mod trace;
mod transfer_request;
mod wide;
pub mod wizard;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};

use crate::app::layout::WIDE;
use crate::app::mouse::Target;
use crate::app::{App, Screen, keymap, text};

use fit::fit;
pub use hits::Hits;
pub use theme::{Depth, Glyphs, Palette, Theme};

/// The smallest terminal that is drawn on.
const SMALLEST: (u16, u16) = (40, 10);
/// From this many rows on there is room for air, a larger card and two rows of keys.
const TALL: u16 = 20;
/// Below the calls, the recent ones show from this many rows on.
const RECENT_ROWS: u16 = 8;
/// Columns inside a pop-up, where there is room.
const POP_UP: u16 = 58;

/// Whether keys go to a pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Focus {
    /// They do.
    Here,
    /// It only shows.
    Elsewhere,
}

impl Focus {
    /// The style of its title.
    fn title(self, theme: Theme) -> Style {
        match self {
            Focus::Here => theme.accent().patch(theme.strong()),
            Focus::Elsewhere => theme.dim(),
        }
    }
}

/// Draws everything, and says where what can be clicked is.
pub fn draw(frame: &mut Frame, app: &App, theme: Theme) -> Hits {
    let mut hits = Hits::default();
    draw_all(frame, app, theme, &mut hits);
    if theme.glyphs == Glyphs::Ascii {
        ascii::replace(frame.buffer_mut());
    }
    hits
}

fn draw_all(frame: &mut Frame, app: &App, theme: Theme, hits: &mut Hits) {
    let area = frame.area();
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return too_small(frame, area, theme);
    }
    let top = app.screens.iter().rev().find(|screen| !matches!(screen, Screen::Confirm));
    let [text, keys] = Layout::vertical([Constraint::Fill(1), Constraint::Length(1)]).areas(area);
    if app.settings_panel().is_some() && matches!(top, Some(Screen::Settings(_) | Screen::Line(_))) {
        settings_screen(frame, area, app, theme, hits);
        return pop_ups(frame, area, app, theme, hits);
    }
    match top {
        Some(Screen::Message(reader)) => message::draw(frame, text, app, *reader, theme),
        Some(Screen::Compare(reader)) => compare::draw(frame, text, app, *reader, theme),
        Some(Screen::Help(reader)) => help::draw(frame, text, app, *reader, theme),
        Some(Screen::Log(reader)) => log::draw_all(frame, text, app, *reader, theme),
        Some(
            Screen::Line(_)
            | Screen::Pad(_)
            | Screen::People(_)
            | Screen::Services(_)
            | Screen::Devices(_)
            | Screen::Settings(_)
            | Screen::Trace
            | Screen::Confirm,
        )
        | None => {
            main(frame, area, app, theme, hits);
            return pop_ups(frame, area, app, theme, hits);
        }
    }
    // A text that takes the whole screen but the keys.
    footer::draw(frame, keys, app, theme, hits);
    pop_ups(frame, area, app, theme, hits);
}

/// The settings, and the line in which a value is typed.
fn settings_screen(frame: &mut Frame, area: Rect, app: &App, theme: Theme, hits: &mut Hits) {
    let Some(panel) = app.settings_panel() else { return };
    let rows = u16::from(app.line().is_some());
    let [list, typed, keys] =
        Layout::vertical([Constraint::Fill(1), Constraint::Length(rows), Constraint::Length(1)]).areas(area);
    settings::draw(frame, list, panel, theme);
    if rows > 0 {
        line::draw(frame, typed, app, theme);
    }
    footer::draw(frame, keys, app, theme, hits);
}

fn main(frame: &mut Frame, area: Rect, app: &App, theme: Theme, hits: &mut Hits) {
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
        wide::draw(frame, body, app, theme, hits);
    } else if let Some(pane) = app.people_pane() {
        people::draw(frame, body, app, pane, Focus::Here, theme, hits);
    } else if app.trace_is_open() {
        trace::draw(frame, body, app, Focus::Here, theme, hits);
    } else {
        let lines = if is_tall { (body.height / 5).max(3) } else { 1 };
        let [calls, last] = Layout::vertical([Constraint::Fill(1), Constraint::Length(lines)]).areas(body);
        calls_pane(frame, calls, app, theme, hits);
        hits.add(last, Target::Log);
        log::draw_last(frame, last, app, theme);
    }
    frame.render_widget(Line::styled("─".repeat(usize::from(rule.width)), theme.border()), rule);
    suggestions::draw(frame, body, app, theme, hits);
    line::draw(frame, typed, app, theme);
    footer::draw(frame, keys, app, theme, hits);
}

/// The first rows of an area, and the rest.
fn above(area: Rect, rows: u16) -> [Rect; 2] {
    Layout::vertical([Constraint::Length(rows), Constraint::Fill(1)]).areas(area)
}

/// A row of an area.
fn row_of(area: Rect, place: usize) -> Rect {
    let place = u16::try_from(place).unwrap_or(u16::MAX);
    let y = area.y.saturating_add(place);
    Rect { y, height: u16::from(place < area.height), ..area }
}

/// The call in front and the list of calls.
fn calls_pane(frame: &mut Frame, area: Rect, app: &App, theme: Theme, hits: &mut Hits) {
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
    calls::draw(frame, list, app, theme, hits);
    if rest.height >= RECENT_ROWS {
        calls::draw_recent(frame, rest, app, theme);
    }
}

/// What lies over all else. The question whether to quit comes first, then calls that come in.
fn pop_ups(frame: &mut Frame, area: Rect, app: &App, theme: Theme, hits: &mut Hits) {
    // The line, where one is typed, and the keys stay in sight.
    let area = Rect { height: area.height.saturating_sub(2), ..area };
    let top = app.screens.last();
    if let Some(panel) = app.panel().filter(|_| app.people_pane().is_none()) {
        services::draw(frame, area, app, panel, theme);
    }
    if let Some(Screen::Devices(picker)) = top {
        picker::draw(frame, area, app, picker, theme);
    }
    if let Some(Screen::Pad(call)) = top {
        pad::draw(frame, area, app, *call, theme);
    }
    if let Some(Screen::Confirm) = top {
        confirm::draw(frame, area, app, theme, hits);
    } else if app.quitting {
    } else if let Some(call) = app.pop_up_call() {
        incoming::draw(frame, area, app, call, theme, hits);
    } else if let Some(request) = app.pop_up_request() {
        transfer_request::draw(frame, area, app, request, theme, hits);
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

/// Draws the lines of a pop-up, and in its last row the keys; while a line is typed they are text, and `instead` says so.
fn with_keys(
    frame: &mut Frame,
    inner: Rect,
    app: &App,
    mut lines: Vec<Line<'static>>,
    instead: &'static str,
    theme: Theme,
    hits: &mut Hits,
) {
    // In a pop-up that is too low the keys take the place of the last row that fits.
    lines.truncate(usize::from(inner.height).saturating_sub(1));
    let at = row_of(inner, lines.len());
    if app.context().is_text() {
        lines.push(Line::styled(format!("  {instead}"), theme.warning()));
    } else {
        let mut spans = vec![Span::raw(" ")];
        let mut x = at.x.saturating_add(1);
        for (name, label, key) in keymap::footer_keys(app) {
            let pair = [
                Span::styled(format!(" {name}"), theme.accent().patch(theme.strong())),
                Span::raw(format!(" {label}  ")),
            ];
            let columns = u16::try_from(pair.iter().map(Span::width).sum::<usize>()).unwrap_or(u16::MAX);
            if let Some(key) = key {
                hits.add(Rect { x, width: columns, ..at }.intersection(inner), Target::Key(key));
            }
            x = x.saturating_add(columns);
            spans.extend(pair);
        }
        lines.push(Line::from(spans));
    }
    frame.render_widget(Text::from(lines), inner);
}

#[cfg(test)]
mod tests;
