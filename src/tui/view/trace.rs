//! The SIP messages as a ladder, a row each.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};

use crate::app::trace::Message;
use crate::app::{App, text};
use crate::phone::TraceEntry;

use super::fit::{block, left, width};
use super::theme::Theme;

/// Columns of the widest CSeq that is shown whole: `1234 SUBSCRIBE`.
const CSEQ: usize = 14;
/// Columns of the widest address: an IPv6 one gives way.
const REMOTE: usize = 27;
/// From this width on the address and the milliseconds show.
const ROOMY: usize = 70;

/// Draws it in a frame.
pub fn draw(frame: &mut Frame, area: Rect, app: &App, theme: Theme) {
    let visible: Vec<(usize, &Message)> = app.trace.visible().collect();
    let count = text::trace_count(visible.len(), app.trace.filter().is_some(), app.trace.query());
    let block = block(Line::styled(format!(" {} ", text::TRACE_TITLE), theme.strong()), theme)
        .title(Line::styled(format!(" {count} "), theme.dim()).right_aligned());
    let inner = block.inner(area);
    frame.render_widget(block, area);
    if visible.is_empty() {
        let why = if app.trace.is_empty() { text::TRACE_EMPTY } else { text::TRACE_NOT_FOUND };
        frame.render_widget(Line::styled(format!(" {why}"), theme.dim()), inner);
        return;
    }
    let rows = usize::from(inner.height).max(1);
    let selected = app.trace.selected_place();
    let at = visible.iter().position(|(place, _)| Some(*place) == selected).unwrap_or(visible.len() - 1);
    // The selected row stays in the middle, except near both ends.
    let first = at.saturating_sub(rows / 2).min(visible.len().saturating_sub(rows));
    let shown = visible.into_iter().skip(first).take(rows);
    let shown: Vec<(bool, &Message)> = shown.map(|(place, message)| (Some(place) == selected, message)).collect();
    let remote =
        shown.iter().map(|(_, message)| width(&message.entry.remote.to_string())).max().unwrap_or(0).min(REMOTE);
    let cseq = shown.iter().map(|(_, message)| width(&message.entry.cseq)).max().unwrap_or(0).min(CSEQ);
    let columns = usize::from(inner.width);
    let lines: Vec<Line> = shown
        .into_iter()
        .map(|(is_selected, message)| {
            row(message, is_selected, (columns, remote, cseq), app.settings.utc_offset, theme)
        })
        .collect();
    frame.render_widget(Text::from(lines), inner);
}

fn row(
    message: &Message,
    is_selected: bool,
    (columns, remote, cseq): (usize, usize, usize),
    utc_offset: i32,
    theme: Theme,
) -> Line<'static> {
    let entry = &message.entry;
    let times = text::times(message.times);
    let is_roomy = columns >= ROOMY;
    let time = if is_roomy { text::clock_ms(entry.time, utc_offset) } else { text::clock(entry.time, utc_offset) };
    let remote = if is_roomy { left(&entry.remote.to_string(), remote) + "  " } else { String::new() };
    let used = 2 + width(&time) + 1 + 3 + 1 + width(&remote);
    let gap = usize::from(!times.is_empty());
    let summary = columns.saturating_sub(used + 1 + cseq + 1 + width(&times) + gap);
    let style = summary_style(entry, theme);
    Line::from(vec![
        Span::styled(if is_selected { "▸ " } else { "  " }, theme.accent()),
        Span::styled(format!("{time} "), theme.dim()),
        Span::styled(format!("{} ", arrow(entry.sent)), theme.accent()),
        Span::styled(remote, theme.dim()),
        Span::styled(
            left(short(&entry.summary), summary),
            if is_selected { style.patch(theme.strong()) } else { style },
        ),
        Span::styled(" ".repeat(gap) + &times, theme.warning()),
        Span::styled(format!(" {}", left(&entry.cseq, cseq)), theme.dim()),
    ])
}

/// Which way a message went.
pub fn arrow(sent: bool) -> &'static str {
    if sent { "──→" } else { "←──" }
}

/// The first line without the version, which is the same in all.
pub fn short(summary: &str) -> &str {
    let summary = summary.strip_prefix("SIP/2.0 ").unwrap_or(summary);
    summary.strip_suffix(" SIP/2.0").unwrap_or(summary)
}

/// The class of a response; its code says the same in figures.
fn summary_style(entry: &TraceEntry, theme: Theme) -> Style {
    match entry.summary.strip_prefix("SIP/2.0 ").and_then(|rest| rest.chars().next()) {
        Some('1') => theme.dim(),
        Some('2') => theme.good(),
        Some('3') => theme.warning(),
        // A challenge is not a failure.
        Some('4') if entry.summary.contains(" 401 ") || entry.summary.contains(" 407 ") => theme.warning(),
        Some(_) => theme.bad(),
        None => Style::new(),
    }
}
