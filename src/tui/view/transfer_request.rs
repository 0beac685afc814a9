//! The pop-up in which the other side asks us to call someone else instead.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::Line;

use crate::app::requests::{Asks, Request};
use crate::app::{App, text};

use super::fit::{fit, pop_up};
use super::theme::Theme;
use super::{Hits, pop_up_columns, with_keys};

/// Draws it.
pub fn draw(frame: &mut Frame, area: Rect, app: &App, request: &Request, theme: Theme, hits: &mut Hits) {
    let columns = pop_up_columns(area);
    let text_columns = usize::from(columns).saturating_sub(4);
    let row = |text: &str, style| Line::styled(format!("  {}", fit(text, text_columns)), style);
    let (title, question) = match request.asks {
        Asks::Transfer => (text::TRANSFER_REQUEST_TITLE, text::transfer_asked(request.call, &request.who)),
        Asks::Redirect => (text::REDIRECT_REQUEST_TITLE, text::redirected(request.call, &request.who)),
    };
    let mut lines = vec![Line::default(), row(&question, Style::new()), row(&request.to, theme.strong())];
    if let Some(who) = &request.by {
        lines.push(row(&text::on_behalf(who), theme.dim()));
    }
    lines.push(Line::default());
    let rows = u16::try_from(lines.len() + 1).unwrap_or(u16::MAX);
    let style = theme.warning().patch(theme.strong());
    let inner = pop_up(frame, area, (columns, rows), title, style);
    with_keys(frame, inner, app, lines, text::FINISH_LINE_THEN_DECIDE, theme, hits);
}
