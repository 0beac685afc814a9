//! The last step: what will be written.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};

use crate::app::devices::{ChoiceKind, ROLES};
use crate::app::wizard::outcome::Tried;
use crate::app::wizard::{Trial, Way, Wizard, words};
use crate::config::Secret;

use super::super::fit::{fit, left};
use super::super::theme::Theme;
use super::question;

/// Columns of the names of rows.
const NAMES: usize = 11;

/// Draws it.
pub fn draw(frame: &mut Frame, area: Rect, wizard: &Wizard, theme: Theme) {
    let draft = wizard.draft();
    let about = words::about_finish(&wizard.before.path, wizard.before.exists);
    let mut lines = question(words::ASK_FINISH, &about, area, theme);
    let columns = usize::from(area.width);
    let mut row = |name: &str, text: &str, style| {
        lines.push(Line::from(vec![
            Span::styled(left(name, NAMES) + " ", theme.dim()),
            Span::styled(fit(text, columns.saturating_sub(NAMES + 1)), style),
        ]));
    };
    let plain = ratatui::style::Style::new();
    match &draft.uri {
        None if wizard.before.uri.is_some() => row(words::ROW_ACCOUNT, words::ACCOUNT_STAYS, plain),
        None => row(words::ROW_ACCOUNT, words::NO_ACCOUNT, theme.warning()),
        Some(uri) => {
            row(words::ROW_ACCOUNT, uri, plain);
            let password = match (&draft.secret, wizard.way) {
                (Some(Secret::Plain(_)), _) => words::IN_FILE.to_owned(),
                (Some(Secret::Command(command)), _) => format!("{} {command}", words::BY_COMMAND),
                (None, Way::Kept) => words::KEPT.to_owned(),
                (Some(Secret::None), _) | (None, Way::Typed | Way::Command) => words::NONE.to_owned(),
            };
            row(words::ROW_PASSWORD, &password, plain);
            let (tried, style) = match &wizard.trial {
                Trial::None | Trial::Running(_) => (words::NOT_TRIED, theme.dim()),
                Trial::Over(Tried::Registered(_)) => (words::TRIED_WELL, theme.good()),
                Trial::Over(_) => (words::TRIED_BADLY, theme.warning()),
            };
            row(words::ROW_REGISTERED, tried, style);
        }
    }
    for (role, name) in ROLES.into_iter().zip(&draft.devices) {
        let text = match wizard.picker.kind(role, name) {
            ChoiceKind::Default(device) => words::default_device(device.as_deref()),
            ChoiceKind::Device(label) => label,
            ChoiceKind::Null => words::null(role).into(),
            ChoiceKind::Other => name.clone(),
        };
        row(words::role(role), &text, plain);
    }
    lines.push(Line::default());
    lines.push(Line::styled(words::WROTE_NOTHING, theme.dim()));
    frame.render_widget(Text::from(lines), area);
}
