//! The keys that apply now, as the keymap has them; or why a line can't be taken.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};

use crate::app::{App, keymap};

use super::fit::fit;
use super::theme::Theme;

/// Draws as many keys as there is room for; the last one (help, or the way out) always shows.
pub fn draw(frame: &mut Frame, area: Rect, app: &App, theme: Theme) {
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
    let keys: Vec<Vec<Span>> = keymap::footer(app)
        .into_iter()
        .map(|(key, label)| {
            vec![Span::styled(format!(" {key}"), theme.accent().patch(theme.strong())), Span::raw(format!(" {label} "))]
        })
        .collect();
    let lines = flow(keys, columns, usize::from(area.height));
    frame.render_widget(Text::from(lines), area);
}

fn columns_of(spans: &[Span]) -> usize {
    spans.iter().map(Span::width).sum()
}

/// Fills rows in order; when the rows are too few, those before the last key are left out.
fn flow(mut keys: Vec<Vec<Span<'static>>>, columns: usize, rows: usize) -> Vec<Line<'static>> {
    loop {
        let mut lines = vec![Vec::new()];
        let mut used = 0;
        for key in &keys {
            let needed = columns_of(key);
            if used + needed > columns && used > 0 {
                lines.push(Vec::new());
                used = 0;
            }
            used += needed;
            if let Some(line) = lines.last_mut() {
                line.extend(key.iter().cloned());
            }
        }
        if lines.len() <= rows.max(1) || keys.len() <= 1 {
            return lines.into_iter().map(Line::from).collect();
        }
        keys.remove(keys.len() - 2);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(names: &[&'static str]) -> Vec<Vec<Span<'static>>> {
        names.iter().map(|name| vec![Span::raw(*name)]).collect()
    }

    #[test]
    fn the_last_key_always_shows() {
        let rows = |columns, rows| -> Vec<String> {
            flow(keys(&[" a call ", " b hold ", " ? help "]), columns, rows).iter().map(Line::to_string).collect()
        };
        assert_eq!(rows(24, 1), [" a call  b hold  ? help "]);
        assert_eq!(rows(20, 1), [" a call  ? help "]);
        assert_eq!(rows(16, 2), [" a call  b hold ", " ? help "]);
        assert_eq!(rows(3, 1), [" ? help "]);
    }
}
