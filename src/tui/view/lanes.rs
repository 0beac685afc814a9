//! Lifelines: this phone to the left, the other sides to its right, and arrows between.

use std::net::SocketAddr;

use ratatui::style::Style;
use ratatui::text::Span;

use super::fit::{fit, width};
use super::theme::Theme;

/// Columns between two lifelines at least; what does not fit shares the last one.
const BETWEEN: usize = 24;
/// Columns of an arrow before its words, and behind them.
const BEFORE: usize = 3;
const BEHIND: usize = 3;

/// Where the lifelines are.
pub struct Lanes {
    remotes: Vec<SocketAddr>,
    /// Their columns; this phone's is the first.
    at: Vec<usize>,
    columns: usize,
}

/// Which way an arrow points.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From this phone.
    There,
    /// To it.
    Here,
    /// Both ways.
    Both,
    /// It is no arrow.
    None,
}

impl Lanes {
    /// For these other sides, in `columns`.
    pub fn new(remotes: impl Iterator<Item = SocketAddr>, columns: usize) -> Lanes {
        let mut known: Vec<SocketAddr> = Vec::new();
        for remote in remotes {
            if !known.contains(&remote) {
                known.push(remote);
            }
        }
        let span = columns.saturating_sub(1);
        let lanes = known.len().clamp(1, (span / BETWEEN).max(1));
        let at = (0..=lanes).map(|lane| span * lane / lanes).collect();
        Lanes { remotes: known, at, columns }
    }

    /// The column of another side's lifeline.
    pub fn end(&self, remote: Option<SocketAddr>) -> usize {
        let lane = remote.and_then(|remote| self.remotes.iter().position(|known| *known == remote)).unwrap_or(0);
        self.at.get(lane + 1).or(self.at.last()).copied().unwrap_or(0)
    }

    /// Columns for the words of an arrow to there.
    pub fn room(&self, end: usize) -> usize {
        end.saturating_sub(1 + BEFORE + 1 + BEHIND)
    }

    /// The names above the lifelines: the last one ends at its line, those between stand in the middle of theirs.
    pub fn names(&self, here: &str, theme: Theme) -> Vec<Span<'static>> {
        let mut row = fit(here, self.columns);
        let last = self.at.len() - 1;
        for (lane, at) in self.at.iter().enumerate().skip(1) {
            let others = self.remotes.len() + 1 > self.at.len() && lane == last;
            let name = self.remotes.get(lane - 1).map(SocketAddr::to_string).unwrap_or_default();
            let name = if others { format!("{name} +{}", self.remotes.len() + 1 - self.at.len()) } else { name };
            let room = self.columns.saturating_sub(width(&row) + 2);
            let name = fit(&name, room);
            let centred = at.saturating_sub(width(&name) / 2);
            let start = if lane == last { self.columns.saturating_sub(width(&name)) } else { centred };
            let blanks = start.saturating_sub(width(&row));
            row.push_str(&" ".repeat(blanks));
            row.push_str(&name);
        }
        vec![Span::styled(fit(&row, self.columns), theme.dim())]
    }

    /// A row of exactly the columns: the lifelines, and an arrow to the one at `end` with its words.
    pub fn arrow(
        &self,
        end: usize,
        way: Way,
        stroke: char,
        words: Vec<Span<'static>>,
        style: Style,
        theme: Theme,
    ) -> Vec<Span<'static>> {
        let line = || Span::styled("│", theme.border());
        let body = end.saturating_sub(1);
        let strokes = |count: usize| stroke.to_string().repeat(count);
        let mut spans = vec![line()];
        let mut used = 0;
        if body > BEFORE {
            let head = if matches!(way, Way::Here | Way::Both) { "←" } else { &strokes(1) };
            spans.push(Span::styled(format!("{head}{} ", strokes(BEFORE - 2)), style));
            used += BEFORE;
            for word in words {
                let word = Span::styled(fit(&word.content, body.saturating_sub(used + 2)), word.style);
                used += word.width();
                spans.push(word);
            }
        }
        let rest = body.saturating_sub(used);
        let head = if matches!(way, Way::There | Way::Both) { "→".into() } else { strokes(1) };
        if rest > 0 {
            let gap = if rest > 2 { " " } else { "" };
            let dashes = self.crossed(1 + used + gap.len(), rest - gap.len() - 1, stroke);
            spans.push(Span::styled(format!("{gap}{dashes}{head}"), style));
        }
        let first = 1 + body;
        let mut at = first;
        for lane in self.at.iter().filter(|lane| **lane >= first) {
            spans.push(Span::raw(" ".repeat(lane - at)));
            spans.push(line());
            at = lane + 1;
        }
        spans
    }

    /// Strokes from a column on, with the lifelines that they cross.
    fn crossed(&self, from: usize, count: usize, stroke: char) -> String {
        let crossing = if stroke == '─' { '┼' } else { '│' };
        (from..from + count).map(|column| if self.at.contains(&column) { crossing } else { stroke }).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(last: u8) -> SocketAddr {
        ([192, 0, 2, last], 5060).into()
    }

    fn row(lanes: &Lanes, to: u8, way: Way, words: &'static str) -> String {
        let end = lanes.end(Some(address(to)));
        let spans = lanes.arrow(end, way, '─', vec![Span::raw(words)], Style::new(), Theme::TERMINAL);
        spans.iter().map(|span| span.content.as_ref()).collect()
    }

    #[test]
    fn arrows_end_at_their_lifelines() {
        let lanes = Lanes::new([address(1), address(2)].into_iter(), 53);
        assert_eq!(row(&lanes, 1, Way::There, "INVITE"), "│── INVITE ──────────────→│                         │");
        assert_eq!(row(&lanes, 1, Way::Here, "200 OK"), "│←─ 200 OK ───────────────│                         │");
        assert_eq!(row(&lanes, 2, Way::There, "BYE"), "│── BYE ──────────────────┼────────────────────────→│");
        assert_eq!(
            lanes.names("offhook", Theme::TERMINAL)[0].content,
            "offhook            192.0.2.1:5060      192.0.2.2:5060"
        );
    }

    #[test]
    fn every_row_has_all_its_columns() {
        for columns in 1..120 {
            for sides in 0..5 {
                let lanes = Lanes::new((1..=sides).map(address), columns);
                for way in [Way::There, Way::Here, Way::Both, Way::None] {
                    let row = row(&lanes, sides, way, "INVITE sip:bob@example.com 山田");
                    assert!(columns < 5 || width(&row) == columns, "{row:?} in {columns}");
                }
            }
        }
    }
}
