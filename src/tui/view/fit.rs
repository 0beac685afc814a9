//! Texts in columns: widths are those of the terminal's cells.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, BorderType, Clear};

use super::theme::Theme;

/// Columns that a text takes.
pub fn width(text: &str) -> usize {
    Span::raw(text).width()
}

/// The text in at most `columns`; where some is left out an ellipsis says so.
pub fn fit(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut fitted = String::new();
    let mut used = 1;
    let span = Span::raw(text);
    for grapheme in span.styled_graphemes(Style::new()) {
        used += width(grapheme.symbol);
        if used > columns {
            break;
        }
        fitted.push_str(grapheme.symbol);
    }
    if columns > 0 {
        fitted.push('…');
    }
    fitted
}

/// The text in exactly `columns`, to the left.
pub fn left(text: &str, columns: usize) -> String {
    let fitted = fit(text, columns);
    let blanks = columns.saturating_sub(width(&fitted));
    fitted + &" ".repeat(blanks)
}

/// The text in exactly `columns`, to the right.
pub fn right(text: &str, columns: usize) -> String {
    let fitted = fit(text, columns);
    " ".repeat(columns.saturating_sub(width(&fitted))) + &fitted
}

/// One span to the left and one to the right in a row of `columns`; the left one gives way.
pub fn both_ends(left_text: Span<'_>, right_text: Span<'_>, columns: usize) -> Line<'static> {
    let after = fit(&right_text.content, columns);
    let gap = if after.is_empty() { 0 } else { 2 };
    let before = left(&left_text.content, columns.saturating_sub(width(&after)));
    let before = if width(&left_text.content) + gap + width(&after) > columns {
        left(
            &fit(&left_text.content, columns.saturating_sub(width(&after) + gap)),
            columns.saturating_sub(width(&after)),
        )
    } else {
        before
    };
    Line::from(vec![Span::styled(before, left_text.style), Span::styled(after, right_text.style)])
}

/// A frame with round corners.
pub fn block(title: Line<'static>, theme: Theme) -> Block<'static> {
    Block::bordered().border_type(BorderType::Rounded).border_style(theme.border()).title(title)
}

/// Clears a place in the middle of `area` for a pop-up, draws its frame, and gives what is inside.
pub fn pop_up(frame: &mut Frame, area: Rect, (columns, rows): (u16, u16), title: &str, style: Style) -> Rect {
    let columns = columns.saturating_add(2).min(area.width.saturating_sub(2));
    let rows = rows.saturating_add(2).min(area.height);
    let place = Rect {
        x: area.x + (area.width - columns) / 2,
        y: area.y + (area.height - rows) / 2,
        width: columns,
        height: rows,
    };
    frame.render_widget(Clear, place);
    let title = Line::from(Span::styled(format!(" {title} "), style));
    let block = Block::bordered().border_type(BorderType::Rounded).border_style(style).title(title);
    let inner = block.inner(place);
    frame.render_widget(block, place);
    inner
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_take_exactly_their_columns() {
        assert_eq!(left("bob", 5), "bob  ");
        assert_eq!(right("bob", 5), "  bob");
        assert_eq!(left("sip:bob@example.com", 8), "sip:bob…");
        assert_eq!(fit("bob", 0), "");
    }

    #[test]
    fn wide_characters_are_never_cut() {
        assert_eq!(left("山田太郎", 6), "山田… ");
        assert_eq!(width(&left("👩‍👩‍👧 family", 5)), 5);
    }

    #[test]
    fn the_left_end_gives_way() {
        let line = both_ends(Span::raw("sip:bob@example.com"), Span::raw("work"), 14);
        assert_eq!(line.to_string(), "sip:bob…  work");
        assert_eq!(both_ends(Span::raw("bob"), Span::raw(""), 5).to_string(), "bob  ");
    }
}
