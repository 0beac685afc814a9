//! The panel in which do not disturb and the forwardings are switched.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};

use crate::app::services::{Panel, Service};
use crate::app::{App, text};

use super::fit::{fit, left, pop_up, width};
use super::pop_up_columns;
use super::theme::Theme;

/// Draws it.
pub fn draw(frame: &mut Frame, area: Rect, app: &App, panel: &Panel, theme: Theme) {
    let columns = usize::from(pop_up_columns(area));
    let account = panel.account.as_deref();
    let names = Service::ALL.iter().map(|service| width(text::service(*service))).max().unwrap_or(0);
    let names = names.min(columns / 2);
    let mut lines =
        vec![Line::styled(format!("  {}", fit(account.unwrap_or(text::ALL_ACCOUNTS), columns - 2)), theme.dim())];
    for service in Service::ALL {
        let is_chosen = service == panel.chosen();
        let state = text::service_state(app, service, account);
        let is_on = state != text::OFF;
        let mark = if is_on { "● " } else { "○ " };
        let style = if is_on { theme.warning() } else { theme.dim() };
        lines.push(Line::from(vec![
            Span::styled(if is_chosen { " ▸ " } else { "   " }, theme.accent()),
            Span::styled(
                left(text::service(service), names) + "  ",
                if is_chosen { theme.selected() } else { Style::new() },
            ),
            Span::styled(mark, style),
            Span::styled(fit(&state, columns.saturating_sub(names + 8)), style),
        ]));
    }
    lines.push(Line::default());
    let rows = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    let columns = u16::try_from(columns).unwrap_or(u16::MAX);
    let inner = pop_up(frame, area, (columns, rows), text::SERVICES_TITLE, theme.accent().patch(theme.strong()));
    frame.render_widget(Text::from(lines), inner);
}
