//! The calls that are up, a row each; or, when there is none, those that are over.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};

use crate::app::call::{Call, Past};
use crate::app::mouse::Target;
use crate::app::{App, text};
use crate::phone::security::Lock;
use crate::phone::snapshot::CallStage;

use super::fit::{left, right, width};
use super::graph;
use super::hits::Hits;
use super::theme::Theme;

/// Columns of a state, and of a duration.
const STATE: usize = 14;
const DURATION: usize = 7;
/// Columns of a codec's name.
const CODEC: usize = 6;

/// Which way a call went.
pub fn arrow(incoming: bool) -> &'static str {
    if incoming { "←" } else { "→" }
}

/// The colour of a state.
pub fn state_style(call: &Call, theme: Theme) -> Style {
    match call.stage {
        CallStage::Established if call.held || call.remote_held => theme.warning(),
        CallStage::Established => theme.good(),
        CallStage::Calling | CallStage::Ringing | CallStage::Early => theme.accent(),
        CallStage::Ending => theme.dim(),
    }
}

/// The colour of a lock.
pub fn lock_style(lock: Lock, theme: Theme) -> Style {
    match lock {
        Lock::None => Style::new(),
        Lock::Half => theme.warning(),
        Lock::Whole => theme.good(),
    }
}

/// Draws the list.
pub fn draw(frame: &mut Frame, area: Rect, app: &App, theme: Theme, hits: &mut Hits) {
    let columns = usize::from(area.width);
    let has_heading = area.height > 2 || usize::from(area.height) > app.calls.len();
    let rows = usize::from(area.height).saturating_sub(usize::from(has_heading));
    let selected = app.calls.iter().position(|call| Some(call.no) == app.selected).unwrap_or(0);
    let first = (selected + 1).saturating_sub(rows.max(1));
    let mut lines = Vec::new();
    if has_heading {
        lines.push(heading(text::CALLS, theme));
    }
    for (place, call) in app.calls.iter().enumerate().skip(first).take(rows) {
        hits.add(super::row_of(area, lines.len()), Target::Call(call.no));
        lines.push(row(app, call, place == selected, columns, theme));
    }
    frame.render_widget(Text::from(lines), area);
}

/// A title over rows.
pub fn heading(title: &str, theme: Theme) -> Line<'static> {
    Line::styled(format!(" {title}"), theme.dim())
}

fn row(app: &App, call: &Call, is_selected: bool, columns: usize, theme: Theme) -> Line<'static> {
    let no = left(&call.no.to_string(), 4);
    let duration = call.answered.or(Some(call.began)).map(|time| text::duration(app.since(time))).unwrap_or_default();
    let mut state = text::call_state(call).to_owned();
    if app.muted && call.is_active() {
        state = format!("{state}, {}", text::MUTED);
    }
    // Codec and quality need room.
    let is_roomy = columns >= 76;
    let codec = if is_roomy { CODEC } else { 0 };
    let lock = call.security.lock();
    let mark = text::lock_mark(lock);
    let after = if is_roomy { 6 } else { 1 };
    let rest = columns.saturating_sub(3 + 4 + 2 + width(mark) + STATE + 1 + DURATION + codec + after);
    let (name, uri) = names(call, rest);
    let strong = if is_selected { theme.selected() } else { Style::new() };
    let mut spans = vec![
        Span::styled(if is_selected { " ▸ " } else { "   " }, theme.accent()),
        Span::styled(no, strong),
        Span::styled(format!("{} ", arrow(call.incoming)), theme.dim()),
        Span::styled(mark, lock_style(lock, theme)),
        Span::styled(name, strong),
        Span::styled(uri, theme.dim()),
        Span::styled(left(&state, STATE), state_style(call, theme)),
        Span::raw(right(&duration, DURATION + 1)),
    ];
    if is_roomy {
        let codec = call.codec.as_deref().unwrap_or("");
        spans.push(Span::styled(right(codec, CODEC), theme.dim()));
        spans.push(Span::raw("  "));
        spans.push(graph::quality(call.stats.as_ref().filter(|_| call.is_active()), theme));
    }
    Line::from(spans)
}

/// Name and URI in `columns`, of which the URI gets the larger part.
fn names(call: &Call, columns: usize) -> (String, String) {
    match &call.name {
        Some(name) if columns >= 30 => {
            let for_name = columns * 2 / 5;
            (left(name, for_name - 1) + " ", left(&call.peer, columns - for_name - 1) + " ")
        }
        Some(name) => (left(name, columns.saturating_sub(1)) + " ", String::new()),
        None => (left(&call.peer, columns.saturating_sub(1)) + " ", String::new()),
    }
}

/// Draws the screen without a call: a hint, and the calls that are over.
pub fn draw_idle(frame: &mut Frame, area: Rect, app: &App, theme: Theme) {
    let columns = usize::from(area.width);
    let rows = usize::from(area.height);
    let mut lines = Vec::new();
    // Rows of the hint, the heading and air.
    let hint = [Some(text::NO_CALLS_HINT), app.settings.hint];
    let hint: Vec<Line> = hint.into_iter().flatten().map(|hint| Line::styled(hint, theme.dim()).centered()).collect();
    let own = 1 + hint.len();
    let recent = app.recent.len().min(rows.saturating_sub(own + 5));
    let above = (rows.saturating_sub(recent + if recent > 0 { own + 2 } else { own }) / 2).min(6);
    lines.extend(std::iter::repeat_n(Line::default(), above));
    lines.push(Line::styled(text::NO_CALLS, theme.strong()).centered());
    lines.extend(hint);
    if recent > 0 {
        lines.extend(std::iter::repeat_n(Line::default(), rows.saturating_sub(above + own + 2 + recent)));
        lines.extend(recent_rows(app, recent, columns, theme));
    }
    frame.render_widget(Text::from(lines), area);
}

/// Draws the calls that are over, as many as there is room for, at the bottom.
pub fn draw_recent(frame: &mut Frame, area: Rect, app: &App, theme: Theme) {
    let rows = usize::from(area.height);
    let recent = app.recent.len().min(rows.saturating_sub(2));
    if recent == 0 {
        return;
    }
    let mut lines = vec![Line::default(); rows.saturating_sub(recent + 2)];
    lines.extend(recent_rows(app, recent, usize::from(area.width), theme));
    frame.render_widget(Text::from(lines), area);
}

/// A heading and `count` rows.
fn recent_rows(app: &App, count: usize, columns: usize, theme: Theme) -> Vec<Line<'static>> {
    let mut rows = vec![heading(text::RECENT, theme)];
    rows.extend(app.recent.iter().take(count).map(|past| past_row(past, columns, app.settings.utc_offset, theme)));
    rows
}

fn past_row(past: &Past, columns: usize, utc_offset: i32, theme: Theme) -> Line<'static> {
    let clock = text::clock(past.ended, utc_offset);
    let talked = past.talked.map(|talked| text::duration(talked.as_secs())).unwrap_or_default();
    let rest = columns.saturating_sub(3 + width(&clock) + 2 + 2 + 1 + DURATION + 1);
    let who = rest * 3 / 5;
    Line::from(vec![
        Span::styled(format!("   {clock}  "), theme.dim()),
        Span::styled(format!("{} ", arrow(past.incoming)), theme.dim()),
        Span::raw(left(&past.who, who.saturating_sub(1)) + " "),
        Span::styled(left(&past.outcome, rest - who), theme.dim()),
        Span::styled(right(&talked, DURATION + 1), theme.dim()),
    ])
}
