//! Who is known, with their lamps, and the last calls.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};

use crate::app::layout::wrap;
use crate::app::mouse::Target;
use crate::app::people::{Known, List, Pane, PastCall, is_missed};
use crate::app::{App, text};
use crate::services::history::{Direction, Outcome};
use crate::ua::event::Lamp;

use super::Focus;
use super::calls::arrow;
use super::fit::{block, fit, left, right, width};
use super::hits::Hits;
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
pub fn draw(frame: &mut Frame, area: Rect, app: &App, pane: &Pane, focus: Focus, theme: Theme, hits: &mut Hits) {
    let mut to = To { frame, hits, focus, theme };
    if area.height < BOTH {
        return match pane.list {
            List::Contacts => contacts(&mut to, area, app, pane),
            List::Calls => calls(&mut to, area, app, pane),
        };
    }
    let [above, below] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(area);
    contacts(&mut to, above, app, pane);
    calls(&mut to, below, app, pane);
}

/// Where it is drawn to, and how.
struct To<'a, 'b> {
    frame: &'a mut Frame<'b>,
    hits: &'a mut Hits,
    focus: Focus,
    theme: Theme,
}

fn contacts(to: &mut To, area: Rect, app: &App, pane: &Pane) {
    let theme = to.theme;
    let people = app.book.people(&pane.query);
    let inner = framed(to, area, pane, (List::Contacts, text::CONTACTS, people.len()));
    if people.is_empty() {
        let why = if app.book.is_empty() { text::NOBODY } else { text::NOBODY_FOUND };
        return hint(to.frame, inner, why, theme);
    }
    let columns = usize::from(inner.width);
    let names = people.iter().map(|known| width(&known.name)).max().unwrap_or(0).min(columns * 2 / 5);
    let window = Window::new(pane, to.focus, List::Contacts, people.len(), inner);
    let mut before = window.first.checked_sub(1).and_then(|place| people.get(place)).map(|known| known.person);
    let mut lines = Vec::new();
    for (place, known) in people.iter().enumerate().skip(window.first).take(window.rows) {
        // A further address of the one above needs no name, except where it begins the screen.
        let is_first = before != Some(known.person) || place == window.first;
        before = Some(known.person);
        to.hits.add(super::row_of(inner, lines.len()), Target::Person(List::Contacts, place));
        lines.push(contact(known, is_first, window.chosen == Some(place), (columns, names), theme));
    }
    to.frame.render_widget(Text::from(lines), inner);
}

fn contact(
    known: &Known,
    is_first: bool,
    is_chosen: bool,
    (columns, names): (usize, usize),
    theme: Theme,
) -> Line<'static> {
    let strong = if is_chosen { theme.selected() } else { Style::new() };
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

fn calls(to: &mut To, area: Rect, app: &App, pane: &Pane) {
    let theme = to.theme;
    let calls = app.book.calls(&pane.query);
    let inner = framed(to, area, pane, (List::Calls, text::PAST_CALLS, calls.len()));
    if calls.is_empty() {
        let why = if pane.query.is_empty() { text::NO_PAST_CALLS } else { text::NOBODY_FOUND };
        return hint(to.frame, inner, why, theme);
    }
    let columns = usize::from(inner.width);
    let window = Window::new(pane, to.focus, List::Calls, calls.len(), inner);
    let mut lines = Vec::new();
    for (place, call) in calls.iter().enumerate().skip(window.first).take(window.rows) {
        to.hits.add(super::row_of(inner, lines.len()), Target::Person(List::Calls, place));
        lines.push(past_call(app, call, window.chosen == Some(place), columns, theme));
    }
    to.frame.render_widget(Text::from(lines), inner);
}

fn past_call(app: &App, call: &PastCall, is_chosen: bool, columns: usize, theme: Theme) -> Line<'static> {
    let entry = &call.entry;
    let strong = if is_chosen { theme.selected() } else { Style::new() };
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
    fn new(pane: &Pane, focus: Focus, list: List, all: usize, inner: Rect) -> Window {
        let rows = usize::from(inner.height).max(1);
        let chosen = pane.chosen(list, all);
        let first = chosen.saturating_sub(rows / 2).min(all.saturating_sub(rows));
        Window { first, rows, chosen: (pane.list == list && focus == Focus::Here).then_some(chosen) }
    }
}

fn framed(to: &mut To, area: Rect, pane: &Pane, (list, title, count): (List, &str, usize)) -> Rect {
    let theme = to.theme;
    let style = if pane.list == list { to.focus.title(theme) } else { theme.dim() };
    let count = fit(&text::found(&pane.query, count), usize::from(area.width) / 2);
    let block = block(Line::styled(format!(" {title} "), style), theme)
        .title(Line::styled(format!(" {count} "), theme.dim()).right_aligned());
    let inner = block.inner(area);
    to.frame.render_widget(block, area);
    to.hits.add(area, Target::People(list));
    inner
}

fn hint(frame: &mut Frame, area: Rect, why: &'static str, theme: Theme) {
    let rows = wrap(why, usize::from(area.width).saturating_sub(2));
    let lines: Vec<Line> = rows.into_iter().map(|row| Line::styled(format!(" {row}"), theme.dim())).collect();
    frame.render_widget(Text::from(lines), area);
}
