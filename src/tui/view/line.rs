//! The line in which targets and commands are typed.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};
use tui_input::Input;
use unicode_segmentation::UnicodeSegmentation as _;

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
        Purpose::Search | Purpose::Find | Purpose::Setting => format!(" {} › ", text::PROMPT_SEARCH),
        Purpose::Command => format!(" {}", text::PROMPT_COMMAND),
        Purpose::Value | Purpose::Secret => {
            let chosen = app.settings_panel().and_then(|panel| panel.chosen());
            format!(" {} › ", chosen.map(|row| text::prompt_value(&row.setting)).unwrap_or_default())
        }
    };
    // A long name must leave room for the target.
    let prompt = fit(&prompt, usize::from(area.width) / 2);
    let columns = usize::from(area.width).saturating_sub(width(&prompt) + 1);
    let input = match line.purpose {
        Purpose::Secret => masked(&line.input),
        _ => line.input.clone(),
    };
    let (value, cursor) = around_cursor(&input, columns);
    let shown = Line::from(vec![Span::styled(prompt.clone(), theme.accent().patch(theme.strong())), Span::raw(value)]);
    frame.render_widget(shown, area);
    let column = width(&prompt) + cursor;
    let column = u16::try_from(column).unwrap_or(u16::MAX).min(area.width.saturating_sub(1));
    if app.context().is_text() {
        frame.set_cursor_position(Position { x: area.x + column, y: area.y });
    }
}

/// A sign for each character, with the cursor where it is.
pub(super) fn masked(input: &Input) -> Input {
    let signs = "•".repeat(input.value().chars().count());
    Input::new(signs).with_cursor(input.cursor())
}

/// The text from where the cursor shows within so many columns, and the cursor's column in it.
pub(super) fn around_cursor(input: &Input, columns: usize) -> (String, usize) {
    let text = input.value();
    let at = text.char_indices().nth(input.cursor()).map_or(text.len(), |(at, _)| at);
    let before: Vec<&str> = text[..at].graphemes(true).collect();
    let mut used = 0;
    let shown = before.iter().rev().take_while(|grapheme| {
        used += width(grapheme);
        used <= columns
    });
    let shown: Vec<&str> = before[before.len() - shown.count()..].to_vec();
    let cursor = shown.iter().map(|grapheme| width(grapheme)).sum();
    (shown.concat() + &text[at..], cursor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cursor_stands_where_the_terminal_draws() {
        let family = "👩\u{200d}👩\u{200d}👧";
        let seen = |text: &str, cursor: usize, columns: usize| {
            around_cursor(&Input::new(text.to_owned()).with_cursor(cursor), columns)
        };
        assert_eq!(seen("bob", 3, 10), ("bob".into(), 3));
        assert_eq!(seen("0123456789", 10, 4), ("6789".into(), 4));
        assert_eq!(seen("0123456789", 2, 4), ("0123456789".into(), 2));
        assert_eq!(seen("山山山", 3, 5), ("山山".into(), 4));
        assert_eq!(seen(&format!("a{family}b"), 6, 10), (format!("a{family}b"), 3));
        assert_eq!(seen("ab", 2, 0), (String::new(), 0));
        assert_eq!(masked(&Input::new("geheim".into())).value(), "••••••");
    }
}
