//! The ladder: arrows between this phone and each other side, and what lies between them.

use std::net::SocketAddr;
use std::time::SystemTime;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};

use crate::app::compare::description;
use crate::app::mouse::Target;
use crate::app::trace::notes::{Note, Sound, What};
use crate::app::trace::{Message, Rung};
use crate::app::{App, text};
use crate::phone::TraceEntry;
use crate::phone::event::Direction;

use super::fit::{block, fit, right, width};
use super::hits::Hits;
use super::theme::Theme;
use super::{Focus, lanes};
use lanes::Lanes;

/// Columns of a wait, and of a call's number.
const WAIT: usize = 8;
const CALL: usize = 4;
/// From this width on milliseconds show.
const ROOMY: usize = 70;
/// From this width on waits show.
const WITH_WAITS: usize = 50;

/// A row that shows.
struct Row<'a> {
    id: u64,
    rung: Rung<'a>,
    remote: Option<SocketAddr>,
    /// Since the row above.
    wait: Option<String>,
}

/// Draws it in a frame.
pub fn draw(frame: &mut Frame, area: Rect, app: &App, focus: Focus, theme: Theme, hits: &mut Hits) {
    let trace = &app.trace;
    let all = trace.visible_len();
    let mut count = text::trace_count(all, trace.filter().is_some(), trace.query());
    if trace.is_searching() {
        count.push_str(text::SEARCHING);
    }
    let block = block(Line::styled(format!(" {} ", text::TRACE_TITLE), focus.title(theme)), theme)
        .title(Line::styled(format!(" {count} "), theme.dim()).right_aligned());
    let inner = block.inner(area);
    frame.render_widget(block, area);
    hits.add(area, Target::Ladder);
    if all == 0 {
        let why = match () {
            () if trace.is_empty() => text::TRACE_EMPTY,
            () if trace.is_searching() => "",
            () => text::TRACE_NOT_FOUND,
        };
        frame.render_widget(Line::styled(format!(" {why}"), theme.dim()), inner);
        return;
    }
    // The other sides' names stand above.
    let [names, body] = super::above(inner, 1);
    let rows = usize::from(body.height).max(1);
    let at = trace.selected_place().unwrap_or(all - 1);
    // The selected row stays in the middle, except near both ends.
    let first = at.saturating_sub(rows / 2).min(all.saturating_sub(rows));
    let shown = rows_from(app, first, rows);
    let columns = usize::from(inner.width);
    let before = 2 + if columns >= ROOMY { 13 } else { 9 } + if columns >= WITH_WAITS { WAIT } else { 0 };
    let after = if columns >= ROOMY { CALL + 1 } else { 1 };
    let lanes = Lanes::new(shown.iter().filter_map(|row| row.remote), columns.saturating_sub(before + after));
    let mut heads = vec![Span::raw(" ".repeat(before))];
    heads.extend(lanes.names(text::NAME, theme));
    frame.render_widget(Line::from(heads), names);
    let selected = trace.selected_id();
    let mut lines = Vec::new();
    for (place, row) in shown.iter().enumerate() {
        let is_selected = focus == Focus::Here && Some(row.id) == selected;
        lines.push(line(app, row, is_selected, columns, &lanes, theme));
        hits.add(super::row_of(body, place), Target::Rung(row.id));
    }
    frame.render_widget(Text::from(lines), body);
}

fn rows_from(app: &App, first: usize, rows: usize) -> Vec<Row<'_>> {
    let trace = &app.trace;
    let time_of = |place: usize| trace.visible(place).and_then(|id| trace.rung(id)).map(|rung| rung.time());
    let mut before: Option<SystemTime> = first.checked_sub(1).and_then(time_of);
    let mut shown = Vec::new();
    for id in (first..first + rows).filter_map(|place| trace.visible(place)) {
        let Some(rung) = trace.rung(id) else { continue };
        let time = rung.time();
        let wait = before.map(|before| text::wait(time.duration_since(before).unwrap_or_default()));
        before = Some(time);
        shown.push(Row { id, rung, remote: trace.remote(id), wait });
    }
    shown
}

