//! The steps in which something is typed: the address and the password.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Text};

use crate::app::layout::wrap;
use crate::app::wizard::address::Verdict;
use crate::app::wizard::{Way, Wizard, words};

use super::super::fit::fit;
use super::super::theme::Theme;
use super::{Shows, field, question, split};

/// Shows in place of an address as long as there is none.
const LIKE: &str = "alice@pbx.example.com";

/// Who, and where.
pub fn address(frame: &mut Frame, area: Rect, wizard: &Wizard, theme: Theme) {
    let lines = question(words::ASK_ADDRESS, words::ABOUT_ADDRESS, area, theme);
    let (above, rest) = split(area, lines.len());
    frame.render_widget(Text::from(lines), above);
    let (line, below) = split(rest, 1);
    let columns = usize::from(area.width);
    let mut said = Vec::new();
    let rows = |text: &str, mark: &str, style| -> Vec<Line<'static>> {
        let rows = wrap(text, columns.saturating_sub(2)).into_iter().enumerate();
        rows.map(|(place, row)| {
            let mark = if place == 0 { mark } else { " " };
            Line::styled(format!("{mark} {}", row.trim_end()), style)
        })
        .collect()
    };
    match wizard.verdict() {
        Verdict::Empty if wizard.before.uri.is_some() => said.extend(rows(words::ACCOUNT_STAYS, "·", theme.dim())),
        Verdict::Empty => said.extend(rows(words::NO_ACCOUNT, "·", theme.dim())),
        Verdict::Partial(missing) => said.extend(rows(missing, "…", theme.dim())),
        Verdict::Bad(fault) => said.extend(rows(&fault, "✗", theme.bad())),
        Verdict::Good(address) => {
            let text = words::registers(&address.user, &address.host, address.transport);
            said.extend(rows(&text, "✓", theme.good()));
            if let Some(doubt) = address.doubt {
                said.extend(rows(doubt, "!", theme.warning()));
            }
        }
    }
    let suggestions = wizard.suggestions();
    if !suggestions.is_empty() {
        said.push(Line::default());
    }
    for (place, suggestion) in suggestions.iter().enumerate() {
        let key = if place == 0 { words::MEANT } else { "" };
        said.push(Line::styled(fit(&format!("{key:>4} {suggestion}"), columns), theme.dim()));
    }
    frame.render_widget(Text::from(said), below);
    field(frame, line, (words::PROMPT_ADDRESS, &wizard.address.input, Shows::Text), LIKE, theme);
}

/// The password, or where it comes from.
pub fn password(frame: &mut Frame, area: Rect, wizard: &Wizard, theme: Theme) {
    let user = wizard.account().map(|account| format!("{}@{}", account.user, account.host)).unwrap_or_default();
    let about = words::about_password(wizard.way, &wizard.before.path);
    let lines = question(&words::ask_password(&user), &about, area, theme);
    let (above, rest) = split(area, lines.len());
    frame.render_widget(Text::from(lines), above);
    let (line, below) = split(rest, 1);
    let prompt = words::prompt_password(wizard.way);
    match wizard.way {
        Way::Typed => {
            let shows = if wizard.revealed { Shows::Text } else { Shows::Bullets };
            field(frame, line, (prompt, &wizard.password.input, shows), "", theme);
            if wizard.password.text().is_empty() {
                frame.render_widget(Line::styled(format!("· {}", words::NO_PASSWORD), theme.dim()), below);
            }
        }
        Way::Command => {
            field(frame, line, (prompt, &wizard.command.input, Shows::Text), words::COMMAND_EXAMPLE, theme);
        }
        Way::Kept => {
            frame.render_widget(Line::styled(format!("{prompt} › {}", words::KEPT), theme.good()), line);
        }
    }
}
