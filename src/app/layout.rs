//! How texts become rows: what scrolling has to know, and what may stand on a screen at all.

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

use crate::phone::screen;

use super::keymap::{self, HelpRow};
use super::log::Log;

/// Columns that a full-screen text leaves to its frame.
const FRAME_COLUMNS: u16 = 4;
/// Rows that a full-screen text leaves to its frame and the footer.
const FRAME_ROWS: u16 = 3;
/// From this many columns on panes show beside the calls.
pub const WIDE: u16 = 130;
/// A terminal this wide shows the help in two columns.
const TWO_COLUMNS: u16 = 78;

/// Rows of text that a full-screen text shows at once.
pub fn page_rows(rows: u16) -> usize {
    usize::from(rows.saturating_sub(FRAME_ROWS)).max(1)
}

/// Replaces what could harm or mislead a screen.
pub fn clean(text: &str) -> String {
    screen::harmless(text).into_owned()
}

/// Like [`clean`], for a text of many lines.
pub fn clean_message(text: &str) -> String {
    screen::harmless_lines(text.trim_end())
}

/// Splits a line into rows of at most `columns`, after a blank where there is one, and never within what the person sees
/// as one character.
pub fn wrap(line: &str, columns: usize) -> Vec<&str> {
    let columns = columns.max(2);
    let mut rows = Vec::new();
    let mut rest = line;
    while let Some(at) = break_at(rest, columns) {
        let (row, after) = rest.split_at(at);
        rows.push(row);
        rest = after;
    }
    rows.push(rest);
    rows
}

/// Where a row of at most `columns` ends; `None`: it all fits.
fn break_at(text: &str, columns: usize) -> Option<usize> {
    let mut used = 0;
    let mut after_blank = 0;
    for (at, grapheme) in text.grapheme_indices(true) {
        used += grapheme.width();
        if used > columns {
            // A blank near the row's beginning would leave it all but empty; a row has something in it.
            let at = if after_blank > columns / 2 { after_blank } else { at };
            return Some(if at == 0 { grapheme.len() } else { at }).filter(|at| *at < text.len());
        }
        if grapheme == " " {
            after_blank = at + 1;
        }
    }
    None
}

/// Columns that a full-screen text has in a terminal of `columns`.
pub fn text_columns(columns: u16) -> usize {
    usize::from(columns.saturating_sub(FRAME_COLUMNS)).max(2)
}

/// Rows of a SIP message in a terminal of `columns`.
pub fn message_rows(text: &str, columns: u16) -> usize {
    text.lines().map(|line| wrap(line, text_columns(columns)).len()).sum()
}

/// Columns before the text of a line of the log: its time of day.
pub const LOG_INDENT: usize = 10;

/// Columns that the text of a line of the log has, where the whole line has `columns`.
pub fn log_text_columns(columns: usize) -> usize {
    columns.saturating_sub(LOG_INDENT).max(10)
}

/// Rows of the log in a terminal of `columns`.
pub fn log_rows(log: &Log, columns: u16) -> usize {
    let columns = log_text_columns(text_columns(columns));
    log.lines().map(|line| wrap(&line.text, columns).len()).sum()
}

/// The help, as columns of rows.
pub fn help_columns(columns: u16) -> Vec<Vec<HelpRow>> {
    let groups = keymap::help();
    if columns < TWO_COLUMNS {
        return vec![groups.into_iter().flatten().collect()];
    }
    let total: usize = groups.iter().map(Vec::len).sum();
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for group in groups {
        // A group stays whole: it goes left while that makes the two more equal.
        if right.is_empty() && left.len() + group.len() / 2 <= total / 2 {
            left.extend(group);
        } else {
            right.extend(group);
        }
    }
    vec![left, right]
}

/// Rows of the help in a terminal of `columns`.
pub fn help_rows(columns: u16) -> usize {
    help_columns(columns).iter().map(Vec::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_never_wider_than_the_screen() {
        assert_eq!(wrap("abcdef", 4), ["abcd", "ef"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("山田山", 4), ["山田", "山"]);
        assert_eq!(wrap("ab", 0), ["ab"]);
        assert_eq!(wrap("👩‍👩‍👧👩‍👩‍👧e\u{301}e\u{301}", 3), ["👩‍👩‍👧", "👩‍👩‍👧e\u{301}", "e\u{301}"]);
        assert_eq!(wrap("hang up first", 10), ["hang up ", "first"]);
        assert_eq!(wrap("a verylongword", 8), ["a verylo", "ngword"]);
    }

    #[test]
    fn help_is_balanced_in_two_columns() {
        let columns = help_columns(80);
        assert_eq!(columns.len(), 2);
        let (left, right) = (columns[0].len(), columns[1].len());
        assert!(left.abs_diff(right) <= 8, "{left} and {right} rows");
        assert_eq!(help_columns(60).len(), 1);
    }
}
