//! The list of devices, one role open, with the meter of the microphone or how the test sound goes: in the wizard and in the
//! picker.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span, Text};

use crate::app::devices::{ChoiceKind, Heard, Picker, ROLES, Tone};
use crate::app::wizard::words;
use crate::phone::command::DeviceRole;

use super::fit::{fit, left, width};
use super::meter::meter;
use super::theme::Theme;

/// What the mark of a choice tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shows {
    /// Where the keys are: moving chooses.
    Cursor,
    /// What is in use: Enter chooses.
    Current,
}

/// Rows that it needs besides those of the choices.
const FIXED: u16 = 6;

/// Draws it. `call`: the level of the microphone of a call that is up, which needs no other one.
pub fn draw(frame: &mut Frame, area: Rect, picker: &Picker, (shows, call): (Shows, Option<f32>), theme: Theme) {
    let columns = usize::from(area.width);
    let names = ROLES.iter().map(|role| width(words::role(*role))).max().unwrap_or(0);
    let mut lines = Vec::new();
    for role in ROLES {
        let is_open = role == picker.role;
        let name = match shows {
            Shows::Cursor => picker.cursor(role),
            Shows::Current => picker.current(role),
        };
        let kind = picker.kind(role, name);
        let device = described(role, name, &kind);
        lines.push(Line::from(vec![
            Span::styled(if is_open { "▸ " } else { "  " }, theme.accent()),
            Span::styled(left(words::role(role), names) + "   ", if is_open { theme.strong() } else { Style::new() }),
            Span::styled(fit(&device, columns.saturating_sub(names + 5)), theme.dim()),
        ]));
    }
    lines.push(Line::styled("─".repeat(columns), theme.dim()));
    lines.extend(choices(picker, shows, area, theme));
    lines.push(Line::default());
    lines.extend(state(picker, call, columns, theme));
    lines.truncate(usize::from(area.height));
    frame.render_widget(Text::from(lines), area);
}

fn described(role: DeviceRole, name: &str, kind: &ChoiceKind) -> String {
    match kind {
        ChoiceKind::Default(device) => words::default_device(device.as_deref()),
        ChoiceKind::Device(label) => label.clone(),
        ChoiceKind::Null => words::null(role).into(),
        ChoiceKind::Other => words::other_device(name),
    }
}

/// The choices of the open role; the one under the cursor stays in sight.
fn choices(picker: &Picker, shows: Shows, area: Rect, theme: Theme) -> Vec<Line<'static>> {
    let role = picker.role;
    let choices = picker.choices(role);
    let most = usize::from(area.height.saturating_sub(FIXED).max(1));
    let cursor = choices.iter().position(|choice| choice.name == picker.cursor(role)).unwrap_or(0);
    let first = cursor.saturating_sub(most / 2).min(choices.len().saturating_sub(most));
    let columns = usize::from(area.width);
    let shown = choices.iter().enumerate().skip(first).take(most);
    shown
        .map(|(place, choice)| {
            let is_under = place == cursor;
            let is_marked = match shows {
                Shows::Cursor => is_under,
                Shows::Current => choice.name == picker.current(role),
            };
            let style = if is_under { theme.strong() } else { Style::new() };
            Line::from(vec![
                Span::styled(if is_under { "  ▸ " } else { "    " }, theme.accent()),
                Span::styled(if is_marked { "● " } else { "○ " }, if is_marked { theme.good() } else { theme.dim() }),
                Span::styled(fit(&described(role, &choice.name, &choice.kind), columns.saturating_sub(6)), style),
            ])
        })
        .collect()
}

/// The meter, or how the test sound goes.
fn state(picker: &Picker, call: Option<f32>, columns: usize, theme: Theme) -> Vec<Line<'static>> {
    if picker.is_searching() {
        return vec![Line::styled(words::SEARCHING, theme.dim())];
    }
    let bar = |db: f32| Line::from(meter("mic", db, None, columns.min(60), theme));
    let text = |text: &str, style: Style| Line::styled(fit(text, columns), style);
    let role = picker.role;
    let none = || picker.has_none(role).then(|| text(words::NO_CARD, theme.warning()));
    if role == DeviceRole::Input {
        return match (call, &picker.heard) {
            (Some(db), _) => vec![bar(db), text(words::SPEAK, theme.dim())],
            (None, Heard::Level(db)) => {
                vec![bar(*db), none().unwrap_or_else(|| text(words::SPEAK, theme.dim()))]
            }
            (None, Heard::Opening) => vec![text(words::OPENING, theme.dim())],
            (None, Heard::Failed(why)) => {
                vec![text(&words::refuses(why), theme.bad())].into_iter().chain(none()).collect()
            }
        };
    }
    let said = match &picker.tone {
        Some(Tone::Playing(_)) => text(words::PLAYING, theme.good()),
        Some(Tone::Played(_)) if picker.cursor(role) == "null" => text(words::PLAYED_SILENTLY, theme.dim()),
        Some(Tone::Played(_)) => text(words::PLAYED, theme.good()),
        Some(Tone::Failed(why)) => text(&words::refuses(why), theme.bad()),
        None => text(words::TRY_TONE, theme.dim()),
    };
    std::iter::once(said).chain(none()).collect()
}
