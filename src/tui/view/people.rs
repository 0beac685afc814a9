//! Who is known, with their lamps, and the last calls.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};

use crate::app::people::{Known, List, Pane, PastCall, is_missed};
use crate::app::{App, text};
use crate::services::history::{Direction, Outcome};
use crate::ua::event::Lamp;

use super::calls::arrow;
use super::fit::{block, fit, left, right, width};
use super::theme::Theme;

/// From this many rows on both lists show, one above the other.
const BOTH: u16 = 12;
/// Columns of a day and a time of day, and of a duration.
const TIME: usize = 12;
const DURATION: usize = 8;

/// The colour of a lamp; its sign and its word say the same.
pub fn lamp_style(lamp: Lamp, theme: Theme) -> Style {
    match lamp {
        Lamp::Unknown | Lamp::Unregistered => theme.dim(),
        Lamp::Idle => theme.good(),
        Lamp::Ringing => theme.warning(),
        Lamp::Busy => theme.bad(),
    }
}

/// Draws the list in which the keys move, and the other one where there is room.
pub fn draw(frame: &mut Frame, area: Rect, app: &App, pane: &Pane, theme: Theme) {
    if area.height < BOTH {
        return match pane.list {
            List::Contacts => contacts(frame, area, app, pane, theme),
            List::Calls => calls(frame, area, app, pane, theme),
        };
    }
    let [above, below] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(area);
    contacts(frame, above, app, pane, theme);
    calls(frame, below, app, pane, theme);
}

fn contacts(frame: &mut Frame, area: Rect, app: &App, pane: &Pane, theme: Theme) {
    let people = app.book.people(&pane.query);
    let inner = framed(frame, area, pane, (List::Contacts, text::CONTACTS, people.len()), theme);
    if people.is_empty() {
        let why = if app.book.is_empty() { text::NOBODY } else { text::NOBODY_FOUND };
        return hint(frame, inner, why, theme);
    }
    let columns = usize::from(inner.width);
    let names = people.iter().map(|known| width(&known.name)).max().unwrap_or(0).min(columns * 2 / 5);
    let window = Window::new(pane, List::Contacts, people.len(), inner);
    let mut before = window.first.checked_sub(1).and_then(|place| people.get(place)).map(|known| known.person);
    let mut lines = Vec::new();
    for (place, known) in people.iter().enumerate().skip(window.first).take(window.rows) {
        // A further address of the one above needs no name, except where it begins the screen.
        let is_first = before != Some(known.person) || place == window.first;
        before = Some(known.person);
        lines.push(contact(known, is_first, window.chosen == Some(place), (columns, names), theme));
    }
    frame.render_widget(Text::from(lines), inner);
}

fn contact(
    known: &Known,
    is_first: bool,
    is_chosen: bool,
    (columns, names): (usize, usize),
    theme: Theme,
) -> Line<'static> {
    let strong = if is_chosen { theme.strong() } else { Style::new() };
    let lamp = known.lamp.map(|lamp| text::lamp(lamp, known.with.as_deref())).unwrap_or_default();
    let sign = known.lamp.map_or(" ", text::lamp_sign);
    let style = known.lamp.map_or(Style::new(), |lamp| lamp_style(lamp, theme));
    let rest = columns.saturating_sub(2 + 2 + names + 2);
    let lamp = fit(&lamp, rest / 2);
    let name = if is_first { known.name.as_str() } else { "" };
    let address = known.address.strip_prefix("sip:").unwrap_or(&known.address);
    Line::from(vec![
        Span::styled(if is_chosen { "▸ " } else { "  " }, theme.accent()),
        Span::styled(format!("{sign} "), style),
        Span::styled(left(name, names) + "  ", strong),
        Span::styled(left(address, rest.saturating_sub(width(&lamp) + 1)), theme.dim()),
        Span::styled(lamp, style),
    ])
}

