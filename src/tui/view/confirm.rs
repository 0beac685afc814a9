//! The question before quitting while a call is up.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::app::{App, text};

use super::fit::{fit, pop_up};
use super::theme::Theme;
use super::{Hits, pop_up_columns, with_keys};

/// Draws it.
pub fn draw(frame: &mut Frame, area: Rect, app: &App, theme: Theme, hits: &mut Hits) {
    let columns = pop_up_columns(area).min(46);
    let question = fit(&text::confirm(app.calls.len()), usize::from(columns).saturating_sub(4));
    let lines = vec![Line::default(), Line::raw(format!("  {question}")), Line::default()];
    let inner = pop_up(frame, area, (columns, 4), text::CONFIRM_TITLE, theme.warning().patch(theme.strong()));
    with_keys(frame, inner, app, lines, "", theme, hits);
}
