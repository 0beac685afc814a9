//! The keys that apply now, as the keymap has them; or why a line can't be taken.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};

use crate::app::keymap::Key;
use crate::app::mouse::Target;
use crate::app::{App, keymap};

use super::fit::fit;
use super::hits::Hits;
use super::theme::Theme;

/// Draws as many keys as there is room for; the last one (help, or the way out) always shows.
pub fn draw(frame: &mut Frame, area: Rect, app: &App, theme: Theme, hits: &mut Hits) {
    if app.quitting {
        return;
    }
    if let Some(error) = app.line().and_then(|line| line.error.as_deref()) {
        let text = fit(error, usize::from(area.width).saturating_sub(2));
        frame.render_widget(Line::styled(format!(" {text}"), theme.bad()), area);
        return;
    }
    if let Some((level, notice)) = &app.notice {
        let text = fit(notice, usize::from(area.width).saturating_sub(2));
        frame.render_widget(Line::styled(format!(" {text}"), theme.level(*level)), area);
        return;
    }
    let columns = usize::from(area.width);
    let keys = keymap::footer_keys(app).into_iter().map(|(name, label, key)| {
        let name = Span::styled(format!(" {name}"), theme.accent().patch(theme.strong()));
        Shown { spans: vec![name, Span::raw(format!(" {label} "))], key }
    });
    let lines = flow(keys.collect(), columns, usize::from(area.height));
    let mut texts = Vec::new();
    for (place, line) in lines.into_iter().enumerate() {
        let mut x = area.x;
        let mut spans = Vec::new();
        for shown in line {
            let width = u16::try_from(shown.columns()).unwrap_or(u16::MAX);
            if let Some(key) = shown.key {
                let at = Rect { x, width, ..super::row_of(area, place) };
                hits.add(at.intersection(area), Target::Key(key));
            }
            x = x.saturating_add(width);
            spans.extend(shown.spans);
        }
        texts.push(Line::from(spans));
    }
    frame.render_widget(Text::from(texts), area);
}

/// Draws these keys, as many as there is room for; they can't be clicked.
pub fn draw_keys(frame: &mut Frame, area: Rect, keys: Vec<(String, &'static str)>, theme: Theme) {
    let keys = keys.into_iter().map(|(name, label)| {
        let name = Span::styled(format!(" {name}"), theme.accent().patch(theme.strong()));
        Shown { spans: vec![name, Span::raw(format!(" {label} "))], key: None }
    });
    let lines = flow(keys.collect(), usize::from(area.width), usize::from(area.height));
    let spans = |line: Vec<Shown>| line.into_iter().flat_map(|shown| shown.spans).collect::<Vec<_>>();
    let lines: Vec<Line> = lines.into_iter().map(|line| Line::from(spans(line))).collect();
    frame.render_widget(Text::from(lines), area);
}

/// A key that shows, and which one is pressed by a click on it.
#[derive(Clone)]
struct Shown {
    spans: Vec<Span<'static>>,
    key: Option<Key>,
}

impl Shown {
    fn columns(&self) -> usize {
        self.spans.iter().map(Span::width).sum()
    }
}

/// Fills rows in order; when the rows are too few, those before the last key are left out.
fn flow(mut keys: Vec<Shown>, columns: usize, rows: usize) -> Vec<Vec<Shown>> {
    loop {
        let mut lines = vec![Vec::new()];
        let mut used = 0;
        for key in &keys {
            let needed = key.columns();
            if used + needed > columns && used > 0 {
                lines.push(Vec::new());
                used = 0;
            }
            used += needed;
            if let Some(line) = lines.last_mut() {
                line.push(key.clone());
            }
        }
        if lines.len() <= rows.max(1) || keys.len() <= 1 {
            return lines;
        }
        keys.remove(keys.len() - 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[&'static str]) -> Vec<Shown> {
        names.iter().map(|name| Shown { spans: vec![Span::raw(*name)], key: None }).collect()
    }

    #[test]
    fn the_last_key_always_shows() {
        let rows = |columns, rows| -> Vec<String> {
            let lines = flow(keys(&[" a call ", " b hold ", " ? help "]), columns, rows);
            let text = |line: Vec<Shown>| line.iter().map(|shown| shown.spans[0].content.as_ref()).collect();
            lines.into_iter().map(text).collect()
        };
        assert_eq!(rows(24, 1), [" a call  b hold  ? help "]);
        assert_eq!(rows(20, 1), [" a call  ? help "]);
        assert_eq!(rows(16, 2), [" a call  b hold ", " ? help "]);
        assert_eq!(rows(3, 1), [" ? help "]);
    }
}