fn calls(frame: &mut Frame, area: Rect, app: &App, pane: &Pane, theme: Theme) {
    let calls = app.book.calls(&pane.query);
    let inner = framed(frame, area, pane, (List::Calls, text::PAST_CALLS, calls.len()), theme);
    if calls.is_empty() {
        let why = if pane.query.is_empty() { text::NO_PAST_CALLS } else { text::NOBODY_FOUND };
        return hint(frame, inner, why, theme);
    }
    let columns = usize::from(inner.width);
    let window = Window::new(pane, List::Calls, calls.len(), inner);
    let shown = calls.iter().enumerate().skip(window.first).take(window.rows);
    let lines: Vec<Line> =
        shown.map(|(place, call)| past_call(app, call, window.chosen == Some(place), columns, theme)).collect();
    frame.render_widget(Text::from(lines), inner);
}

fn past_call(app: &App, call: &PastCall, is_chosen: bool, columns: usize, theme: Theme) -> Line<'static> {
    let entry = &call.entry;
    let strong = if is_chosen { theme.strong() } else { Style::new() };
    let missed = is_missed(entry);
    let time = call.at.map(|at| text::day_and_clock(at, app.now, app.settings.utc_offset)).unwrap_or_default();
    let who = entry.name.clone().unwrap_or_else(|| app.short(&entry.peer));
    // Seconds of a call: far below what a figure of this kind holds.
    let lasted = if entry.duration_s > 0.0 { text::duration(entry.duration_s as u64) } else { String::new() };
    let rest = columns.saturating_sub(2 + 2 + TIME + 2 + 2 + DURATION);
    let names = rest / 2;
    let style = match entry.result {
        Outcome::Missed => theme.bad(),
        Outcome::Failed => theme.warning(),
        Outcome::Answered
        | Outcome::Elsewhere
        | Outcome::Refused
        | Outcome::Cancelled
        | Outcome::Screened
        | Outcome::Diverted => theme.dim(),
    };
    Line::from(vec![
        Span::styled(if is_chosen { "▸ " } else { "  " }, theme.accent()),
        Span::styled(if missed { "! " } else { "  " }, style),
        Span::styled(left(&time, TIME) + "  ", theme.dim()),
        Span::styled(format!("{} ", arrow(entry.direction == Direction::In)), theme.dim()),
        Span::styled(left(&who, names.saturating_sub(1)) + " ", strong),
        Span::styled(left(&text::past_detail(app, entry), rest - names), style),
        Span::styled(right(&lasted, DURATION), theme.dim()),
    ])
}

/// The rows of a list that show: the chosen one stays in the middle, except near both ends.
struct Window {
    first: usize,
    rows: usize,
    chosen: Option<usize>,
}

impl Window {
    fn new(pane: &Pane, list: List, all: usize, inner: Rect) -> Window {
        let rows = usize::from(inner.height).max(1);
        let chosen = pane.chosen(list, all);
        let first = chosen.saturating_sub(rows / 2).min(all.saturating_sub(rows));
        Window { first, rows, chosen: (pane.list == list).then_some(chosen) }
    }
}

fn framed(frame: &mut Frame, area: Rect, pane: &Pane, (list, title, count): (List, &str, usize), theme: Theme) -> Rect {
    let style = if pane.list == list { theme.strong() } else { theme.dim() };
    let count = fit(&text::found(&pane.query, count), usize::from(area.width) / 2);
    let block = block(Line::styled(format!(" {title} "), style), theme)
        .title(Line::styled(format!(" {count} "), theme.dim()).right_aligned());
    let inner = block.inner(area);
    frame.render_widget(block, area);
    inner
}

fn hint(frame: &mut Frame, area: Rect, why: &'static str, theme: Theme) {
    frame.render_widget(
        Line::styled(format!(" {}", fit(why, usize::from(area.width).saturating_sub(2))), theme.dim()),
        area,
    );
}
