//! A wide screen: the calls, and panes beside them.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};

use crate::app::App;
use crate::app::mouse::{Panes, Target};

use super::hits::Hits;
use super::theme::Theme;
use super::{Focus, calls_pane, log, people, trace};

/// Columns of the calls, where nothing was resized.
const CALLS: u16 = 84;
/// Columns that each side keeps.
const LEAST: u16 = 44;
/// From this many columns on, people and the ladder stand side by side; with fewer, one above the other.
const SIDE_BY_SIDE: u16 = 110;
/// Columns of people there.
const PEOPLE: u16 = 46;
/// From this many rows on the log shows below the calls, in so many.
const TALL: u16 = 26;
const LOG: u16 = 10;

/// Draws them.
pub fn draw(frame: &mut Frame, area: Rect, app: &App, theme: Theme, hits: &mut Hits) {
    // What keys go to shows, whatever was chosen.
    let panes = match app.beside.panes {
        Panes::People if app.trace_is_open() => Panes::Ladder,
        Panes::Ladder if app.people_pane().is_some() => Panes::People,
        Panes::Log | Panes::None if app.trace_is_open() => Panes::Ladder,
        Panes::Log | Panes::None if app.people_pane().is_some() => Panes::People,
        chosen => chosen,
    };
    let usual = CALLS.min(area.width / 2);
    let left = usual.saturating_add_signed(app.beside.more).clamp(LEAST, area.width.saturating_sub(LEAST).max(LEAST));
    let left = if panes == Panes::None { area.width } else { left };
    let [calls, beside] = Layout::horizontal([Constraint::Length(left), Constraint::Fill(1)]).areas(area);
    let with_log = panes != Panes::Log && area.height >= TALL;
    let log_rows = if with_log { LOG } else { 0 };
    let [calls, last] = Layout::vertical([Constraint::Fill(1), Constraint::Length(log_rows)]).areas(calls);
    calls_pane(frame, calls, app, theme, hits);
    if with_log {
        hits.add(last, Target::Log);
        log::draw_pane(frame, last, app, theme);
    }
    match panes {
        Panes::None => {}
        Panes::Log => {
            hits.add(beside, Target::Log);
            log::draw_pane(frame, beside, app, theme);
        }
        Panes::People => people(frame, beside, app, theme, hits),
        Panes::Ladder => ladder(frame, beside, app, theme, hits),
        Panes::All => {
            let [first, second] = match beside.width {
                SIDE_BY_SIDE.. => Layout::horizontal([Constraint::Length(PEOPLE), Constraint::Fill(1)]).areas(beside),
                _ => Layout::vertical([Constraint::Percentage(45), Constraint::Fill(1)]).areas(beside),
            };
            people(frame, first, app, theme, hits);
            ladder(frame, second, app, theme, hits);
        }
    }
}

fn people(frame: &mut Frame, area: Rect, app: &App, theme: Theme, hits: &mut Hits) {
    match app.people_pane() {
        Some(pane) => people::draw(frame, area, app, pane, Focus::Here, theme, hits),
        None => people::draw(frame, area, app, &app.beside.people, Focus::Elsewhere, theme, hits),
    }
}

fn ladder(frame: &mut Frame, area: Rect, app: &App, theme: Theme, hits: &mut Hits) {
    let focus = if app.trace_is_open() { Focus::Here } else { Focus::Elsewhere };
    trace::draw(frame, area, app, focus, theme, hits);
}
