//! The line in which targets and commands are typed.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use crate::app::line::Purpose;
use crate::app::{App, text};

use super::fit::{fit, width};
use super::theme::Theme;

/// Draws the line, with the cursor in it, or a hint where none is open.
pub fn draw(frame: &mut Frame, area: Rect, app: &App, theme: Theme) {
    if app.quitting {
        frame.render_widget(Line::styled(format!(" {}", text::QUITTING), theme.warning()), area);
        return;
    }
    let Some(line) = app.line() else {
        frame.render_widget(Line::styled(format!(" › {}", text::PROMPT_IDLE), theme.dim()), area);
        return;
    };
    let prompt = match line.purpose {
        Purpose::Call => format!(" {} › ", text::prompt_call(line.account.as_deref())),
        Purpose::Transfer(no) => {
            let who = app.call(no).map(|call| app.who(call));
            format!(" {} › ", text::prompt_transfer(no, who.as_deref()))
        }
        Purpose::Forward(when) => format!(" {} › ", text::prompt_forward(when, line.account.as_deref())),
        Purpose::Message => {
            let who = line.to.as_ref().map_or("", |to| &to.name);
            format!(" {} › ", text::prompt_message(who))
        }
        Purpose::Search | Purpose::Find => format!(" {} › ", text::PROMPT_SEARCH),
        Purpose::Command => format!(" {}", text::PROMPT_COMMAND),
        Purpose::Value => {
            let chosen = app.settings_panel().and_then(|panel| panel.chosen());
            format!(" {} › ", chosen.map(|row| text::prompt_value(&row.setting)).unwrap_or_default())
        }
    };
    // A long name must leave room for the target.
    let prompt = fit(&prompt, usize::from(area.width) / 2);
    let columns = usize::from(area.width).saturating_sub(width(&prompt) + 1);
    let hidden = line.input.visual_scroll(columns);
    let value = from_column(line.input.value(), hidden);
    let shown = Line::from(vec![Span::styled(prompt.clone(), theme.accent().patch(theme.strong())), Span::raw(value)]);
    frame.render_widget(shown, area);
    let column = width(&prompt) + line.input.visual_cursor().saturating_sub(hidden);
    let column = u16::try_from(column).unwrap_or(u16::MAX).min(area.width.saturating_sub(1));
    if app.context().is_text() {
        frame.set_cursor_position(Position { x: area.x + column, y: area.y });
    }
}

/// The text without what stands in its first columns.
pub(super) fn from_column(text: &str, columns: usize) -> String {
    let span = Span::raw(text);
    let mut used = 0;
    let rest = span.styled_graphemes(ratatui::style::Style::new()).filter(|grapheme| {
        let at = used;
        used += width(grapheme.symbol);
        at >= columns
    });
    rest.map(|grapheme| grapheme.symbol).collect()
}