fn line(app: &App, row: &Row, is_selected: bool, columns: usize, lanes: &Lanes, theme: Theme) -> Line<'static> {
    let offset = app.settings.utc_offset;
    let time = row.rung.time();
    let clock = if columns >= ROOMY { text::clock_ms(time, offset) } else { text::clock(time, offset) };
    let mut spans = vec![
        Span::styled(if is_selected { "▸ " } else { "  " }, theme.accent()),
        Span::styled(format!("{clock} "), theme.dim()),
    ];
    if columns >= WITH_WAITS {
        let wait = row.wait.clone().unwrap_or_default();
        let style = if text::is_long(&wait) { Style::new() } else { theme.dim() };
        spans.push(Span::styled(right(&wait, WAIT - 1) + " ", style));
    }
    let strong = if is_selected { theme.selected() } else { Style::new() };
    let call = match &row.rung {
        Rung::Message(message) => {
            spans.extend(of_message(message, row.remote, lanes, strong, theme));
            message.entry.call
        }
        Rung::Note(note) => {
            spans.extend(of_note(app, note, row.remote, lanes, strong, theme));
            Some(note.call)
        }
    };
    if columns >= ROOMY {
        let call = call.map_or_else(String::new, |call| call.to_string());
        spans.push(Span::styled(right(&call, CALL + 1), theme.dim()));
    }
    Line::from(spans)
}

fn of_message(
    message: &Message,
    remote: Option<SocketAddr>,
    lanes: &Lanes,
    strong: Style,
    theme: Theme,
) -> Vec<Span<'static>> {
    let entry = &message.entry;
    let end = lanes.end(remote);
    let room = lanes.room(end);
    let mut label = Vec::new();
    let again = text::again(message);
    let counted = if width(&again) + 8 <= room { again } else { text::times(message.times) };
    let gap = usize::from(!counted.is_empty());
    let with = if description(entry).is_some() { text::WITH_SDP } else { "" };
    let mut rest = room.saturating_sub(width(&counted) + gap);
    let is_response = entry.summary.starts_with("SIP/2.0 ");
    let words = short(&entry.summary);
    let style = summary_style(entry, theme).patch(strong);
    let words = fit(&words, rest);
    rest -= width(&words);
    label.push(Span::styled(words, style));
    let method = entry.cseq.rsplit(' ').next().unwrap_or_default();
    for (text, is_wanted) in [(format!(" {method}"), is_response), (with.to_owned(), !with.is_empty())] {
        if is_wanted && width(&text) <= rest {
            rest -= width(&text);
            label.push(Span::styled(text, theme.dim()));
        }
    }
    if gap > 0 {
        label.push(Span::styled(format!(" {counted}"), theme.warning()));
    }
    let way = if entry.sent { lanes::Way::There } else { lanes::Way::Here };
    lanes.arrow(end, way, '─', label, theme.accent(), theme)
}

fn of_note(
    app: &App,
    note: &Note,
    remote: Option<SocketAddr>,
    lanes: &Lanes,
    strong: Style,
    theme: Theme,
) -> Vec<Span<'static>> {
    let end = lanes.end(remote);
    let (way, stroke, style) = match &note.what {
        What::Sound(Sound { .. }) => (lanes::Way::Both, '═', theme.good()),
        What::Digits(Direction::Sent, _) => (lanes::Way::There, '┄', theme.accent()),
        What::Digits(Direction::Received, _) => (lanes::Way::Here, '┄', theme.accent()),
        What::TimedOut => (lanes::Way::None, ' ', theme.bad()),
    };
    let words = match &note.what {
        What::Sound(sound) => text::sound(sound, note.time, app.now),
        What::Digits(..) | What::TimedOut => text::note(note),
    };
    let words = fit(&words, lanes.room(end));
    lanes.arrow(end, way, stroke, vec![Span::styled(words, style.patch(strong))], style, theme)
}

/// Which way a message went.
pub fn arrow(sent: bool) -> &'static str {
    if sent { "──→" } else { "←──" }
}

/// The first line without the version, which is the same in all, and without `sip:`, which most have.
pub fn short(summary: &str) -> String {
    let summary = summary.strip_prefix("SIP/2.0 ").unwrap_or(summary);
    let summary = summary.strip_suffix(" SIP/2.0").unwrap_or(summary);
    match summary.split_once(" sip:") {
        Some((method, address)) if !method.contains(' ') => format!("{method} {address}"),
        Some(_) | None => summary.to_owned(),
    }
}

/// The class of a response; its code says the same in figures.
fn summary_style(entry: &TraceEntry, theme: Theme) -> Style {
    match entry.summary.strip_prefix("SIP/2.0 ").and_then(|rest| rest.chars().next()) {
        Some('1') => theme.dim(),
        Some('2') => theme.good(),
        Some('3') => theme.warning(),
        // A challenge is not a failure.
        Some('4') if entry.summary.contains(" 401 ") || entry.summary.contains(" 407 ") => theme.warning(),
        Some(_) => theme.bad(),
        None => Style::new(),
    }
}
