//! The keypad of a call, with the digits that went and came.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};

use crate::app::{App, text};
use crate::ua::CallNo;

use super::fit::{pop_up, width};
use super::theme::Theme;

/// The keys, as on a telephone (ITU-T Q.23).
const KEYS: [&str; 4] = ["123A", "456B", "789C", "*0#D"];
/// Columns and rows inside the frame.
const SIZE: (u16, u16) = (31, 8);

/// Draws it; the digit that was sent last is set apart.
pub fn draw(frame: &mut Frame, area: Rect, app: &App, no: CallNo, theme: Theme) {
    let call = app.call(no).filter(|call| call.is_active());
    let sent = call.map_or("", |call| &call.digits_sent);
    let received = call.map_or("", |call| &call.digits_received);
    let latest = sent.chars().last();
    let mut lines = vec![Line::default()];
    for row in KEYS {
        let mut spans = vec![Span::raw(" ".repeat(5))];
        for key in row.chars() {
            let is_latest = Some(key) == latest;
            let style = if is_latest { theme.accent().patch(theme.strong()) } else { theme.strong() };
            spans.push(Span::styled(if is_latest { format!(" [{key}] ") } else { format!("  {key}  ") }, style));
        }
        lines.push(Line::from(spans));
    }
    lines.push(Line::default());
    if call.is_none() {
        lines.push(Line::styled(format!("  {}", text::PAD_OVER), theme.warning()));
    } else {
        lines.push(digits(text::PAD_SENT, sent, theme));
        lines.push(digits(text::PAD_RECEIVED, received, theme));
    }
    let title = format!("{} {no}", text::PAD_TITLE);
    let inner = pop_up(frame, area, SIZE, &title, theme.accent().patch(theme.strong()));
    frame.render_widget(Text::from(lines), inner);
}

fn digits(name: &str, digits: &str, theme: Theme) -> Line<'static> {
    let blanks = " ".repeat(5usize.saturating_sub(width(name)));
    Line::from(vec![Span::styled(format!("  {name}{blanks}"), theme.dim()), Span::raw(digits.to_owned())])
}
