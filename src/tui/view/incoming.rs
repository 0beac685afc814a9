//! The pop-up of an incoming call.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::app::call::Call;
use crate::app::{App, text};

use super::fit::{fit, pop_up};
use super::theme::Theme;
use super::{Hits, pop_up_columns, with_keys};

/// Draws it. While a line is typed its keys are text, and the pop-up says how to reach it.
pub fn draw(frame: &mut Frame, area: Rect, app: &App, call: &Call, theme: Theme, hits: &mut Hits) {
    let columns = pop_up_columns(area);
    let text_columns = usize::from(columns).saturating_sub(4);
    let row = |text: &str, style| Line::styled(format!("  {}", fit(text, text_columns)), style);
    let mut lines = vec![Line::default(), row(call.who(), theme.strong())];
    if call.name.is_some() {
        lines.push(row(&call.peer, ratatui::style::Style::new()));
    }
    if let Some(called) = &call.called {
        lines.push(row(&text::called(called, call.account.as_deref()), theme.dim()));
    }
    if let Some(who) = &call.diverted_from {
        lines.push(row(&text::forwarded_by(who), theme.warning()));
    }
    if let Some(who) = &call.referred_by {
        lines.push(row(&text::referred_by(who), theme.warning()));
    }
    if let Some(active) = app.calls.iter().find(|other| other.is_active()) {
        lines.push(row(&text::answering_holds(active.no, &app.who(active)), theme.dim()));
    }
    lines.push(Line::default());
    let more = app.calls.iter().filter(|other| other.rings_here() && !other.later).count().saturating_sub(1);
    let rows = u16::try_from(lines.len() + 1).unwrap_or(u16::MAX);
    let title = text::incoming_title(call.no, more);
    let inner = pop_up(frame, area, (columns, rows), &title, theme.accent().patch(theme.strong()));
    with_keys(frame, inner, app, lines, text::FINISH_LINE_FIRST, theme, hits);
}
